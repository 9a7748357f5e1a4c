//! Ending: the report, the status, and what the connection remembers.

mod attention;
mod rows;
mod totals;
mod wanted;

use hardmatch_domain::facts::Lookups;
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::{CollectionState, Phase, PlanHead, Run, Status};
use hardmatch_store::connection::Quarantine;
use hardmatch_store::leases::LeasedRun;

use self::rows::Rows;
use crate::approvals::ask_of_plan;
use crate::credential_expiry;
use crate::error::MatchError;
use crate::policies::policy;
use crate::ports::MatchPorts;
use crate::step::Step;
use crate::transition::enter;

/// Writes the report of a finished run and closes it.
///
/// The rows are read once, to be added up and shown. Half a million people are 8,192 slices, each a blob of 40 ms and a call
/// of 20 ms to the table, sixteen at a time: half a minute. The README says how long a function works on them.
pub(crate) async fn report(ports: &MatchPorts, run: &LeasedRun<'_>) -> Result<Step, MatchError> {
    let now_ms = ports.clock.now().as_millisecond();
    let spent = ports.metrics.read(&run.id).await?;
    let rows = Rows::of_run(ports, run).await?;
    let totals = &rows.totals;
    let mut closed = Run {
        phase: Phase::Closed,
        attention: totals.attention,
        closed_ms: Some(now_ms),
        stalled: None,
        outcomes: totals.outcomes.clone(),
        changes: totals.changes.clone(),
        refusals: totals.refusals.clone(),
        tenant_calls: spent.calls,
        units: spent.units,
        compute: spent.compute,
        problems: problems(ports, run).await?,
        ..Run::clone(run)
    };
    closed.status = Some(if closed.needs_attention() { Status::Attention } else { Status::Converged });
    let regular = !run.is_partial() && run.undo.is_none();
    let everybody = run.everybody && regular;
    let (failing, active, came, went) = (totals.is_failing(), totals.active, totals.came, totals.went);
    rows.close(ports, &mut closed).await?;
    if regular {
        forget_the_old(ports, run, now_ms / 1000).await?;
    }
    if failing {
        ports.store.quarantine(&run.connection, &run.id, FAILING, now_ms / 1000).await?;
    }
    ports
        .store
        .update_together(&run.connection, |meta| {
            // A run whose credentials were refused, or that failed in most of what it tried, is no success; and a run about
            // wanted people that was held tried nothing, so that it ends no quarantine.
            let quarantined_by_this_run = meta.quarantine.as_ref().is_some_and(|quarantine| quarantine.run == run.id);
            if !failing && !quarantined_by_this_run && !run.is_held_at_stop() {
                meta.quarantine = None;
                meta.history.last_success = Some(now_ms / 1000);
                if regular {
                    meta.history.last_run = Some(now_ms / 1000);
                }
            }
            if regular {
                // Timers up to the beginning of this run were taken by it.
                meta.history.timers_seen = Some(run.started_ms / 1000);
                // What this policy changed was told by this run's report.
                meta.policy.told = run.policy_revision;
            }
            meta.history.links = if everybody { active } else { (meta.history.links + came).saturating_sub(went) };
        })
        .await?;
    enter(ports, run, Phase::Closed, |run| run.clone_from(&closed)).await?;
    ports.store.clear_run(&run.id).await?;
    wanted::end(ports, run).await?;
    Ok(Step::waiting())
}

/// People of one run who are forgotten: the next one goes on.
const FORGOTTEN: usize = 500;

/// After a run about everybody: policies before its own get an end, and people who have been absent for as long as history is
/// kept, and have no account any more, are forgotten. Comes before the state says that everybody was decided under the run's
/// policy, so that a kill in between has it done again.
async fn forget_the_old(ports: &MatchPorts, run: &Run, now: i64) -> Result<(), MatchError> {
    if run.policy_before.is_some() {
        ports.store.end_policies(&run.connection, run.policy_revision, now).await?;
    }
    // Of an account that was not read nothing may be concluded.
    let complete = |name: &str| run.collections.get(name).is_some_and(|known| known.state == CollectionState::Complete);
    if !complete("users") || !complete("deleted_users") {
        return Ok(());
    }
    let people = ports.store.long_gone(&ports.scope, &run.connection, now, FORGOTTEN).await?;
    if !people.is_empty() {
        let policy = policy(ports, &run.connection, run.policy_revision).await?;
        let store = ports.store.entering(Lookups::of(&policy));
        store.forget_long_gone(&ports.scope, &run.connection, &people).await?;
    }
    Ok(())
}

/// What went wrong in a run, and that the application's secret or certificate ends soon: nobody else tells.
async fn problems(ports: &MatchPorts, run: &Run) -> Result<Vec<String>, MatchError> {
    let mut problems = run.problems.clone();
    let meta = ports.store.meta(&run.connection).await?;
    let warning = credential_expiry::warning(&meta, ports.clock.now_seconds());
    problems.extend(warning.filter(|warning| !problems.contains(warning)));
    Ok(problems)
}

/// Why a connection is quarantined after a run that failed in most of what it tried.
const FAILING: &str = "40 % or more of a run's changes failed for want of an answer or of a permission";

/// Writes the report of a plan and leaves the run to wait for its acceptance.
pub(crate) async fn stop_at_plan(ports: &MatchPorts, run: &LeasedRun<'_>, plan: &PlanHead) -> Result<Step, MatchError> {
    let spent = ports.metrics.read(&run.id).await?;
    let mut shown = Run {
        phase: Phase::Planned,
        plan: Some(plan.clone()),
        status: Some(Status::Planned),
        tenant_calls: spent.calls,
        units: spent.units,
        compute: spent.compute,
        problems: problems(ports, run).await?,
        ..Run::clone(run)
    };
    Rows::of_plan(ports, run).await?.render(ports, &mut shown).await?;
    if plan.by_reason.contains_key(Code::AwaitingApproval.as_str()) {
        ask_of_plan(ports, run).await?;
    }
    ports
        .store
        .update_run(&run.connection, &run.id, |run| {
            run.report.clone_from(&shown.report);
            run.problems.clone_from(&shown.problems);
            (run.attention, run.acknowledged) = (shown.attention, shown.acknowledged);
            run.lists.clone_from(&shown.lists);
            run.policy_changes.clone_from(&shown.policy_changes);
            run.tenant_calls = spent.calls;
            run.units = spent.units;
            run.compute = spent.compute;
            true
        })
        .await?;
    enter(ports, run, Phase::Planned, |run| {
        run.plan = Some(plan.clone());
        run.status = Some(Status::Planned);
    })
    .await?;
    Ok(Step::waiting())
}

/// Ends a run whose observation was incomplete: nothing is decided on half a listing. A plan that was being applied waits
/// again.
pub(crate) async fn incomplete(ports: &MatchPorts, run: &LeasedRun<'_>) -> Result<Step, MatchError> {
    let now_ms = ports.clock.now().as_millisecond();
    if run.plan.is_some() {
        // A second acceptance of the plan is another attempt, which counts towards a quarantine by itself.
        let forget_run = |quarantine: &mut Option<Quarantine>| {
            if let Some(held) = quarantine.as_mut().filter(|held| held.run == run.id) {
                held.run.clear();
            }
        };
        ports.store.update(&run.connection, forget_run).await?;
        enter(ports, run, Phase::Planned, |run| {
            run.accepted = None;
            run.status = Some(Status::Incomplete);
        })
        .await?;
        return Ok(Step::waiting());
    }
    let spent = ports.metrics.read(&run.id).await?;
    let mut shown = Run {
        phase: Phase::Closed,
        closed_ms: Some(now_ms),
        status: Some(Status::Incomplete),
        tenant_calls: spent.calls,
        units: spent.units,
        compute: spent.compute,
        problems: problems(ports, run).await?,
        ..Run::clone(run)
    };
    Rows::of_plan(ports, run).await?.render(ports, &mut shown).await?;
    enter(ports, run, Phase::Closed, |run| {
        run.status = Some(Status::Incomplete);
        run.problems.clone_from(&shown.problems);
        run.closed_ms = Some(now_ms);
        run.tenant_calls = spent.calls;
        run.units = spent.units;
        run.compute = spent.compute;
        run.report.clone_from(&shown.report);
    })
    .await?;
    wanted::give_up(ports, run).await?;
    Ok(Step::waiting())
}
