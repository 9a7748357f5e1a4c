//! `connection release`: ending a quarantine by hand.

use hardmatch_ports::command::Reply;

use super::request::{Request, done};
use crate::error::MatchError;
use crate::ports::MatchPorts;

pub(super) async fn handle(ports: &MatchPorts, request: &Request<'_>) -> Result<Reply, MatchError> {
    ports.store.release_quarantine(request.connection).await?;
    Ok(done(None))
}

#[cfg(test)]
mod tests {
    use hardmatch_ports::command::{Command, CommandAuthority};

    use crate::fixture::{Fixture, NOON, contoso, why};

    #[tokio::test]
    async fn a_quarantine_is_released_by_an_approver_alone() {
        let fixture = Fixture::new(&["contoso"]).await;
        fixture.store.quarantine(&contoso(), "run", "the secret has expired", NOON).await.unwrap();
        let handled = fixture.handle_as(&Command::Release, CommandAuthority::Operator).await;
        assert!(why(&handled).contains("takes an approver"), "{handled:?}");
        assert!(fixture.store.meta(&contoso()).await.unwrap().quarantine.is_some());
        fixture.handle(&Command::Release).await;
        assert!(fixture.store.meta(&contoso()).await.unwrap().quarantine.is_none());
    }
}
