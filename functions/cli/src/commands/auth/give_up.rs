//! `auth reset` and `auth disconnect`: what is kept is forgotten. Neither calls the tenant.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::Missing;
use hardmatch_ports::TokenStore as _;
use hardmatch_ports::tenant_request::DisconnectResult;
use serde_json::json;

use crate::args::Common;
use crate::connection::{load, open_state};
use crate::fail::{Exit, Failure};
use crate::output;
use crate::tokens::Tokens;

/// Forgets the kept access token: the next call asks for another.
pub(crate) async fn reset(common: &Common) -> Result<Exit, Failure> {
    let config = load(&common.config)?.config;
    let tokens = Tokens::open(&config, &crate::connection::clock(), Missing::Refuse)?;
    if let Some(tokens) = &tokens {
        tokens.vault().forget_access().await.map_err(Failure::run)?;
    }
    Ok(show_reset(common, &config.connection, tokens.is_some()))
}

/// Says what was forgotten.
pub(crate) fn show_reset(common: &Common, connection: &ConnectionId, kept: bool) -> Exit {
    if common.json {
        output::document(&json!({ "v": 1, "connection": connection, "reset": kept }));
    } else if kept {
        output::line("The kept access token is forgotten; the next call asks for a new one.");
    } else {
        output::line("No token is kept.");
    }
    Exit::Converged
}

/// Forgets every token and disconnects the connection. No account is touched, and the source is not read.
pub(crate) async fn disconnect(common: &Common) -> Result<Exit, Failure> {
    let state = open_state(load(&common.config)?, Missing::Refuse).await?;
    let config = &state.loaded.config;
    let connection = &config.connection;
    let meta = state.store.meta(connection).await?;
    let now_ms = state.clock.now().as_millisecond();
    // Disconnected first: whatever happens to the tokens, nothing is done with them any more.
    let scope = state.scope(&meta);
    let disconnected = hardmatch_match::disconnect(&state.store, scope.as_ref(), connection, now_ms).await?;
    if let Some(tokens) = Tokens::open(config, &state.clock, Missing::Refuse)? {
        tokens.vault().forget().await.map_err(Failure::run)?;
    }
    Ok(show_disconnected(common, connection, disconnected))
}

/// Says what was left behind.
pub(crate) fn show_disconnected(common: &Common, connection: &ConnectionId, disconnected: DisconnectResult) -> Exit {
    if common.json {
        output::document(&json!({
            "v": 1,
            "connection": connection,
            "disconnected": true,
            "was_connected": disconnected.new,
            "parked_links": disconnected.links,
            "abandoned_runs": disconnected.abandoned,
        }));
        return Exit::Converged;
    }
    let already = if disconnected.new { "" } else { " It was disconnected before." };
    output::line(format!(
        "Connection {connection} is disconnected.{already} {} links are disconnected, and everything that was kept to reach the tenant is forgotten.",
        disconnected.links
    ));
    output::line("No account was touched, and nothing was asked of the tenant or the source.");
    output::line(
        "The application keeps its consent in the tenant: to take that back too, delete it under Enterprise applications in Entra.",
    );
    output::line(format!("To take it up again: hardmatch auth connect{}", common.place()));
    Exit::Converged
}
