//! `plan`, `apply`, `sync`: the same run, stopped at different places.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hardmatch_checkup::expiry;
use hardmatch_domain::ids::PersonKey;
use hardmatch_embedded::Missing;
use hardmatch_match::{Accept, Acceptance, MatchPorts, Opening, accept, open_run};
use hardmatch_ports::TenantRead as _;
use hardmatch_ports::run::{Intent, Phase, Run, Status};
use hardmatch_report::{closing_lines, plan_document, run_document};
use hardmatch_store::connection::{ConnectionState, Meta};
use serde_json::{Value, json};

use crate::args::{ApplyArgs, Common, PlanArgs, SyncArgs};
use crate::commands::rows::Printed;
use crate::commands::{remote, rows, standing};
use crate::connection::{State, load, open_state, tenant_side};
use crate::engine::Engine;
use crate::fail::{Exit, Failure};
use crate::output;
use crate::progress::Progress;
use crate::tokens::Tokens;

/// A run left open is taken up again for so long (milliseconds); an older one has decided on facts of yesterday.
const RESUME_MS: i64 = 12 * 60 * 60 * 1000;

/// Opens a connection with both sides.
pub(crate) async fn engine(common: &Common) -> Result<(Engine, Meta), Failure> {
    let loaded = load(&common.config)?;
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

/// A connection that was given up does nothing until it is connected again.
async fn connected(state: &State, common: &Common) -> Result<(), Failure> {
    let meta = state.store.meta(&state.loaded.config.connection).await?.value;
    match meta.standing {
        ConnectionState::Active | ConnectionState::Paused => Ok(()),
        ConnectionState::Disconnected => Err(Failure::run(format!(
            "connection {} is disconnected, and its {} links are disconnected. Take it up again with: hardmatch auth connect --config {}",
            state.loaded.config.connection,
            meta.links,
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

/// What a run is asked to be.
pub(crate) struct Wish {
    pub(crate) intent: Intent,
    pub(crate) accept: Accept,
    pub(crate) full: bool,
    pub(crate) accept_source: bool,
    pub(crate) retry: bool,
    pub(crate) only: Option<PersonKey>,
}

pub(crate) async fn plan(args: PlanArgs) -> Result<Exit, Failure> {
    if let Some(stack) = &args.common.stack {
        return remote::plan(stack, &args).await;
    }
    let (engine, meta) = engine(&args.common).await?;
    let wish = Wish {
        intent: Intent::Plan,
        accept: Accept::Nothing,
        full: args.full || args.unmatched,
        accept_source: args.accept_source,
        retry: args.retry,
        only: None,
    };
    let result = drive(&engine, &meta, &wish).await;
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

pub(crate) async fn sync(args: SyncArgs) -> Result<Exit, Failure> {
    if let Some(stack) = &args.common.stack {
        return remote::sync(stack, &args).await;
    }
    let (engine, meta) = engine(&args.common).await?;
    if let Some(exit) = standing::is_paused(&engine.state, &args.common).await? {
        engine.stop().await;
        return Ok(exit);
    }
    let only = match &args.who {
        Some(who) => match super::who::find(&engine.deciding, engine.connection(), who).await? {
            Some(found) => Some(found.key),
            // Somebody new is not known before the source is read.
            None => match super::who::in_source(engine.source(), who).await? {
                Some(key) => Some(key),
                None => return Err(super::who::nobody(who, &[])),
            },
        },
        None => None,
    };
    let wish = Wish {
        intent: Intent::Sync,
        accept: if args.yes { Accept::TheStop } else { Accept::Nothing },
        full: args.full,
        accept_source: args.accept_source,
        retry: args.retry,
        only,
    };
    let result = drive(&engine, &meta, &wish).await;
    let shown = match result {
        Ok(run) => {
            let printed = Printed::of(
                &engine.state.loaded.config,
                &meta,
                &args.common,
                args.all,
                engine.state.clock.now_seconds(),
            );
            match run.phase {
                Phase::Planned => show_stop(&engine.deciding, &run, &args.common, &printed).await,
                Phase::Closed => show_run(&engine.deciding, &run, &args.common, &printed).await,
                _ => standing::stopped(&engine.state, &run, &args.common).await,
            }
        }
        Err(failure) => Err(failure),
    };
    engine.stop().await;
    shown
}

pub(crate) async fn apply(args: ApplyArgs) -> Result<Exit, Failure> {
    if let Some(stack) = &args.common.stack {
        return remote::apply(stack, &args).await;
    }
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
            output::note(format!("This plan was applied in run {}; nothing is left to do.", run.id));
            return Ok(*run);
        }
        Acceptance::Expired(run) => {
            return Err(Failure::usage(format!(
                "the plan {hash} (run {}) is too old: a plan can be applied for seven days, and what was begun for one. Make a new plan with `hardmatch plan`",
                run.id
            )));
        }
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

/// Opens a run, or takes up the one that was left open, and drives it until it rests.
pub(crate) async fn drive(engine: &Engine, meta: &Meta, wish: &Wish) -> Result<Run, Failure> {
    let connection = engine.connection().clone();
    let now_ms = engine.state.clock.now().as_millisecond();
    let left = match &meta.run {
        Some(id) => engine.store().run(&connection, id).await?.map(|stored| stored.value),
        None => None,
    };
    let resumable = left.filter(|run| {
        !matches!(run.phase, Phase::Closed | Phase::Planned)
            && run.intent == wish.intent
            && run.policy_revision == meta.policy_revision
            && run.only == wish.only
            && now_ms - run.started_ms < RESUME_MS
    });
    let run = if let Some(run) = resumable {
        output::note(format!("Going on with run {} where it was.", run.id));
        run
    } else {
        let opening = Opening {
            id: new_run_id(now_ms),
            connection,
            intent: wish.intent,
            accept: wish.accept,
            everybody: wish.full,
            only: wish.only.clone(),
            accept_source: wish.accept_source,
            retry: wish.retry,
            by: operator(),
        };
        open_run(engine.store(), engine.doorbell(), &opening, now_ms).await?
    };
    tell_expiry(engine, &run.id).await?;
    let progress = Progress::start();
    let run = engine.drive(&run.id, &progress).await;
    progress.end();
    run
}

fn new_run_id(now_ms: i64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
    ulid::Ulid::from_datetime(time).to_string()
}

pub(crate) fn operator() -> String {
    format!("operator on this machine, process {}", std::process::id())
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    Shown,
    Left,
}

/// What the exit status of `plan` says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitBy {
    /// 3 when people need attention.
    People,
    /// 4 when there are changes.
    Changes,
}

/// What is wanted of a plan beside its text.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) rows: Rows,
    pub(crate) exit: ExitBy,
}

pub(crate) async fn show_plan(
    deciding: &MatchPorts,
    run: &Run,
    common: &Common,
    printed: &Printed,
    wanted: Wanted,
) -> Result<Exit, Failure> {
    if run.status == Some(Status::Incomplete) {
        return show_incomplete(run, common);
    }
    if common.json {
        let listed = match wanted.rows {
            Rows::Shown => Some(rows::read(deciding, run, usize::MAX).await?),
            Rows::Left => None,
        };
        output::document(&with_report(plan_document(run, listed.as_deref()), run));
    } else {
        rows::print_plan(deciding, run, printed).await?;
        close(run);
        if let Some(plan) = run.plan.as_ref().filter(|plan| plan.changed_slices > 0) {
            output::line(format!("\nApply it with: hardmatch apply {}{}", plan.short(), common.options()));
        }
    }
    if wanted.exit == ExitBy::Changes && run.plan.as_ref().is_some_and(|plan| plan.changed_slices > 0) {
        return Ok(Exit::Changes);
    }
    exit_of_plan(deciding, run).await
}

/// The run stopped at its plan: shown, and how to go on.
pub(crate) async fn show_stop(
    deciding: &MatchPorts,
    run: &Run,
    common: &Common,
    printed: &Printed,
) -> Result<Exit, Failure> {
    if common.json {
        output::document(&with_report(run_document(run), run));
    } else {
        rows::print_plan(deciding, run, printed).await?;
        close(run);
        if let Some(plan) = run.plan.as_ref().filter(|plan| plan.changed_slices > 0) {
            output::line(format!(
                "\nNothing is written yet. Apply this plan with: hardmatch apply {}{}",
                plan.short(),
                common.options()
            ));
        }
    }
    Ok(Exit::Attention)
}

pub(crate) async fn show_run(
    deciding: &MatchPorts,
    run: &Run,
    common: &Common,
    printed: &Printed,
) -> Result<Exit, Failure> {
    if run.status == Some(Status::Incomplete) {
        return show_incomplete(run, common);
    }
    if common.json {
        output::document(&run_document(run));
    } else {
        rows::print_outcomes(deciding, run, printed).await?;
        close(run);
    }
    Ok(if run.status == Some(Status::Converged) { Exit::Converged } else { Exit::Attention })
}

/// What is said below the people.
fn close(run: &Run) {
    let lines = closing_lines(run);
    if !lines.is_empty() {
        output::line("");
    }
    for line in lines {
        output::line(hardmatch_report::visible(&line));
    }
}

fn show_incomplete(run: &Run, common: &Common) -> Result<Exit, Failure> {
    if common.json {
        output::document(&run_document(run));
    }
    Err(Failure::run(incomplete(run)))
}

/// Why nobody was decided.
pub(crate) fn incomplete(run: &Run) -> String {
    let mut text = "nobody was decided and nothing was written, because not everything could be read:".to_owned();
    for (name, collection) in &run.collections {
        for doubt in &collection.doubts {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {name}: {doubt}");
        }
    }
    for refused in run.refused_entries.iter().filter(|refused| refused.key.is_none()).take(20) {
        let _ = write!(text, "\n  {}", super::explain::place(refused));
    }
    text
}

fn with_report(mut document: Value, run: &Run) -> Value {
    if let Some(fields) = document.as_object_mut() {
        fields.insert("report".to_owned(), json!(run.report));
    }
    document
}

/// A plan asks for attention when somebody is refused in it, not because it has something to do.
async fn exit_of_plan(deciding: &MatchPorts, run: &Run) -> Result<Exit, Failure> {
    use hardmatch_domain::reason::Weight;
    let refused = !run.refused_entries.is_empty() || !run.left_out.is_empty() || !run.absence().is_empty();
    let mut slices = hardmatch_match::read_plan(deciding, &run.id).await?;
    while let Some((_, rows)) = slices.next().await? {
        let known = hardmatch_match::acknowledged(deciding, &run.connection, &rows, &BTreeMap::new()).await?;
        let attention = rows.iter().filter(|row| !known.contains(&row.decision.key)).any(|row| {
            row.decision.change.is_none()
                && row.decision.reasons.iter().any(|reason| reason.code.weight() == Weight::Refused)
        });
        if attention {
            return Ok(Exit::Attention);
        }
    }
    Ok(if refused { Exit::Attention } else { Exit::Converged })
}
