//! A person's row as data for the page's script, which draws only the rows that are on the screen.

use hardmatch_domain::change::{Change, Hold};
use hardmatch_ports::run::{Outcome, PlanRow};
use hardmatch_ports::tenant::Refusal;
use serde::Serialize;

use super::texts::{EMPTY_VALUE, NO_VALUE, Texts};
use crate::attention::RowNotes;
use crate::row::{account, reasons};
use crate::row_status::RowStatus;
use crate::steps::{self, Value};
use crate::tables::person;
use crate::words;

/// One row. Every number but those of `Extra` names a text; the script (`report.js`, `field`) names the places.
#[derive(Serialize)]
pub(super) struct RowData(
    /// Group.
    u32,
    /// Name.
    u32,
    /// Sign-in name, when it is not the name.
    u32,
    /// Key at the source.
    u32,
    /// Object id of the account.
    u32,
    /// Action's stable name.
    u32,
    /// Status's stable name.
    u32,
    /// How the person was joined, in words.
    u32,
    /// Reasons: code and detail; the main one first.
    Vec<(u32, u32)>,
    /// Steps: title, and what differs (what, before, after).
    Vec<StepData>,
    /// Evidence: rule, finding, the source's value, the tenant's value, account; zeros at the end are left out.
    Vec<Vec<u32>>,
    /// What few rows have.
    Option<Extra>,
);

/// Title, and what differs: what, before, after.
type StepData = (u32, Vec<(u32, u32, u32)>);

/// What few rows have.
#[derive(Default, PartialEq, Serialize)]
struct Extra {
    /// Why the change waits.
    #[serde(skip_serializing_if = "is_zero")]
    held: u32,
    /// What it takes away.
    #[serde(skip_serializing_if = "is_zero")]
    takes: u32,
    /// How many people's changes it waits for.
    #[serde(skip_serializing_if = "is_zero")]
    waits: u32,
    /// When the person is decided again.
    #[serde(skip_serializing_if = "is_zero")]
    again: u32,
    /// Microsoft Graph's word: status, code, message, property, object in the way, request id.
    #[serde(skip_serializing_if = "Option::is_none")]
    graph: Option<(u16, u32, u32, u32, u32, u32)>,
    /// What an operator said of it.
    #[serde(skip_serializing_if = "is_zero")]
    known: u32,
    /// The run before did not have it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    new: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl RowData {
    pub(super) fn of(
        texts: &mut Texts,
        row: &PlanRow,
        outcome: Option<&Outcome>,
        group: &str,
        notes: RowNotes,
    ) -> Self {
        let decision = &row.decision;
        let change = decision.change.as_deref();
        let upn = if person(row) == &*row.upn { "" } else { &*row.upn };
        let reasons = reasons(row, outcome)
            .map(|reason| {
                let detail = reason.detail.as_deref().map(words::detail);
                (texts.number(reason.code.as_str()), texts.optional(detail.as_deref()))
            })
            .collect();
        let steps = change.map(|change| steps::of(&change.steps)).unwrap_or_default();
        let steps = steps.iter().map(|step| step_data(texts, step)).collect();
        let evidence = decision
            .evidence
            .iter()
            .map(|evidence| {
                let mut found = vec![
                    texts.number(words::evidence_rule(evidence.rule)),
                    texts.number(words::found(evidence.rule, evidence.found)),
                    texts.optional(evidence.ours.as_deref()),
                    texts.optional(evidence.theirs.as_deref()),
                    texts.optional(evidence.account.as_deref().map(AsRef::as_ref)),
                ];
                while found.last() == Some(&0) {
                    found.pop();
                }
                found
            })
            .collect();
        let waits = change.map_or(0, |change| change.after.len() as u64);
        let extra = Extra {
            held: texts.optional(change.and_then(held).as_deref()),
            takes: texts.number(&change.map(|change| words::removals(change.removals)).unwrap_or_default()),
            waits: if waits == 0 { 0 } else { texts.number(&words::people(waits)) },
            again: texts.optional(decision.look_again_at.map(|at| words::moment(at.saturating_mul(1000))).as_deref()),
            graph: outcome.and_then(|outcome| outcome.refusal.as_ref()).map(|refusal| graph_data(texts, refusal)),
            known: texts.optional(notes.acknowledged.map(words::acknowledged).as_deref()),
            new: notes.new,
        };
        Self(
            texts.number(group),
            texts.number(person(row)),
            texts.number(upn),
            texts.number(decision.key.as_str()),
            texts.optional(account(row, outcome).map(AsRef::as_ref)),
            texts.number(decision.action.name()),
            texts.number(RowStatus::of(row, outcome).name()),
            texts.number(words::join(&decision.join)),
            reasons,
            steps,
            evidence,
            (extra != Extra::default()).then_some(extra),
        )
    }
}

/// Why a change waits, and the command that approves it alone.
fn held(change: &Change) -> Option<String> {
    let hold = change.hold.as_ref()?;
    let words = words::hold(hold);
    match hold {
        Hold::Approval => Some(format!("{words} hardmatch approvals approve {}", change.id.short())),
        Hold::Removal => Some(words.to_owned()),
    }
}

fn step_data(texts: &mut Texts, step: &steps::StepView) -> StepData {
    let value = |texts: &mut Texts, value: &Value| match value {
        Value::None => NO_VALUE,
        Value::Empty => EMPTY_VALUE,
        Value::Text(text) => texts.number(text),
    };
    let lines =
        step.lines.iter().map(|line| (texts.number(line.what), value(texts, &line.before), value(texts, &line.after)));
    let lines = lines.collect();
    (texts.number(&step.title), lines)
}

fn graph_data(texts: &mut Texts, refusal: &Refusal) -> (u16, u32, u32, u32, u32, u32) {
    (
        refusal.status,
        texts.number(&refusal.code),
        texts.number(&refusal.message),
        texts.optional(refusal.property.as_deref()),
        texts.optional(refusal.conflict.as_ref().map(AsRef::as_ref)),
        texts.number(&refusal.request_id),
    )
}
