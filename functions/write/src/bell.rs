//! A bell's answer where nobody waits in front of it: trouble with the tenant is not the bell's, so the bell is used up,
//! and the work is found again by whoever rings next.

use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::BellKind;
use hardmatch_ports::run::Run;
use hardmatch_store::hops::Hop;

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
                ring(ports, &open.value, BellKind::Advance).await;
            }
            Ok(After::Done)
        }
        Err(error @ WriteError::Silent { .. }) => {
            tracing::warn!(connection.id = %connection, run.id = run, error = %error, "the tenant is asked again later");
            hop(ports, connection, run, 0, SILENT_REST).await
        }
        other => other,
    }
}

/// Rings again after a time, or leaves it to the tick when the run was found where it is often enough. `news` is what
/// else counts as a move.
pub(crate) async fn hop(
    ports: &WritePorts,
    connection: &ConnectionId,
    run: &str,
    news: i64,
    rest: Duration,
) -> Result<After, WriteError> {
    let now_ms = ports.clock.now().as_millisecond();
    Ok(match ports.store.hop(connection, run, news, now_ms).await? {
        Hop::On => After::Again(rest),
        Hop::Leave => After::Done,
    })
}

/// Rings about a run. A lost bell is no loss: the tick finds the work.
pub(crate) async fn ring(ports: &WritePorts, run: &Run, kind: BellKind) {
    if let Err(error) = ports.doorbell.ring(run.bell(kind), Duration::ZERO).await {
        tracing::warn!(run.id = %run.id, error = %error, "the doorbell could not be rung");
    }
}
