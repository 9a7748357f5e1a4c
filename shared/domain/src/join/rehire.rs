//! Re-hire: the person is back under a new anchor; the same unique employee ID is on somebody who is gone and linked.

use crate::draft::Draft;
use crate::facts::{By, Facts};
use crate::join::Joining;
use crate::join::soft::{self, Candidate};
use crate::person_context::PersonContext;
use crate::vocabulary::account::Authority;
use crate::vocabulary::attribute::Attr;
use crate::vocabulary::change::{EvidenceRule, Found, Step};
use crate::vocabulary::ids::ImmutableId;
use crate::vocabulary::link::JoinRule;
use crate::vocabulary::person::{PersonRecord, SourceStatus};
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::lookup_form;

pub(super) fn judge<'a, F: Facts>(
    subject: &PersonContext<'a, F>,
    draft: &mut Draft<'a>,
    candidates: &[Candidate<'a>],
) -> Option<Joining<'a>> {
    let employee = soft::proving_employee_id(subject)?;
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
    draft.saw_at(EvidenceRule::Proof, Found::Same, &account.id, Some(employee), Some(employee));
    draft.saw_at(
        EvidenceRule::HardMatch,
        Found::Different,
        &account.id,
        subject.person.immutable_id().map(ImmutableId::as_str),
        account.immutable_id.as_ref().map(ImmutableId::as_str),
    );
    draft.saw_at(EvidenceRule::Dates, Found::Fact, &account.id, None, Some(&dates));
    if let Some(suspended) = link.ledger.suspended {
        let by = format!("sign-in blocked by us at {}", suspended.at);
        draft.saw_at(EvidenceRule::Enabled, Found::Fact, &account.id, None, Some(&by));
    } else {
        draft.show(account);
    }
    if candidates.iter().any(|candidate| candidate.account.id != account.id) {
        draft.refuse_join(Reason::plain(Code::Ambiguous), Some(account));
        return Some(Joining::Settled);
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
        draft.refuse_join(reason, Some(account));
        draft.code(Code::Rehire);
        return Some(Joining::Settled);
    }
    draft.joined(JoinRule::Link, account);
    draft.link_from = Some(old.reference());
    let mut then = vec![Step::Link];
    if account.enabled == Some(false) && link.ledger.suspended.is_some() && subject.person.enabled != Some(false) {
        then.push(Step::SetEnabled { before: account.enabled, after: true, cause: None });
    }
    soft::set_id(subject, draft, account, Reason::plain(Code::Rehire), &then);
    Some(Joining::Settled)
}
