//! The gate: removals of a run, judged together when everything else is written.

use hardmatch_domain::guard::{FirstPlan, Guarded, Judgement, Kind, Over, Record, Wanted, judge as judge_set};
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::doorbell::BellKind;
use hardmatch_ports::run::{GuardNote, Phase, Run};
use hardmatch_store::changes::{ChangeState, LanePhase, OpenChange};

use crate::begin::{Lane, first_plan, held as held_change, hold};
use crate::{MatchError, MatchPorts, phases, slice};

/// People whose changes are read together.
const CHUNK: usize = 100;

/// Judges a run's removals; released ones get their pointers, the others their reason.
pub(crate) async fn judge(ports: &MatchPorts, run: &Run) -> Result<bool, MatchError> {
    let held = ports.store.held(&run.id).await?;
    let mut wanted = Wanted::new(Kind::Removals);
    for chunk in held.chunks(CHUNK) {
        for (_, stored) in ports.store.changes(&run.connection, chunk).await? {
            wanted.add(&stored.value.change);
        }
    }
    let meta = ports.store.meta(&run.connection).await?.value;
    let policy = slice::policy(ports, &run.connection, run.policy_revision).await?;
    let now = ports.clock.now_seconds();
    let by_hash = run.accepted.as_ref().is_some_and(|accepted| accepted.by_hash);
    // Whoever applied the plan by its hash approved the removals it shows, and these are they.
    let approved = by_hash.then(|| wanted.hash());
    let spent = meta.spent_since(Kind::Removals, now);
    let record = Record {
        limits: policy.guard,
        links: meta.links,
        spent,
        approved: approved.as_deref(),
        first_plan: if meta.links == 0 { FirstPlan::Pending } else { first_plan(&meta, run) },
    };
    let judgement = judge_set(&wanted, &record);
    let (note, code) = describe(&judgement, wanted.total(), spent, meta.links);
    let released = matches!(judgement, Judgement::Go(_));
    let mut lane = Lane::new(ports, run, LanePhase::Remove);
    for chunk in held.chunks(CHUNK) {
        let mut writes = Vec::new();
        for (pid, stored) in ports.store.changes(&run.connection, chunk).await? {
            if released {
                let ready = OpenChange { state: ChangeState::Ready, ..stored.value.clone() };
                writes.push(ports.store.put_change(&run.connection, pid, Some(stored.revision), &ready));
                lane.put(stored.value.change.depth, pid, &mut writes);
            } else {
                let waits = held_change(&stored.value);
                writes.push(ports.store.put_change(&run.connection, pid, Some(stored.revision), &waits));
                hold(ports, run, pid, &stored.value.change, Reason::plain(code), &mut writes);
            }
        }
        slice::store(ports, writes).await?;
    }
    lane.end().await?;
    if released && wanted.total() > 0 {
        let count = wanted.total();
        ports.store.update_meta(&run.connection, |meta| meta.spend(&run.id, Kind::Removals, now, count)).await?;
    }
    let next = if released && !held.is_empty() { Phase::Removing } else { Phase::Reporting };
    let entered = phases::enter(ports, run, next, |run| run.guard = Some(note.clone())).await?;
    if next == Phase::Removing {
        phases::ring(ports, run, BellKind::Write).await;
    }
    Ok(entered)
}

fn describe(judgement: &Judgement, removals: u64, before: u64, links: u64) -> (GuardNote, Code) {
    let (released, sentence, code) = match judgement {
        Judgement::Go(_) if removals == 0 => (true, "Nothing is removed.".to_owned(), Code::Guarded),
        Judgement::Go(_) => (true, format!("{removals} removals were let through."), Code::Guarded),
        Judgement::Wait(Guarded { over: Over::First, .. }) => (
            false,
            format!("{removals} removals wait: nothing is removed before a first plan was applied by its hash."),
            Code::FirstRemovals,
        ),
        Judgement::Wait(Guarded { over, .. }) => (
            false,
            format!(
                "{removals} removals wait, {before} more went in the last 24 hours: more than {} of {links} links.",
                match over {
                    Over::Count => "max_removals",
                    Over::Percent | Over::First => "max_removals_percent",
                }
            ),
            Code::Guarded,
        ),
    };
    (GuardNote { released, removals, before, links, sentence }, code)
}
