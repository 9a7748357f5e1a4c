//! `repair start`: the repairs of one person, or of an audit, approved and carried out. Each is planned anew from what is read
//! now, so an audit of yesterday repairs nothing that is not broken any more.

use std::path::Path;

use async_trait::async_trait;
use hardmatch_domain::change::{Action, Step};
use hardmatch_domain::ids::{ConnectionId, PersonKey, PersonRef};
use hardmatch_match::{MatchPorts, NewRun};
use hardmatch_ports::run::{Intent, OutcomeKind, Phase, Run};
use hardmatch_store::connection::Meta;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::RepairStartArgs;
use crate::commands::run::{apply_hash, drive, engine, new_run};
use crate::commands::shown::read_whole;
use crate::commands::{standing, who};
use crate::engine::Engine;
use crate::fail::{Exit, Failure};
use crate::output;

/// Who plans one person's repair and applies the plan: this process, or the functions of a stack.
#[async_trait(?Send)]
pub(crate) trait RepairRuns {
    fn connection(&self) -> &ConnectionId;
    /// The connection's state, to be read.
    fn ports(&self) -> &MatchPorts;
    /// Plans one person, and sends again what was refused lately.
    async fn plan_person(&self, key: &PersonKey) -> Result<Run, Failure>;
    /// Applies the plan with this hash to its end, which approves what is in it.
    async fn apply(&self, hash: &str) -> Result<Run, Failure>;
}

/// The people of an audit whose repair was proposed.
pub(crate) struct Audited {
    connection: String,
    people: Vec<PersonKey>,
}

/// What of an audit is read.
#[derive(Deserialize)]
struct Audit {
    connection: String,
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    #[serde(default)]
    person: Option<PersonKey>,
    #[serde(default)]
    repair: Option<Value>,
}

/// Plans and applies in this process.
pub(crate) async fn start_here(args: &RepairStartArgs, audited: Option<Audited>) -> Result<Exit, Failure> {
    let (engine, meta) = engine(&args.common).await?;
    if let Some(exit) = standing::is_paused(&engine.state, &args.common).await? {
        engine.stop().await;
        return Ok(exit);
    }
    let result = Box::pin(start_by(&Here { engine: &engine, meta: &meta }, args, audited)).await;
    engine.stop().await;
    result
}

/// Starts the repairs that the command names, one person after the other, and says what became of each.
pub(crate) async fn start_by(
    runs: &dyn RepairRuns,
    args: &RepairStartArgs,
    audited: Option<Audited>,
) -> Result<Exit, Failure> {
    let connection = runs.connection();
    let mut told = Vec::new();
    for key in people(runs, args, audited).await? {
        let (result, why) = one(runs, &key).await?;
        told.push(json!({ "connection": connection, "person": key, "result": result, "why": why }));
    }
    let failed = told.iter().any(|one| one["result"] != json!(OutcomeKind::Done.name()));
    if args.common.json {
        output::document(&json!({ "v": 1, "connection": connection, "repairs": told }));
    } else {
        for one in &told {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            output::line(format!("{}: {} {}", text("person"), text("result"), text("why")));
        }
    }
    Ok(if failed { Exit::Attention } else { Exit::Converged })
}

impl Audited {
    /// Reads what `repair audit --json` printed.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let shown = file.display();
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::usage(format!(
                "cannot read {shown}: {error}. Name the file that `hardmatch repair audit --json` printed"
            ))
        })?;
        let audit: Audit = serde_json::from_str(&text).map_err(|error| {
            let at = format!("line {}, column {}", error.line(), error.column());
            Failure::usage(format!("{shown} is not what `hardmatch repair audit --json` prints ({at}). Make it anew"))
        })?;
        let proposed = audit.findings.into_iter().filter(|finding| finding.repair.is_some());
        let mut people: Vec<PersonKey> = proposed.filter_map(|finding| finding.person).collect();
        people.sort_unstable();
        people.dedup();
        Ok(Self { connection: audit.connection, people })
    }
}

async fn people(
    runs: &dyn RepairRuns,
    args: &RepairStartArgs,
    audited: Option<Audited>,
) -> Result<Vec<PersonKey>, Failure> {
    let connection = runs.connection();
    match (audited, &args.who) {
        (Some(audited), _) if audited.connection != connection.as_str() => Err(Failure::usage(format!(
            "the audit is of connection {}, and this is {connection}. Name its file with --config",
            audited.connection
        ))),
        (Some(audited), _) => Ok(audited.people),
        (None, Some(wanted)) => match who::find(runs.ports(), connection, wanted).await? {
            Some(found) => Ok(vec![found.key]),
            None => Err(who::nobody(wanted, &[])),
        },
        (None, None) => Ok(Vec::new()),
    }
}

/// Plans one person and, where the plan is a repair, applies it. What became of it, and why.
async fn one(runs: &dyn RepairRuns, key: &PersonKey) -> Result<(&'static str, String), Failure> {
    let planned = read_whole(runs.plan_person(key).await?)?;
    let decision = row_of(runs, &planned, key).await?;
    let Some((repairs, why)) = decision else { return Ok(("unknown", "nobody decided this person".to_owned())) };
    if !repairs {
        return Ok(("nothing", format!("no repair is planned: {why}")));
    }
    let hash = planned.plan.as_ref().map(|plan| plan.hash.clone()).unwrap_or_default();
    let run = read_whole(runs.apply(&hash).await?)?;
    if run.phase != Phase::Closed {
        return Ok(("open", "the connection was paused; the repair goes on once it is resumed".to_owned()));
    }
    let who = PersonRef { connection: runs.connection().clone(), key: key.clone() };
    let store = &runs.ports().store;
    let outcome = store.outcomes_of(&run, &[store.pid(&who)]).await?.pop().map(|(_, outcome)| outcome);
    let Some(outcome) = outcome else { return Ok(("unknown", why)) };
    let said: Vec<String> = outcome
        .said()
        .iter()
        .map(|reason| format!("{} {}", reason.code, reason.detail.as_deref().unwrap_or_default()))
        .collect();
    Ok((outcome.result.name(), said.join("; ")))
}

/// Whether a person's row holds a repair, and its reasons.
async fn row_of(runs: &dyn RepairRuns, run: &Run, key: &PersonKey) -> Result<Option<(bool, String)>, Failure> {
    let mut slices = hardmatch_match::read_plan(runs.ports(), &run.id).await?;
    while let Some((_, rows)) = slices.next().await? {
        if let Some(row) = rows.iter().find(|row| row.decision.key == *key) {
            let decision = &row.decision;
            let is_repair = |step: &Step| matches!(step, Step::Repair(_));
            let repairs = decision.change.as_ref().is_some_and(|change| {
                change.steps.iter().any(is_repair)
                    || matches!(change.action, Action::Repair | Action::Merge | Action::Purge)
            });
            let codes: Vec<&str> = decision.reasons.iter().map(|reason| reason.code.as_str()).collect();
            return Ok(Some((repairs, codes.join(", "))));
        }
    }
    Ok(None)
}

/// This process, with both sides wired.
struct Here<'e> {
    engine: &'e Engine,
    meta: &'e Meta,
}

#[async_trait(?Send)]
impl RepairRuns for Here<'_> {
    fn connection(&self) -> &ConnectionId {
        self.engine.connection()
    }

    fn ports(&self) -> &MatchPorts {
        &self.engine.deciding
    }

    async fn plan_person(&self, key: &PersonKey) -> Result<Run, Failure> {
        let new = NewRun { retry: true, only: Some(key.clone()), ..new_run(self.engine, Intent::Plan) };
        drive(self.engine, self.meta, new).await
    }

    async fn apply(&self, hash: &str) -> Result<Run, Failure> {
        apply_hash(self.engine, hash).await
    }
}
