//! Draining a lane: one writer at a time, in order, many people's next steps in one hand, several hands in flight.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use hardmatch_domain::change::Step;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::BellKind;
use hardmatch_ports::run::Phase;
use hardmatch_ports::tenant::MAX_CALLS;
use hardmatch_ports::{Bell, Write};
use hardmatch_store::Pid;
use hardmatch_store::changes::{ChangeState, LanePhase};
use hardmatch_store::gate::Taken;

use crate::call::Binding;
use crate::hand;
use crate::task::Task;
use crate::{After, WriteError, WritePorts};

/// Hands in flight. With 300 ms of latency, eight hands of twenty move 500 calls a second, far above the quota.
const HANDS: usize = 8;
/// Pointers read ahead.
const AHEAD: usize = 400;
/// How long the lane is ours without a sign of life.
const LEASE: Duration = Duration::from_mins(2);
/// How often we give one.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
/// After so long the bell is rung anew, well before a function's deadline.
const WORK_FOR: Duration = Duration::from_mins(4);
/// A wait up to here keeps the hands as they are; a longer one is left to the table and a later bell.
const SHORT_WAIT: Duration = Duration::from_secs(5);

/// Performs what the lane of a run points at, in order, until it is empty or must wait.
pub async fn drain(ports: &WritePorts, connection: &ConnectionId, run: &str) -> Result<After, WriteError> {
    let phase = match ports.store.run(connection, run).await?.map(|stored| stored.value.phase) {
        Some(Phase::Writing) => LanePhase::Write,
        Some(Phase::Removing) => LanePhase::Remove,
        Some(Phase::Observing | Phase::Deciding | Phase::Planned | Phase::Gate | Phase::Reporting | Phase::Closed)
        | None => return Ok(After::Done),
    };
    let lane = lane_name(ports);
    let now_ms = ports.clock.now().as_millisecond();
    let fence = match ports.store.lease(&lane, &ports.holder, None, now_ms, millis(LEASE)).await? {
        Taken::Ours(fence) => fence,
        Taken::Theirs(lease) => {
            let wait = u64::try_from(lease.until_ms - now_ms).unwrap_or(0).clamp(50, 5_000);
            return Ok(After::Again(Duration::from_millis(wait)));
        }
    };
    let mut lane_work = Drain {
        began_ms: now_ms,
        seen_ms: now_ms,
        ports,
        connection,
        run,
        phase,
        fence,
        ready: VecDeque::new(),
        waiting: Vec::new(),
        cursor: None,
        exhausted: false,
        settled: HashSet::new(),
        binding: Binding::of(ports).await?,
        probing: false,
        closed_until_ms: 0,
    };
    let result = lane_work.work().await;
    ports.store.release(&lane, fence).await?;
    let after = result?;
    if after == After::Done {
        let bell = Bell::new(connection.clone(), run, BellKind::Advance);
        if let Err(error) = ports.doorbell.ring(bell, Duration::ZERO).await {
            tracing::warn!(run.id = run, error = %error, "the doorbell could not be rung");
        }
    }
    Ok(after)
}

/// Frees the lane of a writer that is gone for certain: nobody else can have the state open.
pub async fn release_lane(ports: &WritePorts) -> Result<(), hardmatch_store::StoreError> {
    ports.store.free(&lane_name(ports)).await
}

/// The lease of a lane.
fn lane_name(ports: &WritePorts) -> String {
    format!("lane~{}~{}", ports.scope.as_str(), ports.client)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

struct Drain<'a> {
    /// When this draining began, and when the lease was renewed last (Unix milliseconds).
    began_ms: i64,
    seen_ms: i64,
    ports: &'a WritePorts,
    connection: &'a ConnectionId,
    run: &'a str,
    phase: LanePhase,
    fence: u64,
    ready: VecDeque<Task>,
    /// Not before a time, or after somebody else.
    waiting: Vec<Task>,
    cursor: Option<String>,
    exhausted: bool,
    /// People whose change is settled, as seen in this draining.
    settled: HashSet<Pid>,
    binding: Binding,
    /// A first creation with an inline manager is in flight; others wait for its answer.
    probing: bool,
    closed_until_ms: i64,
}

impl Drain<'_> {
    async fn work(&mut self) -> Result<After, WriteError> {
        let mut hands = FuturesUnordered::new();
        let mut starved_until: Option<i64> = None;
        loop {
            let now = self.ports.clock.now().as_millisecond();
            let over = now - self.began_ms > millis(WORK_FOR) || !self.still_ours(now).await?;
            self.wake(now);
            self.refill().await?;
            let closed = over || now < self.closed_until_ms || starved_until.is_some_and(|until| now < until);
            let width = if starved_until.is_some() { 1 } else { HANDS };
            while !closed && hands.len() < width {
                let Some((tasks, probe)) = self.deal(now).await? else { break };
                self.probing |= probe;
                hands.push(hand::play(self.ports, self.phase, self.fence, tasks, self.binding, probe));
            }
            let Some(played) = hands.next().await else {
                match self.rest(now, starved_until) {
                    Some(After::Again(wait)) if !over && wait <= SHORT_WAIT => self.ports.clock.sleep(wait).await,
                    Some(after) => return Ok(after),
                    None if over => return Ok(After::Again(Duration::ZERO)),
                    None => {}
                }
                continue;
            };
            let played = played?;
            self.closed_until_ms = self.closed_until_ms.max(played.closed_until_ms);
            if let Some(wait) = played.starved_ms {
                // From here on the budget sets the pace: one hand at a time is enough to spend it as it comes in.
                starved_until = Some(self.ports.clock.now().as_millisecond() + wait);
            }
            if let Some(binding) = played.binding {
                self.binding = binding;
                binding.remember(self.ports).await?;
            }
            if played.probe {
                self.probing = false;
            }
            self.settled.extend(played.settled);
            for task in played.tasks.into_iter().rev() {
                if task.open.not_before_ms > now { self.waiting.push(task) } else { self.ready.push_front(task) }
            }
        }
    }

    /// Renews the lease now and then; whether the lane is still ours.
    async fn still_ours(&mut self, now: i64) -> Result<bool, WriteError> {
        if now - self.seen_ms < millis(SIGN_OF_LIFE) {
            return Ok(true);
        }
        self.seen_ms = now;
        let lane = lane_name(self.ports);
        let taken = self.ports.store.lease(&lane, &self.ports.holder, Some(self.fence), now, millis(LEASE)).await?;
        Ok(taken == Taken::Ours(self.fence))
    }

    /// Nothing is in flight and nothing was dealt: done, or until when to wait; `None`: go on, what waited for
    /// somebody who will not come goes first.
    fn rest(&mut self, now: i64, starved_until: Option<i64>) -> Option<After> {
        if self.ready.is_empty() && self.waiting.is_empty() && self.exhausted {
            return Some(After::Done);
        }
        let mut until = self.waiting.iter().map(|task| task.open.not_before_ms).filter(|at| *at > now).min();
        if self.closed_until_ms > now {
            until = Some(self.closed_until_ms);
        }
        if let Some(starved) = starved_until.filter(|starved| *starved > now) {
            until = Some(until.map_or(starved, |until| until.min(starved)).max(self.closed_until_ms));
        }
        if let Some(until) = until {
            return Some(After::Again(Duration::from_millis(u64::try_from(until - now).unwrap_or(1).max(1))));
        }
        // Only people who wait for one another are left: nobody will come first. Each goes on alone.
        for task in std::mem::take(&mut self.waiting) {
            self.settled.extend(task.open.change.after.iter().map(|who| self.ports.store.pid(who)));
            self.ready.push_back(task);
        }
        None
    }

    fn wake(&mut self, now: i64) {
        let (due, later) =
            std::mem::take(&mut self.waiting).into_iter().partition(|task| task.open.not_before_ms <= now);
        self.waiting = later;
        self.ready.extend::<Vec<Task>>(due);
    }

    /// Reads on in the lane.
    async fn refill(&mut self) -> Result<(), WriteError> {
        while !self.exhausted && self.ready.len() < AHEAD / 2 {
            let store = &self.ports.store;
            let pointers = store.pointers(self.run, self.phase, self.cursor.as_deref(), AHEAD).await?;
            self.exhausted = pointers.len() < AHEAD;
            self.cursor = pointers.last().map(|pointer| pointer.key.sk.clone()).or(self.cursor.take());
            let pids: Vec<Pid> = pointers.iter().map(|pointer| pointer.pid).collect();
            let mut changes: BTreeMap<Pid, _> = store.changes(self.connection, &pids).await?.into_iter().collect();
            let mut stale = Vec::new();
            for pointer in pointers {
                match changes.remove(&pointer.pid) {
                    Some(stored) if stored.value.run == self.run => self.ready.push_back(Task {
                        pid: pointer.pid,
                        pointer: pointer.key,
                        revision: stored.revision,
                        open: stored.value,
                        reread: false,
                        apart: false,
                        password: None,
                    }),
                    // Settled before, or decided anew by another run: the pointer is left over.
                    Some(_) | None => stale.push(Write::delete(pointer.key)),
                }
            }
            if !stale.is_empty() {
                store.table().batch_write(stale).await?;
            }
        }
        Ok(())
    }

    /// Takes up to twenty people whose turn it is.
    async fn deal(&mut self, now: i64) -> Result<Option<(Vec<Task>, bool)>, WriteError> {
        let mut hand = Vec::with_capacity(MAX_CALLS);
        let mut put_back = VecDeque::new();
        let mut probe = false;
        while hand.len() < MAX_CALLS {
            let Some(task) = self.ready.pop_front() else { break };
            if task.open.not_before_ms > now {
                self.waiting.push(task);
                continue;
            }
            if self.waits_for_somebody(&task).await? {
                self.waiting.push(task);
                continue;
            }
            let binds = self.binding == Binding::Unknown
                && matches!(task.step(), Some(Step::Create { manager: Some(_), .. }))
                && task.open.state == ChangeState::Ready;
            if binds {
                if self.probing || probe {
                    put_back.push_back(task);
                    continue;
                }
                probe = true;
            }
            hand.push(task);
        }
        while let Some(task) = put_back.pop_back() {
            self.ready.push_front(task);
        }
        Ok((!hand.is_empty()).then_some((hand, probe)))
    }

    /// Whether somebody's change must be settled first.
    async fn waits_for_somebody(&mut self, task: &Task) -> Result<bool, WriteError> {
        if task.open.done > 0 {
            return Ok(false);
        }
        for who in &task.open.change.after {
            let pid = self.ports.store.pid(who);
            if self.settled.contains(&pid) {
                continue;
            }
            let found = self.ports.store.changes(&who.connection, &[pid]).await?;
            let open = found
                .first()
                .is_some_and(|(_, other)| other.value.run == self.run && other.value.state != ChangeState::Held);
            if open {
                return Ok(true);
            }
            self.settled.insert(pid);
        }
        Ok(false)
    }
}
