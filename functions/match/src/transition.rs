//! Entering a phase, and asking for the work in it.

use std::time::Duration;

use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{Phase, Run};

use crate::error::MatchError;
use crate::ports::MatchPorts;

/// Enters a phase unless another message entered it; whether this one did. `also` changes the run in the same write. The
/// message that brings a run to rest tells who counts runs.
pub(crate) async fn enter(
    ports: &MatchPorts,
    run: &Run,
    to: Phase,
    also: impl Fn(&mut Run),
) -> Result<bool, MatchError> {
    let from = run.phase;
    let entered = ports
        .store
        .update_run(&run.connection, &run.id, |run| {
            let here = run.phase == from;
            if here {
                run.phase = to;
                run.stalled = None;
                also(run);
            }
            here
        })
        .await?;
    if let Some(run) = &entered
        && matches!(to, Phase::Planned | Phase::Closed)
    {
        ports.metrics.run_ended(run);
    }
    if entered.is_none() {
        clear_when_closed(ports, run).await?;
    }
    Ok(entered.is_some())
}

/// Work that was prepared for the next phase of a run which was given up meanwhile is taken away again.
async fn clear_when_closed(ports: &MatchPorts, run: &Run) -> Result<(), MatchError> {
    let now = ports.store.run(&run.connection, &run.id).await?;
    if now.is_some_and(|now| now.value.phase == Phase::Closed) {
        ports.store.clear_run(&run.id).await?;
    }
    Ok(())
}

/// Sends a message about a run. A message that cannot be sent is sent by the next tick.
pub(crate) async fn notify(ports: &MatchPorts, run: &Run, kind: MessageKind) {
    if let Err(error) = ports.doorbell.notify(run.message(kind), Duration::ZERO).await {
        tracing::warn!(run.id = %run.id, error = %error, "the message could not be sent");
    }
}
