//! Writing and removing begin and end here: every change that may be written gets its place in the lane, every other
//! change its reason for waiting; and a lane that is done ends its phase.

use std::collections::BTreeMap;

use hardmatch_domain::change::Hold;
use hardmatch_domain::guard::{FirstPlan, Record, allowed, over};
use hardmatch_domain::ids::PersonRef;
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::Write;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{LimitNote, Phase, PlanHead, PlanRow, Run, Stop};
use hardmatch_store::Progress;
use hardmatch_store::approvals::Approval;
use hardmatch_store::changes::LanePhase;
use hardmatch_store::connection::GuardHistory;
use hardmatch_store::leases::LeasedRun;
use serde::{Deserialize, Serialize};

use crate::acceptance::{PolicyOfDecisions, first_plan, is_by_hash, remember};
use crate::approvals::{Approved, ask, asked};
use crate::commit::commit_plain;
use crate::deadline;
use crate::error::MatchError;
use crate::lane::{Filled, Lane, hold};
use crate::plan::{JUDGED_FIRST, Slices, ToWrite, is_held_by_repair, to_write};
use crate::policies::policy;
use crate::ports::MatchPorts;
use crate::step::{OpenRepairs, Step, next_phase};
use crate::transition::enter;

/// Writes that are made together: a few calls at a time, and not one call a slice.
const TOGETHER: usize = 100;

/// How far the lane is filled.
#[derive(Debug, Default, Serialize, Deserialize)]
struct StartProgress {
    /// Limits that hold changes for an approval, as they were judged at the beginning.
    guarded: Vec<LimitNote>,
    /// The last slice that is done.
    after: Option<String>,
    /// Slices done.
    units: u64,
    lane: Filled,
}

impl Progress for StartProgress {}

/// Fills the lane and enters the writing phase. Everything before the phase change may be repeated.
pub(crate) async fn start(ports: &MatchPorts, run: &LeasedRun<'_>) -> Result<Step, MatchError> {
    let plan = to_write(ports, &run.id).await?;
    let mut checkpoint = deadline::checkpoint(ports, run, "begin");
    let mut progress = match checkpoint.load().await? {
        Some(progress) => progress,
        None => StartProgress { guarded: guarded_kinds(ports, run, &plan).await?, ..StartProgress::default() },
    };
    if progress.units == 0 && !plan.judged.is_empty() {
        // Judged once: a message that continues carries out the same judgement.
        checkpoint.save(&progress, ports.clock.now()).await?;
    }
    let lane = Lane::new(ports, run, LanePhase::Write);
    let approved = if plan.slices.is_empty() { Approved::default() } else { Approved::of_run(ports, run).await? };
    let left =
        plan.slices.into_iter().filter(|name| progress.after.as_ref().is_none_or(|after| name > after)).collect();
    let mut slices = Slices::named(ports, &run.id, left);
    let mut writes = Vec::new();
    while let Some((name, rows)) = slices.next().await? {
        let waiting = distribute(ports, run, lane, &rows, &approved, &mut progress, &mut writes);
        ask(ports, run, waiting).await?;
        (progress.after, progress.units) = (Some(name), progress.units + 1);
        let near = deadline::deadline_near(ports);
        let due = near || deadline::save_due(ports, &checkpoint);
        if due || writes.len() >= TOGETHER {
            commit_plain(ports, std::mem::take(&mut writes)).await?;
        }
        if due {
            checkpoint.save(&progress, ports.clock.now()).await?;
        }
        if near {
            return Ok(Step::out_of_time(progress.units));
        }
    }
    writes.extend(lane.end(&progress.lane));
    commit_plain(ports, writes).await?;
    remember(ports, run, PolicyOfDecisions::Remembered).await?;
    let entered = enter(ports, run, Phase::Writing, |run| {
        run.status = None;
        run.limits.clone_from(&progress.guarded);
    })
    .await?;
    checkpoint.clear().await?;
    Ok(Step::entered(entered).notifying(MessageKind::Write))
}

/// Puts each change of a slice where it belongs: into the lane, to the gate, or to where it waits for an approval. Gives the
/// changes that somebody is to be asked about.
fn distribute(
    ports: &MatchPorts,
    run: &Run,
    lane: Lane<'_>,
    rows: &[PlanRow],
    approved: &Approved,
    progress: &mut StartProgress,
    writes: &mut Vec<Write>,
) -> Vec<Approval> {
    let mut waiting = Vec::new();
    for row in rows {
        let Some(change) = row.decision.change.as_deref() else {
            if is_held_by_repair(row) {
                // The writer goes on with open repairs before anything else: it is called also where nothing else is to be done.
                let who = PersonRef { connection: run.connection.clone(), key: row.decision.key.clone() };
                lane.put(&mut progress.lane, 0, ports.store.pid(&who), writes);
            }
            continue;
        };
        let pid = ports.store.pid(&change.person);
        let waits = match &change.hold {
            _ if run.is_held_at_stop() => Some(Reason::plain(match run.stop {
                Some(Stop::Quarantined) => Code::Quarantined,
                Some(Stop::Asked | Stop::FirstRun | Stop::PolicyWidened | Stop::StateLost) | None => Code::PlanWaits,
            })),
            Some(Hold::Approval) if !is_by_hash(run) && !approved.covers(change) => {
                Some(Reason::plain(Code::AwaitingApproval))
            }
            Some(Hold::Approval | Hold::Removal) | None => {
                let over = progress
                    .guarded
                    .iter()
                    .find(|limit| !row.accepted && !approved.covers(change) && limit.kind.count(change) > 0);
                over.map(|limit| Reason::with(Code::Guarded, limit.kind.words()))
            }
        };
        match waits {
            Some(reason) => {
                waiting.push(asked(ports, run, (&row.name, &row.upn), change, reason.clone()));
                hold(ports, run, pid, change, reason, writes);
            }
            None if change.removal_from == Some(0) => writes.push(ports.store.put_held(&run.id, pid)),
            None => lane.put(&mut progress.lane, change.depth, pid, writes),
        }
    }
    waiting
}

/// Limits of the kinds of change of which a run holds more than its limits allow. Mass renames, changes of IDs and takeovers
/// have the limits of removals, new accounts and changed names limits of their own; all are judged before anything is written.
async fn guarded_kinds(ports: &MatchPorts, run: &Run, plan: &ToWrite) -> Result<Vec<LimitNote>, MatchError> {
    let meta = ports.store.meta(&run.connection).await?;
    if is_by_hash(run) || first_plan(&meta, run) == FirstPlan::Pending {
        return Ok(Vec::new());
    }
    let limits = policy(ports, &run.connection, run.policy_revision).await?.guard;
    let now = ports.clock.now_seconds();
    let mut guarded = Vec::new();
    let mut spent = Vec::new();
    for kind in JUDGED_FIRST {
        let wanted = plan.judged.get(&kind).copied().unwrap_or(0);
        let record = Record {
            limits,
            links: meta.history.links,
            spent: meta.guard.spent_since(&run.id, kind, now),
            approved: None,
            first_plan: FirstPlan::Applied,
            groups: &BTreeMap::new(),
        };
        if over(kind, wanted, &record).is_some() {
            let allowed = allowed(kind, record.links, limits);
            guarded.push(LimitNote { kind, wanted, before: record.spent, allowed });
        } else if wanted > 0 {
            spent.push((kind, wanted));
        }
    }
    ports
        .store
        .update(&run.connection, |guard: &mut GuardHistory| {
            for (kind, count) in &spent {
                guard.spend(&run.id, *kind, now, *count);
            }
        })
        .await?;
    Ok(guarded)
}

/// Ends the phase of a lane that is empty, or of which the writer will send nothing more.
pub(crate) async fn end(ports: &MatchPorts, run: &LeasedRun<'_>, lane: LanePhase) -> Result<Step, MatchError> {
    if !ports.store.pointers(&run.id, lane, None, 1).await?.is_empty() {
        return give_up(ports, run).await;
    }
    let next = next_phase(run, run.plan.as_ref().unwrap_or(&PlanHead::default()), OpenRepairs::None);
    Ok(Step::entered(enter(ports, run, next, |_| ()).await?))
}

/// The tenant refused our credentials or permissions in the middle of the run: the run ends with what it has, and what is
/// left is decided again, removals included. Everybody concerned is still marked.
async fn give_up(ports: &MatchPorts, run: &Run) -> Result<Step, MatchError> {
    let why = ports.store.meta(&run.connection).await?.quarantine.map(|quarantine| quarantine.why);
    let tell = |run: &mut Run| run.problems.extend(why.clone().filter(|why| !run.problems.contains(why)));
    Ok(Step::entered(enter(ports, run, Phase::Reporting, tell).await?))
}
