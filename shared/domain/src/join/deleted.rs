//! Accounts in the recycle bin: the person's by ID, or by name alone. An ID stays reserved while its holder lies there.
//! <https://learn.microsoft.com/graph/api/directory-deleteditems-restore>

use crate::draft::{Consent, EvidenceLog};
use crate::facts::{By, Facts};
use crate::join::candidates::Candidate;
use crate::join::duplicate::duplicate_account;
use crate::join::outcome::{Joining, Opened, Opening, Refusal, Target, refused};
use crate::join::{claims, merge};
use crate::person_context::PersonContext;
use crate::repair::sequences;
use crate::rules::leaving;
use crate::rules::proof::{self, Proof};
use crate::vocabulary::account::{Account, AccountKind, Authority};
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::change::Action;
use crate::vocabulary::evidence::{EvidenceRule, Found};
use crate::vocabulary::ids::{ImmutableId, PersonRef};
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::policy::SoftDeleted;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::repair::{RepairKind, RepairPlan};
use crate::vocabulary::step::Step;
use crate::vocabulary::text::same_name;

/// Soft-deleted accounts that had the person's sign-in name or an address.
pub(super) fn look<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    upn: Option<&str>,
) -> Vec<&'a Account> {
    let mut found: Vec<&'a Account> = Vec::new();
    if let Some(upn) = upn {
        found.extend(subject.accounts(By::Upn, upn));
    }
    for address in subject.person.addresses.all().iter() {
        found.extend(subject.accounts(By::Address, address));
    }
    found.retain(|account| account.is_deleted());
    found.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    found.dedup_by(|one, other| one.id == other.id);
    if found.is_empty() {
        log.saw(EvidenceRule::DeletedSoftMatch, Found::Nothing);
    }
    found
}

pub(super) fn judge_by_id<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    deleted: &[&'a Account],
    candidates: &[Candidate<'a>],
    upn: Option<&str>,
) -> Option<Joining<'a>> {
    let account = *deleted.first()?;
    let from = match claims::owner(subject, account) {
        claims::Owner::Nobody => None,
        claims::Owner::Continued(link) => Some(link),
        claims::Owner::Refused(code) => {
            return Some(refused(Reason::plain(code), account));
        }
    };
    let rivals = claims::with_the_same_anchor(subject);
    if !rivals.is_empty() {
        let reason = claims::contested(log, "same immutable ID", &rivals);
        return Some(refused(reason, account));
    }
    if leaving::is_leaving(subject) {
        return Some(not_restored(account));
    }
    if from.is_none()
        && let Some(reason) = subject.privileged(&account.id)
    {
        return Some(refused(reason, account));
    }
    if !subject.is_complete() {
        return Some(refused(Reason::plain(Code::Incomplete), account));
    }
    if let Some(other) = duplicate_account(subject, account, candidates) {
        return Some(merge::plan(subject, log, account, other, from.map(|link| link.person.clone())));
    }
    let link_from = from.map(|link| link.person.clone());
    Some(bring_back(subject, log, (JoinRule::DeletedHardMatch, account), link_from, upn))
}

/// Nobody who is disabled, expired or leaving is restored: a restored account is open until somebody closes it.
pub(super) fn not_restored<'a>(account: &Account) -> Joining<'a> {
    refused(Reason::plain(Code::NotRestored), account)
}

/// By name alone: only when nothing says that it is somebody else's. A name proves nothing, as it may have been given to
/// somebody new: without an independent attribute that agrees, an operator compares the two first.
pub(super) fn judge_by_name<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    bin: &[&'a Account],
    upn: Option<&str>,
) -> Option<Joining<'a>> {
    let mut ours: Vec<&'a Account> = Vec::new();
    for account in bin {
        let another = account.immutable_id.is_some()
            || account.kind == AccountKind::Guest
            || account.authority == Authority::Synced
            || subject.facts.link_to(&account.id).is_some()
            || proof::contradicts(subject, log, account)
            || proof::is_called_otherwise(subject, log, account);
        let found = if another { Found::Different } else { Found::Same };
        let theirs = account.immutable_id.as_ref().map(ImmutableId::as_str);
        log.saw_at(EvidenceRule::DeletedSoftMatch, found, &account.id, upn, theirs);
        if let Some(date) = &account.deleted {
            log.saw_at(EvidenceRule::Dates, Found::Fact, &account.id, None, Some(&format!("deleted {date}")));
        }
        if !another {
            ours.push(account);
        }
    }
    let account = match ours.as_slice() {
        [] => return None,
        [account] => *account,
        [_, _, ..] => {
            let detail = "several accounts in the recycle bin";
            return Some(Joining::Refused(Refusal::new(Reason::with(Code::Ambiguous, detail))));
        }
    };
    if !subject.is_complete() {
        return Some(refused(Reason::plain(Code::Incomplete), account));
    }
    let rivals = claims::rivals(subject, account);
    if !rivals.is_empty() {
        let reason = claims::contested(log, "same account", &rivals);
        return Some(refused(reason, account));
    }
    if leaving::is_leaving(subject) {
        return Some(not_restored(account));
    }
    if subject.person.immutable_id().is_none() {
        return Some(refused(Reason::plain(Code::AnchorMissing), account));
    }
    // Once restored it is a takeover like any other: never of an administrator's account. Where nobody can tell who is
    // one, it could never be taken over, so it is left where it is.
    if let Some(reason) = subject.privileged(&account.id) {
        return Some(refused(reason, account));
    }
    Some(bring_back(subject, log, (JoinRule::DeletedSoftMatch, account), None, upn))
}

/// What policy does with the person's account in the recycle bin.
fn bring_back<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    (rule, account): (JoinRule, &'a Account),
    link_from: Option<PersonRef>,
    upn: Option<&str>,
) -> Joining<'a> {
    match subject.policy.soft_deleted {
        SoftDeleted::Restore => match restore_conflict(subject, account, upn) {
            Some(reason) => refused(reason, account),
            None if rule == JoinRule::DeletedSoftMatch => restore_alone(subject, log, account),
            None => Joining::To(Target { link_from, ..Target::new(account, rule, Opening::Restore) }),
        },
        SoftDeleted::Purge => {
            log.show(account);
            purge(account, rule, link_from, Vec::new())
        }
        SoftDeleted::Wait => refused(Reason::plain(Code::WaitForPurge), account),
        SoftDeleted::Refuse => refused(Reason::plain(Code::DeletedHolder), account),
    }
}

/// Nobody is told the roles of an account in the recycle bin. Known by its name alone, an account is brought back and no
/// more; the person is decided again when it is live and what it may do is known.
fn restore_alone<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    account: &'a Account,
) -> Joining<'a> {
    log.show(account);
    let proven = proof::of(subject, log, account) == Proof::Proven;
    if !proven {
        let theirs = account.attributes.filled(Attr::DisplayName);
        let ours = subject.person.attributes.filled(Attr::DisplayName);
        log.saw_at(EvidenceRule::Proof, Found::Nothing, &account.id, ours, theirs);
    }
    Joining::Opens(Opened {
        account,
        rule: JoinRule::DeletedSoftMatch,
        action: Action::Restore,
        consent: if proven { Consent::Switch } else { Consent::Approval },
        reason: Reason::with(Code::RestoreDeleted, "alone; what it may do is looked at when it is live"),
        steps: vec![Step::Restore],
        link_from: None,
        notes: Vec::new(),
    })
}

/// The person's account is deleted for good before another is created.
pub(super) fn purge(
    account: &Account,
    rule: JoinRule,
    link_from: Option<PersonRef>,
    notes: Vec<Reason>,
) -> Joining<'_> {
    let plan = RepairPlan {
        kind: RepairKind::PurgeHolder,
        calls: sequences::purge(&account.id),
        people: Vec::new(),
        addresses: account.addresses().map(Into::into).collect(),
    };
    Joining::Opens(Opened {
        account,
        rule,
        action: Action::Purge,
        consent: Consent::Switch,
        reason: Reason::with(Code::DeletedHolder, "deleted for good; another account is created afterwards"),
        steps: vec![Step::Repair(Box::new(plan))],
        link_from,
        notes,
    })
}

/// Why an account is not brought back: a live account holds what it would have again, or somebody else at the source
/// has been given its name.
pub(super) fn restore_conflict<F: Facts>(
    subject: &PersonContext<'_, F>,
    account: &Account,
    upn: Option<&str>,
) -> Option<Reason> {
    let theirs = account.upn().into_iter().chain(account.addresses());
    let ours = upn.into_iter().chain(subject.person.addresses.all().iter());
    let mut names: Vec<&str> = theirs.chain(ours).collect();
    names.sort_unstable();
    names.dedup_by(|one, other| same_name(one, other));
    if let Some(holder) = names.into_iter().find_map(|name| subject.holder_of(name, Some(&account.id))) {
        let detail = format!("held by {}, so {} is not restored", holder.id, account.id);
        return Some(Reason::with(Code::AddressInUse, detail));
    }
    let wants = |upn: &str| !claims::wanted_by_others(subject, upn, claims::Against::Everybody).is_empty();
    let given_away = account.upn().is_some_and(wants);
    given_away.then(|| {
        let detail = format!("the name of {} was given to somebody else at the source", account.id);
        Reason::with(Code::AddressInUse, detail)
    })
}
