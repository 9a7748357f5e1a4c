//! What a command left behind, for assertions.

use std::collections::BTreeMap;

use hardmatch_domain::change::Action;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::run::{Outcome, OutcomeKind, PlanRow, Run, Status};
use hardmatch_sim::SeenRequest;

/// A run that rests, its plan, its outcomes, and what the tenant was asked to write meanwhile.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The run.
    pub run: Run,
    /// The rows of its plan.
    pub rows: Vec<PlanRow>,
    /// What became of changes, by person.
    pub outcomes: BTreeMap<PersonKey, Outcome>,
    /// Requests and batch parts of this command that write, refused ones included.
    pub writes: Vec<SeenRequest>,
    /// Writes of the table that the command made.
    pub table_writes: u64,
    /// Messages that it answered.
    pub messages: u64,
}

impl Ran {
    /// How it ended.
    pub fn status(&self) -> Option<Status> {
        self.run.status
    }

    /// The plan's hash; empty without a plan.
    pub fn hash(&self) -> String {
        self.run.plan.as_ref().map(|plan| plan.hash.clone()).unwrap_or_default()
    }

    /// A person's row, by sign-in name at the source.
    pub fn row(&self, upn: &str) -> Option<&PlanRow> {
        self.rows.iter().find(|row| &*row.upn == upn)
    }

    /// The action planned for a person, and the codes of its reasons, as `create: provision`.
    pub fn decided(&self, upn: &str) -> String {
        let Some(row) = self.row(upn) else { return "nobody".to_owned() };
        let codes: Vec<&str> = row.decision.reasons.iter().map(|reason| reason.code.as_str()).collect();
        format!("{}: {}", row.decision.action.name(), codes.join(" "))
    }

    /// What became of a person's change, as `done` or `refused: address_in_use`.
    pub fn outcome(&self, upn: &str) -> String {
        let Some(row) = self.row(upn) else { return "nobody".to_owned() };
        match self.outcomes.get(&row.decision.key) {
            None => "none".to_owned(),
            Some(outcome) => match &outcome.reason {
                Some(reason) => format!("{}: {}", outcome.result.name(), reason.code.as_str()),
                None => outcome.result.name().to_owned(),
            },
        }
    }

    /// How many changes came to this.
    pub fn count(&self, kind: OutcomeKind) -> usize {
        self.outcomes.values().filter(|outcome| outcome.result == kind).count()
    }

    /// How many people are planned to have this action.
    pub fn planned(&self, action: Action) -> usize {
        self.rows.iter().filter(|row| row.decision.action == action).count()
    }

    /// Writes as `PATCH /users/{id} 204`, in order.
    pub fn calls(&self) -> Vec<String> {
        self.writes.iter().map(|call| format!("{} {} {}", call.method, call.route, call.status)).collect()
    }
}
