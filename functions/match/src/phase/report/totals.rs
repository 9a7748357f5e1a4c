//! What the rows of a run add up to: counts, whether attention is needed, and whether the connection is failing.

use std::collections::BTreeMap;

use hardmatch_domain::change::{Change, Step};
use hardmatch_domain::reason::{Code, Weight};
use hardmatch_ports::run::{Outcome, OutcomeKind, PlanRow};
use hardmatch_report::{RowStage, RowStatus, needs_attention};

/// What the rows of a run add up to.
#[derive(Default)]
pub(super) struct RunTotals {
    /// Changes by what became of them.
    pub(super) outcomes: BTreeMap<String, u64>,
    /// People whose change was written, by its action.
    pub(super) changes: BTreeMap<String, u64>,
    /// People who are refused, by reason code.
    pub(super) refusals: BTreeMap<String, u64>,
    /// People who were decided.
    pub(super) people: u64,
    /// People for whom something is done or refused.
    pub(super) concerned: u64,
    /// People who need attention or approval and whose state no operator acknowledged.
    pub(super) attention: u64,
    /// People whose state an operator acknowledged.
    pub(super) acknowledged: u64,
    /// Changes that failed for a cause that is the connection's: an answer that did not come, a permission that is missing.
    pub(super) failing: u64,
    /// People whose account is there now, live and not blocked by us.
    pub(super) active: u64,
    /// People who are counted as active now and were not before.
    pub(super) came: u64,
    /// People who were counted as active before and are not now.
    pub(super) went: u64,
}

/// Below so many failures a run is having a bad day, not a bad connection.
const FAILURES_MIN: u64 = 20;

impl RunTotals {
    /// Whether 40 % or more of what was tried failed for a cause that is the connection's. What the tenant refuses a person
    /// (a value, a conflict, a seat) says nothing of the connection.
    pub(super) fn is_failing(&self) -> bool {
        let count = |kind: OutcomeKind| self.outcomes.get(kind.name()).copied().unwrap_or(0);
        let tried = count(OutcomeKind::Refused) + count(OutcomeKind::Unavailable) + count(OutcomeKind::Done);
        self.failing >= FAILURES_MIN && self.failing * 5 >= tried * 2
    }

    /// Counts a row. A person whose state an operator acknowledged needs no attention; everything else is counted as it is.
    pub(super) fn add(&mut self, row: &PlanRow, outcome: Option<&Outcome>, stage: RowStage, acknowledged: bool) {
        let decision = &row.decision;
        let done = match (&decision.change, outcome) {
            (None, _) => true,
            (Some(_), Some(outcome)) => {
                *self.outcomes.entry(outcome.result.name().to_owned()).or_default() += 1;
                self.failing += u64::from(is_connections(outcome));
                outcome.result == OutcomeKind::Done
            }
            (Some(_), None) => false,
        };
        if let (Some(change), true) = (&decision.change, done) {
            *self.changes.entry(change.action.name().to_owned()).or_default() += 1;
        }
        if RowStatus::of(row, outcome) == RowStatus::Refused {
            *self.refusals.entry(refusal(row, outcome).as_str().to_owned()).or_default() += 1;
        }
        self.people += 1;
        self.concerned += u64::from(decision.change.is_some() || decision.needs_somebody());
        self.attention += u64::from(!acknowledged && needs_attention(row, outcome, stage));
        self.acknowledged += u64::from(acknowledged);
        // An account that was created with less than it should have exists all the same.
        let is_there = outcome.is_some_and(|outcome| outcome.account.is_some());
        let planned = decision.change.as_deref();
        let change = planned.filter(|change| done || (change.account.is_none() && is_there));
        // A new link was not counted before; a link that moves was, with the person who had it.
        let new = change.is_some_and(|change| makes_link(change) && change.link_from.is_none());
        // An account that was deleted in the tenant since it was counted is reported once.
        let deleted = decision.reasons.iter().any(|reason| reason.code == Code::AccountDeleted);
        let before = (decision.active || deleted) && !new;
        let after = change.map_or(decision.active, |change| stays_active(change, decision.active));
        self.active += u64::from(after);
        self.came += u64::from(after && !before);
        self.went += u64::from(before && !after);
    }
}

/// Whether a failure says something about the connection and not about the person.
fn is_connections(outcome: &Outcome) -> bool {
    let withheld = outcome.reason.as_ref().is_some_and(|reason| reason.code == Code::PermissionMissing);
    outcome.result == OutcomeKind::Unavailable || (outcome.result == OutcomeKind::Refused && withheld)
}

/// Whether an account is there, live and not blocked by us, when a change is done.
fn stays_active(change: &Change, before: bool) -> bool {
    change.steps.iter().fold(before, |active, step| match step {
        Step::Create { enabled, .. } => *enabled,
        Step::SetEnabled { after, .. } => *after,
        Step::Restore => true,
        Step::Delete { .. } => false,
        _ => active,
    })
}

/// Why a person is refused: the tenant's reason where there is one, else the first refusal of the decision.
fn refusal(row: &PlanRow, outcome: Option<&Outcome>) -> Code {
    let told = outcome.and_then(|outcome| outcome.reason.as_ref());
    let refused = row.decision.reasons.iter().filter(|reason| reason.code.weight() == Weight::Refused);
    told.into_iter().chain(refused).next().map_or(Code::TenantRefused, |reason| reason.code)
}

fn makes_link(change: &Change) -> bool {
    change.steps.iter().any(|step| matches!(step, Step::Create { .. } | Step::Link))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(done: u64, refused: u64, failing: u64) -> RunTotals {
        let outcomes = [("done".to_owned(), done), ("refused".to_owned(), refused)].into();
        RunTotals { outcomes, failing, ..RunTotals::default() }
    }

    #[test]
    fn forty_percent_failing_is_a_quarantine_and_a_bad_day_is_not() {
        assert!(sum(30, 20, 20).is_failing());
        assert!(!sum(31, 20, 20).is_failing());
        assert!(!sum(0, 19, 19).is_failing());
    }

    #[test]
    fn what_is_refused_to_people_quarantines_no_connection() {
        assert!(!sum(0, 500, 0).is_failing());
        assert!(!sum(0, 500, 19).is_failing());
        let told = |code| Outcome {
            v: 1,
            run: "r".to_owned(),
            key: "p".into(),
            change: hardmatch_domain::change::ChangeId::of(
                &hardmatch_domain::ids::PersonRef { connection: "c".into(), key: "p".into() },
                None,
                &[],
            ),
            result: OutcomeKind::Refused,
            account: None,
            reason: Some(hardmatch_domain::reason::Reason::plain(code)),
            also: Vec::new(),
            refusal: None,
            at_ms: 0,
            written: None,
        };
        for personal in [Code::NoSeats, Code::TenantRefused, Code::AddressInUse, Code::InvalidValue] {
            assert!(!is_connections(&told(personal)), "{personal}");
        }
        assert!(is_connections(&told(Code::PermissionMissing)));
        assert!(is_connections(&Outcome { result: OutcomeKind::Unavailable, ..told(Code::Unavailable) }));
    }
}
