//! JSON for programs: the documents that commands print with `--json`, and one object for each row. Keys are stable;
//! new ones may be added, none is renamed or taken away.

use std::fmt::Write as _;

use hardmatch_domain::change::{ChangeId, Evidence, Hold, Join, Removals, Step};
use hardmatch_domain::ids::{ObjectId, PersonKey, PersonRef};
use hardmatch_domain::reason::{Reason, Weight};
use hardmatch_domain::write_back::PlannedWriteBack;
use hardmatch_ports::run::{Outcome, PlanRow, Run, Seats, WriteBackNote};
use hardmatch_ports::tenant::Refusal;
use serde::Serialize;
use serde_json::{Value, json};

use crate::attention::Acknowledged;
use crate::bill::{Bill, Forecast};
use crate::list::List;
use crate::row::{account, reasons};
use crate::row_status::RowStatus;
use crate::visible::steers;
use crate::words;

/// What `plan --json` prints. `rows` only when they are given, each with what an operator said of it: a plan of 200,000
/// people is better read as JSON Lines.
pub fn plan_document(run: &Run, rows: Option<&[(PlanRow, Option<Acknowledged>)]>) -> Value {
    let mut document = head(run);
    document["forecast"] = Forecast::of(run).map(|forecast| forecast.document()).unwrap_or_default();
    if let Some(rows) = rows {
        document["rows"] = rows.iter().map(|(row, known)| row_document(row, None, known.as_ref())).collect();
    }
    document
}

/// What `sync --json`, `apply --json` and `runs show --json` print: the plan's document without rows, and what became
/// of it.
pub fn run_document(run: &Run) -> Value {
    let mut document = head(run);
    let more = json!({
        "accepted": run.accepted,
        "outcomes": run.outcomes,
        "changes": run.changes,
        "refusals": run.refusals,
        "guard": run.guard,
        "write_back": run.write_back.as_ref().map(written_back),
        "limits": run.limits,
        "requests": run.tenant_calls.requests,
        "writes": run.tenant_calls.writes,
        "throttles": run.tenant_calls.throttles,
        "units": run.units,
        "started_ms": run.started_ms,
        "closed_ms": run.closed_ms,
        "duration_seconds": duration(run),
        "cost": Bill::of(run).document(run),
        "report": run.report,
    });
    if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
        document.extend(more);
    }
    document
}

/// Seconds to the millisecond.
fn duration(run: &Run) -> Option<f64> {
    Some(words::seconds(u64::try_from(words::run_ms(run)?).unwrap_or_default()))
}

fn head(run: &Run) -> Value {
    let plan = run.plan.as_ref();
    json!({
        "v": 1,
        "plan": plan.map(|plan| &plan.hash),
        "run": run.id,
        "connection": run.connection,
        "intent": run.intent,
        "phase": run.phase,
        "status": run.status,
        "stop": run.stop,
        "counts": {
            "by_action": plan.map(|plan| plan.by_action.clone()).unwrap_or_default(),
            "by_reason": plan.map(|plan| plan.by_reason.clone()).unwrap_or_default(),
            "by_list": run.lists,
        },
        "people": plan.map_or(0, |plan| plan.people),
        "to_write_back": plan.map(|plan| plan.write_back.clone()).unwrap_or_default(),
        "attention": run.attention,
        "acknowledged": run.acknowledged,
        "seats": plan.map(|plan| plan.seats.iter().map(seats).collect::<Vec<_>>()).unwrap_or_default(),
        "collections": run.collections,
        "refused_entries": run.refused_entries,
        "left_out": run.left_out,
        "problems": run.problems,
        "policy_changes": run.policy_changes,
    })
}

fn written_back(note: &WriteBackNote) -> Value {
    let WriteBackNote { written, already_there, kept, refused, why, .. } = note;
    json!({ "written": written, "already_there": already_there, "kept": kept, "refused": refused, "why": why })
}

fn seats(seats: &Seats) -> Value {
    json!({
        "part_number": seats.part_number,
        "needed": seats.needed,
        "free": seats.free,
        "short": seats.short(),
    })
}

/// One row: the object of a line of JSON Lines, and of `rows` in [`plan_document`].
pub fn row_document(row: &PlanRow, outcome: Option<&Outcome>, acknowledged: Option<&Acknowledged>) -> Value {
    serde_json::to_value(RowDocument::of(row, outcome, acknowledged)).unwrap_or_default()
}

/// A document as indented text that is safe to print: JSON escapes what is below U+0020, and this the other characters
/// that could steer a terminal.
pub fn json_text(document: &Value) -> String {
    terminal_safe(&serde_json::to_string_pretty(document).unwrap_or_default())
}

/// JSON with the steering characters inside its strings escaped; the parsed value is the same.
pub(crate) fn terminal_safe(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        // Between its strings JSON has line feeds and spaces; inside, everything below U+0020 is already escaped.
        if character != '\n' && steers(character) {
            let _ = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    safe
}

/// The keys of a row. Every key is always there; what does not apply is `null` or empty.
#[derive(Serialize)]
pub(crate) struct RowDocument<'a> {
    key: &'a PersonKey,
    name: &'a str,
    upn: &'a str,
    action: &'static str,
    outcome: &'static str,
    join: &'a Join,
    account: Option<&'a ObjectId>,
    reasons: Vec<ReasonDocument<'a>>,
    evidence: &'a [Evidence],
    change: Option<&'a ChangeId>,
    steps: &'a [Step],
    hold: Option<&'a Hold>,
    waits_for: &'a [PersonRef],
    removals: Option<Removals>,
    write_back: &'a [PlannedWriteBack],
    look_again_at: Option<i64>,
    graph: Option<&'a Refusal>,
    acknowledged: Option<&'a Acknowledged>,
    list: &'static str,
}

#[derive(Serialize)]
struct ReasonDocument<'a> {
    code: &'static str,
    weight: Weight,
    sentence: &'static str,
    detail: Option<&'a str>,
    remedy: &'static str,
}

impl<'a> RowDocument<'a> {
    pub(crate) fn of(row: &'a PlanRow, outcome: Option<&'a Outcome>, acknowledged: Option<&'a Acknowledged>) -> Self {
        let decision = &row.decision;
        let change = decision.change.as_deref();
        Self {
            key: &decision.key,
            name: &row.name,
            upn: &row.upn,
            action: decision.action.name(),
            outcome: RowStatus::of(row, outcome).name(),
            join: &decision.join,
            account: account(row, outcome),
            reasons: reasons(row, outcome).map(ReasonDocument::of).collect(),
            evidence: &decision.evidence,
            change: change.map(|change| &change.id),
            steps: change.map(|change| &change.steps[..]).unwrap_or_default(),
            hold: change.and_then(|change| change.hold.as_ref()),
            waits_for: change.map(|change| &change.after[..]).unwrap_or_default(),
            removals: change.map(|change| change.removals),
            write_back: &decision.write_back,
            look_again_at: decision.look_again_at,
            graph: outcome.and_then(|outcome| outcome.refusal.as_ref()),
            acknowledged,
            list: List::of(row, outcome, acknowledged).name(),
        }
    }
}

impl<'a> ReasonDocument<'a> {
    fn of(reason: &'a Reason) -> Self {
        Self {
            code: reason.code.as_str(),
            weight: reason.code.weight(),
            sentence: reason.code.sentence(),
            detail: reason.detail.as_deref(),
            remedy: reason.code.remedy(),
        }
    }
}
