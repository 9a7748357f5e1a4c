//! The function over a table in memory, asked as a client asks.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_embedded::FileTable;
use hardmatch_ports::{Doorbell, DoorbellError, Message};
use hardmatch_runtime::ManualClock;
use hardmatch_store::Store;
use hardmatch_store::api_tokens::TokenScope;
use hardmatch_webhook::tokens::make;
use hardmatch_webhook::{
    Limits, NotKnown, PersonState, PersonStates, Provisioning, PushedConnections, PushedSource, Rate, WebhookPorts,
    router,
};
use http_body_util::BodyExt as _;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const SCIM: &str = "/connections/lab/scim/v2";

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?}"))
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("{name}: {self:?}")).to_str().unwrap()
    }
}

/// Two connections, `lab` whose people are pushed and `files` whose people are read, with a token for everything each.
pub(crate) struct Lab {
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    pub(crate) notified: Arc<Notified>,
    pub(crate) token: String,
    pub(crate) files: String,
    router: Router,
}

#[derive(Default)]
pub(crate) struct Notified(Mutex<Vec<Message>>);

impl Notified {
    pub(crate) fn take(&self) -> Vec<Message> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[async_trait]
impl Doorbell for Notified {
    async fn notify(&self, message: Message, _: Duration) -> Result<(), DoorbellError> {
        self.0.lock().unwrap().push(message);
        Ok(())
    }
}

struct Configured;

#[async_trait]
impl PushedConnections for Configured {
    async fn source(&self, connection: &ConnectionId) -> Result<Option<PushedSource>, NotKnown> {
        Ok(match connection.as_str() {
            "lab" => Some(PushedSource::Pushed),
            "files" => Some(PushedSource::Read),
            _ => None,
        })
    }
}

/// One person is known, and refused.
struct States;

#[async_trait]
impl PersonStates for States {
    async fn state(&self, _: &ConnectionId, key: &PersonKey) -> Result<Option<PersonState>, NotKnown> {
        Ok((key.as_str() == "known").then(|| PersonState {
            provisioning: Provisioning::Refused,
            reason: Some("contested".to_owned()),
            detail: Some("Somebody else claims the account.".to_owned()),
            remedy: Some("Say whose it is.".to_owned()),
            account: None,
            row: json!({ "status": "refused" }),
        }))
    }
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with_rate(Rate::default()).await
    }

    pub(crate) async fn with_rate(rate: Rate) -> Self {
        Self::with_limits(Limits::new(rate)).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        let clock = ManualClock::auto("2026-05-01T10:00:00Z".parse().unwrap());
        let store = Store::open(Arc::new(FileTable::in_memory().unwrap())).await.unwrap();
        let notified = Arc::new(Notified::default());
        let router = router(WebhookPorts {
            store: store.clone(),
            clock: Arc::new(clock.clone()),
            doorbell: notified.clone(),
            connections: Arc::new(Configured),
            people: Arc::new(States),
            url: "http://lab.example".to_owned(),
            limits: Arc::new(limits),
        });
        let mut lab = Self { store, clock, notified, token: String::new(), files: String::new(), router };
        lab.token = lab.make_token("lab", &TokenScope::ALL).await;
        lab.files = lab.make_token("files", &TokenScope::ALL).await;
        lab
    }

    pub(crate) async fn make_token(&self, connection: &str, scopes: &[TokenScope]) -> String {
        let scopes: BTreeSet<TokenScope> = scopes.iter().copied().collect();
        let made = make("a client", scopes, 1);
        self.store.put_api_token(&ConnectionId::new(connection), &made.kept, made.signing.as_ref()).await.unwrap();
        made.token.expose_secret().to_owned()
    }

    /// A request with the token of `lab`.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/scim+json")];
        let body = body.map(ToString::to_string).unwrap_or_default();
        self.send(method, path, &headers, body).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: StatusCode::as_u16(&parts.status),
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn users(&self, method: &str, rest: &str, body: Option<&Value>) -> Answer {
        self.ask(method, &format!("{SCIM}/Users{rest}"), body).await
    }

    pub(crate) async fn groups(&self, method: &str, rest: &str, body: Option<&Value>) -> Answer {
        self.ask(method, &format!("{SCIM}/Groups{rest}"), body).await
    }

    pub(crate) async fn ada(&self) -> String {
        self.users("POST", "", Some(&ada())).await.is(201).id()
    }

    /// Keys of everybody who is wanted, sorted.
    pub(crate) async fn wanted(&self) -> Vec<String> {
        let found = self.store.sync_requests(&ConnectionId::new("lab"), 1000).await.unwrap();
        let mut keys: Vec<String> = found.iter().map(|(_, stored)| stored.value.key.as_str().to_owned()).collect();
        keys.sort();
        keys
    }

    /// Forgets who is wanted.
    pub(crate) async fn satisfy(&self) {
        let lab = ConnectionId::new("lab");
        for (pid, stored) in self.store.sync_requests(&lab, 1000).await.unwrap() {
            self.store.write(self.store.end_sync_request(&lab, pid, stored.revision)).await.unwrap();
        }
    }
}

pub(crate) fn ada() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "Ada@contoso.com", "externalId": "E1",
        "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "emails": [{ "value": "ada@contoso.com", "type": "work", "primary": true }],
        "password": "not-to-be-kept-1",
    })
}

pub(crate) fn operations(operations: &Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

/// A filter in an address.
pub(crate) fn filter(text: &str) -> String {
    let mut encoded = String::from("?filter=");
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            // Writing to a String cannot fail.
            byte => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    encoded
}
