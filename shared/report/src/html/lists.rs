//! The page's lists: who stands in which, in which group, and how many of each. The kinds are those of the terminal, so
//! that both agree on every count.

use std::collections::BTreeMap;

use hardmatch_domain::change::Action;
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::{Outcome, PlanRow};

use super::data::RowData;
use super::texts::Texts;
use crate::attention::RowNotes;
use crate::beside::ReportError;
use crate::kind::{Kind, main_code};
use crate::list::List;

/// Bytes of the page that a list's people may take; the rest of them lies beside the page. All lists together stay below
/// what a browser opens in two seconds.
fn room(list: List) -> usize {
    const MEGABYTE: usize = 1 << 20;
    match list {
        List::Needs | List::Changes => 6 * MEGABYTE,
        List::Waiting => 4 * MEGABYTE,
        List::Later | List::Acknowledged | List::Rest => 2 * MEGABYTE,
    }
}

/// People under one heading of a list.
#[derive(Debug)]
pub(super) struct Group {
    /// What the page's order goes by: the riskiest action first.
    pub(super) kind: Kind,
    /// The reason code, where the list is grouped by reason.
    pub(super) code: Option<Code>,
    /// The action, where it is grouped by action.
    pub(super) action: Action,
    pub(super) people: u64,
}

/// One list with the rows that the page holds.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// By the group's stable name: an action's or a reason's.
    pub(super) groups: BTreeMap<&'static str, Group>,
    /// People in it.
    pub(super) people: u64,
    /// People whom the run before did not have in it.
    pub(super) new: u64,
    /// Rows that the page holds.
    pub(super) held: u64,
    /// The rows, separated by commas.
    json: String,
    used: usize,
}

impl Listed {
    pub(super) fn json(&self) -> &str {
        &self.json
    }
}

/// All lists.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) texts: Texts,
    lists: BTreeMap<List, Listed>,
}

impl Lists {
    pub(super) fn new() -> Self {
        Self { texts: Texts::new(), lists: List::ALL.map(|list| (list, Listed::default())).into() }
    }

    pub(super) fn get(&self, list: List) -> &Listed {
        &self.lists[&list]
    }

    /// Adds a row; `false` when its list is full and the page only counts it.
    pub(super) fn add(
        &mut self,
        row: &PlanRow,
        outcome: Option<&Outcome>,
        notes: RowNotes,
    ) -> Result<bool, ReportError> {
        let kind = Kind::of(row, outcome).known(notes.acknowledged);
        let list = List::of(row, outcome, notes.acknowledged);
        let (group, code) = match list {
            List::Needs | List::Later | List::Acknowledged => {
                let code = main_code(row, outcome);
                (code.as_str(), Some(code))
            }
            List::Waiting | List::Changes => (row.decision.action.name(), None),
            List::Rest => {
                let code = row.decision.reasons.first().map_or(Code::Converged, |reason| reason.code);
                (code.as_str(), Some(code))
            }
        };
        let Some(listed) = self.lists.get_mut(&list) else { return Ok(false) };
        listed.people += 1;
        listed.new += u64::from(notes.new);
        listed.groups.entry(group).or_insert(Group { kind, code, action: row.decision.action, people: 0 }).people += 1;
        if listed.used >= room(list) {
            return Ok(false);
        }
        let before = self.texts.bytes() + listed.json.len();
        let data = RowData::of(&mut self.texts, row, outcome, group, notes);
        if !listed.json.is_empty() {
            listed.json.push(',');
        }
        listed.json.push_str(&serde_json::to_string(&data)?);
        listed.used += self.texts.bytes() + listed.json.len() - before;
        listed.held += 1;
        Ok(true)
    }
}
