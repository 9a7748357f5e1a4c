//! `repair start`: the repairs of one person, or of an audit, approved and carried out. Each is planned anew from what is read
//! now, so an audit of yesterday repairs nothing that is not broken any more.

use hardmatch_domain::change::{Action, Step};
use hardmatch_domain::ids::{PersonKey, PersonRef};
use hardmatch_match::NewRun;
use hardmatch_ports::run::{Intent, OutcomeKind, Run};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::RepairStartArgs;
use crate::commands::run::{apply_hash, drive, engine, new_run};
use crate::commands::{standing, who};
use crate::engine::Engine;
use crate::fail::{Exit, Failure};
use crate::output;

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

pub(super) async fn start(args: &RepairStartArgs) -> Result<Exit, Failure> {
    args.common
        .here("repair start", "On a stack, apply the plan that shows the repair: hardmatch apply HASH --stack NAME")?;
    let listed = args.from.as_deref().map(listed).transpose()?;
    let (engine, meta) = engine(&args.common).await?;
    if let Some(exit) = standing::is_paused(&engine.state, &args.common).await? {
        engine.stop().await;
        return Ok(exit);
    }
    let result = Box::pin(all(&engine, &meta, args, listed)).await;
    engine.stop().await;
    let told = result?;
    let failed = told.iter().any(|one| one["result"] != json!(OutcomeKind::Done.name()));
    if args.common.json {
        output::document(&json!({ "v": 1, "connection": engine_name(&told), "repairs": told }));
    } else {
        for one in &told {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            output::line(format!("{}: {} {}", text("person"), text("result"), text("why")));
        }
    }
    Ok(if failed { Exit::Attention } else { Exit::Converged })
}

fn engine_name(told: &[Value]) -> Value {
    told.first().map_or(Value::Null, |one| one["connection"].clone())
}

/// The people of an audit whose repair was proposed.
fn listed(file: &std::path::Path) -> Result<(String, Vec<PersonKey>), Failure> {
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
    let people = audit.findings.into_iter().filter(|finding| finding.repair.is_some());
    let mut keys: Vec<PersonKey> = people.filter_map(|finding| finding.person).collect();
    keys.sort_unstable();
    keys.dedup();
    Ok((audit.connection, keys))
}

async fn all(
    engine: &Engine,
    meta: &hardmatch_store::connection::Meta,
    args: &RepairStartArgs,
    listed: Option<(String, Vec<PersonKey>)>,
) -> Result<Vec<Value>, Failure> {
    let connection = engine.connection().clone();
    let people = match (listed, &args.who) {
        (Some((of, _)), _) if of != connection.as_str() => {
            return Err(Failure::usage(format!(
                "the audit is of connection {of}, and this is {connection}. Name its file with --config"
            )));
        }
        (Some((_, people)), _) => people,
        (None, Some(wanted)) => match who::find(&engine.deciding, &connection, wanted).await? {
            Some(found) => vec![found.key],
            None => return Err(who::nobody(wanted, &[])),
        },
        (None, None) => Vec::new(),
    };
    let mut told = Vec::with_capacity(people.len());
    for key in people {
        let (result, why) = one(engine, meta, &key).await?;
        told.push(json!({ "connection": connection, "person": key, "result": result, "why": why }));
    }
    Ok(told)
}

/// Plans one person and, where the plan is a repair, applies it. What became of it, and why.
async fn one(
    engine: &Engine,
    meta: &hardmatch_store::connection::Meta,
    key: &PersonKey,
) -> Result<(&'static str, String), Failure> {
    let new = NewRun { retry: true, only: Some(key.clone()), ..new_run(engine, Intent::Plan) };
    let planned = drive(engine, meta, new).await?;
    let decision = row_of(engine, &planned, key).await?;
    let Some((repairs, why)) = decision else { return Ok(("unknown", "nobody decided this person".to_owned())) };
    if !repairs {
        return Ok(("nothing", format!("no repair is planned: {why}")));
    }
    let hash = planned.plan.as_ref().map(|plan| plan.hash.clone()).unwrap_or_default();
    let run = apply_hash(engine, &hash).await?;
    let who = PersonRef { connection: engine.connection().clone(), key: key.clone() };
    let pid = engine.store().pid(&who);
    let outcome = engine.store().outcomes_of(&run, &[pid]).await?.pop().map(|(_, outcome)| outcome);
    let Some(outcome) = outcome else { return Ok(("unknown", why)) };
    let said: Vec<String> = outcome
        .said()
        .iter()
        .map(|reason| format!("{} {}", reason.code, reason.detail.as_deref().unwrap_or_default()))
        .collect();
    Ok((outcome.result.name(), said.join("; ")))
}

/// Whether a person's row holds a repair, and its reasons.
async fn row_of(engine: &Engine, run: &Run, key: &PersonKey) -> Result<Option<(bool, String)>, Failure> {
    let mut slices = hardmatch_match::read_plan(&engine.deciding, &run.id).await?;
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
