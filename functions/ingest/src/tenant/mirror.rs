//! What a sighting of an account means for the mirror. Pure.

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attributes;
use hardmatch_domain::ids::ObjectId;
use hardmatch_store::accounts::{AccountItem, Wrote};

pub(super) use super::our_write::{STALE_SECONDS, may_lag};
use super::our_write::{is_before_our_write, is_between, is_recent, is_where_it_was};

/// What to do with a sighting.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The account is as the mirror has it.
    Same,
    /// The sighting shows the account before our last write: ignore it, and ask for the account later.
    Stale,
    /// The account is as the mirror has it, and has its date of creation, which the answer to our creation did not say:
    /// store it; no decision depends on it.
    Filled(Box<AccountItem>),
    /// The account is new or differs: store it.
    New(Box<AccountItem>),
}

/// Compares a sighting with the mirror at `now` (Unix seconds).
pub(super) fn merge(old: Option<&AccountItem>, mut seen: Account, now: i64) -> Seen {
    let Some(old) = old else {
        seen.revision = 1;
        return Seen::New(Box::new(AccountItem { account: seen, wrote: None }));
    };
    seen.revision = old.account.revision;
    // The listing of users says nothing of memberships; the lists of groups do.
    seen.memberships = old.account.memberships.clone();
    // The order of licences says nothing.
    if is_between(&seen.licenses, &old.account.licenses, &old.account.licenses) {
        seen.licenses.clone_from(&old.account.licenses);
    }
    if seen == old.account {
        return Seen::Same;
    }
    if old.account.created.is_none() && seen == (Account { created: seen.created.clone(), ..old.account.clone() }) {
        return Seen::Filled(Box::new(AccountItem { account: seen, wrote: old.wrote.clone() }));
    }
    if old.wrote.as_ref().is_some_and(|wrote| is_recent(wrote, now)) && is_before_our_write(old, &seen) {
        return Seen::Stale;
    }
    seen.revision += 1;
    // The sighting confirms that we deleted or restored the account, and a lagging listing may still show it as before.
    let confirmed = |wrote: &&Wrote| wrote.moved && is_recent(wrote, now) && is_where_it_was(old, &seen);
    let wrote = old.wrote.as_ref().filter(confirmed).cloned().or_else(|| memberships_only(old, now));
    Seen::New(Box::new(AccountItem { account: seen, wrote }))
}

/// Our write, reduced to memberships: a sighting of the account says nothing of them, so they may still lag.
fn memberships_only(old: &AccountItem, now: i64) -> Option<Wrote> {
    let wrote = old.wrote.as_ref().filter(|wrote| is_recent(wrote, now) && wrote.memberships_before.is_some())?;
    Some(Wrote {
        at: wrote.at,
        before: Attributes::default(),
        enabled_before: None,
        set_id: false,
        id_before: None,
        set_manager: false,
        licenses_before: None,
        memberships_before: wrote.memberships_before.clone(),
        created: false,
        moved: false,
    })
}

/// Whether the mirror is believed against a list of a group's members that differs from it, at `now` (Unix seconds).
pub(super) fn outlasts_list(item: &AccountItem, group: &ObjectId, listed: Listed, now: i64) -> bool {
    // A list has live members only. An account in the recycle bin is a member again when it is restored.
    let missed = listed == Listed::Missing;
    if missed && item.account.is_deleted() {
        return true;
    }
    item.wrote.as_ref().filter(|wrote| is_recent(wrote, now)).is_some_and(|wrote| {
        let is = item.account.memberships.contains(group.as_str());
        let was = wrote.memberships_before.as_ref().map_or(is, |before| before.contains(group.as_str()));
        is != was || (missed && wrote.moved)
    })
}

/// Whether a list of members names an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Listed {
    Present,
    Missing,
}

#[cfg(test)]
mod tests {
    use hardmatch_domain::attribute::{Attr, Texts};

    use super::*;

    fn account(title: &str) -> Account {
        Account {
            attributes: Attributes::from_pairs([(Attr::JobTitle, title), (Attr::DisplayName, "Ada")]),
            enabled: Some(true),
            revision: 3,
            ..Account::blank(ObjectId::from("a1"))
        }
    }

    fn mirror(title: &str, before: &str) -> AccountItem {
        let wrote = Wrote {
            at: 1000,
            before: Attributes::from_pairs([(Attr::JobTitle, before)]),
            enabled_before: None,
            set_id: false,
            id_before: None,
            set_manager: false,
            licenses_before: None,
            memberships_before: None,
            created: false,
            moved: false,
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
        let licensed = Account { licenses: Texts::new(["sku"]), ..account("new") };
        assert!(matches!(merge(Some(&mirror("new", "old")), licensed, 1001), Seen::New(_)));
    }

    /// An account as our write of its licences left it.
    fn licensed(before: &[&str], now: &[&str]) -> AccountItem {
        let mut item = mirror("new", "new");
        item.account.licenses = now.iter().copied().collect();
        item.wrote.as_mut().unwrap().licenses_before = Some(before.iter().copied().collect());
        item
    }

    fn with_licenses(skus: &[&str]) -> Account {
        Account { licenses: skus.iter().copied().collect(), ..account("new") }
    }

    #[test]
    fn c28_licenses_we_gave_took_or_exchanged_may_lag() {
        let (given, taken, exchanged) =
            (licensed(&[], &["e3"]), licensed(&["e3"], &[]), licensed(&["e1", "own"], &["own", "e3"]));
        for (item, before, now) in
            [(&given, &[][..], &["e3"][..]), (&taken, &["e3"], &[]), (&exchanged, &["own", "e1"], &["e3", "own"])]
        {
            assert_eq!(merge(Some(item), with_licenses(before), 1001), Seen::Stale);
            assert_eq!(merge(Some(item), with_licenses(now), 1001), Seen::Same, "in whichever order");
            let late = merge(Some(item), with_licenses(before), 1000 + STALE_SECONDS);
            assert!(matches!(late, Seen::New(_)), "drift");
        }
        // Between two writes.
        let twice = licensed(&[], &["e3", "extra"]);
        assert_eq!(merge(Some(&twice), with_licenses(&["extra"]), 1001), Seen::Stale);
    }

    #[test]
    fn c28_a_license_that_somebody_else_gave_or_took_is_not_stale() {
        let given = licensed(&["own"], &["own", "e3"]);
        assert!(matches!(merge(Some(&given), with_licenses(&["own", "e3", "theirs"]), 1001), Seen::New(_)));
        assert!(matches!(merge(Some(&given), with_licenses(&["e3"]), 1001), Seen::New(_)), "they took it");
        assert!(matches!(merge(Some(&given), with_licenses(&["e5"]), 1001), Seen::New(_)), "they exchanged it");
        // We wrote something else.
        let title = mirror("new", "old");
        assert!(matches!(merge(Some(&title), with_licenses(&["theirs"]), 1001), Seen::New(_)));
    }

    fn joined(before: &[&str], now: &[&str]) -> AccountItem {
        let mut item = mirror("new", "old");
        item.account.memberships = now.iter().copied().collect();
        item.wrote.as_mut().unwrap().memberships_before = Some(before.iter().copied().collect());
        item
    }

    #[test]
    fn a_sighting_says_nothing_of_memberships() {
        let item = joined(&[], &["sales"]);
        assert_eq!(merge(Some(&item), account("new"), 1001), Seen::Same);
        let Seen::New(changed) = merge(Some(&item), account("third"), 1001) else { panic!("not new") };
        assert!(changed.account.memberships.contains("sales"));
        // The mirror still knows that we made the account a member, and nothing else of that write.
        let wrote = changed.wrote.as_ref().unwrap();
        assert_eq!((wrote.memberships_before.clone(), wrote.before.is_empty()), (Some(Texts::default()), true));
        assert!(matches!(merge(Some(&changed), account("old"), 1002), Seen::New(_)), "drift is drift");
        let late = merge(Some(&item), account("third"), 1000 + STALE_SECONDS);
        assert!(matches!(late, Seen::New(item) if item.wrote.is_none()));
    }

    #[test]
    fn c28_a_list_of_members_from_before_our_write_is_not_believed() {
        let group = ObjectId::from("sales");
        let outlasts = |item: &AccountItem, listed, now| outlasts_list(item, &group, listed, now);
        let (now, late) = (1001, 1000 + STALE_SECONDS);
        assert!(outlasts(&joined(&[], &["sales"]), Listed::Missing, now));
        assert!(outlasts(&joined(&["sales"], &[]), Listed::Present, now));
        assert!(!outlasts(&joined(&[], &["sales"]), Listed::Missing, late), "somebody took it out");
        assert!(!outlasts(&joined(&["sales"], &[]), Listed::Present, late), "somebody brought it back");
        assert!(!outlasts(&joined(&["sales"], &["sales", "other"]), Listed::Missing, now), "we wrote another group");
        assert!(!outlasts(&mirror("new", "old"), Listed::Present, now), "we wrote something else");
    }

    #[test]
    fn a_deleted_account_stays_a_member() {
        let group = ObjectId::from("sales");
        let mut item = joined(&["sales"], &["sales"]);
        item.account.deleted = Some("then".into());
        item.wrote = None;
        assert!(outlasts_list(&item, &group, Listed::Missing, 1_000_000));
        assert!(!outlasts_list(&item, &group, Listed::Present, 1_000_000));
        // We restored it a moment ago.
        let mut restored = joined(&["sales"], &["sales"]);
        restored.wrote.as_mut().unwrap().moved = true;
        assert!(outlasts_list(&restored, &group, Listed::Missing, 1001));
        assert!(!outlasts_list(&restored, &group, Listed::Missing, 1000 + STALE_SECONDS));
    }

    #[test]
    fn c28_a_manager_we_set_may_lag() {
        let mut mirror = mirror("new", "new");
        mirror.account.manager = Some(ObjectId::from("boss"));
        assert!(matches!(merge(Some(&mirror), account("new"), 1001), Seen::New(_)), "somebody else removed them");
        mirror.wrote.as_mut().unwrap().set_manager = true;
        assert_eq!(merge(Some(&mirror), account("new"), 1001), Seen::Stale);
    }

    fn in_bin(title: &str, date: &str) -> Account {
        Account { deleted: Some(date.into()), ..account(title) }
    }

    #[test]
    fn c28_a_lagging_listing_does_not_undo_our_deletion_or_restore() {
        let mut deleted = mirror("new", "new");
        deleted.account = in_bin("new", "ours");
        assert!(matches!(merge(Some(&deleted), account("new"), 1001), Seen::New(_)), "somebody else deleted it");
        deleted.wrote.as_mut().unwrap().moved = true;
        assert_eq!(merge(Some(&deleted), account("new"), 1001), Seen::Stale);
        assert!(matches!(merge(Some(&deleted), account("new"), 1000 + STALE_SECONDS), Seen::New(_)), "restored");
        // The recycle bin confirms it, with its own date and less of the account, and the listing lags all the same.
        let bare = |date: &str| Account {
            attributes: Attributes::from_pairs([(Attr::DisplayName, "Ada")]),
            ..in_bin("", date)
        };
        let Seen::New(confirmed) = merge(Some(&deleted), bare("theirs"), 1002) else { panic!("not new") };
        assert_eq!(merge(Some(&confirmed), account("new"), 1003), Seen::Stale);
        assert!(matches!(merge(Some(&confirmed), account("new"), 1000 + STALE_SECONDS), Seen::New(_)));
        // The other way round.
        let mut restored = mirror("new", "new");
        restored.wrote.as_mut().unwrap().moved = true;
        assert_eq!(merge(Some(&restored), bare("theirs"), 1001), Seen::Stale);
        assert!(matches!(merge(Some(&restored), bare("theirs"), 1000 + STALE_SECONDS), Seen::New(_)));
    }

    #[test]
    fn a_difference_raises_the_revision() {
        let Seen::New(item) = merge(Some(&mirror("new", "old")), account("third"), 1001) else { panic!("not new") };
        assert_eq!(item.account.revision, 4);
    }
}
