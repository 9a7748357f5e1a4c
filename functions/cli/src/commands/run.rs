//! `plan`, `apply`, `sync`: the same run, stopped at different places.

use std::collections::BTreeSet;

use hardmatch_checkup::expiry;
use hardmatch_domain::change::ChangeId;
use hardmatch_embedded::Missing;
use hardmatch_match::{Accept, Acceptance, NewRun, accept, open_run};
use hardmatch_policy::Config;
use hardmatch_ports::TenantRead as _;
use hardmatch_ports::run::{Intent, Phase, Run, Status, Undo};
use hardmatch_store::connection::{ConnectionState, Meta};

use crate::args::{ApplyArgs, Common, PlanArgs, RunsUndoArgs, SyncArgs};
use crate::commands::rows::Printed;
use crate::commands::shown::{ExitBy, Rows, Wanted, incomplete, show_plan, show_run, show_stop};
use crate::commands::{held, standing};
use crate::connection::{State, clock, load, open_state};
use crate::engine::Engine;
use crate::fail::{Exit, Failure};
use crate::operator::operator;
use crate::output;
use crate::progress::Progress;
use crate::simulated_state;
use crate::tenant_side::tenant_side;
use crate::tokens::Tokens;

/// A run left open is taken up again for so long (milliseconds); an older one has decided on facts of yesterday.
const RESUME_MS: i64 = 12 * 60 * 60 * 1000;

/// Opens a connection with both sides.
pub(crate) async fn engine(common: &Common) -> Result<(Engine, Meta), Failure> {
    let loaded = load(&common.config)?;
    if simulated_state::is_left(&loaded.config) {
        prove(&loaded.config).await?;
        simulated_state::put_aside(&loaded.config)?;
    }
    let state = open_state(loaded, Missing::Create).await?;
    connected(&state, common).await?;
    let lock = state.drive().await?;
    let meta = state.activate_policy().await?;
    let tokens = Tokens::of_a_run(&state.loaded.config, &state.clock)?;
    if let Some(tokens) = &tokens {
        tokens.renew_what_lacks(&state.loaded.config).await?;
    }
    let side = tenant_side(&state.loaded.config, &state.clock, tokens.as_ref().map(Tokens::token_store)).await?;
    let engine = Engine::open(state, lock, side, &meta).await?;
    // Somebody waits in front of this: who cannot get a token is told now. A run would go on trying.
    if let Err(error) = engine.side.client.granted().await {
        let said = engine.side.said(&error);
        engine.stop().await;
        return Err(Failure::run(said));
    }
    Ok((engine, meta))
}

/// Gets a token of the tenant that the file names: where none is to be had, the simulated tenant's state stays.
async fn prove(config: &Config) -> Result<(), Failure> {
    let clock = clock();
    let tokens = Tokens::of_a_run(config, &clock)?;
    let side = tenant_side(config, &clock, tokens.as_ref().map(Tokens::token_store)).await?;
    let proven = side.client.granted().await.map(drop).map_err(|error| Failure::run(side.said(&error)));
    side.stop().await;
    proven
}

/// A connection that was given up does nothing until it is connected again.
async fn connected(state: &State, common: &Common) -> Result<(), Failure> {
    let meta = state.store.meta(&state.loaded.config.connection).await?;
    match meta.status.state {
        ConnectionState::Active | ConnectionState::Paused => Ok(()),
        ConnectionState::Disconnected => Err(Failure::run(format!(
            "connection {} is disconnected, and its {} links are disconnected. Take it up again with: hardmatch auth connect --config {}",
            state.loaded.config.connection,
            meta.history.links,
            common.config.display()
        ))),
    }
}

/// Enters into a run that the application's proof ends soon: nobody else tells.
async fn tell_expiry(engine: &Engine, run: &str) -> Result<(), Failure> {
    let now = engine.state.clock.now();
    let expiry = expiry::of(&engine.state.loaded.config, &*engine.side.credential, now).await;
    let Some((finding, cure)) = expiry.warning() else { return Ok(()) };
    tracing::warn!(connection.id = %engine.connection(), credential.days_left = expiry.days_left, "{finding}");
    let problem = format!("{finding} {cure}");
    let enter = |run: &mut Run| {
        let new = !run.problems.contains(&problem);
        if new {
            run.problems.push(problem.clone());
        }
        new
    };
    engine.store().update_run(engine.connection(), run, enter).await?;
    Ok(())
}

/// A run of the connection, asked for by the operator at this machine.
pub(crate) fn new_run(engine: &Engine, intent: Intent) -> NewRun {
    let now_ms = engine.state.clock.now().as_millisecond();
    NewRun::new(new_run_id(now_ms), engine.connection().clone(), intent, operator())
}

pub(crate) async fn plan(args: &PlanArgs) -> Result<Exit, Failure> {
    if let Some(recording) = &args.from {
        return Box::pin(super::replay::plan(recording, args)).await;
    }
    super::replay::new_file(args)?;
    let (engine, meta) = engine(&args.common).await?;
    let new = NewRun {
        everybody: args.full || args.unmatched || args.record.is_some(),
        accept_source: args.accept_source,
        retry: args.retry,
        ..new_run(&engine, Intent::Plan)
    };
    let mut result = drive(&engine, &meta, new).await;
    if let (Ok(_), Some(to)) = (&result, &args.record)
        && let Err(failure) = super::replay::record(&engine.state, to).await
    {
        result = Err(failure);
    }
    let shown = match result {
        Ok(run) if args.unmatched && run.status != Some(Status::Incomplete) => {
            super::unmatched::show(&engine, &run, &args.common).await.map(|()| Exit::Converged)
        }
        Ok(run) => {
            let printed = Printed::of(
                &engine.state.loaded.config,
                &meta,
                &args.common,
                args.all,
                engine.state.clock.now_seconds(),
            );
            let wanted = Wanted {
                rows: if args.rows { Rows::Shown } else { Rows::Left },
                exit: if args.detailed_exitcode { ExitBy::Changes } else { ExitBy::People },
            };
            show_plan(&engine.deciding, &run, &args.common, &printed, wanted).await
        }
        Err(failure) => Err(failure),
    };
    engine.stop().await;
    shown
}

/// Plans how to undo what was written, and shows that plan.
pub(crate) async fn undo(args: &RunsUndoArgs, undo: Undo) -> Result<Exit, Failure> {
    let (engine, meta) = engine(&args.common).await?;
    let new = NewRun { undo: Some(undo), ..new_run(&engine, Intent::Plan) };
    let result = drive(&engine, &meta, new).await;
    let shown = match result {
        Ok(run) => {
            let now = engine.state.clock.now_seconds();
            let printed = Printed::of(&engine.state.loaded.config, &meta, &args.common, args.all, now);
            let wanted = Wanted { rows: if args.rows { Rows::Shown } else { Rows::Left }, exit: ExitBy::People };
            show_plan(&engine.deciding, &run, &args.common, &printed, wanted).await
        }
        Err(failure) => Err(failure),
    };
    engine.stop().await;
    shown
}

/// `None`: nobody is called as the command names one person.
pub(crate) async fn sync(args: &SyncArgs) -> Result<Option<Exit>, Failure> {
    let (engine, meta) = engine(&args.common).await?;
    if let Some(exit) = standing::is_paused(&engine.state, &args.common).await? {
        engine.stop().await;
        return Ok(Some(exit));
    }
    let only = match &args.who {
        Some(who) => {
            let known = super::who::find(&engine.deciding, engine.connection(), who).await?.map(|found| found.key);
            if known.is_some() {
                known
            } else if let Some(key) = super::who::in_source(engine.source(), who).await? {
                // Somebody new is not known before the source is read.
                Some(key)
            } else {
                engine.stop().await;
                return Ok(None);
            }
        }
        None => None,
    };
    let new = NewRun {
        accept: if args.yes { Accept::TheStop } else { Accept::Nothing },
        everybody: args.full,
        accept_source: args.accept_source,
        retry: args.retry,
        only,
        ..new_run(&engine, Intent::Sync)
    };
    let result = drive(&engine, &meta, new).await;
    let shown = match result {
        Ok(run) => shown(&engine, &meta, &run, args).await,
        Err(failure) => Err(failure),
    };
    engine.stop().await;
    shown.map(Some)
}

/// Shows what a run came to.
pub(crate) async fn shown(engine: &Engine, meta: &Meta, run: &Run, args: &SyncArgs) -> Result<Exit, Failure> {
    let now = engine.state.clock.now_seconds();
    let printed = Printed::of(&engine.state.loaded.config, meta, &args.common, args.all, now);
    match run.phase {
        Phase::Planned => show_stop(&engine.deciding, run, &args.common, &printed).await,
        Phase::Closed => show_run(&engine.deciding, run, &args.common, &printed).await,
        _ => standing::stopped(&engine.state, run, &args.common).await,
    }
}

pub(crate) async fn apply(args: &ApplyArgs) -> Result<Exit, Failure> {
    let (engine, meta) = engine(&args.common).await?;
    if let Some(exit) = standing::is_paused(&engine.state, &args.common).await? {
        engine.stop().await;
        return Ok(exit);
    }
    let result = apply_hash(&engine, &args.hash).await;
    let shown = match result {
        Ok(run) if run.phase != Phase::Closed => standing::stopped(&engine.state, &run, &args.common).await,
        Ok(run) => {
            let printed = Printed::of(
                &engine.state.loaded.config,
                &meta,
                &args.common,
                args.all,
                engine.state.clock.now_seconds(),
            );
            show_run(&engine.deciding, &run, &args.common, &printed).await
        }
        Err(failure) => Err(failure),
    };
    engine.stop().await;
    shown
}

/// Applies a plan by its hash.
pub(crate) async fn apply_hash(engine: &Engine, hash: &str) -> Result<Run, Failure> {
    let connection = engine.connection().clone();
    let run = match accept(&engine.deciding, &connection, hash, &operator()).await? {
        Acceptance::GoesOn(run) | Acceptance::Resumes(run) => run,
        Acceptance::Applied(run) => {
            let held = held::changes(&engine.deciding, &run).await?;
            if held.is_empty() {
                output::note(format!("This plan was applied in run {}; nothing is left to do.", run.id));
                return Ok(*run);
            }
            if held::is_too_old(&run, engine.state.clock.now().as_millisecond()) {
                return Err(too_old(hash, &run));
            }
            return Box::pin(apply_held(engine, &run, &held)).await;
        }
        Acceptance::Expired(run) => return Err(too_old(hash, &run)),
        Acceptance::Unknown { waiting: Some(waiting) } => {
            return Err(Failure::usage(format!(
                "no plan of connection {connection} that waits has the hash {hash}. The plan that waits is {waiting}; look at it with `hardmatch runs show`"
            )));
        }
        Acceptance::Unknown { waiting: None } => {
            return Err(Failure::usage(format!(
                "no plan of connection {connection} waits under the hash {hash}: it is of another connection, or a newer run took its place. Make a plan with `hardmatch plan`"
            )));
        }
    };
    tell_expiry(engine, &run.id).await?;
    let progress = Progress::start();
    let run = engine.drive(&run.id, &progress).await;
    progress.end();
    let run = run?;
    if run.status == Some(Status::Incomplete) {
        return Err(Failure::run(incomplete(&run)));
    }
    Ok(run)
}

pub(crate) fn too_old(hash: &str, run: &Run) -> Failure {
    Failure::usage(format!(
        "the plan {hash} (run {}) is too old: a plan can be applied for seven days, and what was begun for one. Make a new plan with `hardmatch plan`",
        run.id
    ))
}

/// Applies what a run held for an approval, and nothing else: as long as it is planned unchanged, and nothing is planned
/// beside it that the run did not show.
async fn apply_held(engine: &Engine, run: &Run, held: &BTreeSet<ChangeId>) -> Result<Run, Failure> {
    let meta = engine.store().meta(engine.connection()).await?;
    let planned = drive(engine, &meta, new_run(engine, Intent::Plan)).await?;
    let hash = held::still_planned(&engine.deciding, run, held, &planned).await?;
    apply_hash(engine, &hash).await
}

/// Opens a run, or takes up the one that was left open, and drives it until it rests.
pub(crate) async fn drive(engine: &Engine, meta: &Meta, new: NewRun) -> Result<Run, Failure> {
    let now_ms = engine.state.clock.now().as_millisecond();
    let run = match left_open(engine, meta, &new).await? {
        Some(run) => run.id,
        None => open_run(engine.store(), engine.doorbell(), &new, now_ms).await?.id,
    };
    drive_run(engine, &run).await
}

/// The run that was left open and asks for the same.
pub(crate) async fn left_open(engine: &Engine, meta: &Meta, new: &NewRun) -> Result<Option<Run>, Failure> {
    let now_ms = engine.state.clock.now().as_millisecond();
    let left = match &meta.schedule.run {
        Some(id) => engine.store().run(engine.connection(), id).await?.map(|stored| stored.value),
        None => None,
    };
    let resumable = left.filter(|run| {
        !matches!(run.phase, Phase::Closed | Phase::Planned)
            && run.intent == new.intent
            && run.policy_revision == meta.policy.revision
            && run.only == new.only
            && run.undo.is_none()
            && new.undo.is_none()
            && now_ms - run.started_ms < RESUME_MS
    });
    if let Some(run) = &resumable {
        output::note(format!("Going on with run {} where it was.", run.id));
    }
    Ok(resumable)
}

/// Drives an open run until it rests.
pub(crate) async fn drive_run(engine: &Engine, run: &str) -> Result<Run, Failure> {
    tell_expiry(engine, run).await?;
    let progress = Progress::start();
    let run = engine.drive(run, &progress).await;
    progress.end();
    run
}

fn new_run_id(now_ms: i64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
    ulid::Ulid::from_datetime(time).to_string()
}
