//! `connection pause` and `connection resume`.

use hardmatch_ports::command::Reply;
use hardmatch_store::connection::{ConnectionStatus, Meta};
use jiff::Timestamp;

use super::request::{Request, done};
use crate::error::MatchError;
use crate::ports::MatchPorts;
use crate::tick::tick;

pub(super) async fn pause(ports: &MatchPorts, request: &Request<'_>) -> Result<Reply, MatchError> {
    let now = ports.clock.now_seconds();
    ports.store.update(request.connection, |status: &mut ConnectionStatus| status.pause(request.by, now)).await?;
    Ok(done(None))
}

/// Lets the connection go on. What waited is sent its messages at once, not at the next tick.
pub(super) async fn resume(ports: &MatchPorts, request: &Request<'_>) -> Result<Reply, MatchError> {
    ports.store.update(request.connection, ConnectionStatus::resume).await?;
    tick(ports, request.connection).await?;
    Ok(done(None))
}

/// A sentence that nothing is written for a paused connection, who paused it, and since when. The caller adds the command
/// with which it goes on.
pub fn paused(meta: &Meta) -> String {
    let since = |at: i64| Timestamp::from_second(at).map_or_else(|_| at.to_string(), |at| at.to_string());
    let who = meta.status.paused.as_ref().map(|paused| format!(" by {} since {}", paused.by, since(paused.at)));
    format!(
        "the connection is paused{}. Nothing is written for it, and what was decided waits. Let it go on with",
        who.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use hardmatch_ports::command::Command;
    use hardmatch_ports::doorbell::MessageKind;
    use hardmatch_ports::run::Phase;
    use hardmatch_store::connection::ConnectionState;

    use super::*;
    use crate::fixture::{Fixture, SLOT, contoso};

    #[tokio::test]
    async fn resuming_sends_the_messages_of_work_that_waited() {
        let fixture = Fixture::new(&["contoso"]).await;
        let run = fixture.opened(SLOT).await;
        fixture.work(&fixture.enter(&run, Phase::Writing).await).await;
        fixture.handle(&Command::Pause).await;
        let meta = fixture.store.meta(&contoso()).await.unwrap();
        assert_eq!(meta.status.state, ConnectionState::Paused);
        assert!(paused(&meta).contains("by ada since 2026-01-15T12:00:00Z"), "{}", paused(&meta));
        fixture.notified();
        fixture.handle(&Command::Resume).await;
        assert_eq!(fixture.store.meta(&contoso()).await.unwrap().status.state, ConnectionState::Active);
        assert_eq!(fixture.kinds(), [MessageKind::Write]);
    }
}
