//! `auth disconnect`: the connection's work stops where it is, and its links wait until it is connected again. No account is
//! touched, and the tenant is not called.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::tenant_request::{DisconnectResult, TenantQuery};
use hardmatch_store::connection::ConnectionState;
use hardmatch_store::{Store, TenantKey};

use super::request::{Handled, Request};
use super::tenant::pass_on;
use crate::error::MatchError;
use crate::opening;
use crate::ports::MatchPorts;

/// Disconnects first and has the tokens forgotten then: whatever becomes of the tokens, nothing is done with them any more.
pub(super) async fn handle(ports: &MatchPorts, request: &Request<'_>) -> Result<Handled, MatchError> {
    let now_ms = ports.clock.now().as_millisecond();
    let disconnected = disconnect(&ports.store, Some(&ports.scope), request.connection, now_ms).await?;
    pass_on(ports, request, TenantQuery::Forget { disconnected }).await
}

/// Disconnects a connection: schedules pass it by, timers are not taken, open runs are given up with what they had decided.
/// The next run reads the tenant whole. The caller has the tokens forgotten. `scope` is the tenant, where it is known.
pub async fn disconnect(
    store: &Store,
    scope: Option<&TenantKey>,
    connection: &ConnectionId,
    now_ms: i64,
) -> Result<DisconnectResult, MatchError> {
    let now = now_ms / 1000;
    let new = store.meta(connection).await?.status.state != ConnectionState::Disconnected;
    // The state is changed first: no run begins any more while the open ones are given up.
    let meta = store.update_together(connection, |meta| _ = meta.status.disconnect(now)).await?;
    let mut abandoned = 0;
    let mut open = store.now_runs(connection).await?;
    open.extend(meta.schedule.run);
    for id in open {
        if opening::abandon(store, connection, &id, now_ms).await? {
            abandoned += 1;
        }
    }
    if let Some(scope) = scope {
        while let Some(mut had) = store.tenant(scope).await? {
            if had.value.delta.take().is_none() || store.replace_tenant(scope, had.revision, &had.value).await? {
                break;
            }
        }
    }
    Ok(DisconnectResult { new, links: meta.history.links, abandoned })
}

#[cfg(test)]
mod tests {
    use hardmatch_ports::command::Command;
    use hardmatch_ports::doorbell::MessageKind;
    use hardmatch_ports::run::{Phase, Status};

    use super::*;
    use crate::fixture::{Fixture, SLOT, contoso};

    #[tokio::test]
    async fn disconnecting_gives_open_runs_up_and_has_the_tokens_forgotten() {
        let fixture = Fixture::new(&["contoso"]).await;
        let run = fixture.opened(SLOT).await;
        fixture.notified();
        for (delivery, new, abandoned) in [(1, true, 1), (2, false, 0)] {
            assert_eq!(fixture.handle(&Command::Disconnect).await, Handled::PassedOn);
            let [message] = fixture.notified().try_into().unwrap();
            let disconnected = DisconnectResult { new, links: 0, abandoned };
            let query = TenantQuery::Forget { disconnected };
            assert_eq!(message.kind, MessageKind::TenantRequest { reply: "A1".to_owned(), query }, "{delivery}");
        }
        let run = fixture.run(&run.id).await;
        assert_eq!((run.phase, run.status), (Phase::Closed, Some(Status::Abandoned)));
        let meta = fixture.store.meta(&contoso()).await.unwrap();
        assert_eq!(meta.status.state, ConnectionState::Disconnected);
    }
}
