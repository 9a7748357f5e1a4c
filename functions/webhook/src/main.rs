//! Wires the webhook on AWS, behind an HTTP API: the table, the queue that says who is wanted, and no way to anybody else.

use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_domain::ids::{ConnectionId, PersonKey, PersonRef};
use hardmatch_match::{ExplainPorts, decide_one};
use hardmatch_runtime::env;
use hardmatch_webhook::{
    Limits, NotKnown, PersonState, PersonStates, PushedConnections, PushedSource, WebhookPorts, router, tell,
};
use hardmatch_wiring::lambda::{Error, Home, needed};
use hardmatch_wiring::policy::Location;
use hardmatch_wiring::{ConnectionError, Opened};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let home = Home::open().await?;
    let stored = Arc::new(Stored { home: home.clone() });
    let ports = WebhookPorts {
        store: home.store.clone(),
        clock: Arc::clone(&home.clock),
        doorbell: Arc::clone(&home.doorbell),
        connections: stored.clone(),
        people: stored,
        url: needed(env::URL)?.trim_end_matches('/').to_owned(),
        limits: Arc::new(Limits::default()),
    };
    lambda_http::run(router(ports)).await
}

/// The connections of the table, as they are configured now.
struct Stored {
    home: Home,
}

impl Stored {
    async fn open(&self, connection: &ConnectionId) -> Result<Option<Opened>, NotKnown> {
        match self.home.connections.open(connection).await {
            Ok(opened) => Ok(Some(opened)),
            Err(ConnectionError::Unconfigured(_)) => Ok(None),
            Err(error) => Err(NotKnown(error.to_string())),
        }
    }
}

#[async_trait]
impl PushedConnections for Stored {
    async fn source(&self, connection: &ConnectionId) -> Result<Option<PushedSource>, NotKnown> {
        let opened = self.open(connection).await?;
        Ok(opened.map(|opened| match opened.config.source.location {
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
impl PersonStates for Stored {
    async fn state(&self, connection: &ConnectionId, key: &PersonKey) -> Result<Option<PersonState>, NotKnown> {
        let Some(Opened { meta, scope, .. }) = self.open(connection).await? else { return Ok(None) };
        let ports = ExplainPorts {
            store: self.home.store.clone(),
            scope,
            policies: Arc::clone(&self.home.policies),
            clock: Arc::clone(&self.home.clock),
        };
        let who = PersonRef { connection: connection.clone(), key: key.clone() };
        let decided = decide_one(&ports, &who).await.map_err(|error| NotKnown(error.to_string()))?;
        let Some(decided) = decided else { return Ok(None) };
        let first = meta.history.first_accepted.is_none();
        tell(&ports.store, &ports.scope, &who, &decided.row, first).await.map(Some)
    }
}
