//! The addresses of others on a port of this machine: what they may push to, and what they are told of a person.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use hardmatch_domain::ids::{ConnectionId, PersonKey, PersonRef};
use hardmatch_policy::Location;
use hardmatch_ports::Doorbell;
use hardmatch_webhook::{
    Limits, NotKnown, PersonState, PersonStates, PushedConnections, PushedSource, Rate, WebhookAddresses, WebhookPorts,
    tell,
};
use serde_json::{Map, Value, json};

use crate::connection::State;

/// Requests at once after a rest, for each of a second.
const BURST: u32 = 30;

/// The connections that are served.
pub(crate) struct Pushes {
    states: Arc<BTreeMap<ConnectionId, State>>,
}

impl Pushes {
    /// Of the states of connections.
    pub(crate) fn new(states: impl IntoIterator<Item = State>) -> Self {
        let states = states.into_iter().map(|state| (state.loaded.config.connection.clone(), state)).collect();
        Self { states: Arc::new(states) }
    }

    /// What is served of them. `url` has no slash at its end.
    pub(crate) fn router(&self, url: &str, doorbell: Arc<dyn Doorbell>, rate: u32) -> Option<Router> {
        let first = self.states.values().next()?;
        let rate = Rate { per_second: rate.max(1), burst: rate.max(1).saturating_mul(BURST) };
        Some(hardmatch_webhook::router(WebhookPorts {
            store: first.store.clone(),
            clock: Arc::clone(&first.clock),
            doorbell,
            connections: Arc::new(Served(Arc::clone(&self.states))),
            people: Arc::new(Served(Arc::clone(&self.states))),
            url: url.to_owned(),
            limits: Arc::new(Limits::new(rate)),
        }))
    }

    /// The one line that says where everything is.
    pub(crate) fn addresses(&self, url: &str) -> Value {
        let connections: Map<String, Value> = self
            .states
            .keys()
            .map(|connection| (connection.to_string(), addresses(&WebhookAddresses::of(url, connection))))
            .collect();
        json!({ "v": 1, "url": url, "connections": connections })
    }
}

/// Addresses as documents have them.
pub(crate) fn addresses(addresses: &WebhookAddresses) -> Value {
    let WebhookAddresses { scim, bulk_upload, hooks, people } = addresses;
    json!({ "scim": scim, "bulk_upload": bulk_upload, "hooks": hooks, "people": people })
}

struct Served(Arc<BTreeMap<ConnectionId, State>>);

#[async_trait]
impl PushedConnections for Served {
    async fn source(&self, connection: &ConnectionId) -> Result<Option<PushedSource>, NotKnown> {
        Ok(self.0.get(connection).map(|state| match state.loaded.config.source.location {
            Location::Pushed => PushedSource::Pushed,
            Location::File(_)
            | Location::S3 { .. }
            | Location::Directory(_)
            | Location::Program { .. }
            | Location::Several(_) => PushedSource::Read,
        }))
    }
}

#[async_trait]
impl PersonStates for Served {
    async fn state(&self, connection: &ConnectionId, key: &PersonKey) -> Result<Option<PersonState>, NotKnown> {
        let Some(state) = self.0.get(connection) else { return Ok(None) };
        let meta = state.store.meta(connection).await.map_err(|error| NotKnown(error.to_string()))?;
        let Some(ports) = state.deciding(&meta) else { return Ok(None) };
        let who = PersonRef { connection: connection.clone(), key: key.clone() };
        let decided = hardmatch_match::decide_one(&ports.explaining(), &who).await;
        let Some(decided) = decided.map_err(|error| NotKnown(error.to_string()))? else { return Ok(None) };
        let first = meta.history.first_accepted.is_none();
        tell(&ports.store, &ports.scope, &who, &decided.row, first).await.map(Some)
    }
}
