//! The answer to a message that no command waits for: trouble with the tenant is not the message's, so the message is used
//! up, and the next message about the run finds the work again.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::MessageKind;

use crate::timing::TIMING;
use crate::{After, WriteError, WritePorts, drain, notify};

/// As [`crate::drain`], for a queue: a run that the tenant turned away is ended when it is advanced, a silent tenant is asked
/// again some minutes later, and after a few times in vain left to the tick. The run says both.
pub async fn answer(ports: &WritePorts, connection: &ConnectionId, run: &str) -> Result<After, WriteError> {
    match drain::drain(ports, connection, run).await {
        Err(error @ WriteError::LockedOut { .. }) => {
            tracing::error!(connection.id = %connection, run.id = run, error = %error, "nothing can be written");
            if let Some(open) = ports.store.run(connection, run).await? {
                notify::notify(ports, &open.value, MessageKind::Advance).await;
            }
            Ok(After::Done)
        }
        Err(error @ WriteError::Silent { .. }) => {
            tracing::warn!(connection.id = %connection, run.id = run, error = %error, "the tenant is asked again later");
            notify::requeue(ports, connection, run, 0, TIMING.silent_rest).await
        }
        other => other,
    }
}
