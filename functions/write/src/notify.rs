//! A message's answer where nobody waits in front of it: trouble with the tenant is not the message's, so the message is used up,
//! and the work is found again by whoever sends a message next.

use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::Run;
use hardmatch_store::requeue::Requeue;

use crate::{After, WriteError, WritePorts, drain};

/// A tenant that says nothing is asked again after this.
const SILENT_REST: Duration = Duration::from_mins(5);

/// As [`drain`], for a queue: a run that was turned away is ended by whoever advances it, a silent tenant is asked again
/// some minutes later, and after a few times in vain left to the tick. The run says both.
pub async fn answer(ports: &WritePorts, connection: &ConnectionId, run: &str) -> Result<After, WriteError> {
    match drain(ports, connection, run).await {
        Err(error @ WriteError::LockedOut { .. }) => {
            tracing::error!(connection.id = %connection, run.id = run, error = %error, "nothing can be written");
            if let Some(open) = ports.store.run(connection, run).await? {
                notify(ports, &open.value, MessageKind::Advance).await;
            }
            Ok(After::Done)
        }
        Err(error @ WriteError::Silent { .. }) => {
            tracing::warn!(connection.id = %connection, run.id = run, error = %error, "the tenant is asked again later");
            requeue(ports, connection, run, 0, SILENT_REST).await
        }
        other => other,
    }
}

/// Sends it again after a time, or leaves it to the tick when the run was found where it is often enough. `progress_token` is what
/// else counts as a move.
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
