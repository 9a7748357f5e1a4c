//! A row as the page shows it. Everything here is text that the templates escape.

use askama::Template;
use hardmatch_domain::reason::{Reason, Weight};
use hardmatch_ports::run::{Outcome, PlanRow};
use hardmatch_ports::tenant::Refusal;

use crate::documents::{account, reasons};
use crate::row_status::{RowStatus, codes};
use crate::steps;
use crate::tables::person;
use crate::visible::visible;
use crate::words;

/// One row of the people's table.
#[derive(Template)]
#[template(path = "row.html")]
pub(crate) struct RowView {
    name: String,
    upn: String,
    join: &'static str,
    action: &'static str,
    action_name: &'static str,
    standing: RowStatus,
    codes: String,
    reasons: Vec<ReasonView>,
    more: String,
    key: String,
    account: String,
    change: String,
    hold: &'static str,
    removals: String,
    waits: String,
    again: String,
    graph: Option<GraphView>,
    evidence: Vec<EvidenceView>,
    steps: Vec<StepView>,
}

struct ReasonView {
    code: &'static str,
    weight: &'static str,
    sentence: &'static str,
    detail: String,
    remedy: &'static str,
}

struct GraphView {
    status: u16,
    code: String,
    message: String,
    property: String,
    conflict: String,
    request_id: String,
}

struct EvidenceView {
    rule: &'static str,
    found: &'static str,
    ours: String,
    theirs: String,
    account: String,
}

struct StepView {
    title: String,
    lines: Vec<LineView>,
}

struct LineView {
    what: &'static str,
    before: ValueView,
    after: ValueView,
}

struct ValueView {
    text: String,
    /// Whether it is a word for "no value", shown apart from values.
    lack: bool,
}

impl RowView {
    pub(crate) fn of(row: &PlanRow, outcome: Option<&Outcome>) -> Self {
        let decision = &row.decision;
        let change = decision.change.as_deref();
        let evidence: Vec<EvidenceView> = decision
            .evidence
            .iter()
            .map(|evidence| EvidenceView {
                rule: words::evidence_rule(evidence.rule),
                found: words::found(evidence.rule, evidence.found),
                ours: shown(evidence.ours.as_deref()),
                theirs: shown(evidence.theirs.as_deref()),
                account: shown(evidence.account.as_deref().map(AsRef::as_ref)),
            })
            .collect();
        let steps: Vec<StepView> = change.map(steps::of).unwrap_or_default().into_iter().map(StepView::of).collect();
        let codes: Vec<&str> = codes(row, outcome).iter().map(|code| code.as_str()).collect();
        Self {
            name: visible(person(row)).into_owned(),
            upn: if person(row) == &*row.upn { String::new() } else { visible(&row.upn).into_owned() },
            join: words::join(&decision.join),
            action: words::action(decision.action),
            action_name: decision.action.name(),
            standing: RowStatus::of(row, outcome),
            codes: codes.join(" "),
            reasons: reasons(row, outcome).map(ReasonView::of).collect(),
            more: more(evidence.len(), &steps),
            key: visible(decision.key.as_str()).into_owned(),
            account: shown(account(row, outcome).map(AsRef::as_ref)),
            change: change.map(|change| change.id.as_str().to_owned()).unwrap_or_default(),
            hold: change.and_then(|change| change.hold.as_ref()).map_or("", words::hold),
            removals: change.map(|change| words::removals(change.removals)).unwrap_or_default(),
            waits: change
                .filter(|change| !change.after.is_empty())
                .map(|change| words::people(change.after.len() as u64))
                .unwrap_or_default(),
            again: decision.look_again_at.map(|at| words::moment(at.saturating_mul(1000))).unwrap_or_default(),
            graph: outcome.and_then(|outcome| outcome.refusal.as_ref()).map(GraphView::of),
            evidence,
            steps,
        }
    }
}

impl ReasonView {
    fn of(reason: &Reason) -> Self {
        Self {
            code: reason.code.as_str(),
            weight: match reason.code.weight() {
                Weight::Note => "note",
                Weight::Reported => "reported",
                Weight::Held => "held",
                Weight::Refused => "refused",
            },
            sentence: reason.code.sentence(),
            detail: shown(reason.detail.as_deref().map(words::detail).as_deref()),
            remedy: reason.code.remedy(),
        }
    }
}

impl GraphView {
    fn of(refusal: &Refusal) -> Self {
        Self {
            status: refusal.status,
            code: visible(&refusal.code).into_owned(),
            message: visible(&refusal.message).into_owned(),
            property: shown(refusal.property.as_deref()),
            conflict: shown(refusal.conflict.as_ref().map(AsRef::as_ref)),
            request_id: visible(&refusal.request_id).into_owned(),
        }
    }
}

impl StepView {
    fn of(step: steps::StepView) -> Self {
        let lines = step.lines.into_iter().map(|line| LineView {
            what: line.what,
            before: ValueView::of(&line.before),
            after: ValueView::of(&line.after),
        });
        Self { title: visible(&step.title).into_owned(), lines: lines.collect() }
    }
}

impl ValueView {
    fn of(value: &steps::Value) -> Self {
        Self { text: visible(value.text()).into_owned(), lack: value.is_lack() }
    }
}

fn shown(text: Option<&str>) -> String {
    text.map(|text| visible(text).into_owned()).unwrap_or_default()
}

/// What is behind "more": `2 steps, 3 findings`.
fn more(evidence: usize, steps: &[StepView]) -> String {
    let values: usize = steps.iter().map(|step| step.lines.len()).sum();
    let parts = [
        counted(steps.len(), "step", "steps"),
        counted(values, "value", "values"),
        counted(evidence, "finding", "findings"),
    ];
    let named: Vec<String> = parts.into_iter().flatten().collect();
    if named.is_empty() { "Details".to_owned() } else { named.join(", ") }
}

fn counted(count: usize, one: &str, many: &str) -> Option<String> {
    (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
}
