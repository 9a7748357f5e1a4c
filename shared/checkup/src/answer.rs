//! What the function that has a connection's tokens answers when `match` passes an operator's request on to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::command::Reply;
use hardmatch_ports::tenant_request::TenantQuery;
use hardmatch_ports::{Clock, TokenError, TokenStore as _};
use hardmatch_store::connection::{ConnectionState, CredentialState};
use hardmatch_store::{Store, StoreError};
use hardmatch_vault::TokenVault;
use hardmatch_wiring::Opened;
use hardmatch_wiring::tenant::{TenantMeans, credential};
use jiff::Timestamp;

use crate::{Side, looking, status, tenant};

/// What answering takes.
pub struct TenantRequestContext {
    /// Where replies are left, and what is known of the connection.
    pub store: Store,
    /// The connection's tokens.
    pub vault: TokenVault,
    /// What its client is made with; tokens are put in by what is asked.
    pub means: TenantMeans,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Why there was no answer. The message is left to be answered again.
#[derive(Debug, thiserror::Error)]
pub enum TenantRequestError {
    /// The store refused or could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tokens.
    #[error(transparent)]
    Tokens(#[from] TokenError),
}

/// Does what is asked and leaves the reply, where somebody waits for one. Writes nothing to the tenant.
pub async fn answer(
    context: &TenantRequestContext,
    connection: &ConnectionId,
    opened: &Opened,
    query: &TenantQuery,
    name: &str,
) -> Result<(), TenantRequestError> {
    let reply = replied(context, connection, opened, query).await?;
    if !name.is_empty() {
        context.store.put_reply(connection, name, &reply, context.clock.now_seconds()).await?;
    }
    Ok(())
}

async fn replied(
    context: &TenantRequestContext,
    connection: &ConnectionId,
    opened: &Opened,
    query: &TenantQuery,
) -> Result<Reply, TenantRequestError> {
    let (config, meta) = (&*opened.config, &opened.meta);
    let kept = context.means.token_store.clone();
    let side = |token_store| Side::whole(config, &TenantMeans { token_store, ..context.means.clone() });
    Ok(match query {
        TenantQuery::Reset => {
            context.vault.forget_access().await?;
            context.store.update(connection, |credential: &mut CredentialState| credential.forgotten += 1).await?;
            Reply::Done { run: None }
        }
        TenantQuery::Forget { disconnected } => {
            // Taken up again meanwhile: this is late, and what is kept now is new.
            if meta.status.state == ConnectionState::Disconnected {
                context.vault.forget().await?;
                context.store.update(connection, |credential: &mut CredentialState| credential.forgotten += 1).await?;
            }
            Reply::Disconnected { disconnected: *disconnected }
        }
        TenantQuery::Status => match side(kept) {
            Ok(side) => {
                let reached = status(&side, meta, Some(&context.vault)).await?;
                note_expiry(&context.store, connection, reached.ends).await?;
                Reply::Reached { reached }
            }
            Err(unfit) => Reply::Refused { why: unfit.to_string() },
        },
        TenantQuery::Checks => match side(looking(config, kept)) {
            Ok(side) => Reply::Checked { checks: tenant(&side, config, meta, &BTreeMap::new(), &*context.clock).await },
            Err(unfit) => Reply::Refused { why: unfit.to_string() },
        },
        TenantQuery::Expiry => match credential(config, &context.means) {
            Ok(credential) => {
                let ends = match credential {
                    Some(credential) => credential.expires().await,
                    None => None,
                };
                note_expiry(&context.store, connection, ends).await?;
                Reply::Done { run: None }
            }
            Err(unfit) => Reply::Refused { why: unfit.to_string() },
        },
    })
}

/// Notes when the application's proof ends, for parts that cannot read it: the tick, which tells CloudWatch, and reports.
/// Writes when it is news.
pub async fn note_expiry(store: &Store, connection: &ConnectionId, ends: Option<Timestamp>) -> Result<(), StoreError> {
    let ends = ends.map(Timestamp::as_second);
    if store.meta(connection).await?.credential.ends != ends {
        store.update(connection, |credential: &mut CredentialState| credential.ends = ends).await?;
    }
    Ok(())
}
