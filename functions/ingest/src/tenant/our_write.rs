//! Sightings that lag behind a write of ours. Replicas of the tenant show a write with a delay, so an account that is shown
//! as it was before our write was not changed back. Pure.

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::{Attr, Texts};
use hardmatch_domain::mirror::may_be_stale;
use hardmatch_store::accounts::{AccountItem, Wrote};

pub(super) use hardmatch_domain::mirror::STALE_SECONDS;

/// Whether a replica may still lag behind our write at `now` (Unix seconds).
pub(super) fn is_recent(wrote: &Wrote, now: i64) -> bool {
    may_be_stale(wrote.at, now)
}

/// Whether a listing at `now` (Unix seconds) may not show an account where it is, because we created, deleted or restored
/// it a moment ago.
pub(super) fn may_lag(item: &AccountItem, now: i64) -> bool {
    item.wrote.as_ref().is_some_and(|wrote| (wrote.created || wrote.moved) && is_recent(wrote, now))
}

/// Whether texts are a mixture of those before and those after, in any order: texts that both have are there, and no text
/// that neither has.
pub(super) fn is_between(seen: &Texts, before: &Texts, after: &Texts) -> bool {
    seen.iter().all(|text| before.contains(text) || after.contains(text))
        && before.iter().all(|text| !after.contains(text) || seen.contains(text))
}

/// Whether both are live, or both in the recycle bin. The time of a deletion is the tenant's to say.
pub(super) fn is_where_it_was(old: &AccountItem, seen: &Account) -> bool {
    seen.is_deleted() == old.account.is_deleted()
}

/// Whether a sighting shows some of what we wrote as it was before our write, and nothing that we wrote as anything else.
pub(super) fn is_before_our_write(old: &AccountItem, seen: &Account) -> bool {
    let Some(wrote) = &old.wrote else { return false };
    let moved = !is_where_it_was(old, seen);
    if moved && !wrote.moved {
        return false;
    }
    let mut before = old.account.clone();
    for (attr, value) in wrote.before.iter() {
        before.attributes =
            if value.is_empty() { before.attributes.without(attr) } else { before.attributes.with(attr, value) };
    }
    if let Some(enabled) = wrote.enabled_before {
        before.enabled = Some(enabled);
    }
    if wrote.set_id {
        before.immutable_id.clone_from(&wrote.id_before);
    }
    // A replica may show any mixture of before and after, but nothing else. The recycle bin tells less of an account.
    let mixture = |attr: Attr| {
        let (value, now) = (seen.attributes.filled(attr), old.account.attributes.filled(attr));
        value == before.attributes.filled(attr) || value == now || (moved && (value.is_none() || now.is_none()))
    };
    let named = || seen.attributes.iter().chain(old.account.attributes.iter()).chain(before.attributes.iter());
    let lags = moved
        || named().any(|(attr, _)| seen.attributes.filled(attr) != old.account.attributes.filled(attr))
        || seen.enabled != old.account.enabled
        || seen.immutable_id != old.account.immutable_id
        || (wrote.licenses_before.is_some() && seen.licenses != old.account.licenses)
        || (wrote.set_manager && seen.manager != old.account.manager);
    let licenses = |before: &Texts| {
        is_between(&seen.licenses, before, &old.account.licenses) || (moved && seen.licenses.is_empty())
    };
    lags && wrote.licenses_before.as_ref().is_none_or(licenses)
        && named().all(|(attr, _)| mixture(attr))
        && (seen.enabled == before.enabled || seen.enabled == old.account.enabled || (moved && seen.enabled.is_none()))
        && (seen.immutable_id == before.immutable_id || seen.immutable_id == old.account.immutable_id)
}
