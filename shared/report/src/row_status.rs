//! Where a person stands: one word from the decision and, once written, its outcome. Every count of a report counts
//! these, so that its numbers add up to its people.

use hardmatch_domain::change::Action;
use hardmatch_domain::link::LeavingCause;
use hardmatch_domain::reason::{Code, Weight};
use hardmatch_ports::run::{Outcome, OutcomeKind, PlanRow, Run};

/// Where a person stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RowStatus {
    /// Written.
    Done,
    /// Decided, not yet written.
    Planned,
    /// Waits for an approval, the guard, a timer or another change.
    Held,
    /// Refused by a rule or by the tenant: a person must look.
    Refused,
    /// Facts changed; decided again.
    FactsMoved,
    /// The tenant was not available for long enough; the next run goes on.
    Unavailable,
    /// Nothing is to be done.
    Unchanged,
}

impl RowStatus {
    /// All of them, in the order in which they are shown.
    pub const ALL: &'static [RowStatus] = &[
        RowStatus::Done,
        RowStatus::Planned,
        RowStatus::Held,
        RowStatus::Refused,
        RowStatus::FactsMoved,
        RowStatus::Unavailable,
        RowStatus::Unchanged,
    ];

    /// Where a person stands by their plan row and, if there is one, the outcome of their change.
    pub fn of(row: &PlanRow, outcome: Option<&Outcome>) -> Self {
        if let Some(outcome) = outcome {
            return match outcome.result {
                // Written, and a person must look all the same.
                OutcomeKind::Done if outcome.said().iter().any(|reason| reason.code.weight() == Weight::Refused) => {
                    RowStatus::Refused
                }
                OutcomeKind::Done => RowStatus::Done,
                OutcomeKind::Refused => RowStatus::Refused,
                OutcomeKind::Held => RowStatus::Held,
                OutcomeKind::FactsMoved => RowStatus::FactsMoved,
                OutcomeKind::Unavailable => RowStatus::Unavailable,
            };
        }
        let decision = &row.decision;
        if let Some(change) = &decision.change {
            return if change.hold.is_some() { RowStatus::Held } else { RowStatus::Planned };
        }
        match decision.reasons.iter().map(|reason| reason.code.weight()).max() {
            Some(Weight::Refused) => RowStatus::Refused,
            Some(Weight::Held) => RowStatus::Held,
            Some(Weight::Note | Weight::Reported) | None => RowStatus::Unchanged,
        }
    }

    /// Stable name, in JSON and CSV.
    pub fn name(self) -> &'static str {
        match self {
            RowStatus::Done => "done",
            RowStatus::Planned => "planned",
            RowStatus::Held => "held",
            RowStatus::Refused => "refused",
            RowStatus::FactsMoved => "facts_moved",
            RowStatus::Unavailable => "unavailable",
            RowStatus::Unchanged => "unchanged",
        }
    }

    /// In words, for people. No status is called as a list of the page is: who is held does not always wait for an
    /// approval, and who is refused something may be written all the same.
    pub fn words(self) -> &'static str {
        match self {
            RowStatus::Done => "done",
            RowStatus::Planned => "planned",
            RowStatus::Held => "held",
            RowStatus::Refused => "refused",
            RowStatus::FactsMoved => "decided again",
            RowStatus::Unavailable => "tenant not available",
            RowStatus::Unchanged => "unchanged",
        }
    }
}

/// Whether the person is not in the source any more.
pub(crate) fn is_absent(row: &PlanRow) -> bool {
    let decision = &row.decision;
    decision.leaving.is_some_and(|(cause, _)| cause == LeavingCause::Absent)
        || decision.reasons.iter().any(|reason| matches!(reason.code, Code::SourceAbsent | Code::LeftSettled))
}

/// People of the source whom nobody decided again because nothing about them changed: of a run over everybody, none.
pub(crate) fn undecided(run: &Run, people: u64, absent: u64) -> u64 {
    if run.everybody || run.is_partial() {
        return 0;
    }
    let seen = run.collections.get("people").map_or(0, |people| people.seen);
    let keyless = run.refused_entries.iter().filter(|entry| entry.key.is_none()).count() as u64;
    seen.saturating_sub(keyless).saturating_sub(people - absent)
}

/// Whether the row takes something away: a deletion, a blocked sign-in, a blanked attribute.
pub(crate) fn is_removal(row: &PlanRow) -> bool {
    let decision = &row.decision;
    match decision.action {
        Action::Suspend | Action::Delete | Action::Purge => decision.change.is_some(),
        Action::None
        | Action::Create
        | Action::Takeover
        | Action::Link
        | Action::Update
        | Action::License
        | Action::Membership
        | Action::Rename
        | Action::Enable
        | Action::Restore
        | Action::Repair
        | Action::Merge => decision.change.as_ref().is_some_and(|change| !change.removals.is_none()),
    }
}

/// Every reason of a row, the outcome's too; each code once.
pub(crate) fn codes(row: &PlanRow, outcome: Option<&Outcome>) -> Vec<Code> {
    let mut codes: Vec<Code> = Vec::with_capacity(row.decision.reasons.len() + 1);
    let said = outcome.map(Outcome::said).unwrap_or_default();
    let given = said.into_iter().chain(&row.decision.reasons);
    for reason in given {
        if !codes.contains(&reason.code) {
            codes.push(reason.code);
        }
    }
    codes
}
