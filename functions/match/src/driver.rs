//! One run from start to end, read from top to bottom: a message takes the run through as many phases as need nobody
//! else, within the time that the message has.
//!
//! Why two messages at a time do no harm:
//! 1. A phase is entered by a conditional change of the run: of two messages, one enters it.
//! 2. Everything before that change may be repeated and comes out the same; nothing rests on who did it.
//! 3. The work of the driver is done under the run lease. A message that finds the lease taken leaves the run alone.
//! 4. Messages are sent after the lease is released: the function that answers at once must find the run free.
//! 5. A message may be lost. The tick finds the work in the table and sends the message again.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::{After, MessageKind};
use hardmatch_ports::run::{Intent, Phase, PlanHead, Run};
use hardmatch_store::changes::LanePhase;
use hardmatch_store::connection::ConnectionState;
use hardmatch_store::leases::{Acquire, LeasedRun, RunLease};
use hardmatch_store::requeue::Requeue;

use crate::acceptance::{self, PolicyOfDecisions};
use crate::deadline;
use crate::error::MatchError;
use crate::phase::observed::{Cut, Sides, cut_slices, sides};
use crate::phase::{decide, gate, report, write, write_back};
use crate::plan;
use crate::ports::MatchPorts;
use crate::quarantine::quarantined_by_this_run;
use crate::step::{OpenRepairs, Progress, Step, is_being_applied, next_phase, waits_for_repair};
use crate::transition::notify;

/// Moves a run on as far as it goes without waiting for other functions' work, and within the time there is.
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
    let progress = run_phases(ports, &lease, connection, id, &mut messages).await;
    lease.release(&ports.store).await;
    messages.notify(ports, &run).await;
    match progress? {
        Progress::Advanced | Progress::Waiting => Ok(After::Done),
        Progress::OutOfTime(units) => deadline::requeue(ports, &run, units).await,
    }
}

/// A run, unless its connection is disconnected: such a connection decides nothing and begins nothing.
async fn read(ports: &MatchPorts, connection: &ConnectionId, id: &str) -> Result<Option<Run>, MatchError> {
    let Some(run) = ports.store.run(connection, id).await? else { return Ok(None) };
    let connected = ports.store.meta(connection).await?.status.state != ConnectionState::Disconnected;
    Ok(Some(run.value).filter(|_| connected))
}

/// Step by step, under the run lease.
async fn run_phases(
    ports: &MatchPorts,
    lease: &RunLease,
    connection: &ConnectionId,
    id: &str,
    messages: &mut Notifications,
) -> Result<Progress, MatchError> {
    let began = ports.clock.now();
    for steps in 0.. {
        // The run is read again under the lease: the message that held it before may have finished the run. Whether the
        // connection is connected was read a moment ago for the first step.
        let run = match steps {
            0 => ports.store.run(connection, id).await?.map(|run| run.value),
            _ => read(ports, connection, id).await?,
        };
        let Some(run) = run else { return Ok(Progress::Waiting) };
        if !is_ready(ports, &run, messages).await? {
            return Ok(Progress::Waiting);
        }
        // A step that cannot be cut is given a message of its own when this one's time runs out.
        if steps > 0 && deadline::too_late_for_step(ports, began) {
            return Ok(Progress::OutOfTime(0));
        }
        let run = lease.over(run).ok_or_else(|| MatchError::Broken("the lease is of another run".to_owned()))?;
        let step = take_step(ports, &run).await?;
        step.messages.into_iter().for_each(|kind| messages.add(kind));
        match step.progress {
            Progress::Advanced => {}
            progress @ (Progress::Waiting | Progress::OutOfTime(_)) => return Ok(progress),
        }
    }
    Ok(Progress::Waiting)
}

/// The work of one phase, and of the phases without work behind it.
async fn take_step(ports: &MatchPorts, run: &LeasedRun<'_>) -> Result<Step, MatchError> {
    match run.phase {
        Phase::Observing => match sides(run) {
            Sides::Reading => Ok(Step::waiting()),
            // A side that is still being read finds the run closed and stops.
            Sides::Unknown => report::incomplete(ports, run).await,
            Sides::Complete if is_being_applied(run) => write::start(ports, run).await,
            Sides::Complete => match cut_slices(ports, run).await? {
                Cut::Slices(step) => Ok(step),
                Cut::NobodyToDecide(run) => decided(ports, &run).await,
            },
        },
        Phase::Deciding => match decide::decide_slices(ports, run).await? {
            Some(units) => Ok(Step::out_of_time(units)),
            None => decided(ports, run).await,
        },
        Phase::Writing => write::end(ports, run, LanePhase::Write).await,
        Phase::Gate => gate::judge(ports, run).await,
        Phase::Removing => write::end(ports, run, LanePhase::Remove).await,
        Phase::WritingBack => write_back::step(ports, run).await,
        Phase::Reporting => report::report(ports, run).await,
        Phase::Planned | Phase::Closed => Ok(Step::waiting()),
    }
}

/// Everybody is decided: the plan stops, or the writing begins, or there is nothing to write and the run ends.
async fn decided(ports: &MatchPorts, run: &LeasedRun<'_>) -> Result<Step, MatchError> {
    let plan = plan::head(ports, &run.id).await?;
    // A run with nobody to decide is stored as observing still.
    let after_deciding = run.with(|run| run.phase = Phase::Deciding);
    let repairs = open_repairs(ports, run, &plan).await?;
    let next = next_phase(&after_deciding, &plan, repairs);
    if next == Phase::Reporting {
        return skip_to_report(ports, run, plan).await;
    }
    acceptance::remember_policy(ports, run).await?;
    if next == Phase::Planned {
        return report::stop_at_plan(ports, run, &plan).await;
    }
    decide::keep_plan(ports, run, &plan).await?;
    write::start(ports, &run.with(|run| run.plan = Some(plan))).await
}

/// Whether a repair of the connection is open. It is looked up only where nothing else would bring the writer.
async fn open_repairs(ports: &MatchPorts, run: &Run, plan: &PlanHead) -> Result<OpenRepairs, MatchError> {
    if waits_for_repair(plan) {
        return Ok(OpenRepairs::Some);
    }
    if plan.changed_slices > 0 || run.intent == Intent::Plan {
        return Ok(OpenRepairs::None);
    }
    let open = ports.store.open_repairs(&ports.scope).await?;
    let ours = open.iter().any(|open| open.value.connection == run.connection);
    Ok(if ours { OpenRepairs::Some } else { OpenRepairs::None })
}

/// Passes over writing, gate and removing: the run ends with its report, in one write. What those phases would have left
/// in the connection's state and in the run is entered here.
async fn skip_to_report(ports: &MatchPorts, run: &LeasedRun<'_>, plan: PlanHead) -> Result<Step, MatchError> {
    let meta = acceptance::remember(ports, run, PolicyOfDecisions::RememberNow).await?;
    let guard = Some(gate::nothing_removed(&meta, run, ports.clock.now_seconds()));
    let run = run.with(|run| (run.plan, run.guard, run.status) = (Some(plan), guard, None));
    report::report(ports, &run).await
}

/// Whether a run's phase has ended, as far as other functions work in it.
async fn is_ready(ports: &MatchPorts, run: &Run, messages: &mut Notifications) -> Result<bool, MatchError> {
    match run.phase {
        Phase::Observing => {
            let reading = sides(run) == Sides::Reading;
            // The tenant is asked for what some people hold as soon as these are read.
            if reading && run.is_partial() && run.has_read("people") {
                messages.add(MessageKind::ObserveTenant);
            }
            Ok(!reading)
        }
        Phase::Writing => is_lane_done(ports, run, LanePhase::Write, messages).await,
        Phase::Removing => is_lane_done(ports, run, LanePhase::Remove, messages).await,
        Phase::WritingBack => is_source_done(ports, run, messages).await,
        Phase::Deciding | Phase::Gate | Phase::Reporting => Ok(true),
        Phase::Planned | Phase::Closed => Ok(false),
    }
}

/// Whether the writer has nothing more to do in a lane. Otherwise the writer is sent a message, or the tick sends one.
async fn is_lane_done(
    ports: &MatchPorts,
    run: &Run,
    lane: LanePhase,
    messages: &mut Notifications,
) -> Result<bool, MatchError> {
    if ports.store.pointers(&run.id, lane, None, 1).await?.is_empty() || quarantined_by_this_run(ports, run).await? {
        return Ok(true);
    }
    send_again(ports, run, MessageKind::Write, messages).await?;
    Ok(false)
}

/// Whether the source has nothing more to be given in a run, or nobody has been listed yet.
async fn is_source_done(ports: &MatchPorts, run: &Run, messages: &mut Notifications) -> Result<bool, MatchError> {
    let done = run.write_back.is_none() || ports.store.write_backs(&run.id, 1).await?.is_empty();
    if !done {
        send_again(ports, run, MessageKind::WriteBack, messages).await?;
    }
    Ok(done)
}

/// Sends a message for work that another function has left, unless it was sent or the run does not move.
async fn send_again(
    ports: &MatchPorts,
    run: &Run,
    kind: MessageKind,
    messages: &mut Notifications,
) -> Result<(), MatchError> {
    let now_ms = ports.clock.now().as_millisecond();
    let is_notified = messages.0.contains(&kind);
    if !is_notified && ports.store.note_progress(&run.connection, &run.id, 0, now_ms).await? == Requeue::Continue {
        messages.add(kind);
    }
    Ok(())
}

/// Messages to be sent when the run lease is released, each once.
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
