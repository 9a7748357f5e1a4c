//! What an observation of an account means for the mirror. Pure.

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_store::accounts::AccountItem;

/// For so long after a write of ours a replica may still show the time before it (seconds).
/// Graph documents no bound; public reports speak of seconds, rarely minutes.
pub(crate) const STALE_SECONDS: i64 = 15 * 60;

/// What to do with an observation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// As the mirror has it.
    Same,
    /// Shows the time before our last write: ignore it, and look again later.
    Stale,
    /// As the mirror has it, and besides what the answer to our creation did not say: store it; nobody decides by it.
    Filled(Box<AccountItem>),
    /// New: store it.
    New(Box<AccountItem>),
}

/// Compares an observation with the mirror.
pub(crate) fn merge(old: Option<&AccountItem>, mut seen: Account, now: i64) -> Seen {
    let Some(old) = old else {
        seen.revision = 1;
        return Seen::New(Box::new(AccountItem { account: seen, wrote: None }));
    };
    seen.revision = old.account.revision;
    if seen == old.account {
        return Seen::Same;
    }
    if old.account.created.is_none() && seen == (Account { created: seen.created.clone(), ..old.account.clone() }) {
        return Seen::Filled(Box::new(AccountItem { account: seen, wrote: old.wrote.clone() }));
    }
    if old.wrote.as_ref().is_some_and(|wrote| now - wrote.at < STALE_SECONDS) && is_before_our_write(old, &seen) {
        return Seen::Stale;
    }
    seen.revision += 1;
    Seen::New(Box::new(AccountItem { account: seen, wrote: None }))
}

/// Whether something that we wrote is shown as it was before, and nothing that we wrote as anything else.
fn is_before_our_write(old: &AccountItem, seen: &Account) -> bool {
    let Some(wrote) = &old.wrote else { return false };
    let mut before = old.account.clone();
    for (attr, value) in wrote.before.iter() {
        before.attributes =
            if value.is_empty() { before.attributes.without(attr) } else { before.attributes.with(attr, value) };
    }
    if let Some(enabled) = wrote.enabled_before {
        before.enabled = Some(enabled);
    }
    if wrote.set_id {
        before.immutable_id = None;
    }
    // A replica may show any mixture of before and after, but nothing else.
    let mixture = |attr: Attr| {
        let value = seen.attributes.filled(attr);
        value == before.attributes.filled(attr) || value == old.account.attributes.filled(attr)
    };
    let lags = Attr::ALL.iter().any(|&attr| seen.attributes.filled(attr) != old.account.attributes.filled(attr))
        || seen.enabled != old.account.enabled
        || seen.immutable_id != old.account.immutable_id
        || (wrote.set_manager && seen.manager != old.account.manager);
    lags && Attr::ALL.iter().all(|&attr| mixture(attr))
        && (seen.enabled == before.enabled || seen.enabled == old.account.enabled)
        && (seen.immutable_id == before.immutable_id || seen.immutable_id == old.account.immutable_id)
        && seen.deleted == old.account.deleted
}

#[cfg(test)]
mod tests {
    use hardmatch_domain::account::{AccountKind, Authority};
    use hardmatch_domain::attribute::{Attributes, Texts};
    use hardmatch_domain::ids::ObjectId;
    use hardmatch_store::accounts::Wrote;

    use super::*;

    fn account(title: &str) -> Account {
        Account {
            id: ObjectId::from("a1"),
            immutable_id: None,
            attributes: Attributes::from_pairs([(Attr::JobTitle, title), (Attr::DisplayName, "Ada")]),
            enabled: Some(true),
            proxies: Texts::default(),
            kind: AccountKind::Member,
            authority: Authority::Cloud,
            licences: Texts::default(),
            manager: None,
            created: None,
            deleted: None,
            last_sync: None,
            guest_state: None,
            revision: 3,
        }
    }

    fn mirror(title: &str, before: &str) -> AccountItem {
        let wrote = Wrote {
            at: 1000,
            before: Attributes::from_pairs([(Attr::JobTitle, before)]),
            enabled_before: None,
            set_id: false,
            set_manager: false,
            created: false,
        };
        AccountItem { account: account(title), wrote: Some(wrote) }
    }

    #[test]
    fn c28_the_time_before_our_write_is_stale_for_fifteen_minutes() {
        let mirror = mirror("new", "old");
        assert_eq!(merge(Some(&mirror), account("old"), 1000 + STALE_SECONDS - 1), Seen::Stale);
        assert!(matches!(merge(Some(&mirror), account("old"), 1000 + STALE_SECONDS), Seen::New(_)));
        assert!(matches!(merge(Some(&mirror), account("third"), 1001), Seen::New(_)), "drift is drift");
        assert_eq!(merge(Some(&mirror), account("new"), 1001), Seen::Same);
    }

    #[test]
    fn an_account_of_ours_concerns_nobody_when_it_comes_back_with_its_date() {
        let mirror = mirror("new", "");
        let dated = |title| Account { created: Some("2026-01-01T00:00:00Z".into()), ..account(title) };
        let Seen::Filled(item) = merge(Some(&mirror), dated("new"), 1001) else { panic!("not filled") };
        assert_eq!((item.account.revision, item.wrote.is_some()), (3, true), "no decision rests on the date");
        assert_eq!(merge(Some(&item), dated("new"), 1002), Seen::Same);
        assert!(matches!(merge(Some(&mirror), dated("third"), 1001), Seen::New(_)));
    }

    #[test]
    fn c28_what_we_did_not_write_is_never_stale() {
        let licensed = Account { licences: Texts::new(["sku"]), ..account("new") };
        assert!(matches!(merge(Some(&mirror("new", "old")), licensed, 1001), Seen::New(_)));
    }

    #[test]
    fn c28_a_manager_we_set_may_lag() {
        let mut mirror = mirror("new", "new");
        mirror.account.manager = Some(ObjectId::from("boss"));
        assert!(matches!(merge(Some(&mirror), account("new"), 1001), Seen::New(_)), "somebody else removed them");
        mirror.wrote.as_mut().unwrap().set_manager = true;
        assert_eq!(merge(Some(&mirror), account("new"), 1001), Seen::Stale);
    }

    #[test]
    fn what_differs_raises_the_revision() {
        let Seen::New(item) = merge(Some(&mirror("new", "old")), account("third"), 1001) else { panic!("not new") };
        assert_eq!(item.account.revision, 4);
    }
}
