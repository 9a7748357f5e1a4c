//! What the rows of a report add up to.

use std::collections::BTreeMap;

use hardmatch_domain::change::Action;
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::{Outcome, PlanRow, Run};

use crate::attention::Acknowledged;
use crate::list::List;
use crate::row_status::{RowStatus, codes, is_absent, is_removal, undecided};

/// What rows add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows.
    pub people: u64,
    /// Rows that hold a removal.
    pub removals: u64,
    /// People who are not in the source any more.
    pub absent: u64,
    /// People by where they stand.
    pub by_status: BTreeMap<RowStatus, u64>,
    /// People by action.
    pub by_action: BTreeMap<Action, u64>,
    /// How often each reason is given; a person may have several.
    pub by_reason: BTreeMap<Code, u64>,
    /// People by the list that they stand in.
    pub by_list: BTreeMap<List, u64>,
}

impl Tally {
    /// Counts one more row.
    pub fn add(&mut self, row: &PlanRow, outcome: Option<&Outcome>, acknowledged: Option<&Acknowledged>) {
        self.people += 1;
        self.removals += u64::from(is_removal(row));
        self.absent += u64::from(is_absent(row));
        *self.by_status.entry(RowStatus::of(row, outcome)).or_default() += 1;
        *self.by_list.entry(List::of(row, outcome, acknowledged)).or_default() += 1;
        *self.by_action.entry(row.decision.action).or_default() += 1;
        for code in codes(row, outcome) {
            *self.by_reason.entry(code).or_default() += 1;
        }
    }

    /// People whom nobody decided again because nothing about them changed.
    pub fn undecided(&self, run: &Run) -> u64 {
        undecided(run, self.people, self.absent)
    }

    /// People by list, by the stable names of lists; lists of nobody are there, too.
    pub fn lists(&self) -> BTreeMap<String, u64> {
        List::ALL.iter().map(|list| (list.name().to_owned(), self.by_list.get(list).copied().unwrap_or(0))).collect()
    }

    /// How many stand there.
    pub fn standing(&self, standing: RowStatus) -> u64 {
        self.by_status.get(&standing).copied().unwrap_or_default()
    }
}
