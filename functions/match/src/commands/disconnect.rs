//! Disconnecting: the connection's work stops where it is, and its links wait, disconnected, until it is connected again.
//! Nobody's account is touched and nobody is called.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::tenant_request::DisconnectResult;
use hardmatch_store::connection::ConnectionState;
use hardmatch_store::{Store, TenantKey};

use crate::{MatchError, opening};

/// Parks a connection: schedules pass it by, timers are not taken, open runs are given up with what they had decided.
/// The next run reads the tenant whole. Forgetting its tokens is the caller's.
pub async fn disconnect(
    store: &Store,
    scope: Option<&TenantKey>,
    connection: &ConnectionId,
    now_ms: i64,
) -> Result<DisconnectResult, MatchError> {
    let now = now_ms / 1000;
    let new = store.meta(connection).await?.value.standing != ConnectionState::Disconnected;
    // Disconnected first: no run begins any more while the open ones are given up.
    let meta = store.update_meta(connection, |meta| _ = meta.disconnect(now)).await?;
    let mut abandoned = 0;
    let mut open = store.now_runs(connection).await?;
    open.extend(meta.run);
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
    Ok(DisconnectResult { new, links: meta.links, abandoned })
}
