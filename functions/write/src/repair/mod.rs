//! Repairs: a change's step that is a sequence of calls with a journal of its own. The journal is stored before each call, so
//! a repair that was begun goes on wherever its process ended, in the run that began it or in any later one, forward or
//! back, until everything is as decided or as it was before.
//!
//! What is done next is said by [`hardmatch_domain::repair::next`]; here it is read, sent and stored.

mod begin;
mod close;
mod drive;
mod hear;
mod look;

use hardmatch_domain::change::Step;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_domain::refused::{Cure, Refusals, Refused};
use hardmatch_domain::repair::RepairPlan;
use hardmatch_domain::repair::journal::{Journal, RepairState};
use hardmatch_ports::run::OutcomeKind;
use hardmatch_store::changes::LanePhase;
use jiff::Timestamp;

use self::begin::Begun;
use self::drive::Driven;
use crate::batch::effects::Effects;
use crate::batch::{BatchContext, BatchResult, commit, load, prepare, settle};
use crate::lane::Lane;
use crate::task::{Next, Task};
use crate::{WriteError, WritePorts};

/// The repair that is a task's next step.
pub(crate) fn of(task: &Task, phase: LanePhase) -> Option<&RepairPlan> {
    match task.step() {
        Some(Step::Repair(plan)) if task.next(phase) != Next::Settle => Some(plan),
        _ => None,
    }
}

/// Takes a task's repair as far as it goes without waiting. The task goes on with its other steps when the repair is done.
pub(crate) async fn carry_out(
    ports: &WritePorts,
    context: &BatchContext,
    mut task: Task,
    plan: RepairPlan,
) -> Result<BatchResult, WriteError> {
    let mut result = BatchResult { probe: context.probe, slot: context.slot, ..BatchResult::default() };
    let connection = task.open.change.person.connection.clone();
    let snapshot = load::load(ports, &connection, std::slice::from_ref(&task), context.phase).await?;
    if !snapshot.connection.status.may_write() {
        return Ok(BatchResult { paused: true, tasks: vec![task], ..result });
    }
    let at = ports.clock.now();
    let id = Journal::name(&task.open.change.id, &task.open.run);
    let open = ports.store.open_repair(&ports.scope, &id).await?;
    let closed = match &open {
        Some(_) => None,
        None => ports.store.closed_repair(&ports.scope, &task.open.run, &id).await?,
    };
    if open.is_none() && closed.is_none() {
        match prepare::unfit(&mut task, context, &snapshot, at) {
            None => {}
            Some(prepare::Unfit::Replaced) => return Ok(result),
            Some(prepare::Unfit::Store(effects)) => {
                commit::commit(ports, &context.lease, vec![(task, *effects)], &mut result).await?;
                return Ok(result);
            }
        }
    }
    let driven = match (open, closed) {
        (Some(journal), _) => drive::drive(ports, &context.lane, &context.lease, journal).await?,
        (None, Some(closed)) => Driven::Ended(Box::new(closed)),
        (None, None) => match begin::begin(ports, &task, &plan).await? {
            Begun::Open(journal) => drive::drive(ports, &context.lane, &context.lease, *journal).await?,
            Begun::FactsMoved => {
                let mut effects = Effects::default();
                let reason = Some(Reason::plain(Code::FactsMoved));
                settle::end(&task, OutcomeKind::FactsMoved, reason, at, &mut effects);
                effects.facts.mark = true;
                commit::commit(ports, &context.lease, vec![(task, effects)], &mut result).await?;
                return Ok(result);
            }
            Begun::Later(wait_ms) => Driven::Later(wait_ms),
            Begun::LockedOut(refusal) => Driven::LockedOut(refusal),
        },
    };
    result.heard = Some(true);
    match driven {
        Driven::Later(wait_ms) => {
            task.open.not_before_ms = ports.clock.now().as_millisecond().saturating_add(wait_ms);
            result.tasks.push(task);
        }
        Driven::LockedOut(refusal) => {
            result.locked_out = Some(refusal);
            result.tasks.push(task);
        }
        Driven::LeftOpen => {
            let mut effects = Effects::default();
            let reason = Some(Reason::plain(Code::Unavailable));
            settle::end(&task, OutcomeKind::Unavailable, reason, ports.clock.now(), &mut effects);
            commit::commit(ports, &context.lease, vec![(task, effects)], &mut result).await?;
        }
        Driven::Ended(journal) => {
            let effects = ended(ports, context, &mut task, &journal).await?;
            commit::commit(ports, &context.lease, vec![(task, effects)], &mut result).await?;
        }
    }
    Ok(result)
}

/// What the end of a repair means for its change.
async fn ended(
    ports: &WritePorts,
    context: &BatchContext,
    task: &mut Task,
    journal: &Journal,
) -> Result<Effects, WriteError> {
    let mut effects = Effects::default();
    let at = ports.clock.now();
    if journal.state != RepairState::Repaired {
        let connection = &task.open.change.person.connection;
        let before = ports.store.refusals(connection, &[task.pid]).await?.remove(&task.pid);
        let reason = reason_of(journal);
        effects.facts.refused = Some(remembered(task, reason.clone(), before.as_ref(), at));
        settle::end(task, OutcomeKind::Refused, Some(reason), at, &mut effects);
        return Ok(effects);
    }
    task.advance();
    task.open.keep_open = true;
    // The repair marked the person; that mark does not say that the facts of the removals that follow moved.
    let connection = &task.open.change.person.connection;
    task.open.mark = ports.store.marks(connection, &[task.pid]).await?.remove(&task.pid);
    if let Some(account) = task.account() {
        let mirrored = ports.store.account(&ports.scope, account).await?;
        task.open.account_revision = mirrored.map(|item| item.account.revision);
    }
    let snapshot = load::Snapshot::default();
    settle::store(task, context.phase, at, &snapshot, &mut effects);
    Ok(effects)
}

/// What is said of a repair that did not end as decided.
fn reason_of(journal: &Journal) -> Reason {
    let why = journal.why.clone().unwrap_or(Reason::plain(Code::TenantRefused));
    if journal.state == RepairState::Blocked {
        return why;
    }
    let detail = why.detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default();
    Reason::with(Code::RepairRolledBack, format!("{}{detail}", why.code))
}

/// A repair that failed is not tried again every night.
fn remembered(task: &Task, reason: Reason, before: Option<&Refused>, at: Timestamp) -> Refused {
    let refusals = Refusals { whole: Some((reason, Cure::Here)), parts: Vec::new(), on: task.open.change.decided_on };
    Refused::after(before, &task.open.change, &refusals, at.as_second())
}

/// Goes on with the open repairs of a connection, whichever run began them. How many milliseconds to wait for one that is
/// not finished and is not its run's to finish; `None` when nothing is left to wait for.
pub(crate) async fn resume(
    ports: &WritePorts,
    lane: &Lane,
    lease: &hardmatch_store::leases::LeaseProof,
    connection: &ConnectionId,
) -> Result<Option<i64>, WriteError> {
    if !ports.store.meta(connection).await?.status.may_write() {
        return Ok(None);
    }
    let mut wait = None;
    for mut open in ports.store.open_repairs(&ports.scope).await? {
        if open.value.connection != *connection {
            continue;
        }
        open.value.unblock();
        match drive::drive(ports, lane, lease, open).await? {
            Driven::Later(wait_ms) => wait = Some(wait.map_or(wait_ms, |wait: i64| wait.min(wait_ms))),
            Driven::Ended(journal) => close::tell(ports, &journal, reason_of(&journal)).await?,
            Driven::LeftOpen | Driven::LockedOut(_) => {}
        }
    }
    Ok(wait)
}
