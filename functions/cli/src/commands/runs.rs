//! `runs`: what was done before, from the state alone.

mod reasons;

use hardmatch_domain::repair::RepairKind;
use hardmatch_domain::repair::journal::RepairState;
use hardmatch_domain::undo::UNDONE_WITHIN;
use hardmatch_match::MatchPorts;
use hardmatch_ports::run::{Outcome, Phase, Run, Undo};
use hardmatch_report::{run_document, runs_table, summary_lines};
use serde_json::json;

use crate::args::{Common, RunsCommand, RunsShowArgs, RunsUndoArgs};
use crate::commands::place::place;
use crate::commands::rows;
use crate::commands::rows::Printed;
use crate::commands::who;
use crate::connection::State;
use crate::fail::{Exit, Failure};
use crate::installation::installation;
use crate::operator::operator;
use crate::output;

/// Runs that are listed.
const LISTED: usize = 100;
/// Refused entries that are shown.
const REFUSED: usize = 20;

pub(crate) async fn runs(command: RunsCommand) -> Result<Exit, Failure> {
    match command {
        RunsCommand::List(common) => list(&common).await,
        RunsCommand::Show(args) => show(args).await,
        RunsCommand::Reasons(args) => reasons::reasons(&args).await,
        RunsCommand::Undo(args) => undo(&args).await,
    }
}

/// Finds what is meant, and plans how to undo it.
async fn undo(args: &RunsUndoArgs) -> Result<Exit, Failure> {
    let place = installation(&args.common)?;
    let state = place.state(&args.common).await?;
    let connection = state.loaded.config.connection.clone();
    let meta = state.store.meta(&connection).await?;
    let Some(ports) = state.deciding(&meta) else {
        return Err(Failure::run("nothing was written yet, so there is nothing to undo"));
    };
    let undo = match (&args.run, &args.person, &args.change) {
        (_, _, Some(change)) => written(&ports, &state, change).await?,
        (None, None, None) => {
            return Err(Failure::usage(
                "name what is to be undone: a run, --person WHO or --change NAME. `hardmatch runs list` names runs, `hardmatch explain WHO --history` a person's changes",
            ));
        }
        (run, person, None) => {
            let run = match run {
                Some(run) => Some(find(&state, Some(run)).await?.id),
                None => None,
            };
            let person = match person {
                Some(wanted) => {
                    let found = who::find(&ports, &connection, wanted).await?;
                    Some(ports.store.pid(&found.ok_or_else(|| who::nobody(wanted, &[]))?).hex())
                }
                None => None,
            };
            Undo { run, person, by: operator() }
        }
    };
    // The state is opened again by the process that drives the run.
    drop((ports, state));
    place.undo(args, undo).await
}

/// Repairs that ended and are looked through for a change's name.
const ENDED_REPAIRS: usize = 200;

/// The run and the person of a change that was written within thirty days.
async fn written(ports: &MatchPorts, state: &State, name: &str) -> Result<Undo, Failure> {
    let connection = &state.loaded.config.connection;
    let name = name.to_lowercase();
    let since_ms = state.clock.now().as_millisecond() - UNDONE_WITHIN * 1000;
    let mut found: Vec<Undo> = Vec::new();
    for id in state.store.run_ids(connection, usize::MAX).await? {
        let Some(run) = state.store.run(connection, &id).await?.map(|stored| stored.value) else { continue };
        if run.started_ms < since_ms || run.plan.is_none() {
            continue;
        }
        // A plan that was cleaned up names no change any more.
        let Ok(mut slices) = hardmatch_match::read_plan(ports, &id).await else { continue };
        while let Ok(Some((_, rows))) = slices.next().await {
            let changes = rows.iter().filter_map(|row| row.decision.change.as_deref());
            for change in changes.filter(|change| name.len() >= 8 && change.id.as_str().starts_with(&name)) {
                let pid = ports.store.pid(&change.person);
                let outcomes = state.store.outcomes_of(&run, &[pid]).await?;
                let is_written = |outcome: &Outcome| outcome.change == change.id && outcome.written.is_some();
                if outcomes.iter().any(|(_, outcome)| is_written(outcome)) {
                    found.push(Undo { run: Some(id.clone()), person: Some(pid.hex()), by: operator() });
                }
            }
        }
    }
    if found.is_empty() && name.len() >= 8 {
        found.extend(asked_for(ports, state, &name, since_ms).await?);
    }
    match found.len() {
        // The newest of several runs that wrote the same is the one to be undone.
        1.. => Ok(found.swap_remove(0)),
        0 => Err(Failure::usage(format!(
            "no change called {name} was written within thirty days; give eight digits or more. `hardmatch explain WHO --history` names a person's changes"
        ))),
    }
}

/// A repair of a person's account that an operator asked for by name, which no plan shows.
async fn asked_for(ports: &MatchPorts, state: &State, name: &str, since_ms: i64) -> Result<Option<Undo>, Failure> {
    let ended = state.store.closed_repairs(&ports.scope, ENDED_REPAIRS).await?;
    let wanted = ended.into_iter().find(|journal| {
        let ours = journal.connection == state.loaded.config.connection && journal.state == RepairState::Repaired;
        ours && journal.kind == RepairKind::ClearId
            && journal.change.as_str().starts_with(name)
            && journal.ended_ms.is_some_and(|ended_ms| ended_ms >= since_ms)
    });
    let Some(journal) = wanted else { return Ok(None) };
    let person = journal.person.map(|who| ports.store.pid(&who).hex());
    Ok(person.map(|person| Undo { run: Some(journal.run.into()), person: Some(person), by: operator() }))
}

async fn list(common: &Common) -> Result<Exit, Failure> {
    let state = installation(common)?.state(common).await?;
    let connection = &state.loaded.config.connection;
    let mut runs = Vec::new();
    for id in state.store.run_ids(connection, LISTED).await? {
        runs.extend(state.store.run(connection, &id).await?.map(|stored| stored.value));
    }
    if common.json {
        let documents: Vec<_> = runs.iter().map(run_document).collect();
        output::document(&json!({ "v": 1, "runs": documents }));
    } else if runs.is_empty() {
        output::note("There are no runs yet. Make a plan: `hardmatch plan`");
    } else {
        output::table(runs_table(&runs, output::style()));
    }
    Ok(Exit::Converged)
}

async fn show(args: RunsShowArgs) -> Result<Exit, Failure> {
    let state = installation(&args.common)?.state(&args.common).await?;
    let run = find(&state, args.run.as_deref()).await?;
    if args.html {
        return match &run.report {
            Some(report) => {
                output::line(report);
                Ok(Exit::Converged)
            }
            None => Err(Failure::usage(format!("run {} has written no report", run.id))),
        };
    }
    if args.common.json {
        output::document(&run_document(&run));
        return Ok(Exit::Converged);
    }
    let connection = &state.loaded.config.connection;
    let meta = state.store.meta(connection).await?;
    let printed = Printed::of(&state.loaded.config, &meta, &args.common, args.all, state.clock.now_seconds());
    if let Some(ports) = state.deciding(&meta).filter(|_| run.plan.is_some()) {
        if run.phase == Phase::Planned || run.accepted.is_none() {
            rows::print_plan(&ports, &run, &printed).await?;
        } else {
            rows::print_outcomes(&ports, &run, &printed).await?;
        }
    }
    for line in summary_lines(&run) {
        output::prose(line);
    }
    for refused in run.refused_entries.iter().take(REFUSED) {
        output::prose(format!("  {}", place(refused)));
    }
    for left_out in run.left_out.iter().take(REFUSED) {
        output::prose(format!("  Left out. {}", place(left_out)));
    }
    Ok(Exit::Converged)
}

/// The newest run, or the one whose id begins or ends like this.
async fn find(state: &State, wanted: Option<&str>) -> Result<Run, Failure> {
    let connection = &state.loaded.config.connection;
    let ids = state.store.run_ids(connection, usize::MAX).await?;
    let id = match wanted {
        None => ids
            .first()
            .cloned()
            .ok_or_else(|| Failure::usage("there are no runs yet. Make a plan: `hardmatch plan`"))?,
        Some(wanted) => {
            let upper = wanted.to_uppercase();
            let fits: Vec<&String> = ids.iter().filter(|id| id.starts_with(&upper) || id.ends_with(&upper)).collect();
            match fits.as_slice() {
                [id] => (*id).clone(),
                [] => {
                    return Err(Failure::usage(format!("there is no run {wanted}. `hardmatch runs list` names them")));
                }
                [_, _, ..] => return Err(Failure::usage(format!("{} runs fit {wanted}; give more of it", fits.len()))),
            }
        }
    };
    let run = state.store.run(connection, &id).await?;
    run.map(|stored| stored.value).ok_or_else(|| Failure::run(format!("run {id} cannot be read")))
}
