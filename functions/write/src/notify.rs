//! Messages about a run: sent again after a time, or to somebody else.

use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::Run;
use hardmatch_store::requeue::Requeue;

use crate::{After, WriteError, WritePorts};

/// Has the message sent again after a time, or leaves the run to the tick when it was found at the same place often enough.
/// Another `progress_token` counts as a move.
pub(crate) async fn requeue(
    ports: &WritePorts,
    connection: &ConnectionId,
    run: &str,
    progress_token: i64,
    rest: Duration,
) -> Result<After, WriteError> {
    let now_ms = ports.clock.now().as_millisecond();
    Ok(match ports.store.note_progress(connection, run, progress_token, now_ms).await? {
        Requeue::Continue => After::Again(rest),
        Requeue::GiveUp => After::Done,
    })
}

/// Sends a message about a run. A lost message is no loss: the tick finds the work.
pub(crate) async fn notify(ports: &WritePorts, run: &Run, kind: MessageKind) {
    if let Err(error) = ports.doorbell.notify(run.message(kind), Duration::ZERO).await {
        tracing::warn!(run.id = %run.id, error = %error, "the message could not be sent");
    }
}
