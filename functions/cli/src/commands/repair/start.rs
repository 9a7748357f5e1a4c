//! `repair start`: the repairs of one person, or of an audit, approved and carried out. Each of a person is planned anew from
//! what is read now, so an audit of yesterday repairs nothing that is not broken any more.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use hardmatch_domain::change::{Action, Step};
use hardmatch_domain::ids::{ConnectionId, ObjectId, PersonKey, PersonRef};
use hardmatch_domain::repair::RepairKind;
use hardmatch_domain::repair::journal::RepairState;
use hardmatch_match::{MatchPorts, NewRun};
use hardmatch_ports::run::{Intent, OutcomeKind, Phase, Run};
use hardmatch_store::connection::Meta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::checks::{self, AfterRepair};
use super::{begin, journals};
use crate::args::RepairStartArgs;
use crate::commands::run::{apply_hash, drive, engine, new_run};
use crate::commands::shown::read_whole;
use crate::commands::{standing, who};
use crate::engine::Engine;
use crate::fail::{Exit, Failure};
use crate::output;
use crate::progress::Progress;

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
    /// Begins to clear the immutable ID of an account of nobody.
    async fn clear_leftover(&self, account: &ObjectId) -> Result<(), Failure>;
    /// Carries out what was begun, where this process writes.
    async fn carry_out(&self) -> Result<(), Failure>;
    /// Looks at what signing in takes, where this process reaches the tenant.
    async fn checks(&self, key: &PersonKey) -> Result<Vec<AfterRepair>, Failure>;
}

/// The people and the accounts of an audit whose repair was proposed.
#[derive(Default)]
pub(crate) struct Audited {
    connection: String,
    people: Vec<PersonKey>,
    /// Accounts of nobody whose immutable ID is cleared.
    leftovers: Vec<ObjectId>,
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
    accounts: Vec<ObjectId>,
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
    let Audited { people, leftovers, .. } = wanted(runs, args, audited).await?;
    for key in people {
        let (result, why) = one(runs, &key).await?;
        let done = result == OutcomeKind::Done.name();
        let checks = if done { runs.checks(&key).await? } else { Vec::new() };
        told.push(json!({ "connection": connection, "person": key, "result": result, "why": why, "checks": checks }));
    }
    told.extend(clear(runs, &leftovers).await?);
    let failed = told.iter().any(|one| one["result"] != json!(OutcomeKind::Done.name()));
    if args.common.json {
        output::document(&json!({ "v": 1, "connection": connection, "repairs": told }));
    } else {
        for one in &told {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            output::line(format!("{}{}: {} {}", text("person"), text("account"), text("result"), text("why")));
            for check in one["checks"].as_array().into_iter().flatten() {
                let mark = if check["ok"] == json!(true) { "ok" } else { "look" };
                output::line(format!("  {mark}: {}", check["said"].as_str().unwrap_or_default()));
            }
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
        let (mut people, mut leftovers) = (Vec::new(), Vec::new());
        for Finding { person, accounts, repair } in audit.findings {
            let Some(repair) = repair else { continue };
            match person {
                Some(person) => people.push(person),
                None if repair["kind"] == json!(RepairKind::ClearId) => leftovers.extend(accounts),
                None => {}
            }
        }
        people.sort_unstable();
        people.dedup();
        leftovers.sort_unstable();
        leftovers.dedup();
        Ok(Self { connection: audit.connection, people, leftovers })
    }
}

/// The people and accounts that the command names, or the audit.
async fn wanted(runs: &dyn RepairRuns, args: &RepairStartArgs, audited: Option<Audited>) -> Result<Audited, Failure> {
    let connection = runs.connection();
    match (audited, &args.who) {
        (Some(audited), _) if audited.connection != connection.as_str() => Err(Failure::usage(format!(
            "the audit is of connection {}, and this is {connection}. Name its file with --config",
            audited.connection
        ))),
        (Some(audited), _) => Ok(audited),
        (None, Some(wanted)) => match who::find(runs.ports(), connection, wanted).await? {
            Some(found) => Ok(Audited { people: vec![found.key], ..Audited::default() }),
            None => Err(who::nobody(wanted, &[])),
        },
        (None, None) => Ok(Audited::default()),
    }
}

/// Clears the immutable IDs of accounts of nobody. What became of each.
async fn clear(runs: &dyn RepairRuns, leftovers: &[ObjectId]) -> Result<Vec<Value>, Failure> {
    let mut refused = BTreeMap::new();
    for account in leftovers {
        if let Err(failure) = runs.clear_leftover(account).await {
            refused.insert(account, failure.to_string());
        }
    }
    if refused.len() < leftovers.len() {
        runs.carry_out().await?;
    }
    let mut told = Vec::with_capacity(leftovers.len());
    for account in leftovers {
        let (result, why) = match refused.get(account) {
            Some(why) => ("refused", why.clone()),
            None => match journals::of_account(runs.ports(), runs.connection(), account).await? {
                Some(journal) if journal.state == RepairState::Repaired => (OutcomeKind::Done.name(), String::new()),
                Some(journal) => (journal.state.name(), journals::line(&journal)),
                None => ("nothing", "the account has no immutable ID".to_owned()),
            },
        };
        told.push(json!({ "connection": runs.connection(), "account": account, "result": result, "why": why }));
    }
    Ok(told)
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

    async fn clear_leftover(&self, account: &ObjectId) -> Result<(), Failure> {
        begin::clear_id(self.engine, account, true).await
    }

    async fn carry_out(&self) -> Result<(), Failure> {
        self.engine.repair(&Progress::start()).await
    }

    async fn checks(&self, key: &PersonKey) -> Result<Vec<AfterRepair>, Failure> {
        checks::after(self.engine, key).await
    }
}
