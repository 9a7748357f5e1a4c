//! Scheduled times as text, and the message that starts a run for one.

use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::{Doorbell, Message};
use jiff::Timestamp;

use crate::error::MatchError;

/// One spelling for one time, to the second, because slots are compared as text; and the time (Unix seconds).
pub(crate) fn slot_of(slot: &str) -> Result<(String, i64), MatchError> {
    let broken = |_| {
        MatchError::Broken(
            "the scheduled time of a message is no RFC 3339 timestamp. Give the schedule the input \
             {\"v\":1,\"kind\":\"nightly\",\"slot\":\"<aws.scheduler.scheduled-time>\"}"
                .to_owned(),
        )
    };
    let at: Timestamp = slot.parse().map_err(broken)?;
    Ok((slot_at(at.as_second()), at.as_second()))
}

/// The slot of a time (Unix seconds).
pub(crate) fn slot_at(at: i64) -> String {
    // Every second that a timer or a schedule names lies within the years that a timestamp can spell.
    Timestamp::from_second(at).map(|at| at.to_string()).unwrap_or_default()
}

/// Asks for the run of a connection and a slot.
pub(crate) async fn notify_start(
    doorbell: &dyn Doorbell,
    connection: ConnectionId,
    slot: String,
) -> Result<(), MatchError> {
    let message = Message::new(connection, "", MessageKind::Start { slot });
    doorbell.notify(message, Duration::ZERO).await.map_err(|error| MatchError::Broken(error.to_string()))
}
