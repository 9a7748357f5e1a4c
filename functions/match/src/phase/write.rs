//! From plan to lane: every change that may be written gets its pointer, every other one its reason for waiting.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::change::Hold;
use hardmatch_domain::guard::{FirstPlan, Kind, Record, over};
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::Write;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{Phase, PlanRow, Run};
use hardmatch_store::changes::LanePhase;
use hardmatch_store::connection::Meta;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::driver::Step;
use crate::lane::{Filled, Lane, hold};
use crate::phase::decide::slice;
use crate::plan::{JUDGED_FIRST, Slices, ToWrite, to_write};
use crate::{MatchError, MatchPorts, deadline, driver, table_loss};

/// Writes that are made together: a few calls at a time, and not one call a slice.
const TOGETHER: usize = 100;

/// How far the lane is filled.
#[derive(Debug, Default, Serialize, Deserialize)]
struct StartProgress {
    /// Kinds of change that wait for an approval, as they were judged at the beginning.
    guarded: BTreeSet<Kind>,
    /// The last slice that is done.
    after: Option<String>,
    /// Slices done.
    units: u64,
    lane: Filled,
}

/// Enters the writing phase. Everything before the phase change may be repeated.
pub(crate) async fn writing(ports: &MatchPorts, run: &Run) -> Result<Step, MatchError> {
    let plan = to_write(ports, &run.id).await?;
    let mut checkpoint = Checkpoint::new(ports, run, "begin");
    let mut place = match checkpoint.last::<StartProgress>().await? {
        Some(place) => place,
        None => StartProgress { guarded: guarded_kinds(ports, run, &plan).await?, ..StartProgress::default() },
    };
    if place.units == 0 && !plan.judged.is_empty() {
        // Judged once, whoever carries it out.
        checkpoint.keep(&place).await?;
    }
    let lane = Lane::new(ports, run, LanePhase::Write);
    let left = plan.slices.into_iter().filter(|name| place.after.as_ref().is_none_or(|after| name > after)).collect();
    let mut slices = Slices::named(ports, &run.id, left);
    let mut writes = Vec::new();
    while let Some((name, rows)) = slices.next().await? {
        distribute(ports, run, lane, &rows, &mut place, &mut writes);
        (place.after, place.units) = (Some(name), place.units + 1);
        let up = deadline::deadline_near(ports);
        if up || checkpoint.is_due() || writes.len() >= TOGETHER {
            store(ports, &mut writes).await?;
        }
        if up || checkpoint.is_due() {
            checkpoint.keep(&place).await?;
        }
        if up {
            return Ok(Step::time(place.units));
        }
    }
    writes.extend(lane.end(&place.lane));
    store(ports, &mut writes).await?;
    accepted(ports, run, Decided::Before).await?;
    let entered = driver::enter(ports, run, Phase::Writing, |run| run.status = None).await?;
    checkpoint.forget().await?;
    Ok(Step::moved(entered).notifying(MessageKind::Write))
}

async fn store(ports: &MatchPorts, writes: &mut Vec<Write>) -> Result<(), MatchError> {
    if !writes.is_empty() {
        ports.store.table().batch_write(std::mem::take(writes)).await?;
    }
    Ok(())
}

/// Each change of a slice goes where it belongs: into the lane, to the gate, or to where it waits for a word.
fn distribute(
    ports: &MatchPorts,
    run: &Run,
    lane: Lane<'_>,
    rows: &[PlanRow],
    place: &mut StartProgress,
    writes: &mut Vec<Write>,
) {
    for row in rows {
        let Some(change) = row.decision.change.as_deref() else { continue };
        let pid = ports.store.pid(&change.person);
        let waits = match &change.hold {
            Some(Hold::Repair) => Some(Reason::plain(Code::RepairNeeded)),
            Some(Hold::Approval) if !is_by_hash(run) => Some(Reason::plain(Code::AwaitingApproval)),
            Some(Hold::Approval | Hold::Removal) | None => {
                let over = place.guarded.iter().find(|kind| !row.accepted && kind.count(change) > 0);
                over.map(|kind| Reason::with(Code::Guarded, kind.words()))
            }
        };
        match waits {
            Some(reason) => hold(ports, run, pid, change, reason, writes),
            None if change.removal_from == Some(0) => writes.push(ports.store.put_held(&run.id, pid)),
            None => lane.put(&mut place.lane, change.depth, pid, writes),
        }
    }
}

/// When the people of a run were decided.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decided {
    /// It is remembered already under which policy.
    Before,
    /// It is to be remembered now.
    JustNow,
}

/// What the connection remembers of a plan that is written.
pub(crate) async fn accepted(ports: &MatchPorts, run: &Run, decided: Decided) -> Result<Meta, MatchError> {
    let now = ports.clock.now_seconds();
    let (accepted, by_hash) = (run.accepted.is_some(), is_by_hash(run));
    let meta = ports
        .store
        .update_meta(&run.connection, |meta| {
            if run.only.is_none() && decided == Decided::JustNow {
                meta.decided_policy = run.policy_revision;
            }
            if run.only.is_none() {
                // Everybody was decided again, and somebody saw it or there was nothing to see.
                meta.reconnected = false;
            }
            if accepted {
                meta.widened = false;
                meta.first_accepted.get_or_insert(now);
                if by_hash {
                    meta.first_by_hash.get_or_insert(now);
                }
            }
        })
        .await?;
    if meta.first_accepted.is_some() {
        table_loss::keep(ports, run).await?;
    }
    Ok(meta)
}

/// Whether somebody applied the plan by its hash: what it shows is approved, removals included.
pub(crate) fn is_by_hash(run: &Run) -> bool {
    run.accepted.as_ref().is_some_and(|accepted| accepted.by_hash)
}

/// Whether a plan was accepted before this run began.
pub(crate) fn first_plan(meta: &Meta, run: &Run) -> FirstPlan {
    match meta.first_accepted {
        Some(at) if at * 1000 < run.started_ms => FirstPlan::Applied,
        Some(_) | None => FirstPlan::Pending,
    }
}

/// Mass renames, changes of IDs and takeovers have the limits of removals, new accounts and changed names limits of their
/// own; all are judged before anything is written.
async fn guarded_kinds(ports: &MatchPorts, run: &Run, plan: &ToWrite) -> Result<BTreeSet<Kind>, MatchError> {
    let meta = ports.store.meta(&run.connection).await?.value;
    if is_by_hash(run) || first_plan(&meta, run) == FirstPlan::Pending {
        return Ok(BTreeSet::new());
    }
    let limits = slice::policy(ports, &run.connection, run.policy_revision).await?.guard;
    let now = ports.clock.now_seconds();
    let mut guarded = BTreeSet::new();
    let mut spent = Vec::new();
    for kind in JUDGED_FIRST {
        let wanted = plan.judged.get(&kind).copied().unwrap_or(0);
        let record = Record {
            limits,
            links: meta.links,
            spent: meta.spent_since(&run.id, kind, now),
            approved: None,
            first_plan: FirstPlan::Applied,
            groups: &BTreeMap::new(),
        };
        if over(kind, wanted, &record).is_some() {
            guarded.insert(kind);
        } else if wanted > 0 {
            spent.push((kind, wanted));
        }
    }
    ports
        .store
        .update_meta(&run.connection, |meta| {
            for (kind, count) in &spent {
                meta.spend(&run.id, *kind, now, *count);
            }
        })
        .await?;
    Ok(guarded)
}
