//! Messages for the work that a run has left. The table holds the work, so a message that was lost, doubled or given up
//! is made again from there: no run rests on a message that the functions sent to one another.

use std::time::Duration;

use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{CollectionState, Phase, Run};
use hardmatch_store::changes::LanePhase;

use crate::error::MatchError;
use crate::ports::MatchPorts;
use crate::quarantine::quarantined_by_this_run;
use crate::transition::notify;

/// Sends the messages for what a run has left to do: for the work itself where there is some, else for the driver, which
/// sees that the phase has ended.
pub async fn notify_left_over(ports: &MatchPorts, run: &Run) -> Result<(), MatchError> {
    for kind in left_over(ports, run).await? {
        let notified = ports.doorbell.notify(run.message(kind), Duration::ZERO).await;
        notified.map_err(|error| MatchError::Broken(error.to_string()))?;
    }
    Ok(())
}

/// What there is to do in a run's phase.
async fn left_over(ports: &MatchPorts, run: &Run) -> Result<Vec<MessageKind>, MatchError> {
    let read = |name: &str| run.collections.get(name).is_some_and(|known| known.state != CollectionState::Reading);
    Ok(match run.phase {
        Phase::Observing => match (read("users"), read("people")) {
            (true, true) => vec![MessageKind::Advance],
            (_, false) if run.is_partial() => vec![MessageKind::ObserveSource],
            (true, false) => vec![MessageKind::ObserveSource],
            (false, true) => vec![MessageKind::ObserveTenant],
            (false, false) => vec![MessageKind::ObserveTenant, MessageKind::ObserveSource],
        },
        Phase::Deciding if ports.store.slices(&run.id, None, 1).await?.is_empty() => vec![MessageKind::Advance],
        Phase::Deciding => vec![MessageKind::Match],
        Phase::Writing => left_to_write(ports, run, LanePhase::Write).await?,
        Phase::Removing => left_to_write(ports, run, LanePhase::Remove).await?,
        Phase::WritingBack if run.write_back.is_some() && !ports.store.write_backs(&run.id, 1).await?.is_empty() => {
            vec![MessageKind::WriteBack]
        }
        Phase::Gate | Phase::WritingBack | Phase::Reporting => vec![MessageKind::Advance],
        Phase::Planned | Phase::Closed => Vec::new(),
    })
}

/// Asks for a look at the tenant when a run has been writing for so long that it is time for one. For an engine that
/// keeps a run going in one process, where no message is lost; elsewhere the tick does this too.
pub async fn notify_to_look_again(ports: &MatchPorts, run: &Run) -> Result<(), MatchError> {
    if matches!(run.phase, Phase::Writing | Phase::Removing) && is_time_to_look(ports).await? {
        notify(ports, run, MessageKind::ObserveTenant).await;
    }
    Ok(())
}

async fn left_to_write(ports: &MatchPorts, run: &Run, lane: LanePhase) -> Result<Vec<MessageKind>, MatchError> {
    let empty = ports.store.pointers(&run.id, lane, None, 1).await?.is_empty();
    if empty || quarantined_by_this_run(ports, run).await? {
        return Ok(vec![MessageKind::Advance]);
    }
    let mut kinds = vec![MessageKind::Write];
    if is_time_to_look(ports).await? {
        kinds.push(MessageKind::ObserveTenant);
    }
    Ok(kinds)
}

/// Whether the tenant was last looked at so long ago that what others did there meanwhile should be known.
async fn is_time_to_look(ports: &MatchPorts) -> Result<bool, MatchError> {
    let tenant = ports.store.tenant(&ports.scope).await?;
    Ok(tenant.is_some_and(|tenant| tenant.value.wants_refresh(ports.clock.now_seconds())))
}
