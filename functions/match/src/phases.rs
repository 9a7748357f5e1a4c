//! The phases of a run, each entered once by a conditional change; a phase ends when a query finds no open work.

use std::time::Duration;

use hardmatch_domain::decide::Context;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::BellKind;
use hardmatch_ports::run::{CollectionState, Intent, Phase, Run, Status};
use hardmatch_store::Pid;
use hardmatch_store::changes::LanePhase;
use hardmatch_store::fingerprints::Series;
use hardmatch_store::hops::Hop;

use crate::{After, MatchError, MatchPorts, begin, close, gate, lost, plan, slice, tick};

/// Without these nobody can be decided.
const NEEDED: &[&str] = &["people", "users", "deleted_users", "domains"];
/// People of a slice, more or less.
const SLICE_PEOPLE: u64 = 64;
/// Slices decided before the bell is acknowledged.
const SLICES_AT_ONCE: usize = 64;

/// Moves a run on as far as it goes without waiting for somebody else's work.
pub async fn advance(ports: &MatchPorts, connection: &ConnectionId, id: &str) -> Result<After, MatchError> {
    loop {
        let Some(run) = ports.store.run(connection, id).await?.map(|stored| stored.value) else {
            return Ok(After::Done);
        };
        let moved = match run.phase {
            Phase::Observing => observed(ports, &run).await?,
            Phase::Deciding => decided(ports, &run).await?,
            Phase::Writing => written(ports, &run).await?,
            Phase::Gate => gate::judge(ports, &run).await?,
            Phase::Removing => removed(ports, &run).await?,
            Phase::Reporting => close::report(ports, &run).await?,
            Phase::Planned | Phase::Closed => false,
        };
        if !moved {
            return Ok(After::Done);
        }
    }
}

/// Enters a phase, unless somebody else did. Whoever brings a run to rest tells of it.
pub(crate) async fn enter(
    ports: &MatchPorts,
    run: &Run,
    to: Phase,
    also: impl Fn(&mut Run),
) -> Result<bool, MatchError> {
    let from = run.phase;
    let entered = ports
        .store
        .update_run(&run.connection, &run.id, |run| {
            let here = run.phase == from;
            if here {
                run.phase = to;
                run.stalled = None;
                also(run);
            }
            here
        })
        .await?;
    if let Some(run) = &entered
        && matches!(to, Phase::Planned | Phase::Closed)
    {
        ports.meter.rested(run);
    }
    if entered.is_none() {
        clear_when_closed(ports, run).await?;
    }
    Ok(entered.is_some())
}

/// Whoever prepared a phase of a run that was given up meanwhile leaves nothing behind in it.
async fn clear_when_closed(ports: &MatchPorts, run: &Run) -> Result<(), MatchError> {
    let now = ports.store.run(&run.connection, &run.id).await?;
    if now.is_some_and(|now| now.value.phase == Phase::Closed) {
        ports.store.clear_run(&run.id).await?;
    }
    Ok(())
}

pub(crate) async fn ring(ports: &MatchPorts, run: &Run, kind: BellKind) {
    if let Err(error) = ports.doorbell.ring(run.bell(kind), Duration::ZERO).await {
        tracing::warn!(run.id = %run.id, error = %error, "the doorbell could not be rung");
    }
}

/// Both sides are read: cut the work into slices, or give up, or go on with an accepted plan.
async fn observed(ports: &MatchPorts, run: &Run) -> Result<bool, MatchError> {
    let state = |name: &&str| run.collections.get(*name).map(|collection| collection.state);
    let failed = NEEDED.iter().any(|name| state(name) == Some(CollectionState::Unknown));
    if !failed && NEEDED.iter().any(|name| state(name) != Some(CollectionState::Complete)) {
        return Ok(false);
    }
    if failed {
        // A side that is still being read finds the run closed and stops.
        return close::incomplete(ports, run).await;
    }
    if run.plan.is_some() && run.accepted.is_some() {
        return begin::writing(ports, run).await;
    }
    lost::look(ports, run).await?;
    let todo = everybody_to_decide(ports, run).await?;
    let size = ports.store.meta(&run.connection).await?.value.people.max(todo.len() as u64);
    ports.store.put_slices(&run.id, bits(size), &todo).await?;
    let entered = enter(ports, run, Phase::Deciding, |_| ()).await?;
    ring(ports, run, BellKind::Match).await;
    Ok(entered && todo.is_empty())
}

/// Slices are cut by the first bits of people's places, so that the same people fall into the same slices next time.
fn bits(people: u64) -> u32 {
    (people / SLICE_PEOPLE).max(1).next_power_of_two().trailing_zeros().min(16)
}

/// Who has to be decided: one person who was asked for, everybody, or those who are marked or due.
async fn everybody_to_decide(ports: &MatchPorts, run: &Run) -> Result<Vec<Pid>, MatchError> {
    if let Some(key) = &run.only {
        return Ok(vec![ports.store.secret().pid(key)]);
    }
    let connection = &run.connection;
    let now = run.started_ms / 1000;
    let meta = ports.store.update_meta(connection, |meta| _ = meta.timers_seen.get_or_insert(now)).await?;
    // Whose time has come is marked, and then read with the others who are.
    tick::take_due_people(ports, connection, meta.timers_seen.unwrap_or(now), now).await?;
    let mut todo = ports.store.open_people(connection).await?;
    if run.everybody {
        let names = ports.store.all_names(&Series::people(connection)).await?;
        todo.extend(names.into_iter().map(Pid::from_bytes));
        todo.extend(ports.store.gone_people(connection).await?);
    }
    todo.sort_unstable();
    todo.dedup();
    Ok(todo)
}

/// Decides slices that are left; rings again while there are more.
pub async fn decide_slices(ports: &MatchPorts, connection: &ConnectionId, id: &str) -> Result<After, MatchError> {
    let Some(run) = ports.store.run(connection, id).await?.map(|stored| stored.value) else { return Ok(After::Done) };
    if run.phase != Phase::Deciding {
        return Ok(After::Done);
    }
    let policy = slice::policy(ports, connection, run.policy_revision).await?;
    let tenant = ports
        .store
        .tenant(&ports.scope)
        .await?
        .ok_or_else(|| MatchError::Broken("the tenant was not observed".to_owned()))?;
    let meta = ports.store.meta(connection).await?.value;
    let context =
        Context { policy: &policy, tenant: &tenant.value.tenant, now: run.started_ms / 1000, parked: &meta.parked };
    let slices = ports.store.slices(id, None, SLICES_AT_ONCE).await?;
    let more = slices.len() == SLICES_AT_ONCE;
    for (number, pids) in slices {
        slice::decide(ports, &run, &context, number, &pids).await?;
    }
    ring(ports, &run, if more { BellKind::Match } else { BellKind::Advance }).await;
    Ok(After::Done)
}

/// Everybody is decided: the plan stands, and stops here or goes on.
async fn decided(ports: &MatchPorts, run: &Run) -> Result<bool, MatchError> {
    if !ports.store.slices(&run.id, None, 1).await?.is_empty() {
        return Ok(false);
    }
    let (head, _) = plan::head(ports, &run.id).await?;
    if run.only.is_none() {
        let revision = run.policy_revision;
        ports.store.update_meta(&run.connection, |meta| meta.decided_policy = revision).await?;
    }
    // Nothing to write needs nobody's word.
    let nothing = head.slices.is_empty();
    let stops = run.intent == Intent::Plan || (run.stop.is_some() && run.accepted.is_none() && !nothing);
    if !stops {
        let with_plan = Run { plan: Some(head.clone()), ..run.clone() };
        ports
            .store
            .update_run(&run.connection, &run.id, |run| {
                run.plan = Some(head.clone());
                true
            })
            .await?;
        return begin::writing(ports, &with_plan).await;
    }
    close::plan_report(ports, run, &head).await?;
    enter(ports, run, Phase::Planned, |run| {
        run.plan = Some(head.clone());
        run.status = Some(Status::Planned);
    })
    .await?;
    Ok(false)
}

async fn written(ports: &MatchPorts, run: &Run) -> Result<bool, MatchError> {
    match left_in(ports, run, LanePhase::Write).await? {
        Left::Nothing => enter(ports, run, Phase::Gate, |_| ()).await,
        Left::Work => Ok(false),
        Left::GivenUp => give_up(ports, run).await,
    }
}

async fn removed(ports: &MatchPorts, run: &Run) -> Result<bool, MatchError> {
    match left_in(ports, run, LanePhase::Remove).await? {
        Left::Nothing => enter(ports, run, Phase::Reporting, |_| ()).await,
        Left::Work => Ok(false),
        Left::GivenUp => give_up(ports, run).await,
    }
}

/// What is left of a lane.
enum Left {
    Nothing,
    /// Somebody was rung for, or the tick will.
    Work,
    /// Changes that nobody will write in this run: its writer was turned away for good.
    GivenUp,
}

async fn left_in(ports: &MatchPorts, run: &Run, lane: LanePhase) -> Result<Left, MatchError> {
    if ports.store.pointers(&run.id, lane, None, 1).await?.is_empty() {
        return Ok(Left::Nothing);
    }
    if turned_away(ports, run).await? {
        return Ok(Left::GivenUp);
    }
    let now_ms = ports.clock.now().as_millisecond();
    if ports.store.hop(&run.connection, &run.id, 0, now_ms).await? == Hop::On {
        ring(ports, run, BellKind::Write).await;
    }
    Ok(Left::Work)
}

/// Whether this run put its connection into quarantine: nobody would take what it still has to write.
pub(crate) async fn turned_away(ports: &MatchPorts, run: &Run) -> Result<bool, MatchError> {
    let quarantine = ports.store.meta(&run.connection).await?.value.quarantine;
    Ok(quarantine.is_some_and(|quarantine| quarantine.run == run.id))
}

/// The tenant took no more of our word in the middle of the run: it ends with what it has, and whatever is left is
/// decided again, removals included. Everybody concerned is still marked.
async fn give_up(ports: &MatchPorts, run: &Run) -> Result<bool, MatchError> {
    let why = ports.store.meta(&run.connection).await?.value.quarantine.map(|quarantine| quarantine.why);
    let tell = |run: &mut Run| run.problems.extend(why.clone().filter(|why| !run.problems.contains(why)));
    enter(ports, run, Phase::Reporting, tell).await
}
