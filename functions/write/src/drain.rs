//! Draining a lane: one writer at a time, in order, many people's next steps in one hand, several hands in flight.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use hardmatch_domain::account::Account;
use hardmatch_domain::change::Step;
use hardmatch_domain::ids::{ConnectionId, ObjectId};
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::doorbell::BellKind;
use hardmatch_ports::run::{OutcomeKind, Phase};
use hardmatch_ports::tenant::{Answer, Call, MAX_CALLS, Priority};
use hardmatch_ports::{Bell, TableError, Write};
use hardmatch_store::Pid;
use hardmatch_store::changes::{ChangeState, LanePhase};
use hardmatch_store::gate::Taken;

use crate::answer::{Verdict, Whom, judge};
use crate::call::{self, Binding};
use crate::settle::{self, Books};
use crate::task::{Next, Task};
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
        Some(
            Phase::Observing | Phase::Deciding | Phase::Planned | Phase::Gate | Phase::Reporting | Phase::Closed,
        )
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

/// What came back of one hand.
struct Played {
    tasks: Vec<Task>,
    settled: Vec<Pid>,
    closed_until_ms: i64,
    binding: Option<Binding>,
    /// The budget gave nothing: nothing was sent.
    starved_ms: Option<i64>,
    probe: bool,
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
                hands.push(play(self.ports, self.phase, self.fence, tasks, self.binding, probe));
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
            let open = found.first().is_some_and(|(_, other)| {
                other.value.run == self.run && other.value.state != ChangeState::Held
            });
            if open {
                return Ok(true);
            }
            self.settled.insert(pid);
        }
        Ok(false)
    }
}

/// Plays one hand: prepares, sends, and brings the answers into the books.
async fn play(
    ports: &WritePorts,
    phase: LanePhase,
    fence: u64,
    tasks: Vec<Task>,
    binding: Binding,
    probe: bool,
) -> Result<Played, WriteError> {
    let mut played = Played {
        tasks: Vec::new(),
        settled: Vec::new(),
        closed_until_ms: 0,
        binding: None,
        starved_ms: None,
        probe,
    };
    let moved = moved(ports, &tasks).await?;
    let mut books: Vec<(Task, Books)> = Vec::new();
    let mut sending: Vec<(Task, Next, Option<ObjectId>)> = Vec::new();
    let mut calls: Vec<Call> = Vec::new();
    for mut task in tasks {
        let mut book = Books::default();
        if moved.contains(&task.pid) {
            let reason = Some(Reason::plain(Code::FactsMoved));
            settle::finish(ports, &task, OutcomeKind::FactsMoved, reason, &mut book);
            books.push((task, book));
            continue;
        }
        match prepare(ports, phase, fence, &mut task, binding, &mut book).await? {
            Prepared::Call { next, manager, call } => {
                calls.push(call);
                sending.push((task, next, manager));
            }
            // The books first, then, in another hand, the call that rests on them.
            Prepared::Booked => books.push((task, book)),
            Prepared::Settled => {
                settle::settle(ports, &mut task, phase, &mut book);
                books.push((task, book));
            }
        }
    }
    record(ports, books, &mut played).await?;
    if calls.is_empty() {
        return Ok(played);
    }

    let writes = u32::try_from(calls.iter().filter(|call| call.is_write()).count()).unwrap_or(u32::MAX);
    let now_ms = ports.clock.now().as_millisecond();
    if writes > 0
        && let Err(wait) = ports.store.gate(&ports.scope, &ports.client, |gate| gate.take(now_ms, writes)).await?
    {
        played.starved_ms = Some(wait);
        played.tasks.extend(sending.into_iter().map(|(task, _, _)| task));
        return Ok(played);
    }
    let sending = mark_sending(ports, fence, sending, &mut calls).await?;
    let answers = ports.tenant.perform(&calls, Priority::Low).await;
    let mut books = Vec::with_capacity(sending.len());
    for ((mut task, next, manager), answer) in sending.into_iter().zip(answers) {
        let mut book = Books::default();
        apply(ports, phase, &mut task, next, manager, answer, &mut book, &mut played).await?;
        books.push((task, book));
    }
    record(ports, books, &mut played).await?;
    Ok(played)
}

/// People whose facts are not those of the decision any more. Asked before the first step only.
async fn moved(ports: &WritePorts, tasks: &[Task]) -> Result<HashSet<Pid>, WriteError> {
    let fresh: Vec<&Task> =
        tasks.iter().filter(|task| task.open.done == 0 && task.open.state == ChangeState::Ready).collect();
    let Some(first) = fresh.first() else { return Ok(HashSet::new()) };
    let connection = &first.open.change.person.connection;
    let pids: Vec<Pid> = fresh.iter().map(|task| task.pid).collect();
    let people: BTreeMap<Pid, u64> = ports
        .store
        .people(connection, &pids)
        .await?
        .into_iter()
        .map(|(pid, record)| (pid, record.revision))
        .collect();
    let ids: Vec<ObjectId> = fresh.iter().filter_map(|task| task.open.change.account.clone()).collect();
    let accounts: BTreeMap<ObjectId, u64> = ports
        .store
        .accounts(&ports.scope, &ids)
        .await?
        .into_iter()
        .map(|item| (item.account.id, item.account.revision))
        .collect();
    let mut moved = HashSet::new();
    for task in fresh {
        let change = &task.open.change;
        let account = change.account.as_ref().and_then(|id| accounts.get(id)).copied().unwrap_or(0);
        if people.get(&task.pid) != Some(&change.decided_on.person) || account != change.decided_on.account {
            moved.insert(task.pid);
        }
    }
    Ok(moved)
}

/// What a task needs next.
enum Prepared {
    /// A call.
    Call { next: Next, manager: Option<ObjectId>, call: Call },
    /// Its books stored; then it is dealt again.
    Booked,
    /// Nothing more in this phase.
    Settled,
}

/// Takes the steps that need no call, and gives the next call.
async fn prepare(
    ports: &WritePorts,
    phase: LanePhase,
    fence: u64,
    task: &mut Task,
    binding: Binding,
    book: &mut Books,
) -> Result<Prepared, WriteError> {
    loop {
        let next = task.next(phase, fence);
        let call = match next {
            Next::Settle => return Ok(Prepared::Settled),
            Next::SendManager => {
                let manager = task.open.manager_pending.clone();
                task.account().cloned().map(|account| (manager.clone(), Call::SetManager { account, manager }))
            }
            Next::Reread => task.account().map(|account| (None, Call::Read { account: account.clone() })),
            Next::Verify => {
                let manager = call::manager_of(ports, task).await?;
                call::to_verify(task).map(|call| (manager, call))
            }
            Next::Send => {
                let manager = call::manager_of(ports, task).await?;
                call::of_step(task, manager.clone(), binding).map(|call| (manager, call))
            }
        };
        match call {
            Some(_) if !book.facts.is_empty() => {
                let connection = &task.open.change.person.connection;
                book.journal.push(ports.store.put_change(connection, task.pid, Some(task.revision), &task.open));
                return Ok(Prepared::Booked);
            }
            Some((manager, call)) => return Ok(Prepared::Call { next, manager, call }),
            // A manager who has no account: left out, and looked at again.
            None if matches!(task.step(), Some(Step::SetManager { .. })) => {
                task.open.keep_open = true;
                task.open.done += 1;
                task.open.state = ChangeState::Ready;
            }
            // A link, which is only in our books.
            None => settle::step_done(ports, task, None, None, book).await?,
        }
    }
}

/// Journals that the next step is on its way. Whoever was decided anew in the meantime is left out.
async fn mark_sending(
    ports: &WritePorts,
    fence: u64,
    sending: Vec<(Task, Next, Option<ObjectId>)>,
    calls: &mut Vec<Call>,
) -> Result<Vec<(Task, Next, Option<ObjectId>)>, WriteError> {
    let mut sending = sending;
    let mut writes = Vec::new();
    for (task, next, _) in &mut sending {
        if matches!(next, Next::Send | Next::SendManager) {
            task.open.state = ChangeState::Sending(fence);
            let connection = &task.open.change.person.connection;
            writes.push(ports.store.put_change(connection, task.pid, Some(task.revision), &task.open));
        }
    }
    if writes.is_empty() {
        return Ok(sending);
    }
    match ports.store.table().transact(writes.clone()).await {
        Ok(()) => {
            for (task, next, _) in &mut sending {
                if matches!(next, Next::Send | Next::SendManager) {
                    task.revision += 1;
                }
            }
            Ok(sending)
        }
        Err(TableError::Conflict { .. }) => {
            let mut kept = Vec::with_capacity(sending.len());
            let mut kept_calls = Vec::with_capacity(sending.len());
            for ((mut task, next, manager), call) in sending.into_iter().zip(std::mem::take(calls)) {
                if matches!(next, Next::Send | Next::SendManager) {
                    let connection = &task.open.change.person.connection;
                    let write = ports.store.put_change(connection, task.pid, Some(task.revision), &task.open);
                    match ports.store.table().write(write).await {
                        Ok(revision) => task.revision = revision,
                        Err(TableError::Conflict { .. }) => continue,
                        Err(error) => return Err(error.into()),
                    }
                }
                kept.push((task, next, manager));
                kept_calls.push(call);
            }
            *calls = kept_calls;
            Ok(kept)
        }
        Err(error) => Err(error.into()),
    }
}

#[expect(clippy::too_many_arguments, reason = "one answer meets everything that may follow from it")]
async fn apply(
    ports: &WritePorts,
    phase: LanePhase,
    task: &mut Task,
    asked: Next,
    manager: Option<ObjectId>,
    answer: Answer,
    book: &mut Books,
    played: &mut Played,
) -> Result<(), WriteError> {
    let mirror: Option<Account> = match (asked, &task.open.change.account) {
        (Next::Reread, Some(id)) => ports.store.account(&ports.scope, id).await?.map(|item| item.account),
        _ => None,
    };
    let now_ms = ports.clock.now().as_millisecond();
    // Rounded up: a call a fraction of a millisecond too early is refused again, at once and without end.
    let in_ms = |wait: Duration| now_ms + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2) + 1;
    match judge(task, asked, answer, mirror.as_ref(), manager.as_ref()) {
        Verdict::Done(account) => {
            if asked == Next::SendManager {
                task.open.manager_pending = None;
                task.open.state = ChangeState::Ready;
            } else {
                done(ports, task, asked, manager, account, book, played).await?;
            }
        }
        Verdict::Reread => task.reread = true,
        Verdict::NotDone => task.open.state = ChangeState::Ready,
        Verdict::Unsure => {
            // An older fence than any: look before repeating.
            task.open.state = ChangeState::Sending(0);
            task.open.attempts += 1;
        }
        Verdict::ManagerApart(whom) => {
            task.apart = true;
            if whom == Whom::Everybody {
                played.binding = Some(Binding::Apart);
            }
            task.open.state = ChangeState::Ready;
        }
        Verdict::NewPassword => {
            task.password = None;
            task.open.attempts += 1;
            task.open.state = ChangeState::Ready;
        }
        Verdict::Refused(refusal) => {
            if asked == Next::SendManager {
                task.open.manager_pending = None;
                task.open.refusal.get_or_insert(refusal);
                task.open.state = ChangeState::Ready;
            } else {
                settle::step_refused(task, refusal, phase);
            }
        }
        Verdict::Throttled(wait) => {
            let until = in_ms(wait);
            played.closed_until_ms = played.closed_until_ms.max(until);
            ports.store.gate(&ports.scope, &ports.client, |gate| gate.close(now_ms, until)).await?;
            task.open.not_before_ms = until;
            if asked == Next::Send || asked == Next::SendManager {
                task.open.state = ChangeState::Ready;
            }
        }
        Verdict::Later(wait) => {
            task.open.attempts += 1;
            task.open.not_before_ms = in_ms(wait);
            if asked == Next::Send || asked == Next::SendManager {
                task.open.state = ChangeState::Ready;
            }
        }
        Verdict::FactsMoved => {
            let reason = Some(Reason::plain(Code::FactsMoved));
            settle::finish(ports, task, OutcomeKind::FactsMoved, reason, book);
            return Ok(());
        }
        Verdict::GiveUp => {
            let reason = Some(Reason::plain(Code::Unavailable));
            settle::finish(ports, task, OutcomeKind::Unavailable, reason, book);
            return Ok(());
        }
    }
    if task.next(phase, 0) == Next::Settle && task.open.manager_pending.is_none() {
        settle::settle(ports, task, phase, book);
    } else {
        let connection = &task.open.change.person.connection;
        book.journal.push(ports.store.put_change(connection, task.pid, Some(task.revision), &task.open));
    }
    Ok(())
}

async fn done(
    ports: &WritePorts,
    task: &mut Task,
    asked: Next,
    manager: Option<ObjectId>,
    account: Option<Box<Account>>,
    book: &mut Books,
    played: &mut Played,
) -> Result<(), WriteError> {
    let mut bound = manager.clone();
    if let Some(Step::Create { manager: target, .. }) = task.step() {
        let wanted = target.is_some();
        if wanted && manager.is_none() {
            // The manager has no account: left out, and looked at again.
            task.open.keep_open = true;
        }
        let apart = task.apart || played.binding == Some(Binding::Apart) || Binding::of(ports).await? == Binding::Apart;
        if let Some(manager) = manager.clone() {
            if apart || asked == Next::Verify {
                // Sent without it, or not known whether it was taken.
                task.open.manager_pending = Some(manager);
                bound = None;
            } else if played.probe {
                played.binding = Some(Binding::Inline);
            }
        }
        if let Some(password) = task.password.take()
            && asked == Next::Send
            && let Some(upn) = upn_of(task)
        {
            ports.passwords.deliver(&upn, &password).await?;
        }
    }
    settle::step_done(ports, task, account.map(|account| *account), bound, book).await
}

fn upn_of(task: &Task) -> Option<String> {
    match task.step() {
        Some(Step::Create { attributes, .. }) => {
            attributes.filled(hardmatch_domain::attribute::Attr::UserPrincipalName).map(str::to_owned)
        }
        _ => None,
    }
}

/// Stores the books of a hand: as few transactions as fit, and each person's on its own where one was decided anew.
async fn record(ports: &WritePorts, books: Vec<(Task, Books)>, played: &mut Played) -> Result<(), WriteError> {
    let mut group: Vec<(Task, Books)> = Vec::new();
    let mut size = 0;
    for (task, book) in books {
        let more = book.facts.len() + book.journal.len();
        if size + more > hardmatch_ports::table::MAX_TRANSACT && !group.is_empty() {
            record_group(ports, std::mem::take(&mut group), played).await?;
            size = 0;
        }
        size += more;
        group.push((task, book));
    }
    record_group(ports, group, played).await
}

async fn record_group(ports: &WritePorts, group: Vec<(Task, Books)>, played: &mut Played) -> Result<(), WriteError> {
    if group.is_empty() {
        return Ok(());
    }
    let table = ports.store.table();
    let all: Vec<Write> =
        group.iter().flat_map(|(_, book)| book.facts.iter().chain(&book.journal).cloned()).collect();
    let together = match table.transact(distinct(all)).await {
        Ok(()) => true,
        Err(TableError::Conflict { .. } | TableError::Invalid(_)) => false,
        Err(error) => return Err(error.into()),
    };
    for (mut task, book) in group {
        let mut kept = true;
        if !together {
            let own: Vec<Write> = book.facts.iter().chain(&book.journal).cloned().collect();
            match table.transact(distinct(own)).await {
                Ok(()) => {}
                Err(TableError::Conflict { .. }) => {
                    // Decided anew, or the account was claimed by somebody faster: what is true stays true, and the
                    // person is looked at again.
                    let mut facts: Vec<Write> = book.facts.into_iter().filter(unconditional).collect();
                    facts.push(ports.store.mark_open(&task.open.change.person.connection, task.pid));
                    facts.push(Write::delete(task.pointer.clone()));
                    table.batch_write(facts).await?;
                    kept = false;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !kept || book.outcome.is_some() {
            played.settled.push(task.pid);
            continue;
        }
        if book.journal.iter().any(|write| matches!(write, Write::Put { .. })) {
            task.revision += 1;
        }
        played.tasks.push(task);
    }
    Ok(())
}

fn unconditional(write: &Write) -> bool {
    match write {
        Write::Put { condition, .. } | Write::Delete { condition, .. } | Write::Check { condition, .. } => {
            *condition == hardmatch_ports::Condition::None
        }
    }
}

/// A transaction may name an item once; the last word wins.
fn distinct(writes: Vec<Write>) -> Vec<Write> {
    let mut last = BTreeMap::new();
    for write in writes {
        last.insert(write.key().clone(), write);
    }
    last.into_values().collect()
}

