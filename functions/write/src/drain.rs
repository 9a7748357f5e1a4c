//! Draining a lane: one writer at a time, in order, many people's next steps in one batch, several batches in flight.
//! [`next_batch`] makes batches of what the lane points at, [`crate::batch`] takes each to the tenant and back.

mod cleanup;
mod next_batch;
mod pace;
mod tenant_failure;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::{MessageKind, Urgency};
use hardmatch_ports::run::Run;
use hardmatch_ports::{Key, Write};
use hardmatch_store::PersonHash;
use hardmatch_store::batches::Batch;
use hardmatch_store::changes::{ChangeState, LanePhase};
use hardmatch_store::leases::{Lease, TakeLease};

use self::pace::Pace;
use crate::batch::{self, BatchContext, BatchResult};
use crate::binding::Binding;
use crate::lane::Lane;
use crate::task::Task;
use crate::timing::{TIMING, millis};
use crate::{After, WriteError, WritePorts, notify, repair};

/// Batches in flight. With 300 ms of latency, eight batches of twenty move 500 calls a second, far above the quota.
const MAX_IN_FLIGHT: usize = 8;
/// Deletions that are made together.
const TOGETHER: usize = 100;

/// Performs what the lane of a run points at, in order, until it is empty or must wait.
pub async fn drain(ports: &WritePorts, connection: &ConnectionId, run: &str) -> Result<After, WriteError> {
    if run.is_empty() {
        return repairs_alone(ports, connection).await;
    }
    let Some(open) = ports.store.run(connection, run).await?.map(|stored| stored.value) else {
        return Ok(After::Done);
    };
    let Some(phase) = LanePhase::of(open.phase) else {
        // A run with nothing to write has passed its lane by; a repair that was left open goes on all the same.
        return repairs_alone(ports, connection).await;
    };
    // Policies may have asked for more look-ups since this process began.
    let ports = &WritePorts { store: ports.store.entering_accounts(&ports.scope).await?, ..ports.clone() };
    let lane = Lane::of(ports, open.urgency());
    let now_ms = ports.clock.now().as_millisecond();
    let held = match ports.store.lease(&lane.name, &ports.holder, now_ms, lease_ms(ports, now_ms)).await? {
        TakeLease::Taken(lease) => lease,
        TakeLease::HeldByOther(lease) => {
            let left = Duration::from_millis(u64::try_from(lease.until_ms - now_ms).unwrap_or(0));
            let wait = left.clamp(Duration::from_millis(50), TIMING.held_by_other);
            let holder = i64::try_from(lease.fence).unwrap_or(i64::MAX);
            return notify::requeue(ports, connection, run, holder, wait).await;
        }
    };
    // A repair that an earlier process left goes on before anything else is written.
    let unfinished = repair::resume(ports, &lane, &held.proof(), connection).await?;
    let mut lane_work = Drain::begin(ports, &open, lane, phase, held, now_ms).await?;
    let mut result = lane_work.work().await;
    if unfinished.is_some() && matches!(result, Ok(After::Done)) {
        let (lane, proof) = (&lane_work.lane, lane_work.held.proof());
        if let Some(wait) = repair::resume(ports, lane, &proof, connection).await? {
            let wait = Duration::from_millis(u64::try_from(wait).unwrap_or(0));
            result = notify::requeue(ports, connection, run, now_ms, wait).await;
        }
    }
    let result = match result {
        Ok(after) => lane_work.cleanup(after).await.map(|()| after),
        // What was in flight may have arrived: the batches stay where the next writer finds them.
        Err(error) => Err(error),
    };
    let Drain { held, tenant_failure, .. } = lane_work;
    ports.store.release(held).await?;
    let after = result?;
    if let Some(tenant_failure) = tenant_failure {
        return Err(tenant_failure);
    }
    if after == After::Done {
        notify::notify(ports, &open, MessageKind::Advance).await;
    }
    Ok(after)
}

/// Goes on with the open repairs of a connection, and does nothing else: a message that names no run asks for that.
async fn repairs_alone(ports: &WritePorts, connection: &ConnectionId) -> Result<After, WriteError> {
    let open = ports.store.open_repairs(&ports.scope).await?;
    if open.iter().all(|open| open.value.connection != *connection) {
        return Ok(After::Done);
    }
    let ports = &WritePorts { store: ports.store.entering_accounts(&ports.scope).await?, ..ports.clone() };
    let lane = Lane::of(ports, Urgency::Scheduled);
    let now_ms = ports.clock.now().as_millisecond();
    let held = match ports.store.lease(&lane.name, &ports.holder, now_ms, lease_ms(ports, now_ms)).await? {
        TakeLease::Taken(lease) => lease,
        // The lease holder goes on with them before anything else.
        TakeLease::HeldByOther(_) => return Ok(After::Again(TIMING.held_by_other)),
    };
    let unfinished = repair::resume(ports, &lane, &held.proof(), connection).await;
    ports.store.release(held).await?;
    let wait = unfinished?.map(|wait| Duration::from_millis(u64::try_from(wait).unwrap_or(0)));
    Ok(wait.map_or(After::Done, After::Again))
}

/// Sends a batch, or goes on with a repair, which is a batch of its own.
async fn send(ports: &WritePorts, context: BatchContext, mut tasks: Vec<Task>) -> Result<BatchResult, WriteError> {
    let plan = tasks.first().and_then(|task| repair::of(task, context.phase)).cloned();
    match (plan, tasks.pop()) {
        (Some(plan), Some(task)) => Box::pin(repair::carry_out(ports, &context, task, plan)).await,
        (_, last) => {
            tasks.extend(last);
            batch::send_batch(ports, context, tasks).await
        }
    }
}

/// When the last batch is sent (Unix milliseconds): a function has less time than a draining would take.
fn work_until_ms(ports: &WritePorts) -> i64 {
    ports.deadline.map_or(i64::MAX, |deadline| deadline.as_millisecond() - millis(TIMING.in_flight))
}

/// For how long the lane is leased at a time, in milliseconds. After its deadline a function holds nothing for long: it was
/// ended.
fn lease_ms(ports: &WritePorts, now_ms: i64) -> i64 {
    let Some(deadline) = ports.deadline else { return millis(TIMING.lease) };
    let left = (deadline.as_millisecond() - now_ms).max(0);
    millis(TIMING.lease).min(left.saturating_add(millis(TIMING.lease_after_deadline)))
}

struct Drain<'a> {
    /// When this draining began, until when batches are sent, and when the lease was renewed last (Unix milliseconds).
    began_ms: i64,
    work_until_ms: i64,
    seen_ms: i64,
    /// Changes settled by this draining.
    changes_settled: u64,
    ports: &'a WritePorts,
    connection: &'a ConnectionId,
    run: &'a str,
    lane: Lane,
    phase: LanePhase,
    /// The lease of the lane.
    held: Lease,
    /// People in the order of the lane whose change is not read yet.
    unread: VecDeque<PersonHash>,
    ready: VecDeque<Task>,
    /// Not before a time, or after somebody else.
    waiting: Vec<Task>,
    cursor: Option<String>,
    exhausted: bool,
    /// People whose change is settled, as seen in this draining.
    settled: HashSet<PersonHash>,
    /// How many people of each pointer are not settled yet, and whose pointer is which.
    pointed: HashMap<Key, usize>,
    pointer_of: HashMap<PersonHash, Key>,
    /// Deletions that wait for others.
    deferred_deletes: Vec<Write>,
    /// What earlier writers left in flight, and whose result of it is unknown.
    left_behind: Vec<Batch>,
    unknown: BTreeSet<PersonHash>,
    /// Slots for batches: those that are free, how many were ever used, and where a batch may be noted.
    free: Vec<usize>,
    slots: usize,
    noted: BTreeSet<usize>,
    /// An operator paused the connection.
    paused: bool,
    binding: Binding,
    /// A first creation with an inline manager is in flight; others wait for its answer.
    probing: bool,
    closed_until_ms: i64,
    /// Whether the service is given time.
    pace: Pace,
    /// Batches in a row without a word from the tenant, and since when (Unix milliseconds).
    silent: u32,
    silent_since_ms: i64,
    /// Why the draining ends early: nothing more is sent.
    tenant_failure: Option<WriteError>,
}

impl<'a> Drain<'a> {
    async fn begin(
        ports: &'a WritePorts,
        run: &'a Run,
        lane: Lane,
        phase: LanePhase,
        held: Lease,
        now_ms: i64,
    ) -> Result<Self, WriteError> {
        let (connection, run) = (&run.connection, run.id.as_str());
        let left_behind = ports.store.batches(&lane.name).await?;
        let ours = left_behind.iter().filter(|batch| batch.connection == *connection);
        let unknown = ours.flat_map(|batch| batch.pids.iter().copied()).collect();
        Ok(Self {
            began_ms: now_ms,
            work_until_ms: work_until_ms(ports),
            seen_ms: now_ms,
            changes_settled: 0,
            ports,
            connection,
            run,
            lane,
            phase,
            held,
            unread: VecDeque::new(),
            ready: VecDeque::new(),
            waiting: Vec::new(),
            cursor: None,
            exhausted: false,
            settled: HashSet::new(),
            pointed: HashMap::new(),
            pointer_of: HashMap::new(),
            deferred_deletes: Vec::new(),
            left_behind,
            unknown,
            free: Vec::new(),
            slots: 0,
            noted: BTreeSet::new(),
            paused: false,
            binding: Binding::of(ports).await?,
            probing: false,
            closed_until_ms: 0,
            pace: Pace::default(),
            silent: 0,
            silent_since_ms: 0,
            tenant_failure: None,
        })
    }

    async fn work(&mut self) -> Result<After, WriteError> {
        let mut batches = FuturesUnordered::new();
        let mut starved_until: Option<i64> = None;
        loop {
            let now = self.ports.clock.now().as_millisecond();
            // A draining that begins late settles somebody all the same: what batches learnt of people who are not settled
            // is forgotten with the message, and a lane must not be passed on and on.
            let late = self.changes_settled > 0 && now > self.work_until_ms;
            let over = late || now - self.began_ms > millis(TIMING.work) || !self.still_leased(now).await?;
            self.wake(now);
            let closed = over
                || self.tenant_failure.is_some()
                || self.paused
                || now < self.closed_until_ms
                || starved_until.is_some_and(|until| now < until);
            let width = if starved_until.is_some() || self.pace.is_slow() { 1 } else { MAX_IN_FLIGHT };
            while !closed && batches.len() < width {
                let Some((tasks, probe)) = self.next_batch(now).await? else { break };
                self.probing |= probe;
                let context = self.context(probe);
                batches.push(send(self.ports, context, tasks));
            }
            self.forget_idle().await?;
            let Some(result) = batches.next().await else {
                if self.tenant_failure.is_some() {
                    return Ok(After::Again(Duration::ZERO));
                }
                if self.paused {
                    return Ok(After::Again(TIMING.paused_rest));
                }
                let sat_out = match (self.silent, self.ports.deadline) {
                    (0, None) => TIMING.short_wait,
                    (0, Some(_)) => TIMING.paid_wait,
                    (_, _) => TIMING.silent_wait,
                };
                match self.rest(now, starved_until) {
                    Some(After::Again(wait)) if !over && wait <= sat_out => self.ports.clock.sleep(wait).await,
                    Some(after) => return Ok(after),
                    None if over => return Ok(After::Again(Duration::ZERO)),
                    None => {}
                }
                continue;
            };
            let result = result?;
            if let Some(wait) = result.starved_ms {
                // From here on the budget sets the pace: one batch at a time is enough to spend it as it comes in.
                starved_until = Some(self.ports.clock.now().as_millisecond() + wait);
            }
            self.take_back(result, now).await?;
        }
    }

    fn context(&mut self, probe: bool) -> BatchContext {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        self.noted.insert(slot);
        BatchContext {
            lane: self.lane.clone(),
            phase: self.phase,
            lease: self.held.proof(),
            slot,
            binding: self.binding,
            probe,
        }
    }

    /// What a sent batch means for the others.
    async fn take_back(&mut self, result: BatchResult, now: i64) -> Result<(), WriteError> {
        self.free.push(result.slot);
        self.paused |= result.paused;
        self.pace.note(result.sent, result.failed, self.ports.clock.now().as_millisecond());
        self.closed_until_ms = self.closed_until_ms.max(result.closed_until_ms).max(self.pace.until_ms());
        if let Some(binding) = result.binding {
            self.binding = binding;
            binding.remember(self.ports).await?;
        }
        if result.probe {
            self.probing = false;
        }
        self.listen(result.heard).await?;
        if let Some(refusal) = result.locked_out {
            self.lock_out(&refusal).await?;
        }
        if let Some(error) = result.undelivered {
            self.stop(WriteError::Password(error)).await?;
        }
        self.deferred_deletes.extend(result.deferred_deletes);
        for pid in result.settled {
            self.settle(pid);
        }
        for task in result.tasks.into_iter().rev() {
            if task.open.state == ChangeState::Ready {
                self.unknown.remove(&task.pid);
            }
            if task.open.not_before_ms > now { self.waiting.push(task) } else { self.ready.push_front(task) }
        }
        if self.deferred_deletes.len() >= TOGETHER {
            self.clean_up(Vec::new()).await?;
        }
        Ok(())
    }

    /// Renews the lease now and then; whether this writer still holds it.
    async fn still_leased(&mut self, now: i64) -> Result<bool, WriteError> {
        if now - self.seen_ms < millis(TIMING.renewal) {
            return Ok(true);
        }
        self.seen_ms = now;
        let lease = lease_ms(self.ports, now);
        Ok(self.ports.store.renew(&mut self.held, now, lease).await?)
    }
}
