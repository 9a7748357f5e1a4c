//! One batch: up to twenty people's next steps, from the table to the tenant and back. Each person goes through the rooms
//! once: [`load`], [`prepare`], [`send`], [`apply`], [`commit`].

mod apart;
mod apply;
mod call;
pub(crate) mod commit;
mod context;
pub(crate) mod effects;
mod group;
pub(crate) mod load;
mod mirror;
mod outcome;
mod password;
pub(crate) mod prepare;
mod send;
pub(crate) mod settle;
mod together;
mod verdict;

use hardmatch_store::gate::Gate;

pub(crate) use self::context::{BatchContext, BatchResult};

use self::effects::Effects;
use self::prepare::Prepared;
use crate::task::Task;
use crate::{WriteError, WritePorts};

/// Takes the next step of each task: prepares, sends, and brings the answers into the table.
pub(crate) async fn send_batch(
    ports: &WritePorts,
    context: BatchContext,
    mut tasks: Vec<Task>,
) -> Result<BatchResult, WriteError> {
    let mut result = BatchResult { probe: context.probe, slot: context.slot, ..BatchResult::default() };
    let Some(connection) = tasks.first().map(|task| task.open.change.person.connection.clone()) else {
        return Ok(result);
    };
    let now_ms = ports.clock.now().as_millisecond();
    for task in &mut tasks {
        task.after_pause = task.is_old(now_ms);
        password::provide(task);
    }
    let mut snapshot = load::load(ports, &connection, &tasks, context.phase).await?;
    if !snapshot.connection.status.may_write() {
        return Ok(BatchResult { paused: true, tasks, ..result });
    }
    group::resolve(ports, &context, &tasks, &mut snapshot).await?;

    let (mut stored, mut outgoing) = (Vec::new(), Vec::new());
    let at = ports.clock.now();
    for mut task in tasks {
        match prepare::prepare(&mut task, &context, &snapshot, at) {
            Prepared::Send(sending) => outgoing.push((task, sending)),
            Prepared::Store(effects) => stored.push((task, *effects)),
            Prepared::Later(not_before_ms) => {
                task.open.not_before_ms = not_before_ms;
                result.tasks.push(task);
            }
            Prepared::Replaced => {}
        }
    }
    commit::commit(ports, &context.lease, stored, &mut result).await?;
    if outgoing.is_empty() {
        return Ok(result);
    }

    let answered = send::send(ports, &context, outgoing, &mut result).await?;
    if answered.is_empty() {
        return Ok(result);
    }
    snapshot.complete(ports, &connection, answered.iter().map(|(task, _, answer)| (task, answer))).await?;

    let mut stored = Vec::with_capacity(answered.len());
    for (mut task, sending, answer) in answered {
        let heard = apply::hear(&mut task, sending.next, answer, sending.other.as_ref(), &snapshot);
        if let Err(error) = password::hand_over(ports, &mut task, sending.next, &heard.verdict).await {
            // The account is there: what is known of it is stored first, then nothing more is created.
            result.undelivered.get_or_insert(error);
        }
        let at = ports.clock.now();
        let effects = apply::apply(&mut task, sending.next, sending.other, heard, &snapshot, &context, at);
        stored.push((task, effects));
    }
    take_lane_effects(ports, &mut stored, &mut result).await?;
    commit::commit(ports, &context.lease, stored, &mut result).await?;
    Ok(result)
}

/// What the answers say of the lane and its tenant. A tenant that throttles closes the gate before anything else is done.
async fn take_lane_effects(
    ports: &WritePorts,
    stored: &mut [(Task, Effects)],
    result: &mut BatchResult,
) -> Result<(), WriteError> {
    for (_, effects) in stored {
        let lane = std::mem::take(&mut effects.lane);
        result.closed_until_ms = result.closed_until_ms.max(lane.closed_until_ms.unwrap_or(0));
        result.binding = lane.binding.or(result.binding);
        result.locked_out = result.locked_out.take().or(lane.locked_out);
    }
    if result.closed_until_ms > 0 {
        let (now_ms, until_ms) = (ports.clock.now().as_millisecond(), result.closed_until_ms);
        ports.store.gate(&ports.scope, &ports.client, |gate: &mut Gate| gate.close(now_ms, until_ms)).await?;
    }
    Ok(())
}
