//! Where a person stands: one word from the decision and, once written, its outcome. Every count of a report counts
//! these, so that its numbers add up to its people.

use std::collections::BTreeMap;

use hardmatch_domain::change::{Action, Hold};
use hardmatch_domain::reason::{Code, Weight};
use hardmatch_ports::run::{Outcome, OutcomeKind, PlanRow};

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

    /// In words, for people.
    pub fn words(self) -> &'static str {
        match self {
            RowStatus::Done => "done",
            RowStatus::Planned => "planned",
            RowStatus::Held => "waiting",
            RowStatus::Refused => "needs attention",
            RowStatus::FactsMoved => "decided again",
            RowStatus::Unavailable => "tenant not available",
            RowStatus::Unchanged => "unchanged",
        }
    }
}

/// What rows add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows.
    pub people: u64,
    /// Rows that hold a removal.
    pub removals: u64,
    /// Rows whose change waits for an approval.
    pub waiting: u64,
    /// People by where they stand.
    pub by_status: BTreeMap<RowStatus, u64>,
    /// People by action.
    pub by_action: BTreeMap<Action, u64>,
    /// How often each reason is given; a person may have several.
    pub by_reason: BTreeMap<Code, u64>,
}

impl Tally {
    /// Counts one more row.
    pub fn add(&mut self, row: &PlanRow, outcome: Option<&Outcome>) {
        self.people += 1;
        self.removals += u64::from(is_removal(row));
        self.waiting += u64::from(waits_for_approval(row, outcome));
        *self.by_status.entry(RowStatus::of(row, outcome)).or_default() += 1;
        *self.by_action.entry(row.decision.action).or_default() += 1;
        for code in codes(row, outcome) {
            *self.by_reason.entry(code).or_default() += 1;
        }
    }

    /// How many stand there.
    pub fn standing(&self, standing: RowStatus) -> u64 {
        self.by_status.get(&standing).copied().unwrap_or_default()
    }
}

/// Whether somebody's word lets the row's change through. Nobody's does where it takes a repair sequence.
pub(crate) fn waits_for_approval(row: &PlanRow, outcome: Option<&Outcome>) -> bool {
    let Some(change) = row.decision.change.as_ref().filter(|change| change.hold != Some(Hold::Repair)) else {
        return false;
    };
    match outcome {
        Some(outcome) => outcome.result == OutcomeKind::Held,
        None => change.hold == Some(Hold::Approval),
    }
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
