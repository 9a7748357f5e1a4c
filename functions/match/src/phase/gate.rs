//! The gate: the removals of a run, judged together when everything else is written, all or none.

mod departed;
mod judgement;

use std::collections::BTreeMap;

use hardmatch_domain::guard::Kind;
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{GuardNote, Phase, PlanHead, Run};
use hardmatch_store::changes::{ChangeState, LanePhase, OpenChange};
use hardmatch_store::connection::GuardHistory;
use hardmatch_store::leases::LeasedRun;
use hardmatch_store::{PersonHash, Progress};
use serde::{Deserialize, Serialize};

use self::judgement::{CHUNK, judge_removals, of_this_run};
use crate::acceptance::is_by_hash;
use crate::approvals::{Approved, ask_of_people};
use crate::commit::commit;
use crate::deadline;
use crate::error::MatchError;
use crate::lane::{Filled, Lane, hold};
use crate::ports::MatchPorts;
use crate::step::{OpenRepairs, Step, next_phase};
use crate::transition::enter;

pub(crate) use self::judgement::nothing_removed;

/// The judgement, and how far it is carried out.
#[derive(Debug, Serialize, Deserialize)]
struct GateProgress {
    note: GuardNote,
    /// Why removals that are not let through wait.
    code: Code,
    /// How many members each group loses.
    #[serde(default)]
    groups: BTreeMap<ObjectId, u64>,
    /// The last person who is done.
    after: Option<String>,
    /// People done.
    units: u64,
    lane: Filled,
}

impl Progress for GateProgress {}

/// Judges a run's removals; released ones get their places in the lane, the others their reason. They are judged once: a
/// message that continues carries out the judgement that is kept.
pub(crate) async fn judge(ports: &MatchPorts, run: &LeasedRun<'_>) -> Result<Step, MatchError> {
    let held = ports.store.held(&run.id).await?;
    let approved = if held.is_empty() { Approved::default() } else { Approved::of_run(ports, run).await? };
    let mut checkpoint = deadline::checkpoint(ports, run, "gate");
    let mut progress = if let Some(progress) = checkpoint.load().await? {
        progress
    } else {
        let judged = judge_removals(ports, run, &held, &approved).await?;
        let (note, code, groups) = (judged.note, judged.code, judged.groups);
        let progress = GateProgress { note, code, groups, after: None, units: 0, lane: Filled::default() };
        if !held.is_empty() {
            checkpoint.save(&progress, ports.clock.now()).await?;
        }
        progress
    };
    let lane = Lane::new(ports, run, LanePhase::Remove);
    let left: Vec<PersonHash> =
        held.iter().copied().filter(|pid| progress.after.as_ref().is_none_or(|after| pid.hex() > *after)).collect();
    for chunk in left.chunks(CHUNK) {
        let mut writes = Vec::new();
        let mut waiting = Vec::new();
        for (pid, stored) in of_this_run(ports, run, chunk).await? {
            let goes = progress.note.released || approved.covers(&stored.value.change);
            let state = if goes { ChangeState::Ready } else { ChangeState::Held };
            let next = OpenChange { state, ..stored.value.clone() };
            writes.push(ports.store.put_change(&run.connection, pid, stored.revision, &next));
            if goes {
                lane.put(&mut progress.lane, stored.value.change.depth, pid, &mut writes);
            } else {
                hold(ports, run, pid, &stored.value.change, Reason::plain(progress.code), &mut writes);
                waiting.push((pid, stored.value.change, Reason::plain(progress.code)));
            }
        }
        commit(ports, writes).await?;
        ask_of_people(ports, run, waiting).await?;
        progress.after = chunk.last().map(PersonHash::hex);
        progress.units += chunk.len() as u64;
        let near = deadline::deadline_near(ports);
        if near || deadline::save_due(ports, &checkpoint) {
            checkpoint.save(&progress, ports.clock.now()).await?;
        }
        if near {
            return Ok(Step::out_of_time(progress.units));
        }
    }
    commit(ports, lane.end(&progress.lane)).await?;
    let note = &progress.note;
    spend(ports, run, note, &progress.groups).await?;
    let judged = Run { guard: Some(note.clone()), ..Run::clone(run) };
    let next = next_phase(&judged, run.plan.as_ref().unwrap_or(&PlanHead::default()), OpenRepairs::None);
    let entered = enter(ports, run, next, |run| run.guard = Some(note.clone())).await?;
    checkpoint.clear().await?;
    let step = Step::entered(entered);
    Ok(if next == Phase::Removing { step.notifying(MessageKind::Write) } else { step })
}

/// Counts released removals towards the limits of the day. Removals that an operator approved with the plan count nowhere:
/// the limits are for what nobody looked at.
async fn spend(
    ports: &MatchPorts,
    run: &Run,
    note: &GuardNote,
    groups: &BTreeMap<ObjectId, u64>,
) -> Result<(), MatchError> {
    if !note.released || note.removals == 0 || is_by_hash(run) {
        return Ok(());
    }
    let now = ports.clock.now_seconds();
    let spend = |guard: &mut GuardHistory| {
        guard.spend(&run.id, Kind::Removals, now, note.removals);
        guard.spend_members(&run.id, now, groups);
    };
    ports.store.update(&run.connection, spend).await?;
    Ok(())
}
