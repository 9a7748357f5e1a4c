//! `action off` and `action on`: kinds of change that are not written, decided changes included.

use hardmatch_domain::change::Action;
use hardmatch_ports::command::Reply;
use hardmatch_store::connection::ConnectionStatus;

use super::request::{Request, done};
use crate::error::MatchError;
use crate::ports::MatchPorts;
use crate::tick::tick;

pub(super) async fn off(ports: &MatchPorts, request: &Request<'_>, action: Action) -> Result<Reply, MatchError> {
    ports.store.update(request.connection, |status: &mut ConnectionStatus| _ = status.off.insert(action)).await?;
    Ok(done(None))
}

/// Lets an action be written again. What waited is sent its messages at once, not at the next tick.
pub(super) async fn on(ports: &MatchPorts, request: &Request<'_>, action: Action) -> Result<Reply, MatchError> {
    ports.store.update(request.connection, |status: &mut ConnectionStatus| _ = status.off.remove(&action)).await?;
    tick(ports, request.connection).await?;
    Ok(done(None))
}

#[cfg(test)]
mod tests {
    use hardmatch_ports::command::Command;
    use hardmatch_ports::doorbell::MessageKind;
    use hardmatch_ports::run::Phase;

    use super::*;
    use crate::fixture::{Fixture, SLOT, contoso};

    #[tokio::test]
    async fn an_action_that_is_switched_on_sends_messages_for_its_work() {
        let fixture = Fixture::new(&["contoso"]).await;
        let run = fixture.opened(SLOT).await;
        fixture.work(&fixture.enter(&run, Phase::Writing).await).await;
        fixture.notified();
        for _ in 0..2 {
            fixture.handle(&Command::SwitchOff { action: Action::Rename }).await;
        }
        assert_eq!(fixture.store.meta(&contoso()).await.unwrap().status.off, [Action::Rename].into());
        assert_eq!(fixture.kinds(), []);
        fixture.handle(&Command::SwitchOn { action: Action::Rename }).await;
        assert!(fixture.store.meta(&contoso()).await.unwrap().status.off.is_empty());
        assert_eq!(fixture.kinds(), [MessageKind::Write]);
    }
}
