//! What a step means for the mirror of its account, and for the ledger of what hardmatch itself wrote. Pure.

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::{Attr, Attributes};
use hardmatch_domain::change::Step;
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::link::{Ledger, Suspension};
use hardmatch_domain::mirror::may_be_stale;
use hardmatch_store::accounts::{AccountItem, Wrote};

/// The account as a creation leaves it, from what was sent and what the tenant answered.
pub(crate) fn created(step: &Step, answer: Option<Account>, id: ObjectId, manager: Option<ObjectId>) -> Account {
    let mut account = answer.unwrap_or_else(|| Account::blank(id));
    if let Step::Create { attributes, immutable_id, enabled, .. } = step {
        account.attributes = account.attributes.overlaid(attributes);
        account.immutable_id.clone_from(immutable_id);
        account.enabled = Some(*enabled);
    }
    account.manager = manager;
    account
}

/// The mirror after a step. `other` is the account or group that the step names.
pub(crate) fn after(item: &AccountItem, step: &Step, other: Option<&ObjectId>, now: i64, stamp: &str) -> AccountItem {
    let mut account = item.account.clone();
    let mut before = Attributes::default();
    let (mut enabled_before, mut set_id, mut set_manager, mut was_created) = (None, false, false, false);
    match step {
        Step::Update { immutable_id, before: was, after } => {
            before = after.iter().map(|(attr, _)| (attr, was.get(attr).unwrap_or(""))).collect();
            account.attributes = write(&account.attributes, after);
            if let Some(id) = immutable_id {
                set_id = account.immutable_id.is_none();
                account.immutable_id = Some(id.clone());
            }
        }
        Step::Rename { before: was, after } => {
            before = Attributes::from_pairs([(Attr::UserPrincipalName, was.as_ref())]);
            account.attributes = account.attributes.with(Attr::UserPrincipalName, after);
        }
        Step::SetEnabled { before: was, after, .. } => {
            enabled_before = *was;
            account.enabled = Some(*after);
        }
        Step::SetManager { after, .. } => {
            set_manager = true;
            account.manager = after.as_ref().and(other).cloned();
        }
        Step::SetLicenses { give, take } => account.relicense(give, take),
        Step::JoinGroup { .. } => {
            if let Some(group) = other {
                account.memberships = account.memberships.with(group.as_str());
            }
        }
        Step::LeaveGroup { id, .. } => account.memberships = account.memberships.without(id.as_str()),
        Step::ClearId { .. } => account.immutable_id = None,
        Step::Restore => account.deleted = None,
        Step::Delete { .. } => account.deleted = Some(stamp.into()),
        Step::Create { manager, .. } => {
            set_manager = manager.is_some();
            was_created = true;
        }
        // What a repair wrote is in the mirror when it is closed.
        Step::Link | Step::Unlink | Step::RevokeSessions | Step::Purge { .. } | Step::Repair(_) => {}
    }
    let moved = matches!(step, Step::Delete { .. } | Step::Restore);
    let licenses_before = (account.licenses != item.account.licenses).then(|| item.account.licenses.clone());
    let memberships_before =
        (account.memberships != item.account.memberships).then(|| item.account.memberships.clone());
    let mut wrote = Wrote {
        at: now,
        before,
        enabled_before,
        set_id,
        id_before: None,
        set_manager,
        licenses_before,
        memberships_before,
        created: was_created,
        moved,
    };
    if let Some(earlier) = item.wrote.as_ref().filter(|earlier| may_be_stale(earlier.at, now)) {
        // The oldest value is what a lagging replica shows.
        wrote.before = wrote.before.overlaid(&earlier.before);
        wrote.enabled_before = earlier.enabled_before.or(wrote.enabled_before);
        wrote.set_id |= earlier.set_id;
        wrote.set_manager |= earlier.set_manager;
        wrote.licenses_before = earlier.licenses_before.clone().or(wrote.licenses_before);
        wrote.memberships_before = earlier.memberships_before.clone().or(wrote.memberships_before);
        wrote.created |= earlier.created;
        wrote.moved |= earlier.moved;
    }
    if account != item.account {
        account.revision += 1;
    }
    AccountItem { account, wrote: Some(wrote) }
}

/// The group that a step makes or ends a membership of. `other` is the group that it joins.
pub(crate) fn group_of<'s>(step: &'s Step, other: Option<&'s ObjectId>) -> Option<&'s ObjectId> {
    match step {
        Step::JoinGroup { .. } => other,
        Step::LeaveGroup { id, .. } => Some(id),
        Step::Create { .. }
        | Step::Link
        | Step::Unlink
        | Step::ClearId { .. }
        | Step::Update { .. }
        | Step::Rename { .. }
        | Step::SetEnabled { .. }
        | Step::RevokeSessions
        | Step::SetManager { .. }
        | Step::SetLicenses { .. }
        | Step::Delete { .. }
        | Step::Restore
        | Step::Purge { .. }
        | Step::Repair(_) => None,
    }
}

fn write(have: &Attributes, after: &Attributes) -> Attributes {
    let kept = have.iter().filter(|(attr, _)| after.get(*attr).is_none());
    kept.chain(after.iter().filter(|(_, value)| !value.is_empty())).collect()
}

/// What is ours after a step. `other` is the account or group that the step names.
pub(crate) fn owned(ledger: &Ledger, step: &Step, other: Option<&ObjectId>, now: i64) -> Ledger {
    let mut ledger = ledger.clone();
    match step {
        Step::Create { attributes, enabled, .. } => {
            ledger.created = true;
            ledger.written = attributes.clone();
            if !enabled {
                ledger.suspended = Some(Suspension { at: now, cause: hardmatch_domain::link::LeavingCause::Disabled });
            }
        }
        Step::Update { after, .. } => ledger.written = ledger.written.overlaid(after),
        Step::Rename { after, .. } => ledger.written = ledger.written.with(Attr::UserPrincipalName, after),
        Step::SetEnabled { after: false, cause, .. } => {
            ledger.suspended = cause.map(|cause| Suspension { at: now, cause });
        }
        Step::SetEnabled { after: true, .. } => {
            ledger.suspended = None;
            ledger.leaving_since = None;
            ledger.leaving_cause = None;
        }
        Step::SetLicenses { give, take } => ledger.relicense(give, take),
        Step::JoinGroup { .. } => {
            if let Some(group) = other {
                ledger.memberships = ledger.memberships.with(group.as_str());
            }
        }
        Step::LeaveGroup { id, .. } => ledger.memberships = ledger.memberships.without(id.as_str()),
        Step::Delete { cause } => ledger.deleted = Some(Suspension { at: now, cause: *cause }),
        Step::Restore => ledger.deleted = None,
        Step::Link
        | Step::Unlink
        | Step::ClearId { .. }
        | Step::RevokeSessions
        | Step::SetManager { .. }
        | Step::Purge { .. }
        | Step::Repair(_) => {}
    }
    ledger
}

/// Whether an account shows that a step was done, although its answer was lost.
pub(crate) fn shows(account: Option<&Account>, step: &Step, manager: Option<&ObjectId>) -> bool {
    let live = account.filter(|account| !account.is_deleted());
    match step {
        Step::Create { .. } | Step::Restore => live.is_some(),
        Step::Link | Step::Unlink => true,
        Step::ClearId { .. } => live.is_some_and(|account| account.immutable_id.is_none()),
        Step::Update { immutable_id, after, .. } => live.is_some_and(|account| {
            immutable_id.as_ref().is_none_or(|id| account.immutable_id.as_ref() == Some(id))
                && after.iter().all(|(attr, value)| account.attributes.filled(attr).unwrap_or("") == value)
        }),
        Step::Rename { after, .. } => live.and_then(Account::upn).is_some_and(|upn| upn.eq_ignore_ascii_case(after)),
        Step::SetEnabled { after, .. } => live.is_some_and(|account| account.enabled == Some(*after)),
        Step::SetLicenses { give, take } => live.is_some_and(|account| {
            give.iter().all(|license| license.without.is_empty() && account.licenses.contains(&license.sku))
                && !take.iter().any(|license| account.licenses.contains(&license.sku))
        }),
        // Repeating these is harmless, and the account does not show them.
        Step::RevokeSessions | Step::JoinGroup { .. } | Step::LeaveGroup { .. } | Step::Repair(_) => false,
        Step::SetManager { after, .. } => {
            live.is_some_and(|account| account.manager.as_ref() == after.as_ref().and(manager))
        }
        Step::Delete { .. } => live.is_none(),
        Step::Purge { .. } => account.is_none(),
    }
}

/// Whether the account is still what the decision saw, in what makes a change dangerous.
pub(crate) fn is_as_decided(read: &Account, mirror: &Account) -> bool {
    read.immutable_id == mirror.immutable_id
        && read.kind == mirror.kind
        && read.authority == mirror.authority
        && read.is_deleted() == mirror.is_deleted()
        && read.enabled.is_none_or(|enabled| mirror.enabled == Some(enabled))
        && read.upn().map(str::to_lowercase) == mirror.upn().map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        let step = Step::Create {
            attributes: Attributes::from_pairs([
                (Attr::JobTitle, "Engineer"),
                (Attr::UserPrincipalName, "a@x.example"),
            ]),
            immutable_id: None,
            enabled: true,
            manager: None,
        };
        created(&step, None, ObjectId::from("a1"), None)
    }

    fn title(before: &str, after: &str) -> Step {
        let pair = |value| Attributes::from_pairs([(Attr::JobTitle, value)]);
        Step::Update { immutable_id: None, before: pair(before), after: pair(after) }
    }

    #[test]
    fn the_oldest_value_is_what_a_lagging_replica_shows() {
        let item = AccountItem { account: account(), wrote: None };
        let once = after(&item, &title("Engineer", "Lead"), None, 100, "t");
        let twice = after(&once, &title("Lead", ""), None, 200, "t");
        let wrote = twice.wrote.unwrap();
        assert_eq!(wrote.before.get(Attr::JobTitle), Some("Engineer"));
        assert_eq!(twice.account.attributes.get(Attr::JobTitle), None, "an empty text clears");
        assert_eq!(twice.account.revision, 2);
    }

    #[test]
    fn a_membership_is_in_the_mirror_at_once_and_its_group_is_known() {
        let group = ObjectId::from("sales");
        let target = hardmatch_domain::group::GroupTarget {
            name: "Sales".into(),
            kind: hardmatch_domain::group::GroupKind::Security,
            id: None,
        };
        let join = Step::JoinGroup { group: target };
        let leave = Step::LeaveGroup { id: group.clone(), name: "Sales".into() };
        assert_eq!(group_of(&join, Some(&group)), Some(&group));
        assert_eq!(group_of(&leave, None), Some(&group));
        assert_eq!(group_of(&title("", "Lead"), Some(&group)), None);
        let item = AccountItem { account: account(), wrote: None };
        let joined = after(&item, &join, Some(&group), 100, "t");
        assert!(joined.account.memberships.contains("sales"));
        // The oldest is what a lagging list shows.
        let left = after(&joined, &leave, None, 200, "t");
        assert!(left.account.memberships.is_empty());
        assert_eq!(left.wrote.unwrap().memberships_before, Some(hardmatch_domain::attribute::Texts::default()));
    }

    #[test]
    fn a_lost_answer_shows_by_its_effect() {
        let mut changed = account();
        assert!(!shows(Some(&changed), &title("Engineer", "Lead"), None));
        changed.attributes = changed.attributes.with(Attr::JobTitle, "Lead");
        assert!(shows(Some(&changed), &title("Engineer", "Lead"), None));
        assert!(!shows(Some(&changed), &Step::RevokeSessions, None));
    }

    #[test]
    fn j19_only_our_own_blocking_is_ours() {
        let cause = Some(hardmatch_domain::link::LeavingCause::Absent);
        let blocked = owned(&Ledger::default(), &Step::SetEnabled { before: Some(true), after: false, cause }, None, 5);
        assert_eq!(blocked.suspended.map(|suspension| suspension.at), Some(5));
        let allowed = owned(&blocked, &Step::SetEnabled { before: Some(false), after: true, cause: None }, None, 6);
        assert_eq!(allowed.suspended, None);
    }
}
