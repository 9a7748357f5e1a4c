//! What is asked next for each person of a batch. Pure: it rests on the batch's snapshot alone.

use hardmatch_domain::change::{Action, ManagerTarget, Step};
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::run::OutcomeKind;
use hardmatch_ports::tenant::{Call, Refusal};
use jiff::Timestamp;

use super::call;
use super::context::BatchContext;
use super::effects::Effects;
use super::load::{Snapshot, Which, is_first_look, manager_person};
use super::settle;
use crate::task::{Next, Task};

/// What a task needs next.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// A call.
    Send(Sending),
    /// Its effects stored. A task that is not settled by them comes back in a later batch.
    Store(Box<Effects>),
    /// Nothing before this time (Unix milliseconds): a group that it joins is being made.
    Later(i64),
    /// Nothing: a newer decision, or none, is in the place of the change. The next reader of the lane finds out which.
    Replaced,
}

/// A call, and what was asked by it.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) next: Next,
    /// The account or group that the step names.
    pub(crate) other: Option<ObjectId>,
    pub(crate) call: Call,
}

/// What the task needs next, as the snapshot shows its person.
pub(crate) fn prepare(task: &mut Task, context: &BatchContext, snapshot: &Snapshot, at: Timestamp) -> Prepared {
    match unfit(task, context, snapshot, at) {
        Some(Unfit::Replaced) => return Prepared::Replaced,
        Some(Unfit::Store(effects)) => return Prepared::Store(effects),
        None => {}
    }
    let mut effects = Box::<Effects>::default();
    match asked(task, context, snapshot) {
        Asked::Call(sending) => return Prepared::Send(sending),
        Asked::Later(wait_ms) => return Prepared::Later(at.as_millisecond().saturating_add(wait_ms)),
        Asked::Refused(refusal) => settle::step_refused(task, refusal, context.phase),
        Asked::Nothing => match task.step() {
            None => {}
            // A manager who has no account is left out, and the person decided again.
            Some(Step::SetManager { .. }) => {
                task.open.keep_open = true;
                task.open.unwritten.push(task.open.done);
                task.advance();
            }
            // A link, which is only in the table.
            Some(_) => settle::step_done(task, None, None, at, snapshot, &mut effects),
        },
        Asked::Settled => {}
    }
    settle::store(task, context.phase, at, snapshot, &mut effects);
    Prepared::Store(effects)
}

/// Why a task is not gone on with.
pub(crate) enum Unfit {
    /// A newer decision, or none, is in the place of the change.
    Replaced,
    /// Facts moved, or an operator switched its action off: these effects are stored.
    Store(Box<Effects>),
}

/// Whether and why the task is not gone on with, as the snapshot shows its person.
pub(crate) fn unfit(task: &mut Task, context: &BatchContext, snapshot: &Snapshot, at: Timestamp) -> Option<Unfit> {
    let mut effects = Box::<Effects>::default();
    if is_replaced(task, snapshot) {
        return Some(Unfit::Replaced);
    }
    if has_moved(task, context, snapshot) {
        let reason = Some(Reason::plain(Code::FactsMoved));
        settle::end(task, OutcomeKind::FactsMoved, reason, at, &mut effects);
    } else if is_switched_off(task, context, snapshot) {
        settle::switched_off(task, at, &mut effects);
    } else {
        return None;
    }
    Some(Unfit::Store(effects))
}

/// Whether the change may be gone on with: it is as decided, and so are its facts and what operators say.
pub(crate) fn is_as_decided(task: &Task, context: &BatchContext, snapshot: &Snapshot) -> bool {
    !is_replaced(task, snapshot) && !has_moved(task, context, snapshot) && !is_switched_off(task, context, snapshot)
}

/// Whether a newer decision, or none, is in the place of the change.
fn is_replaced(task: &Task, snapshot: &Snapshot) -> bool {
    snapshot.changes.get(&task.pid) != Some(&task.revision)
}

/// What the present step asks for.
enum Asked {
    Call(Sending),
    /// Not within so many milliseconds.
    Later(i64),
    /// What it needs cannot be had.
    Refused(Refusal),
    /// No call.
    Nothing,
    /// There is no step any more.
    Settled,
}

fn asked(task: &mut Task, context: &BatchContext, snapshot: &Snapshot) -> Asked {
    let next = task.next(context.phase);
    let (other, call) = match next {
        Next::Settle => return Asked::Settled,
        Next::SendManager => {
            let manager = task.open.manager_pending.clone();
            let call = task.account().cloned().map(|account| Call::SetManager { account, manager: manager.clone() });
            (manager, call)
        }
        Next::Reread => (None, call::to_reread(task)),
        Next::Verify => (manager_of(task, context, snapshot), call::to_verify(task)),
        Next::Send => {
            let other = match task.step() {
                Some(Step::JoinGroup { group }) => match snapshot.groups.get(group) {
                    Which::Is(id) => Some(id),
                    Which::Later(wait_ms) => return Asked::Later(wait_ms),
                    Which::Refused(refusal) => return Asked::Refused(refusal),
                },
                _ => manager_of(task, context, snapshot),
            };
            (other.clone(), call::of_step(task, other, context.binding))
        }
    };
    call.map_or(Asked::Nothing, |call| Asked::Call(Sending { next, other, call }))
}

/// The account of the manager that the present step names; `None` when they have none (yet).
fn manager_of(task: &Task, context: &BatchContext, snapshot: &Snapshot) -> Option<ObjectId> {
    let target = match task.step()? {
        Step::Create { manager, .. } => manager.as_ref()?,
        Step::SetManager { after, .. } => after.as_ref()?,
        _ => return None,
    };
    match target {
        ManagerTarget::Account(id) => Some(id.clone()),
        ManagerTarget::Person(_) => snapshot.managers.get(&manager_person(task, context.phase)?).cloned(),
    }
}

/// Whether what the change was decided on is no longer so: the person's facts, their account, or something else that they
/// were marked for, such as who holds a name. Something that a repair holds since then counts, too.
fn has_moved(task: &Task, context: &BatchContext, snapshot: &Snapshot) -> bool {
    if !is_first_look(task, context.phase) {
        return false;
    }
    let change = &task.open.change;
    let account = change.account.as_ref().and_then(|id| snapshot.account(id)).map_or(0, |item| item.account.revision);
    let marked_since = snapshot.marks.get(&task.pid).is_some_and(|mark| task.open.mark != Some(*mark));
    snapshot.people.get(&task.pid) != Some(&change.decided_on.person)
        || account != task.known_revision()
        || marked_since
        || snapshot.repairs.holder_against(change).is_some()
}

/// Whether an operator switched off a change of which nothing was sent yet.
fn is_switched_off(task: &Task, context: &BatchContext, snapshot: &Snapshot) -> bool {
    let traits = task.step().map(Step::traits).filter(|traits| traits.stops_alone);
    let actions: [Option<Action>; 2] = [Some(task.open.change.action), traits.map(|traits| traits.action)];
    task.is_fresh(context.phase)
        && task.next(context.phase) != Next::Settle
        && actions.into_iter().flatten().any(|action| !snapshot.connection.status.allows(action))
}
