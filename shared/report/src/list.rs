//! The lists of a report: every person stands in one, whose name is the same on the page, in JSON and in CSV.

use hardmatch_ports::run::{Outcome, PlanRow};

use crate::attention::Acknowledged;
use crate::kind::Kind;

/// A list of the report, in the page's order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum List {
    /// Nothing happens for these people until somebody looks.
    Needs,
    /// Changes that wait for an approval.
    Waiting,
    /// Planned or written.
    Changes,
    /// What waits for a date or for another change.
    Later,
    /// Needs attention, and an operator knows it.
    Acknowledged,
    /// Nothing is to be done.
    Rest,
}

impl List {
    /// All of them, in the page's order.
    pub const ALL: [List; 6] = [List::Needs, List::Waiting, List::Changes, List::Later, List::Acknowledged, List::Rest];

    /// Stable name: in the page and its address, in JSON and in CSV.
    pub fn name(self) -> &'static str {
        match self {
            List::Needs => "needs",
            List::Waiting => "waiting",
            List::Changes => "changes",
            List::Later => "later",
            List::Acknowledged => "acknowledged",
            List::Rest => "rest",
        }
    }

    /// Where a person stands by their plan row, by what became of it, and by what an operator said.
    pub fn of(row: &PlanRow, outcome: Option<&Outcome>, acknowledged: Option<&Acknowledged>) -> Self {
        match Kind::of(row, outcome).known(acknowledged) {
            Kind::Acknowledged => List::Acknowledged,
            Kind::Attention => List::Needs,
            Kind::Approval => List::Waiting,
            Kind::Do(_) => List::Changes,
            Kind::Later => List::Later,
            Kind::Skipped | Kind::AsTheyShouldBe => List::Rest,
        }
    }
}
