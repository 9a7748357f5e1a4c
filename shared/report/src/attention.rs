//! Who needs somebody: one answer for the exit status, the terminal, the page and the files beside it.

use hardmatch_ports::run::{Outcome, OutcomeKind, PlanRow};
use serde::Serialize;

/// How far a row has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RowStage {
    /// The plan waits to be applied: what applying it does needs nobody.
    #[default]
    Planned,
    /// The run has written: what is not done needs somebody.
    Written,
}

/// What an operator said of a person's state, so that it sets no exit status for a while.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Acknowledged {
    /// Until when (Unix seconds).
    pub until: i64,
    /// The operator.
    pub by: String,
    /// Why. May hold personal data.
    pub comment: String,
}

/// What is known of a row beside its decision and outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RowNotes<'a> {
    /// An operator said that nobody need be told of it.
    pub acknowledged: Option<&'a Acknowledged>,
    /// The run before had nothing like it.
    pub new: bool,
}

/// Whether somebody must look at a person, whatever was acknowledged.
pub fn needs_attention(row: &PlanRow, outcome: Option<&Outcome>, stage: RowStage) -> bool {
    let decision = &row.decision;
    let undone = match (&decision.change, stage) {
        (None, _) | (Some(_), RowStage::Planned) => false,
        (Some(_), RowStage::Written) => {
            outcome.is_none_or(|outcome| outcome.result != OutcomeKind::Done || !outcome.said().is_empty())
        }
    };
    undone || decision.needs_somebody()
}
