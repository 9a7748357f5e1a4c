//! The phases of a run, each entered once by a conditional change; a phase ends when a query finds no open work.

use std::collections::BTreeSet;
use std::time::Duration;

use hardmatch_domain::decide::Context;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::Write;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{CollectionState, Intent, Phase, PlanHead, Run, Status};
use hardmatch_store::PersonHash;
use hardmatch_store::changes::LanePhase;
use hardmatch_store::connection::{ConnectionState, Meta};
use hardmatch_store::fingerprints::Series;
use hardmatch_store::requeue::Requeue;
use hardmatch_store::run_lease::Acquire;

use crate::phase::decide::slice;
use crate::phase::{gate, report, write};
use crate::{After, MatchError, MatchPorts, deadline, plan, table_loss, tick};

/// Without these nobody can be decided.
const NEEDED: &[&str] = &["people", "users", "deleted_users", "domains"];
/// People of a slice, more or less.
const SLICE_PEOPLE: u64 = 64;
/// Slices decided before the message is acknowledged.
const SLICES_AT_ONCE: usize = 64;

/// What a step of a run came to.
pub(crate) struct Step {
    progress: Progress,
    /// To be notified.
    messages: Vec<MessageKind>,
}

enum Progress {
    /// The phase has ended: the next one may be looked at.
    Advanced,
    /// Somebody else's work is waited for, or nothing is left.
    Waiting,
    /// Time is up after so many units of the phase's work.
    OutOfTime(u64),
}

impl Step {
    /// The phase was entered that follows, or somebody else did.
    pub(crate) fn moved(entered: bool) -> Self {
        Self { progress: if entered { Progress::Advanced } else { Progress::Waiting }, messages: Vec::new() }
    }

    /// Nothing more can be done now.
    pub(crate) fn rests() -> Self {
        Self::moved(false)
    }

    /// Time is up; so many units of the phase's work are done.
    pub(crate) fn time(units: u64) -> Self {
        Self { progress: Progress::OutOfTime(units), messages: Vec::new() }
    }

    /// The same, with somebody to be notified.
    #[must_use]
    pub(crate) fn notifying(mut self, kind: MessageKind) -> Self {
        self.messages.push(kind);
        self
    }
}

/// Whom to notify when the run is nobody's any more, each once: whoever answers at once must not find it taken.
#[derive(Default)]
struct Notifications(Vec<MessageKind>);

impl Notifications {
    fn add(&mut self, kind: MessageKind) {
        if !self.0.contains(&kind) {
            self.0.push(kind);
        }
    }

    async fn notify(self, ports: &MatchPorts, run: &Run) {
        for kind in self.0 {
            notify(ports, run, kind).await;
        }
    }
}

/// Moves a run on as far as it goes without waiting for somebody else's work, and within the time there is.
pub async fn advance(ports: &MatchPorts, connection: &ConnectionId, id: &str) -> Result<After, MatchError> {
    let Some(run) = read(ports, connection, id).await? else { return Ok(After::Done) };
    let mut messages = Notifications::default();
    if !is_ready(ports, &run, &mut messages).await? {
        messages.notify(ports, &run).await;
        return Ok(After::Done);
    }
    let lease = match deadline::acquire_run_lease(ports, &run).await? {
        Acquire::Acquired(lease) => lease,
        Acquire::HeldByOther(after) => return Ok(after),
    };
    let progress = run_phases(ports, connection, id, &mut messages).await;
    lease.release(&ports.store).await;
    messages.notify(ports, &run).await;
    match progress? {
        Progress::Advanced | Progress::Waiting => Ok(After::Done),
        Progress::OutOfTime(units) => deadline::requeue(ports, &run, units).await,
    }
}

/// A run, unless nothing more is done for its connection: one that was disconnected decides nothing and begins nothing.
async fn read(ports: &MatchPorts, connection: &ConnectionId, id: &str) -> Result<Option<Run>, MatchError> {
    let Some(run) = ports.store.run(connection, id).await? else { return Ok(None) };
    let connected = ports.store.meta(connection).await?.value.standing != ConnectionState::Disconnected;
    Ok(Some(run.value).filter(|_| connected))
}

/// Step by step, while the run is ours.
async fn run_phases(
    ports: &MatchPorts,
    connection: &ConnectionId,
    id: &str,
    messages: &mut Notifications,
) -> Result<Progress, MatchError> {
    let began = ports.clock.now();
    for steps in 0.. {
        // Whose turn it was before may have finished; whether it is connected was asked a moment ago.
        let run = match steps {
            0 => ports.store.run(connection, id).await?.map(|run| run.value),
            _ => read(ports, connection, id).await?,
        };
        let Some(run) = run else { return Ok(Progress::Waiting) };
        if !is_ready(ports, &run, messages).await? {
            return Ok(Progress::Waiting);
        }
        // Where time runs out, a step has a message of its own.
        if steps > 0 && deadline::too_late_for_step(ports, began) {
            return Ok(Progress::OutOfTime(0));
        }
        let step = take_step(ports, &run).await?;
        step.messages.into_iter().for_each(|kind| messages.add(kind));
        match step.progress {
            Progress::Advanced => {}
            progress @ (Progress::Waiting | Progress::OutOfTime(_)) => return Ok(progress),
        }
    }
    Ok(Progress::Waiting)
}

async fn take_step(ports: &MatchPorts, run: &Run) -> Result<Step, MatchError> {
    match run.phase {
        Phase::Observing => observed(ports, run).await,
        Phase::Deciding => match decide_some(ports, run).await? {
            Some(units) => Ok(Step::time(units)),
            None => decided(ports, run).await,
        },
        Phase::Writing => written(ports, run, LanePhase::Write, Phase::Gate).await,
        Phase::Gate => gate::judge(ports, run).await,
        Phase::Removing => written(ports, run, LanePhase::Remove, Phase::Reporting).await,
        Phase::Reporting => report::report(ports, run).await,
        Phase::Planned | Phase::Closed => Ok(Step::rests()),
    }
}

/// Whether a run's phase has ended, as far as others work in it.
async fn is_ready(ports: &MatchPorts, run: &Run, messages: &mut Notifications) -> Result<bool, MatchError> {
    match run.phase {
        Phase::Observing => Ok(sides(run) != Sides::Reading),
        Phase::Writing => is_empty(ports, run, LanePhase::Write, messages).await,
        Phase::Removing => is_empty(ports, run, LanePhase::Remove, messages).await,
        Phase::Deciding | Phase::Gate | Phase::Reporting => Ok(true),
        Phase::Planned | Phase::Closed => Ok(false),
    }
}

/// Whether nobody will write any more in a lane. Otherwise somebody is notified, or the tick will.
async fn is_empty(
    ports: &MatchPorts,
    run: &Run,
    lane: LanePhase,
    messages: &mut Notifications,
) -> Result<bool, MatchError> {
    if ports.store.pointers(&run.id, lane, None, 1).await?.is_empty() || quarantined_by_this_run(ports, run).await? {
        return Ok(true);
    }
    let now_ms = ports.clock.now().as_millisecond();
    let is_notified = messages.0.contains(&MessageKind::Write);
    if !is_notified && ports.store.note_progress(&run.connection, &run.id, 0, now_ms).await? == Requeue::Continue {
        messages.add(MessageKind::Write);
    }
    Ok(false)
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
        ports.metrics.run_ended(run);
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

pub(crate) async fn notify(ports: &MatchPorts, run: &Run, kind: MessageKind) {
    if let Err(error) = ports.doorbell.notify(run.message(kind), Duration::ZERO).await {
        tracing::warn!(run.id = %run.id, error = %error, "the message could not be sent");
    }
}

/// How far both sides are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sides {
    Reading,
    Complete,
    /// What is needed is not known.
    Unknown,
}

fn sides(run: &Run) -> Sides {
    let state = |name: &&str| run.collections.get(*name).map(|collection| collection.state);
    if NEEDED.iter().any(|name| state(name) == Some(CollectionState::Unknown)) {
        Sides::Unknown
    } else if NEEDED.iter().all(|name| state(name) == Some(CollectionState::Complete)) {
        Sides::Complete
    } else {
        Sides::Reading
    }
}

/// Both sides are read: cut the work into slices, or give up, or go on with an accepted plan. Of half a million people
/// the marks are read in some ten pages to fifty and the slices stored with some 330 calls, four at a time: seconds.
async fn observed(ports: &MatchPorts, run: &Run) -> Result<Step, MatchError> {
    match sides(run) {
        Sides::Reading => return Ok(Step::rests()),
        // A side that is still being read finds the run closed and stops.
        Sides::Unknown => return report::incomplete(ports, run).await,
        Sides::Complete => {}
    }
    if run.plan.is_some() && run.accepted.is_some() {
        return write::writing(ports, run).await;
    }
    let meta = ports.store.meta(&run.connection).await?.value;
    let run = &table_loss::look(ports, run, &meta).await?;
    let todo = everybody_to_decide(ports, run, &meta).await?;
    if todo.is_empty() {
        return decided(ports, run).await;
    }
    let size = meta.people.max(todo.len() as u64);
    ports.store.put_slices(&run.id, bits(size), &todo).await?;
    Ok(Step::moved(enter(ports, run, Phase::Deciding, |_| ()).await?))
}

/// Slices are cut by the first bits of people's places, so that the same people fall into the same slices next time.
fn bits(people: u64) -> u32 {
    (people / SLICE_PEOPLE).max(1).next_power_of_two().trailing_zeros().min(16)
}

/// Who has to be decided: one person who was asked for, everybody, or the people who are dirty or due.
async fn everybody_to_decide(ports: &MatchPorts, run: &Run, meta: &Meta) -> Result<Vec<PersonHash>, MatchError> {
    if let Some(key) = &run.only {
        let only = ports.store.secret().pid(key);
        // Whoever waits for them is the next full run's.
        let waiting = ports.store.waiting_for(&run.connection, &[only].into()).await?;
        let marks = waiting.iter().map(|waiting| ports.store.mark_dirty(&run.connection, waiting.who)).collect();
        together(ports, marks).await?;
        return Ok(vec![only]);
    }
    let connection = &run.connection;
    let now = run.started_ms / 1000;
    if meta.timers_seen.is_none() {
        ports.store.update_meta(connection, |meta| _ = meta.timers_seen.get_or_insert(now)).await?;
    }
    // Whose time has come is marked, and then read with the others who are.
    tick::take_due_people(ports, connection, meta.timers_seen.unwrap_or(now), now).await?;
    let mut todo = ports.store.dirty_people(connection).await?;
    if run.everybody {
        let names = ports.store.all_names(&Series::people(connection)).await?;
        todo.extend(names.into_iter().map(PersonHash::from_bytes));
        todo.extend(ports.store.gone_people(connection).await?);
    }
    // Whose manager's facts changed may be able to have them now.
    let targets: BTreeSet<PersonHash> = todo.iter().copied().collect();
    let waiting = ports.store.waiting_for(connection, &targets).await?;
    todo.extend(waiting.iter().map(|waiting| waiting.who));
    // Marked before their notes go, so that a kill in between loses nobody.
    together(ports, waiting.iter().map(|waiting| ports.store.mark_dirty(connection, waiting.who)).collect()).await?;
    together(ports, waiting.iter().map(|waiting| ports.store.forget_waiting(waiting)).collect()).await?;
    todo.sort_unstable();
    todo.dedup();
    Ok(todo)
}

async fn together(ports: &MatchPorts, writes: Vec<Write>) -> Result<(), MatchError> {
    if !writes.is_empty() {
        ports.store.table().batch_write(writes).await?;
    }
    Ok(())
}

/// Decides some slices, one at least, within the time there is: how many, or nothing when no more are left.
async fn decide_some(ports: &MatchPorts, run: &Run) -> Result<Option<u64>, MatchError> {
    let connection = &run.connection;
    let slices = ports.store.slices(&run.id, None, SLICES_AT_ONCE + 1).await?;
    if slices.is_empty() {
        return Ok(None);
    }
    let policy = slice::policy(ports, connection, run.policy_revision).await?;
    let tenant = ports
        .store
        .tenant(&ports.scope)
        .await?
        .ok_or_else(|| MatchError::Broken("the tenant was not observed".to_owned()))?;
    let meta = ports.store.meta(connection).await?.value;
    let context = Context {
        policy: &policy,
        tenant: &tenant.value.tenant,
        now: run.started_ms / 1000,
        disconnected: &meta.disconnected,
    };
    for (done, (number, todo)) in (1..).zip(&slices) {
        slice::decide(ports, run, &context, *number, todo).await?;
        let more = done < slices.len();
        if more && (done == SLICES_AT_ONCE || deadline::deadline_near(ports)) {
            return Ok(Some(done as u64));
        }
    }
    Ok(None)
}

/// Everybody is decided: the plan stands, and stops here or goes on.
async fn decided(ports: &MatchPorts, run: &Run) -> Result<Step, MatchError> {
    let head = plan::head(ports, &run.id).await?;
    // Nothing to write needs nobody's word.
    let nothing = head.changed_slices == 0;
    let stops = run.intent == Intent::Plan || (run.stop.is_some() && run.accepted.is_none() && !nothing);
    if !stops && nothing {
        return skip_to_report(ports, run, head).await;
    }
    if run.only.is_none() {
        let revision = run.policy_revision;
        ports.store.update_meta(&run.connection, |meta| meta.decided_policy = revision).await?;
    }
    if !stops {
        let with_plan = Run { plan: Some(head.clone()), ..run.clone() };
        ports
            .store
            .update_run(&run.connection, &run.id, |run| {
                let new = run.plan.as_ref() != Some(&head);
                run.plan = Some(head.clone());
                new
            })
            .await?;
        return write::writing(ports, &with_plan).await;
    }
    report::plan_report(ports, run, &head).await?;
    enter(ports, run, Phase::Planned, |run| {
        run.plan = Some(head.clone());
        run.status = Some(Status::Planned);
    })
    .await?;
    Ok(Step::rests())
}

/// There is nothing to write and nothing to remove: the phases of both are passed over, and the run ends with its report.
/// What they would have left behind is left behind here.
async fn skip_to_report(ports: &MatchPorts, run: &Run, head: PlanHead) -> Result<Step, MatchError> {
    let meta = write::accepted(ports, run, write::Decided::JustNow).await?;
    let guard = Some(gate::nothing(&meta, run, ports.clock.now_seconds()));
    let run = Run { plan: Some(head), guard, status: None, ..run.clone() };
    report::report(ports, &run).await
}

/// A lane is empty, or will never be: the phase ends.
async fn written(ports: &MatchPorts, run: &Run, lane: LanePhase, next: Phase) -> Result<Step, MatchError> {
    if !ports.store.pointers(&run.id, lane, None, 1).await?.is_empty() {
        return give_up(ports, run).await;
    }
    Ok(Step::moved(enter(ports, run, next, |_| ()).await?))
}

/// Whether this run put its connection into quarantine: nobody would take what it still has to write.
pub(crate) async fn quarantined_by_this_run(ports: &MatchPorts, run: &Run) -> Result<bool, MatchError> {
    let quarantine = ports.store.meta(&run.connection).await?.value.quarantine;
    Ok(quarantine.is_some_and(|quarantine| quarantine.run == run.id))
}

/// The tenant took no more of our word in the middle of the run: it ends with what it has, and whatever is left is
/// decided again, removals included. Everybody concerned is still marked.
async fn give_up(ports: &MatchPorts, run: &Run) -> Result<Step, MatchError> {
    let why = ports.store.meta(&run.connection).await?.value.quarantine.map(|quarantine| quarantine.why);
    let tell = |run: &mut Run| run.problems.extend(why.clone().filter(|why| !run.problems.contains(why)));
    Ok(Step::moved(enter(ports, run, Phase::Reporting, tell).await?))
}
