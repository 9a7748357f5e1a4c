//! `runs`: what was done before, from the state alone.

use hardmatch_ports::run::{Phase, Run};
use hardmatch_report::{run_document, runs_table, summary_lines};
use serde_json::json;

use crate::args::{Common, RunsCommand, RunsShowArgs};
use crate::commands::place::place;
use crate::commands::rows;
use crate::commands::rows::Printed;
use crate::connection::State;
use crate::fail::{Exit, Failure};
use crate::installation::installation;
use crate::output;

/// Runs that are listed.
const LISTED: usize = 100;
/// Refused entries that are shown.
const REFUSED: usize = 20;

pub(crate) async fn runs(command: RunsCommand) -> Result<Exit, Failure> {
    match command {
        RunsCommand::List(common) => list(&common).await,
        RunsCommand::Show(args) => show(args).await,
    }
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
