//! What a repair does now. One function for both directions, over the journal and what was read of the tenant just now.

use std::collections::BTreeMap;

use crate::repair::journal::{Direction, Journal, MAX_ATTEMPTS, Original, RepairState, Written};
use crate::vocabulary::account::{Account, AccountKind, Authority, Domain};
use crate::vocabulary::ids::ObjectId;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::repair::{RepairCall, RepairKind, RepairWrite};
use crate::vocabulary::text::same_name;

/// So many looks in a row that do not show what was written, before it is believed that somebody else changed it. With one
/// look a minute, in the end, that is longer than replicas lag.
const MAX_LOOKS: u32 = 20;

/// After so many failures of a restore or a purge it is believed that the account is where it is shown.
const SURE: u32 = 3;

/// What was read of the tenant just now.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The accounts of the repair, live or in the recycle bin; one that is nowhere is left out.
    pub accounts: BTreeMap<ObjectId, Account>,
    /// The tenant's domains, lower-case.
    pub domains: BTreeMap<String, Domain>,
    /// Who holds a directory role or is eligible for one; `None`: could not be read.
    pub privileged: Option<BTreeMap<ObjectId, Vec<String>>>,
}

/// What a repair does now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// This call is made.
    Call(RepairCall),
    /// The present call need not be made: the account shows it already.
    Skip,
    /// Nothing yet: what was written is not shown. It is looked again.
    Wait,
    /// The present call is passed over: somebody else changed the property, by this name, and theirs stays.
    Leave(&'static str),
    /// The repair goes back, for this reason.
    TurnBack(Reason),
    /// The repair goes neither way by itself, for this reason.
    Block(Reason),
    /// The accounts show everything: the repair is closed.
    Close,
}

/// How a call failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The tenant says so, and would not say it again once its replicas agree: a sign-in name that still seems to be in a
    /// federated domain, an ID or name that an account of this repair still seems to hold, an account not seen yet.
    Lagging(Reason),
    /// Another account has the temporary name.
    TemporaryNameTaken(Reason),
    /// Another account holds the value.
    Taken(Reason),
    /// The tenant refuses.
    Refused(Reason),
    /// The service failed or throttled the call.
    Unavailable(Reason),
}

/// What a repair does now.
pub fn next(journal: &Journal, observed: &Observed) -> Next {
    match journal.state {
        RepairState::Open => {}
        RepairState::Blocked => {
            return Next::Block(journal.why.clone().unwrap_or(Reason::plain(Code::RollbackBlocked)));
        }
        RepairState::Repaired | RepairState::RolledBack => return Next::Close,
    }
    let Some(call) = journal.present() else { return read_back(journal, observed) };
    let account = observed.accounts.get(&call.account);
    if let Some(reason) = forbidden(journal, &call, account, observed) {
        return stop(journal, reason);
    }
    match (&call.write, account) {
        (RepairWrite::Upn { before, .. }, Some(account)) if !account.is_deleted() => {
            let seen = account.upn().unwrap_or_default();
            let known = same_name(seen, before) || journal.has_been(&call.account, Written::Upn(seen));
            value_call(journal, &call, known, "userPrincipalName")
        }
        (RepairWrite::Id { .. }, Some(account)) if !account.is_deleted() => {
            let known = journal.has_been(&call.account, Written::Id(account.immutable_id.as_ref()));
            value_call(journal, &call, known, "onPremisesImmutableId")
        }
        (RepairWrite::Upn { .. } | RepairWrite::Id { .. }, _) | (RepairWrite::Restore { .. }, None) => {
            unseen(journal, &call)
        }
        (RepairWrite::Delete, Some(account)) if !account.is_deleted() => before_delete(journal, &call, observed),
        (RepairWrite::Restore { .. }, Some(account)) if !account.is_deleted() && is_sure(journal) => Next::Skip,
        // A replica may show the account live that was deleted a moment ago; later, somebody restored it.
        (RepairWrite::Purge, Some(account)) if !account.is_deleted() && journal.done > 0 => {
            wait_or(journal, Reason::plain(Code::FactsMoved))
        }
        (RepairWrite::Purge, Some(account)) if !account.is_deleted() => stop(journal, Reason::plain(Code::FactsMoved)),
        (RepairWrite::Purge, None) if is_sure(journal) => Next::Skip,
        // Deleting what is deleted is success; a replica may show an account where it was before.
        (RepairWrite::Delete | RepairWrite::Restore { .. } | RepairWrite::Purge, _) => Next::Call(call),
    }
}

/// Whether the account is believed to be where it is shown: the call was sent, or failed often enough.
fn is_sure(journal: &Journal) -> bool {
    journal.sent || journal.attempts >= SURE
}

/// A property is written to a value, whatever a replica shows of it, as long as every value that is shown is one of this
/// repair's: the write may be repeated, and a value from before the first call may be shown long after it.
fn value_call(journal: &Journal, call: &RepairCall, known: bool, name: &'static str) -> Next {
    match journal.direction {
        _ if known => Next::Call(call.clone()),
        Direction::Forward => {
            Next::TurnBack(Reason::with(Code::FactsMoved, format!("{name} was changed by somebody else")))
        }
        Direction::Back => Next::Leave(name),
    }
}

/// What is never written, looked at before each call: accounts that Entra Connect masters, guests, domains that are not
/// verified (any more), and the immutable ID of an account that holds a directory role, is eligible for one, or may be.
fn forbidden(journal: &Journal, call: &RepairCall, account: Option<&Account>, observed: &Observed) -> Option<Reason> {
    let synced_goes = journal.kind == RepairKind::MergeSynced
        && matches!(call.write, RepairWrite::Delete | RepairWrite::Purge | RepairWrite::Restore { .. });
    if let Some(account) = account {
        if account.authority == Authority::Synced && !synced_goes {
            return Some(Reason::plain(Code::MasteredElsewhere));
        }
        if account.kind == AccountKind::Guest {
            return Some(Reason::plain(Code::AddressHeldByGuest));
        }
    }
    let held = || match &observed.privileged {
        None => Some(Reason::plain(Code::RolesUnknown)),
        Some(holders) => holders.get(&call.account).map(|roles| Reason::with(Code::Privileged, roles.join(", "))),
    };
    match &call.write {
        RepairWrite::Upn { after, .. } => held().or_else(|| not_verified(after, observed)),
        RepairWrite::Restore { upn: Some(upn) } => held().or_else(|| not_verified(upn, observed)),
        RepairWrite::Id { .. } | RepairWrite::Delete | RepairWrite::Purge | RepairWrite::Restore { upn: None } => {
            held()
        }
    }
}

fn not_verified(upn: &str, observed: &Observed) -> Option<Reason> {
    let domain = upn.rsplit_once('@').map(|(_, domain)| domain.to_lowercase()).unwrap_or_default();
    let verified = observed.domains.get(&domain).is_some_and(|domain| domain.verified);
    (!verified).then(|| Reason::with(Code::DomainNotVerified, domain))
}

/// Nothing is deleted before the accounts that stay are seen to be as the calls before wrote them.
fn before_delete(journal: &Journal, call: &RepairCall, observed: &Observed) -> Next {
    let expected = journal.expected();
    let mut others = expected.iter().filter(|expected| expected.account != call.account);
    if journal.direction == Direction::Back || others.all(|expected| shows(journal, expected, observed)) {
        return Next::Call(call.clone());
    }
    wait_or(journal, Reason::with(Code::FactsMoved, "the account that stays does not show what was written"))
}

/// The account is nowhere, or in the recycle bin where it should be live.
fn unseen(journal: &Journal, call: &RepairCall) -> Next {
    let moves = |write: &RepairWrite| matches!(write, RepairWrite::Restore { .. } | RepairWrite::Delete);
    let restored = journal.calls.iter().any(|other| other.account == call.account && moves(&other.write));
    if restored && journal.looks < MAX_LOOKS {
        return Next::Wait;
    }
    stop(journal, Reason::with(Code::FactsMoved, format!("the account {} is not there", call.account)))
}

fn wait_or(journal: &Journal, reason: Reason) -> Next {
    if journal.looks < MAX_LOOKS { Next::Wait } else { stop(journal, reason) }
}

/// The repair does not go on in its direction.
fn stop(journal: &Journal, reason: Reason) -> Next {
    match journal.direction {
        Direction::Forward => Next::TurnBack(reason),
        Direction::Back => Next::Block(reason),
    }
}

/// Every call is made: the repair is closed when the accounts show it.
fn read_back(journal: &Journal, observed: &Observed) -> Next {
    let agree = journal.expected().iter().all(|expected| shows(journal, expected, observed));
    if agree || journal.calls.is_empty() {
        return Next::Close;
    }
    if journal.looks < MAX_LOOKS {
        return Next::Wait;
    }
    match journal.direction {
        Direction::Forward if journal.can_turn_back() => {
            Next::TurnBack(Reason::with(Code::FactsMoved, "the accounts do not show what was written"))
        }
        // Written and answered; what somebody else made of it since is theirs.
        Direction::Forward | Direction::Back => Next::Close,
    }
}

/// Whether an account is as expected, in what a repair writes.
fn shows(journal: &Journal, expected: &Original, observed: &Observed) -> bool {
    let seen = observed.accounts.get(&expected.account);
    if journal.has_purged(&expected.account) {
        return seen.is_none();
    }
    let Some(account) = seen else { return false };
    if account.is_deleted() != expected.deleted {
        return false;
    }
    let written = |property: fn(&RepairWrite) -> bool| {
        journal.calls.iter().any(|call| call.account == expected.account && property(&call.write))
    };
    let left = |name: &str| journal.left.iter().any(|left| **left == *name);
    let upn = !written(|write| matches!(write, RepairWrite::Upn { .. } | RepairWrite::Restore { upn: Some(_) }))
        || left("userPrincipalName")
        || account.is_deleted()
        || account.upn() == expected.upn.as_deref();
    let id = !written(|write| matches!(write, RepairWrite::Id { .. }))
        || left("onPremisesImmutableId")
        || account.immutable_id == expected.immutable_id;
    upn && id
}

/// Whether the accounts are, before the first call, as the calls take them to be.
pub fn agrees(journal: &Journal) -> bool {
    let mut now = journal.originals.clone();
    journal.calls.iter().all(|call| {
        let Some(account) = now.iter_mut().find(|original| original.account == call.account) else { return false };
        match &call.write {
            RepairWrite::Upn { before, after } => {
                let as_decided = !account.deleted && account.upn.as_deref().is_some_and(|upn| same_name(upn, before));
                account.upn = Some(after.clone());
                as_decided
            }
            RepairWrite::Id { before, after } => {
                let as_decided = !account.deleted && account.immutable_id == *before;
                account.immutable_id.clone_from(after);
                as_decided
            }
            RepairWrite::Delete => !std::mem::replace(&mut account.deleted, true),
            RepairWrite::Restore { upn } => {
                account.upn = upn.clone().or(account.upn.take());
                std::mem::replace(&mut account.deleted, false)
            }
            RepairWrite::Purge => account.deleted,
        }
    })
}

/// Enters a failure of the present call.
pub fn failed(journal: &mut Journal, failure: Failure) {
    journal.attempts += 1;
    let exhausted = journal.attempts >= MAX_ATTEMPTS;
    match failure {
        Failure::TemporaryNameTaken(_) if !exhausted && journal.rename_temporary() => journal.sent = false,
        Failure::Lagging(_) if !exhausted => journal.sent = false,
        // Whether the service carried the call out is not known; the look before the next attempt says it.
        Failure::Unavailable(_) if !exhausted => {}
        // On the way back an outage is waited for.
        Failure::Unavailable(_) if journal.direction == Direction::Back => journal.attempts = MAX_ATTEMPTS - 1,
        Failure::Unavailable(reason) => stop_now(journal, reason),
        Failure::Lagging(reason)
        | Failure::TemporaryNameTaken(reason)
        | Failure::Taken(reason)
        | Failure::Refused(reason) => {
            journal.sent = false;
            stop_now(journal, reason);
        }
    }
}

fn stop_now(journal: &mut Journal, reason: Reason) {
    match journal.direction {
        Direction::Forward => journal.turn_back(reason),
        Direction::Back => journal.block(reason),
    }
}

/// After how many milliseconds a repair that failed or waits goes on.
pub fn pause_ms(journal: &Journal) -> i64 {
    1_000 << (journal.attempts + journal.looks).min(6)
}
