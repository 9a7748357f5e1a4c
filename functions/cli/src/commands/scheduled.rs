//! `sync --scheduled`: what cron, systemd and `serve` start by the connection's own schedule. It begins what is due, and
//! does nothing where nothing is, or where a run is open.

use hardmatch_domain::policy::ScheduledTime;
use hardmatch_embedded::Missing;
use hardmatch_match::{PassedBy, Started, is_taken, start_due};
use hardmatch_ports::run::{Intent, Run};
use hardmatch_store::connection::Meta;

use super::run;
use crate::args::SyncArgs;
use crate::connection::{clock, driver, load, open_state};
use crate::engine::Engine;
use crate::fail::{Exit, Failure};
use crate::output;
use crate::progress::Progress;

pub(crate) async fn sync(args: &SyncArgs) -> Result<Exit, Failure> {
    let loaded = load(&args.common.config)?;
    let Some(schedule) = loaded.config.schedule.clone() else {
        return Err(Failure::usage(format!(
            "{} has no [schedule]. Write one, such as [schedule] with every = \"5m\", or leave --scheduled out",
            loaded.path.display()
        )));
    };
    if let Some(holder) = driver(&loaded.config.state_path) {
        output::note(format!("A run is at work, by {}; this time is skipped.", holder.name));
        return Ok(Exit::Converged);
    }
    let due = schedule.last(clock().now_seconds());
    // Where nothing is to be done, nobody is asked for a token.
    let state = open_state(loaded, Missing::Create).await?;
    let before = state.store.meta(&state.loaded.config.connection).await?;
    let open = match &before.schedule.run {
        Some(run) => state.store.run(&state.loaded.config.connection, run).await?.map(|stored| stored.value),
        None => None,
    };
    if is_taken(&before, due) && open.as_ref().is_none_or(rests) {
        output::note("No time of [schedule] has come since the last run.");
        return Ok(Exit::Converged);
    }
    drop(state);
    let (engine, meta) = run::engine(&args.common).await?;
    let driven = begun(&engine, &meta, due).await;
    let shown = match driven {
        Ok(Some(run)) => run::shown(&engine, &meta, &run, args).await,
        Ok(None) => Ok(Exit::Converged),
        Err(failure) => Err(failure),
    };
    engine.stop().await;
    shown
}

/// The run that was left open, or that is due; `None` where neither is, which is said.
async fn begun(engine: &Engine, meta: &Meta, due: ScheduledTime) -> Result<Option<Run>, Failure> {
    let same = run::new_run(engine, Intent::Sync);
    if let Some(left) = run::left_open(engine, meta, &same).await? {
        return run::drive_run(engine, &left.id).await.map(Some);
    }
    // This process has the lock for driving runs.
    let started = start_due(&engine.deciding, engine.connection(), due, true).await?;
    let said = match started {
        Started::Opened(run) => return run::drive_run(engine, &run).await.map(Some),
        Started::Looks => match engine.look(&Progress::start()).await? {
            Some(run) => return run::drive_run(engine, &run).await.map(Some),
            None => "Nothing has changed at the source.",
        },
        Started::Already(_) => "No time of [schedule] has come since the last run.",
        Started::PassedBy(PassedBy::RunOpen) => "A run is open, or its plan waits; this time is skipped.",
        Started::PassedBy(PassedBy::Paused) => "The connection is paused; this time is skipped.",
        Started::PassedBy(PassedBy::Quarantined) => {
            "The connection is quarantined, and its next attempt is not due; this time is skipped."
        }
        Started::PassedBy(PassedBy::Disconnected | PassedBy::NoPolicy) => {
            "The connection is not connected; this time is skipped."
        }
    };
    output::note(said);
    Ok(None)
}

fn rests(run: &Run) -> bool {
    use hardmatch_ports::run::Phase;
    matches!(run.phase, Phase::Closed | Phase::Planned)
}
