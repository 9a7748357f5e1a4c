//! A batch on its way: writes are taken from the budget, its people are noted, the other lane is looked at, and the calls are
//! sent together. Nothing is sent before its people are noted.

use hardmatch_ports::tenant::{Answer, Call, LaterCause};
use hardmatch_store::changes::ChangeState;
use hardmatch_store::gate::{Gate, Wait};
use hardmatch_store::{PersonHash, Store};

use super::context::{BatchContext, BatchResult};
use super::together::{Answered, Outgoing, Together, share, together};
use crate::lane::OtherLaneBatches;
use crate::task::{Next, OtherLane, Task};
use crate::timing::{TIMING, millis};
use crate::{WriteError, WritePorts};

/// Sends what may be sent. Tasks that were not sent for go back into the result.
pub(crate) async fn send(
    ports: &WritePorts,
    context: &BatchContext,
    outgoing: Vec<Outgoing>,
    result: &mut BatchResult,
) -> Result<Vec<Answered>, WriteError> {
    let writes = u32::try_from(together(&outgoing).iter().filter(|together| together.call.is_write()).count());
    if let Err(Wait(wait)) = granted(ports, context, writes.unwrap_or(u32::MAX)).await? {
        result.starved_ms = Some(wait);
        result.tasks.extend(outgoing.into_iter().map(|(task, _)| task));
        return Ok(Vec::new());
    }
    note(ports, context, &outgoing).await?;
    let outgoing = exclude_in_flight(ports, context, outgoing, result).await?;
    if outgoing.is_empty() {
        return Ok(Vec::new());
    }
    if context.lease.is_over(ports.clock.now().as_millisecond()) {
        // Another writer may have the lane by now.
        result.tasks.extend(outgoing.into_iter().map(|(task, _)| task));
        return Ok(Vec::new());
    }
    let (calls, people): (Vec<Call>, Vec<Vec<usize>>) =
        together(&outgoing).into_iter().map(|Together { call, people }| (call, people)).unzip();
    let answers = ports.tenant.perform(&calls, context.lane.priority()).await;
    result.heard = Some(answers.iter().any(is_word));
    result.sent = answers.len();
    result.failed = answers.iter().filter(|answer| is_failure(answer)).count();
    Ok(share(outgoing, answers.iter().zip(&people), &mut result.tasks))
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

/// Whether a call may change something, so that its result must not be forgotten.
fn may_write(next: Next) -> bool {
    match next {
        Next::Send | Next::SendManager => true,
        Next::Reread | Next::Verify | Next::Settle => false,
    }
}

/// Notes the people whose step is about to be sent, all in one item: should this process be killed before the answers are
/// stored, the next writer finds them here, and looks before it repeats.
async fn note(ports: &WritePorts, context: &BatchContext, outgoing: &[Outgoing]) -> Result<(), WriteError> {
    let sent = || outgoing.iter().filter(|(_, sending)| may_write(sending.next)).map(|(task, _)| task);
    let pids: Vec<PersonHash> = sent().map(|task| task.pid).collect();
    if let Some(task) = sent().next() {
        let connection = &task.open.change.person.connection;
        ports.store.write(Store::put_batch(&context.lease, context.slot, connection, &pids)).await?;
    }
    Ok(())
}

/// Puts people back whom the other lane has in flight: while its calls may be on their way they wait, and afterwards it is
/// looked at what came of them.
async fn exclude_in_flight(
    ports: &WritePorts,
    context: &BatchContext,
    outgoing: Vec<Outgoing>,
    result: &mut BatchResult,
) -> Result<Vec<Outgoing>, WriteError> {
    let other = context.lane.elsewhere(ports).await?;
    let until_ms = ports.clock.now().as_millisecond() + millis(TIMING.other_lane);
    let mut here = Vec::with_capacity(outgoing.len());
    for (mut task, sending) in outgoing {
        if may_write(sending.next) && other.live.contains(&task.pid) {
            task.other_lane = OtherLane::InFlight;
            task.open.not_before_ms = until_ms;
            result.tasks.push(task);
        } else if sending.next == Next::Send && is_unsure(&task, &other) {
            task.other_lane = OtherLane::Verified;
            task.open.state = ChangeState::Sending(0);
            result.tasks.push(task);
        } else {
            here.push((task, sending));
        }
    }
    Ok(here)
}

/// Whether something may have come of the other lane's batch that nobody has looked at.
fn is_unsure(task: &Task, other: &OtherLaneBatches) -> bool {
    match task.other_lane {
        OtherLane::Free => other.left.contains(&task.pid),
        OtherLane::InFlight => true,
        OtherLane::Verified => false,
    }
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
