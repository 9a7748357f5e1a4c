//! The webhook as stories have it: over the table as its role may use it, in front of the same engine. What is asked is
//! answered first; then the functions answer messages until none is left, as they do on AWS.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use hardmatch_domain::ids::{ConnectionId, PersonKey, PersonRef};
use hardmatch_match::{ExplainPorts, decide_one};
use hardmatch_policy::{Config, Location};
use hardmatch_ports::table::Units;
use hardmatch_ports::{Clock as _, Table as _};
use hardmatch_store::api_tokens::TokenScope;
use hardmatch_webhook::tokens::make;
use hardmatch_webhook::{
    Limits, NotKnown, PersonState, PersonStates, PushedConnections, PushedSource, WebhookPorts, router, tell,
};
use http_body_util::BodyExt as _;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::engine::{StoryEngine, as_role};
use crate::stopped::Stopped;
use crate::world::World;

/// What the webhook answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The status of HTTP.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body; null where there is none.
    pub body: Value,
}

impl Answered {
    /// A text of the body, by its place.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// One request, as a client sends it.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'r> {
    /// `GET` and so on.
    pub method: &'r str,
    /// What follows the connection's address, with its query.
    pub path: &'r str,
    /// The body; null where there is none.
    pub body: &'r Value,
}

/// Answers, and what they and the messages after them took.
pub(crate) struct Counted {
    pub(crate) answered: Vec<Answered>,
    /// Units of the table.
    pub(crate) units: Units,
    /// Messages that the functions answered.
    pub(crate) messages: u64,
}

impl World {
    /// From now on the people of the connection are pushed, and their external id is their anchor.
    pub fn set_pushed(&mut self, more: &str) {
        let config = self.config_text("[source]\nkind = \"scim\"\n[anchor]\nfrom = \"externalId\"\n", more);
        self.set_config(config);
    }

    /// Sends a request with a token of every scope, which is to be answered with this status, and lets the functions answer
    /// until no message is left.
    ///
    /// # Panics
    /// When it is answered with another, or a function fails.
    pub async fn push(&mut self, method: &str, path: &str, body: &Value, status: u16) -> Answered {
        let answered = self.push_all(&[Sent { method, path, body }]).await.expect("the functions answer").remove(0);
        assert_eq!(answered.status, status, "{method} {path}: {}", answered.body);
        answered
    }

    /// Sends several requests, one after the other, and only then lets the functions answer.
    ///
    /// # Errors
    /// When the process is killed, or a function fails.
    pub async fn push_all(&mut self, all: &[Sent<'_>]) -> Result<Vec<Answered>, Stopped> {
        Ok(self.push_counted(all).await?.answered)
    }

    /// The same, with what it took.
    pub(crate) async fn push_counted(&mut self, all: &[Sent<'_>]) -> Result<Counted, Stopped> {
        let (engine, config) = self.begin().await?;
        let failed = |error: hardmatch_store::StoreError| engine.stopped(&error);
        self.activate(&engine, &config).await.map_err(failed)?;
        let now_ms = self.clock.now().as_millisecond();
        let made = make("a story's", BTreeSet::from(TokenScope::ALL), now_ms);
        let connection = &config.connection;
        engine.store.put_api_token(connection, &made.kept, made.signing.as_ref()).await.map_err(failed)?;
        let before = engine.table.units();
        let router = router(ports(&engine, &config));
        let mut answered = Vec::new();
        for sent in all {
            let request = Request::builder()
                .method(sent.method)
                .uri(format!("/connections/{connection}{}", sent.path))
                .header("authorization", format!("Bearer {}", made.token.expose_secret()))
                .header("content-type", "application/scim+json");
            let body = if sent.body.is_null() { Body::empty() } else { Body::from(sent.body.to_string()) };
            let request = request.body(body).map_err(|error| engine.stopped(&error))?;
            let response = router.clone().oneshot(request).await.map_err(|error| engine.stopped(&error))?;
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.map_err(|error| engine.stopped(&error))?.to_bytes();
            answered.push(Answered {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body: serde_json::from_slice(&bytes).unwrap_or_default(),
            });
        }
        engine.notify(Vec::new()).await?;
        let (units, messages) = (engine.table.units().since(before), engine.messages());
        engine.store.revoke_api_token(connection, &made.kept.id).await.map_err(failed)?;
        Ok(Counted { answered, units, messages })
    }
}

fn ports(engine: &StoryEngine, config: &Config) -> WebhookPorts {
    let store = as_role(&engine.store, &engine.table, "WebhookRole");
    let known = Arc::new(Known {
        connection: config.connection.clone(),
        pushed: config.source.location == Location::Pushed,
        ports: ExplainPorts { store: store.clone(), ..engine.deciding.explaining() },
    });
    WebhookPorts {
        store,
        clock: Arc::clone(&engine.deciding.clock),
        doorbell: engine.doorbell.clone(),
        connections: known.clone(),
        people: known,
        url: "https://hm.example".to_owned(),
        limits: Arc::new(Limits::default()),
    }
}

/// The one connection of a story.
struct Known {
    connection: ConnectionId,
    pushed: bool,
    ports: ExplainPorts,
}

#[async_trait]
impl PushedConnections for Known {
    async fn source(&self, connection: &ConnectionId) -> Result<Option<PushedSource>, NotKnown> {
        let source = if self.pushed { PushedSource::Pushed } else { PushedSource::Read };
        Ok((*connection == self.connection).then_some(source))
    }
}

#[async_trait]
impl PersonStates for Known {
    async fn state(&self, connection: &ConnectionId, key: &PersonKey) -> Result<Option<PersonState>, NotKnown> {
        let unknown = |error: &dyn std::fmt::Display| NotKnown(error.to_string());
        let who = PersonRef { connection: connection.clone(), key: key.clone() };
        let decided = decide_one(&self.ports, &who).await.map_err(|error| unknown(&error))?;
        let Some(decided) = decided else { return Ok(None) };
        let meta = self.ports.store.meta(connection).await.map_err(|error| unknown(&error))?;
        let first = meta.history.first_accepted.is_none();
        tell(&self.ports.store, &self.ports.scope, &who, &decided.row, first).await.map(Some)
    }
}
