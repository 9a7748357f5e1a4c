//! A look whether the source has changed since its last whole listing, for a time of a schedule at which nothing else is to be
//! done. Where it has, or cannot tell, the time's run is begun; where it has not, nothing is read and nothing written.

use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::Message;
use hardmatch_ports::doorbell::{After, MessageKind};

use crate::ports::{ObserveError, SourcePorts};

/// Asks the source, and for a run where it has changed. A source that cannot be asked is read by a run, which says why it
/// cannot be.
pub(super) async fn look(ports: &SourcePorts, connection: &ConnectionId) -> Result<After, ObserveError> {
    let changed = ports.source.has_changed().await.unwrap_or_else(|error| {
        tracing::warn!(connection.id = %connection, error = %error, "whether the source has changed could not be seen");
        true
    });
    tracing::info!(connection.id = %connection, source.changed = changed, "the source was looked at");
    if !changed {
        return Ok(After::Done);
    }
    let Some(slot) = ports.store.meta(connection).await?.schedule.slot else { return Ok(After::Done) };
    let begin = Message::new(connection.clone(), "", MessageKind::Start { slot: slot.at });
    if let Err(error) = ports.doorbell.notify(begin, Duration::ZERO).await {
        tracing::warn!(connection.id = %connection, error = %error, "the message could not be sent; the next time of the schedule looks again");
    }
    Ok(After::Done)
}
