//! From plan to lane: every change that may be written gets its pointer, every other one its reason for waiting.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::change::{Change, Hold};
use hardmatch_domain::guard::{FirstPlan, Judgement, Kind, Record, Wanted, judge};
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::Write;
use hardmatch_ports::doorbell::BellKind;
use hardmatch_ports::run::{Outcome, OutcomeKind, Phase, Run};
use hardmatch_store::Pid;
use hardmatch_store::changes::{ChangeState, LanePhase, OpenChange, POINTED};
use hardmatch_store::connection::Meta;

use crate::plan::Slices;
use crate::{MatchError, MatchPorts, lost, phases, slice};

/// Enters the writing phase. Everything before the phase change may be repeated.
pub(crate) async fn writing(ports: &MatchPorts, run: &Run) -> Result<bool, MatchError> {
    let meta = ports.store.meta(&run.connection).await?.value;
    let policy = slice::policy(ports, &run.connection, run.policy_revision).await?;
    let by_hash = run.accepted.as_ref().is_some_and(|accepted| accepted.by_hash);
    let guarded = if by_hash || first_plan(&meta, run) == FirstPlan::Pending {
        BTreeSet::new()
    } else {
        guarded_kinds(ports, run, &meta, policy.guard).await?
    };
    let mut lane = Lane::new(ports, run, LanePhase::Write);
    let mut slices = Slices::of(ports, &run.id).await?;
    while let Some(rows) = slices.next().await? {
        let changes: Vec<&Change> = rows.iter().filter_map(|row| row.decision.change.as_ref()).collect();
        let mut writes = Vec::new();
        for change in changes {
            let pid = ports.store.pid(&change.person);
            let waits = match &change.hold {
                Some(Hold::Repair) => Some(Code::RepairNeeded),
                Some(Hold::Approval) if !by_hash => Some(Code::AwaitingApproval),
                Some(Hold::Approval | Hold::Removal) | None => {
                    guarded.iter().any(|kind: &Kind| kind.count(change) > 0).then_some(Code::Guarded)
                }
            };
            match waits {
                Some(code) => hold(ports, run, pid, change, Reason::plain(code), &mut writes),
                None if change.removal_from == Some(0) => writes.push(ports.store.put_held(&run.id, pid)),
                None => lane.put(change.depth, pid, &mut writes),
            }
        }
        if !writes.is_empty() {
            ports.store.table().batch_write(writes).await?;
        }
    }
    lane.end().await?;
    let now = ports.clock.now_seconds();
    let accepted = run.accepted.is_some();
    ports
        .store
        .update_meta(&run.connection, |meta| {
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
    if accepted {
        lost::keep(ports, run).await?;
    }
    let entered = phases::enter(ports, run, Phase::Writing, |run| run.status = None).await?;
    phases::ring(ports, run, BellKind::Write).await;
    Ok(entered)
}

/// A run's lane while it is filled: people of one depth share pointers, as many as fit. The same plan gives the same
/// pointers, so this may be repeated.
pub(crate) struct Lane<'a> {
    ports: &'a MatchPorts,
    run: &'a Run,
    phase: LanePhase,
    depths: BTreeMap<u32, Depth>,
}

#[derive(Default)]
struct Depth {
    /// Pointers written so far.
    written: usize,
    /// People who are in none yet.
    waiting: Vec<Pid>,
}

impl<'a> Lane<'a> {
    pub(crate) fn new(ports: &'a MatchPorts, run: &'a Run, phase: LanePhase) -> Self {
        Self { ports, run, phase, depths: BTreeMap::new() }
    }

    /// Puts a person's change into the lane.
    pub(crate) fn put(&mut self, depth: u32, pid: Pid, writes: &mut Vec<Write>) {
        let here = self.depths.entry(depth).or_default();
        here.waiting.push(pid);
        if here.waiting.len() == POINTED {
            let pids = std::mem::take(&mut here.waiting);
            writes.extend(self.ports.store.put_pointers(&self.run.id, self.phase, depth, here.written, &pids));
            here.written += 1;
        }
    }

    /// Writes the pointers that are not full.
    pub(crate) async fn end(self) -> Result<(), MatchError> {
        let store = &self.ports.store;
        let last = self.depths.iter().flat_map(|(depth, here)| {
            store.put_pointers(&self.run.id, self.phase, *depth, here.written, &here.waiting)
        });
        let last: Vec<Write> = last.collect();
        if last.is_empty() { Ok(()) } else { Ok(store.table().batch_write(last).await?) }
    }
}

/// Whether a plan was accepted before this run began.
pub(crate) fn first_plan(meta: &Meta, run: &Run) -> FirstPlan {
    match meta.first_accepted {
        Some(at) if at * 1000 < run.started_ms => FirstPlan::Applied,
        Some(_) | None => FirstPlan::Pending,
    }
}

/// Mass renames, changes of IDs and takeovers have the limits of removals, and are judged before anything is written.
async fn guarded_kinds(
    ports: &MatchPorts,
    run: &Run,
    meta: &Meta,
    limits: hardmatch_domain::policy::Guard,
) -> Result<BTreeSet<Kind>, MatchError> {
    let kinds = [Kind::Renames, Kind::IdChanges, Kind::Takeovers];
    let mut wanted = kinds.map(Wanted::new);
    let mut slices = Slices::of(ports, &run.id).await?;
    while let Some(rows) = slices.next().await? {
        for change in rows.iter().filter_map(|row| row.decision.change.as_ref()) {
            for set in &mut wanted {
                set.add(change);
            }
        }
    }
    let mut guarded = BTreeSet::new();
    for (kind, set) in kinds.into_iter().zip(&wanted) {
        let record = Record {
            limits,
            links: meta.links,
            spent: meta.spent_since(kind, ports.clock.now_seconds()),
            approved: None,
            first_plan: FirstPlan::Applied,
        };
        if let Judgement::Wait(_) = judge(set, &record) {
            guarded.insert(kind);
        }
    }
    let now = ports.clock.now_seconds();
    let spent: Vec<(Kind, u64)> = kinds
        .into_iter()
        .zip(&wanted)
        .filter(|(kind, set)| !guarded.contains(kind) && set.total() > 0)
        .map(|(kind, set)| (kind, set.total()))
        .collect();
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

/// The change stays as it is, the history says why it waits.
pub(crate) fn hold(ports: &MatchPorts, run: &Run, pid: Pid, change: &Change, reason: Reason, writes: &mut Vec<Write>) {
    let outcome = Outcome {
        v: 1,
        run: run.id.clone(),
        key: change.person.key.clone(),
        change: change.id.clone(),
        result: OutcomeKind::Held,
        account: change.account.clone(),
        reason: Some(reason),
        refusal: None,
        at_ms: ports.clock.now().as_millisecond(),
    };
    ports.store.put_outcome(&run.connection, pid, &outcome, writes);
    writes.push(ports.store.mark_open(&run.connection, pid));
}

/// An open change set to wait.
pub(crate) fn held(open: &OpenChange) -> OpenChange {
    OpenChange { state: ChangeState::Held, ..open.clone() }
}
