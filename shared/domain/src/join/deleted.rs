//! Accounts in the recycle bin: the person's by ID, or by name alone. An ID stays reserved while its holder lies there.
//! <https://learn.microsoft.com/graph/api/directory-deleteditems-restore>

use crate::draft::{Consent, Draft, Part, StepOrder};
use crate::facts::{By, Facts};
use crate::join::soft::Candidate;
use crate::join::{Joining, Opening, Target, claims, merge};
use crate::person_context::PersonContext;
use crate::rules::leaving;
use crate::rules::proof::{self, Proof};
use crate::vocabulary::account::{Account, AccountKind, Authority};
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::change::{Action, EvidenceRule, Found, Step};
use crate::vocabulary::ids::ImmutableId;
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::policy::SoftDeleted;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::same_name;

/// Soft-deleted accounts that had the person's sign-in name or an address.
pub(super) fn look<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
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
        draft.saw(EvidenceRule::DeletedSoftMatch, Found::Nothing);
    }
    found
}

pub(super) fn judge_by_id<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    deleted: &[&'a Account],
    candidates: &[Candidate<'a>],
    upn: Option<&str>,
) -> Option<Joining<'a>> {
    let account = *deleted.first()?;
    let from = match claims::owner(subject, account) {
        claims::Owner::Nobody => None,
        claims::Owner::Continued(link) => Some(link),
        claims::Owner::Refused(code) => {
            draft.refuse_join(Reason::plain(code), Some(account));
            return Some(Joining::Settled);
        }
    };
    let rivals = claims::with_the_same_anchor(subject);
    if !rivals.is_empty() {
        let reason = claims::contested(draft, "same immutable ID", &rivals);
        draft.refuse_join(reason, Some(account));
        return Some(Joining::Settled);
    }
    if leaving::is_leaving(subject) {
        stays_in_the_bin(draft, account);
        return Some(Joining::Settled);
    }
    if from.is_none()
        && let Some(reason) = subject.privileged(&account.id)
    {
        draft.refuse_join(reason, Some(account));
        return Some(Joining::Settled);
    }
    if !subject.is_complete() {
        draft.refuse_join(Reason::plain(Code::Incomplete), Some(account));
        return Some(Joining::Settled);
    }
    if let Some(other) = claims::duplicate_account(subject, account, candidates) {
        merge::plan(subject, draft, account, other);
        return Some(Joining::Settled);
    }
    draft.link_from = from.map(|link| link.person.clone());
    Some(bring_back(subject, draft, account, JoinRule::DeletedHardMatch, upn))
}

/// Nobody who is disabled, expired or leaving is restored: a restored account is open until somebody closes it.
pub(super) fn stays_in_the_bin(draft: &mut Draft<'_>, account: &Account) {
    draft.refuse_join(Reason::plain(Code::NotRestored), Some(account));
}

/// By name alone: only when nothing says that it is somebody else's. A name proves nothing, as it may have been given to
/// somebody new: without an independent attribute that agrees, an operator compares the two first.
pub(super) fn judge_by_name<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    bin: &[&'a Account],
    upn: Option<&str>,
) -> Option<Joining<'a>> {
    let mut ours: Vec<&'a Account> = Vec::new();
    for account in bin {
        let another = account.immutable_id.is_some()
            || account.kind == AccountKind::Guest
            || account.authority == Authority::Synced
            || subject.facts.link_to(&account.id).is_some()
            || proof::contradicts(subject, draft, account)
            || proof::is_called_otherwise(subject, draft, account);
        let found = if another { Found::Different } else { Found::Same };
        let theirs = account.immutable_id.as_ref().map(ImmutableId::as_str);
        draft.saw_at(EvidenceRule::DeletedSoftMatch, found, &account.id, upn, theirs);
        if let Some(date) = &account.deleted {
            draft.saw_at(EvidenceRule::Dates, Found::Fact, &account.id, None, Some(&format!("deleted {date}")));
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
            draft.refuse_join(Reason::with(Code::Ambiguous, detail), None);
            return Some(Joining::Settled);
        }
    };
    if !subject.is_complete() {
        draft.refuse_join(Reason::plain(Code::Incomplete), Some(account));
        return Some(Joining::Settled);
    }
    let rivals = claims::rivals(subject, account);
    if !rivals.is_empty() {
        let reason = claims::contested(draft, "same account", &rivals);
        draft.refuse_join(reason, Some(account));
        return Some(Joining::Settled);
    }
    if leaving::is_leaving(subject) {
        stays_in_the_bin(draft, account);
        return Some(Joining::Settled);
    }
    if subject.person.immutable_id().is_none() {
        draft.refuse_join(Reason::plain(Code::AnchorMissing), Some(account));
        return Some(Joining::Settled);
    }
    // Once restored it is a takeover like any other: never of an administrator's account. Where nobody can tell who is
    // one, it could never be taken over, so it is left where it is.
    if let Some(reason) = subject.privileged(&account.id) {
        draft.refuse_join(reason, Some(account));
        return Some(Joining::Settled);
    }
    Some(bring_back(subject, draft, account, JoinRule::DeletedSoftMatch, upn))
}

/// What policy does with the person's account in the recycle bin.
fn bring_back<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    account: &'a Account,
    rule: JoinRule,
    upn: Option<&str>,
) -> Joining<'a> {
    match subject.policy.soft_deleted {
        SoftDeleted::Restore => {
            if let Some(reason) = restore_conflict(subject, account, upn) {
                draft.refuse_join(reason, Some(account));
                return Joining::Settled;
            }
            draft.joined(rule, account);
            match rule {
                // Nobody is told the roles of an account in the recycle bin. Known by its name alone it is brought back
                // and no more; the person is decided again when it is live and what it may do is known.
                JoinRule::DeletedSoftMatch => {
                    let reason =
                        Reason::with(Code::RestoreDeleted, "alone; what it may do is looked at when it is live");
                    draft.show(account);
                    let proven = proof::of(subject, draft, account) == Proof::Proven;
                    let consent = if proven { Consent::Switch } else { Consent::Approval };
                    if !proven {
                        let theirs = account.attributes.filled(Attr::DisplayName);
                        let ours = subject.person.attributes.filled(Attr::DisplayName);
                        draft.saw_at(EvidenceRule::Proof, Found::Nothing, &account.id, ours, theirs);
                    }
                    let steps = vec![Step::Restore];
                    draft.parts.push(Part {
                        action: Action::Restore,
                        when: StepOrder::Opening,
                        consent,
                        reason,
                        steps,
                    });
                    Joining::Settled
                }
                JoinRule::Link
                | JoinRule::HardMatch
                | JoinRule::DeletedHardMatch
                | JoinRule::Upn
                | JoinRule::PrimarySmtp
                | JoinRule::Created => {
                    Joining::To(Target { account, link: None, opening: Opening::Restore, set_id: None })
                }
            }
        }
        SoftDeleted::Purge => {
            draft.joined(rule, account);
            draft.show(account);
            draft.parts.push(Part {
                action: Action::Purge,
                when: StepOrder::Opening,
                consent: Consent::Repair,
                reason: Reason::with(Code::RepairNeeded, "purge, then create"),
                steps: vec![Step::Purge { account: account.id.clone() }],
            });
            Joining::Settled
        }
        SoftDeleted::Wait => {
            draft.refuse_join(Reason::plain(Code::WaitForPurge), Some(account));
            Joining::Settled
        }
        SoftDeleted::Refuse => {
            draft.refuse_join(Reason::plain(Code::DeletedHolder), Some(account));
            Joining::Settled
        }
    }
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
