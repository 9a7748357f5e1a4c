//! One message in, one answer out.

use hardmatch_ports::doorbell::{After, Message, MessageKind};

use crate::driver::advance;
use crate::error::MatchError;
use crate::ports::MatchPorts;
use crate::requests::take_requests;
use crate::schedule::{nightly, start_scheduled};
use crate::tick::{tick, tick_all};

/// Answers a message of the queues `match` and `match-now`. Messages of other queues are acknowledged and left undone.
pub async fn answer(ports: &MatchPorts, message: &Message) -> Result<After, MatchError> {
    match &message.kind {
        MessageKind::Match | MessageKind::Advance => advance(ports, &message.connection, &message.run).await,
        MessageKind::SyncPeople => take_requests(ports, &message.connection).await,
        MessageKind::Start { slot } => {
            let started = start_scheduled(ports, &message.connection, slot).await?;
            tracing::info!(connection.id = %message.connection, run.slot = slot, run.started = ?started, "a scheduled time has come");
            Ok(After::Done)
        }
        MessageKind::Nightly { slot } => {
            nightly(&ports.store, &*ports.doorbell, slot, None, ports.clock.now_seconds()).await.map(|()| After::Done)
        }
        MessageKind::Tick => {
            let tick = |connection| async move { tick(ports, &connection).await };
            tick_all(&ports.store, tick).await.map(|_| After::Done)
        }
        // An operator's command carries the authority of its queue, which this function does not see: see `admit`.
        MessageKind::OperatorCommand { .. }
        | MessageKind::TenantRequest { .. }
        | MessageKind::ObserveSource
        | MessageKind::ObserveTenant
        | MessageKind::Write
        | MessageKind::WriteBack => Ok(After::Done),
    }
}
