//! `connection remove`: everything that is kept of a connection is forgotten, and that there was one. No account is touched.

use hardmatch_domain::facts::Lookups;
use hardmatch_ports::command::Reply;
use hardmatch_store::connection::ConnectionState;
use hardmatch_store::folders;
use hardmatch_store::forget::Forgetting;

use super::request::{Request, refused};
use crate::error::MatchError;
use crate::ports::MatchPorts;

/// Only of a disconnected connection: its tokens are forgotten then, and nothing works for it meanwhile. What is not done when
/// the message's time is over is done by the next request.
pub(super) async fn handle(ports: &MatchPorts, request: &Request<'_>) -> Result<Reply, MatchError> {
    let connection = request.connection;
    let meta = ports.store.meta(connection).await?;
    if meta.status.state != ConnectionState::Disconnected {
        return Ok(refused(
            "the connection is still connected. Give its credentials up first: `hardmatch auth disconnect`; then remove it",
        ));
    }
    let open = ports.store.open_repairs(&ports.scope).await?;
    if let Some(open) = open.iter().find(|open| open.value.connection == *connection) {
        return Ok(refused(format!(
            "the repair {} is under way, and would leave its accounts as they are now. Connect again and let `hardmatch sync` end it, or take it back: hardmatch repair rollback {}",
            open.value.id, open.value.id
        )));
    }
    // A policy that cannot be read any more says of nobody under what else they were entered.
    let entered = match ports.store.people_lookups(connection).await?.policy {
        0 => meta.policy.revision,
        revision => revision,
    };
    let policy = crate::policies::policy(ports, connection, entered).await;
    let lookups = policy.map(|policy| Lookups::of(&policy)).unwrap_or_default();
    let text = ports.store.policy(connection, meta.policy.revision).await?;
    let client = text.and_then(|text| ports.policies.application(&text));
    let mut with_tenant = true;
    for other in ports.store.connections().await? {
        if other != *connection {
            let status = ports.store.meta(&other).await?.status;
            with_tenant &= !status.tenant.is_some_and(|tenant| ports.scope.is_of(&tenant));
        }
    }
    for run in ports.store.run_ids(connection, usize::MAX).await? {
        ports.blobs.delete_all(&folders::of_run(&run)).await?;
    }
    ports.blobs.delete_all(&folders::of_connection(connection)).await?;
    ports.blobs.delete_all(&folders::of_sources(connection)).await?;
    if with_tenant {
        ports.blobs.delete_all(&folders::of_tenant(&ports.scope)).await?;
    }
    let now = ports.clock.now_seconds();
    let of = Forgetting { connection, scope: &ports.scope, client: client.as_deref(), with_tenant, now };
    let go_on = || ports.deadline.is_none_or(|deadline| ports.clock.now() < deadline);
    let forgotten = ports.store.entering(lookups).forget_connection(of, go_on).await?;
    tracing::info!(connection.id = %connection, count = forgotten.items, "a connection was removed");
    Ok(Reply::Removed { items: forgotten.items, more: !forgotten.done })
}

#[cfg(test)]
mod tests {
    use hardmatch_ports::command::{Command, CommandAuthority};

    use crate::fixture::{Fixture, contoso, why};

    #[tokio::test]
    async fn a_connection_is_removed_by_an_approver_and_only_once_disconnected() {
        let fixture = Fixture::new(&["contoso", "fabrikam"]).await;
        let asked = fixture.handle_as(&Command::Remove, CommandAuthority::Operator).await;
        assert!(why(&asked).contains("takes an approver"), "{asked:?}");
        let asked = fixture.handle_as(&Command::Remove, CommandAuthority::Approver).await;
        assert!(why(&asked).contains("auth disconnect"), "{asked:?}");
        assert!(fixture.store.connections().await.unwrap().contains(&contoso()));
        fixture.handle(&Command::Disconnect).await;
        let blobs = &fixture.ports.blobs;
        for name in ["sources/contoso/directory", "sources/fabrikam/directory", "connections/contoso/list"] {
            blobs.put(name, vec![1]).await.unwrap();
        }
        fixture.handle(&Command::Remove).await;
        assert_eq!(blobs.list("").await.unwrap(), ["sources/fabrikam/directory"], "its own copy is gone alone");
        let left = fixture.store.connections().await.unwrap();
        assert_eq!(left, [hardmatch_domain::ids::ConnectionId::new("fabrikam")], "the other one stays");
    }
}
