//! One batch: twenty people's next steps, prepared, sent together, and each answer brought into its person's effects.

mod apart;
mod apply;
mod call;
mod commit;
mod group;
mod mirror;
mod settle;
mod verdict;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use hardmatch_domain::change::{Action, Step};
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::credentials::CredentialError;
use hardmatch_ports::run::OutcomeKind;
use hardmatch_ports::tenant::{Answer, Call, LaterCause, Refusal};
use hardmatch_ports::{Key, Write};
use hardmatch_store::changes::{ChangeState, LanePhase};
use hardmatch_store::connection::Meta;
use hardmatch_store::gate::{Gate, Wait};
use hardmatch_store::{PersonHash, Store};

use crate::lane::{Lane, OtherLaneBatches};
use crate::task::{Next, OtherLane, Task};
use crate::{WriteError, WritePorts};

pub(crate) use self::call::Binding;
use self::commit::commit;
use self::group::Which;
use self::settle::Effects;

/// What came back of one batch.
#[derive(Default)]
pub(crate) struct BatchResult {
    pub(crate) tasks: Vec<Task>,
    pub(crate) settled: Vec<PersonHash>,
    /// Deletions that may wait for others.
    pub(crate) deferred_deletes: Vec<Write>,
    pub(crate) closed_until_ms: i64,
    pub(crate) binding: Option<Binding>,
    /// The budget gave nothing: nothing was sent.
    pub(crate) starved_ms: Option<i64>,
    /// An operator paused the connection: nothing was sent.
    pub(crate) paused: bool,
    pub(crate) probe: bool,
    /// Which slot is free again.
    pub(crate) slot: usize,
    /// How many calls were sent, and how many of them failed on the side of the service.
    pub(crate) sent: usize,
    pub(crate) failed: usize,
    /// Whether the tenant said anything; `None` when it was asked nothing.
    pub(crate) heard: Option<bool>,
    /// The tenant does not take our credentials.
    pub(crate) locked_out: Option<Refusal>,
    /// A password could not be handed over.
    pub(crate) undelivered: Option<CredentialError>,
}

/// What a batch is sent under.
#[derive(Clone, Debug)]
pub(crate) struct BatchContext {
    pub(crate) lane: Lane,
    pub(crate) phase: LanePhase,
    /// Where whom it concerns is noted before anything is sent.
    pub(crate) note: Key,
    pub(crate) slot: usize,
    /// The lane is ours until then (Unix milliseconds): nothing is sent later.
    pub(crate) ours_until_ms: i64,
    pub(crate) binding: Binding,
    /// It tries whether the tenant takes a manager inline.
    pub(crate) probe: bool,
}

/// A task, what is asked next for it, and its manager's account.
type Sending = (Task, Next, Option<ObjectId>);

/// Whom the other lane has in flight is looked at again after this (milliseconds): a call takes less than that.
const MEETING_MS: i64 = 900;

/// Sends one batch: prepares, sends, and brings the answers into the table.
pub(crate) async fn send_batch(
    ports: &WritePorts,
    context: BatchContext,
    tasks: Vec<Task>,
) -> Result<BatchResult, WriteError> {
    let mut result = BatchResult { probe: context.probe, slot: context.slot, ..BatchResult::default() };
    // Asked at each batch: what an operator says takes effect on what is decided.
    let Some(connection) = tasks.first().map(|task| &task.open.change.person.connection) else { return Ok(result) };
    let meta = ports.store.meta(connection).await?.value;
    if !meta.may_write() {
        return Ok(BatchResult { paused: true, tasks, ..result });
    }
    let moved = moved(ports, &tasks, context.phase).await?;
    let mut all_effects: Vec<(Task, Effects)> = Vec::new();
    let mut sending: Vec<Sending> = Vec::new();
    let mut calls: Vec<Call> = Vec::new();
    let now_ms = ports.clock.now().as_millisecond();
    for mut task in tasks {
        let mut effects = Effects::default();
        task.after_pause = task.is_old(now_ms);
        if moved.replaced.contains(&task.pid) {
            // Decided anew. Whoever reads the lane next finds out what that means.
            continue;
        }
        if moved.facts.contains(&task.pid) {
            let reason = Some(Reason::plain(Code::FactsMoved));
            settle::finish(ports, &task, OutcomeKind::FactsMoved, reason, &mut effects);
            all_effects.push((task, effects));
            continue;
        }
        if is_off(&meta, &task, context.phase) {
            settle::switched_off(ports, &mut task, &mut effects);
            all_effects.push((task, effects));
            continue;
        }
        match prepare(ports, &context, &mut task, &mut effects).await? {
            Prepared::Call { next, manager, call } => {
                calls.push(call);
                sending.push((task, next, manager));
            }
            // The effects first, then, in another batch, the call that rests on them.
            Prepared::Committed => all_effects.push((task, effects)),
            Prepared::Later(wait) => {
                let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2);
                task.open.not_before_ms = ports.clock.now().as_millisecond().saturating_add(wait_ms);
                result.tasks.push(task);
            }
            Prepared::Settled => {
                settle::settle(ports, &mut task, context.phase, &mut effects).await?;
                all_effects.push((task, effects));
            }
        }
    }
    commit(ports, all_effects, &mut result).await?;
    if calls.is_empty() {
        return Ok(result);
    }

    let writes = u32::try_from(calls.iter().filter(|call| call.is_write()).count()).unwrap_or(u32::MAX);
    if let Err(Wait(wait)) = granted(ports, &context, writes).await? {
        result.starved_ms = Some(wait);
        result.tasks.extend(sending.into_iter().map(|(task, _, _)| task));
        return Ok(result);
    }
    note(ports, &context, &sending).await?;
    let (sending, calls) = exclude_in_flight(ports, &context, sending, calls, &mut result).await?;
    if calls.is_empty() {
        return Ok(result);
    }
    if ports.clock.now().as_millisecond() >= context.ours_until_ms {
        // Somebody else may have the lane by now.
        result.tasks.extend(sending.into_iter().map(|(task, _, _)| task));
        return Ok(result);
    }
    let answers = ports.tenant.perform(&calls, context.lane.priority()).await;
    result.heard = Some(answers.iter().any(is_word));
    result.sent = answers.len();
    result.failed = answers.iter().filter(|answer| is_failure(answer)).count();
    let mut all_effects = Vec::with_capacity(sending.len());
    for ((mut task, next, manager), answer) in sending.into_iter().zip(answers) {
        let mut effects = Effects::default();
        apply::apply(ports, &context, &mut task, next, manager, answer, &mut effects, &mut result).await?;
        all_effects.push((task, effects));
    }
    commit(ports, all_effects, &mut result).await?;
    Ok(result)
}

/// Takes writes from the budget of both lanes, all or none.
pub(crate) async fn granted(
    ports: &WritePorts,
    context: &BatchContext,
    writes: u32,
) -> Result<Result<(), Wait>, WriteError> {
    if writes == 0 {
        return Ok(Ok(()));
    }
    let now_ms = ports.clock.now().as_millisecond();
    let take = |gate: &mut Gate| gate.grant(now_ms, writes, context.lane.urgency);
    Ok(ports.store.gate(&ports.scope, &ports.client, take).await?)
}

/// Whether an operator switched off what nothing of was sent yet.
fn is_off(meta: &Meta, task: &Task, phase: LanePhase) -> bool {
    let own = task.step().and_then(|step| match step {
        Step::SetEnabled { after: false, .. } => Some(Action::Suspend),
        Step::Delete { .. } => Some(Action::Delete),
        Step::Purge { .. } => Some(Action::Purge),
        Step::SetEnabled { after: true, .. }
        | Step::Create { .. }
        | Step::Link
        | Step::Update { .. }
        | Step::Rename { .. }
        | Step::RevokeSessions
        | Step::SetManager { .. }
        | Step::Restore => None,
        Step::SetLicenses { .. } => Some(Action::License),
        Step::JoinGroup { .. } | Step::LeaveGroup { .. } => Some(Action::Membership),
    });
    let mut actions = [Some(task.open.change.action), own].into_iter().flatten();
    task.is_fresh(phase) && task.next(phase) != Next::Settle && actions.any(|action| !meta.allows(action))
}

/// Puts those back whom the other lane has in flight: while its calls may be on their way they wait, and afterwards it
/// is looked at what came of them.
async fn exclude_in_flight(
    ports: &WritePorts,
    context: &BatchContext,
    sending: Vec<Sending>,
    calls: Vec<Call>,
    result: &mut BatchResult,
) -> Result<(Vec<Sending>, Vec<Call>), WriteError> {
    let elsewhere = context.lane.elsewhere(ports).await?;
    let until_ms = ports.clock.now().as_millisecond() + MEETING_MS;
    let mut here = (Vec::with_capacity(sending.len()), Vec::with_capacity(calls.len()));
    for ((mut task, next, manager), call) in sending.into_iter().zip(calls) {
        let writes = matches!(next, Next::Send | Next::SendManager);
        if writes && elsewhere.live.contains(&task.pid) {
            task.other_lane = OtherLane::InFlight;
            task.open.not_before_ms = until_ms;
            result.tasks.push(task);
        } else if next == Next::Send && is_unsure(&task, &elsewhere) {
            task.other_lane = OtherLane::Verified;
            task.open.state = ChangeState::Sending(0);
            result.tasks.push(task);
        } else {
            here.0.push((task, next, manager));
            here.1.push(call);
        }
    }
    Ok(here)
}

/// Whether something may have come of the other lane's hand that nobody has looked at.
fn is_unsure(task: &Task, elsewhere: &OtherLaneBatches) -> bool {
    match task.other_lane {
        OtherLane::Free => elsewhere.left.contains(&task.pid),
        OtherLane::InFlight => true,
        OtherLane::Verified => false,
    }
}

/// Notes whose step is about to be sent, everybody's in one item: should we be killed before the answer is in the table,
/// the next writer finds them here and looks before repeating.
async fn note(ports: &WritePorts, context: &BatchContext, sending: &[Sending]) -> Result<(), WriteError> {
    let sent = sending.iter().filter(|(_, next, _)| matches!(next, Next::Send | Next::SendManager));
    let pids: Vec<PersonHash> = sent.clone().map(|(task, _, _)| task.pid).collect();
    if let Some((task, _, _)) = sent.clone().next() {
        let connection = &task.open.change.person.connection;
        ports.store.table().write(Store::put_batch(&context.note, connection, &pids)).await?;
    }
    Ok(())
}

/// Whether an answer came from the tenant itself.
fn is_word(answer: &Answer) -> bool {
    match answer {
        Answer::Done(_) | Answer::Made(_) | Answer::NotFound | Answer::Refused(_) => true,
        Answer::Later(later) => match later.cause {
            LaterCause::Throttled | LaterCause::Lagging | LaterCause::MaybeDone => true,
            LaterCause::Unavailable => false,
        },
        Answer::Unknown(_) => false,
    }
}

/// Whether the service failed a call: no refusal, and no word about the quota.
fn is_failure(answer: &Answer) -> bool {
    match answer {
        Answer::Done(_) | Answer::Made(_) | Answer::NotFound | Answer::Refused(_) => false,
        Answer::Later(later) => match later.cause {
            LaterCause::Throttled | LaterCause::Lagging => false,
            LaterCause::Unavailable | LaterCause::MaybeDone => true,
        },
        Answer::Unknown(_) => true,
    }
}

/// Who is not as decided any more.
#[derive(Default)]
struct Moved {
    /// Another change took the place of theirs, or none.
    replaced: HashSet<PersonHash>,
    /// Their facts are not those of the decision, or somebody marked them since. Asked before the first step of a phase.
    facts: HashSet<PersonHash>,
}

async fn moved(ports: &WritePorts, tasks: &[Task], phase: LanePhase) -> Result<Moved, WriteError> {
    let mut moved = Moved::default();
    let Some(first) = tasks.first() else { return Ok(moved) };
    let connection = &first.open.change.person.connection;
    let pids: Vec<PersonHash> = tasks.iter().map(|task| task.pid).collect();
    let revisions = ports.store.change_revisions(connection, &pids).await?;
    let is_there = |task: &&Task| revisions.get(&task.pid) == Some(&task.revision);
    moved.replaced = tasks.iter().filter(|task| !is_there(task)).map(|task| task.pid).collect();

    let fresh: Vec<&Task> =
        tasks.iter().filter(|task| task.is_fresh(phase) && task.other_lane != OtherLane::InFlight).collect();
    let pids: Vec<PersonHash> = fresh.iter().map(|task| task.pid).collect();
    // A mark that is not the one which the decision answered: something that it rested on, such as who holds a name or a
    // number, is no longer so.
    let marks = ports.store.marks(connection, &pids).await?;
    let people: BTreeMap<PersonHash, u64> =
        ports.store.people(connection, &pids).await?.into_iter().map(|(pid, record)| (pid, record.revision)).collect();
    let ids: Vec<ObjectId> = fresh.iter().filter_map(|task| task.open.change.account.clone()).collect();
    let accounts: BTreeMap<ObjectId, u64> = ports
        .store
        .accounts(&ports.scope, &ids)
        .await?
        .into_iter()
        .map(|item| (item.account.id, item.account.revision))
        .collect();
    for task in fresh {
        let change = &task.open.change;
        let account = change.account.as_ref().and_then(|id| accounts.get(id)).copied().unwrap_or(0);
        let marked_since = marks.get(&task.pid).is_some_and(|mark| task.open.mark != Some(*mark));
        if people.get(&task.pid) != Some(&change.decided_on.person) || account != task.known_revision() || marked_since
        {
            moved.facts.insert(task.pid);
        }
    }
    Ok(moved)
}

/// What a task needs next.
enum Prepared {
    /// A call.
    Call { next: Next, manager: Option<ObjectId>, call: Call },
    /// Its effects stored; then it is sent in a later batch.
    Committed,
    /// Nothing yet: a group that it joins is being made.
    Later(Duration),
    /// Nothing more in this phase.
    Settled,
}

/// Takes the steps that need no call, and gives the next call.
async fn prepare(
    ports: &WritePorts,
    context: &BatchContext,
    task: &mut Task,
    effects: &mut Effects,
) -> Result<Prepared, WriteError> {
    loop {
        let next = task.next(context.phase);
        let call = match next {
            Next::Settle => return Ok(Prepared::Settled),
            Next::SendManager => {
                let manager = task.open.manager_pending.clone();
                task.account().cloned().map(|account| (manager.clone(), Call::SetManager { account, manager }))
            }
            Next::Reread => call::to_reread(task).map(|call| (None, call)),
            Next::Verify => {
                let manager = call::manager_of(ports, task).await?;
                call::to_verify(task).map(|call| (manager, call))
            }
            Next::Send => {
                let other = match task.step() {
                    Some(Step::JoinGroup { group: target }) => {
                        match group::resolve(ports, context, &target.clone()).await? {
                            Which::Is(id) => Some(id),
                            Which::Later(wait) => return Ok(Prepared::Later(wait)),
                            Which::Refused(refusal) => {
                                settle::step_refused(task, refusal, context.phase);
                                continue;
                            }
                        }
                    }
                    _ => call::manager_of(ports, task).await?,
                };
                call::of_step(task, other.clone(), context.binding).map(|call| (other, call))
            }
        };
        match call {
            Some(_) if effects.must_come_first() => {
                let connection = &task.open.change.person.connection;
                effects.journal = Some(ports.store.put_change(connection, task.pid, task.revision, &task.open));
                return Ok(Prepared::Committed);
            }
            Some((manager, call)) => return Ok(Prepared::Call { next, manager, call }),
            // A manager who has no account: left out, and looked at again.
            None if matches!(task.step(), Some(Step::SetManager { .. })) => {
                task.open.keep_open = true;
                task.open.done += 1;
                task.open.state = ChangeState::Ready;
            }
            // A link, which is only in the table.
            None => settle::step_done(ports, task, None, None, effects).await?,
        }
    }
}
