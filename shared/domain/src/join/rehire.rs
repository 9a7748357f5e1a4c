//! Re-hire: the person is back under a new anchor; the same unique employee ID is on somebody who is gone and linked.

use crate::draft::EvidenceLog;
use crate::facts::{By, Facts};
use crate::join::candidates::Candidate;
use crate::join::outcome::{Joining, Refusal, refused};
use crate::join::reanchor::set_id;
use crate::person_context::PersonContext;
use crate::rules::proof;
use crate::vocabulary::account::Authority;
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::evidence::{EvidenceRule, Found};
use crate::vocabulary::ids::ImmutableId;
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::person::{PersonRecord, SourceStatus};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::step::Step;
use crate::vocabulary::text::lookup_form;

pub(super) fn judge<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    log: &mut EvidenceLog,
    candidates: &[Candidate<'a>],
) -> Option<Joining<'a>> {
    let employee = proof::proving_employee_id(subject)?;
    let others = subject.others(By::EmployeeId, employee);
    // Looked up without regard to zeros and spaces: an altered number proves nothing.
    let exact = |other: &PersonRecord| {
        other.person.attributes.filled(Attr::EmployeeId).is_some_and(|id| lookup_form(id) == lookup_form(employee))
    };
    let mut ours = others.iter().filter(|other| other.connection == subject.record.connection && exact(other));
    let (old, None) = (ours.next()?, ours.next()) else { return None };
    if !old.is_gone() {
        return None;
    }
    let link = subject.facts.link(&old.reference())?;
    let account = subject.facts.account(&link.account)?;
    if subject.accounts(By::EmployeeId, employee).iter().any(|other| other.id != account.id) {
        return None;
    }
    let dates = match old.standing {
        SourceStatus::Absent(since) | SourceStatus::Deleted(since) => format!("absent since {since}"),
        SourceStatus::Present | SourceStatus::Refused => String::new(),
    };
    log.saw_at(EvidenceRule::Proof, Found::Same, &account.id, Some(employee), Some(employee));
    log.saw_at(
        EvidenceRule::HardMatch,
        Found::Different,
        &account.id,
        subject.person.immutable_id().map(ImmutableId::as_str),
        account.immutable_id.as_ref().map(ImmutableId::as_str),
    );
    log.saw_at(EvidenceRule::Dates, Found::Fact, &account.id, None, Some(&dates));
    if let Some(suspended) = link.ledger.suspended {
        let by = format!("sign-in blocked by us at {}", suspended.at);
        log.saw_at(EvidenceRule::Enabled, Found::Fact, &account.id, None, Some(&by));
    } else {
        log.show(account);
    }
    if candidates.iter().any(|candidate| candidate.account.id != account.id) {
        return Some(refused(Reason::plain(Code::Ambiguous), account));
    }
    // Somebody else may carry the old ID by now.
    let taken = account
        .immutable_id
        .as_ref()
        .is_some_and(|id| subject.others_with_id(id).iter().any(|other| other.reference() != old.reference()));
    let blocked = if taken {
        Some(Reason::plain(Code::AddressTaken))
    } else if account.authority == Authority::Synced {
        Some(Reason::plain(Code::MasteredElsewhere))
    } else if !subject.is_complete() {
        Some(Reason::plain(Code::Incomplete))
    } else {
        subject.privileged(&account.id)
    };
    if let Some(reason) = blocked {
        let refusal = Refusal::new(reason).about(Some(account.id.clone())).also(Code::Rehire);
        return Some(Joining::Refused(refusal));
    }
    let mut then = vec![Step::Link];
    if account.enabled == Some(false) && link.ledger.suspended.is_some() && subject.person.enabled != Some(false) {
        then.push(Step::SetEnabled { before: account.enabled, after: true, cause: None });
    }
    let link_from = Some(old.reference());
    Some(set_id(subject, (JoinRule::Link, account), Reason::plain(Code::Rehire), then, link_from))
}
