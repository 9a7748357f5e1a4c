//! Hooks: somebody says that a person has changed. A hook is signed with a token, HMAC-SHA256 over
//! `v0:{timestamp}:{raw body}`, or carries one in its authorization header, as Okta's event hooks do. What a hook carries
//! is at most a key to read again; only where people are pushed may it carry a person.
//! <https://developer.okta.com/docs/concepts/event-hooks/>

use std::collections::BTreeSet;

use axum::http::{HeaderMap, Method, StatusCode};
use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_store::api_tokens::TokenScope;
use hardmatch_store::sync_requests::SyncRequest;
use serde_json::{Map, Value, json};

use crate::access::{self, Admitted, refused};
use crate::error::ScimError;
use crate::ports::{PushedSource, WebhookPorts};
use crate::reply::Reply;
use crate::scim::{self, Scim};
use crate::state::notify;
use crate::tokens::{hash, same, signature, unhex};

/// A signed hook is taken this long after its timestamp, and this long before it (seconds): clocks differ.
const WINDOW: i64 = 5 * 60;
/// A delivery is remembered this long (seconds): longer than it could be replayed. An event of an identity provider is
/// delivered again for hours.
const REMEMBERED: i64 = 24 * 60 * 60;
/// People whom one hook may name.
const MOST: usize = 1_000;

const TIMESTAMP: [&str; 2] = ["x-hardmatch-timestamp", "x-slack-request-timestamp"];
const SIGNATURE: [&str; 2] = ["x-hardmatch-signature", "x-slack-signature"];
const CHALLENGE: &str = "x-okta-verification-challenge";

/// Events of Okta's that say that a person changed. Others are answered and left.
/// <https://developer.okta.com/docs/reference/api/event-types/>
const OKTA: [&str; 3] = ["user.lifecycle.", "user.account.update_profile", "group.user_membership."];

/// A hook as it arrived.
pub(crate) struct Hook<'r> {
    pub(crate) method: &'r Method,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) body: &'r [u8],
}

impl Hook<'_> {
    fn header(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.headers.get(*name))?.to_str().ok().map(str::trim)
    }

    /// The signature and the timestamp that it is of, where the hook is signed.
    fn signed(&self) -> Option<(Vec<u8>, i64, &str)> {
        let timestamp = self.header(&TIMESTAMP)?;
        let signature = self.header(&SIGNATURE)?;
        let bytes = unhex(signature.strip_prefix("v0=").unwrap_or_default()).unwrap_or_default();
        Some((bytes, timestamp.parse().unwrap_or(i64::MIN), timestamp))
    }
}

/// Looks at who sends a hook: by its signature where it has one, else by its token. Any token of the connection with the
/// scope may have signed it, so that keys can be rotated.
pub(crate) async fn admit(ports: &WebhookPorts, connection: &ConnectionId, hook: &Hook<'_>) -> Result<Admitted, Reply> {
    if hook.header(&SIGNATURE).is_none() && hook.header(&TIMESTAMP).is_none() {
        return access::admit(ports, connection, hook.headers, TokenScope::Hook).await;
    }
    let Some((sent, at, timestamp)) = hook.signed() else { return Err(refused(ports)) };
    let sent: [u8; 32] = sent.try_into().unwrap_or_default();
    let unread = |error| Reply::from(ScimError::from(error));
    let tokens = ports.store.api_tokens(connection).await.map_err(unread)?;
    let mut signer: Option<String> = None;
    let parts: [&[u8]; 4] = [b"v0:", timestamp.as_bytes(), b":", hook.body];
    // Every key is tried, whichever fits: the time tells nobody how many there are before it.
    for (id, states) in ports.store.signing_states(connection).await.map_err(unread)? {
        if signature(&states.0, &parts).is_some_and(|made| same(&made, &sent)) {
            signer = Some(id);
        }
    }
    let signer = signer.and_then(|id| tokens.into_iter().find(|token| token.id == id));
    let Some(signer) = signer else { return Err(refused(ports)) };
    let now = ports.clock.now_seconds();
    if at.abs_diff(now) > WINDOW.unsigned_abs() {
        let text = "The hook is older than five minutes, or the clock of its sender is wrong.";
        return Err(Reply::from(ScimError::new(StatusCode::UNAUTHORIZED, None, text)));
    }
    access::admitted(ports, signer, TokenScope::Hook)
}

/// Carries out a hook whose sender is known.
pub(crate) async fn answer(
    ports: &WebhookPorts,
    connection: &ConnectionId,
    source: PushedSource,
    hook: &Hook<'_>,
    admitted: &Admitted,
) -> Reply {
    match carry_out(ports, connection, source, hook, admitted).await {
        Ok(reply) => reply,
        Err(error) => Reply::from(error),
    }
}

async fn carry_out(
    ports: &WebhookPorts,
    connection: &ConnectionId,
    source: PushedSource,
    hook: &Hook<'_>,
    admitted: &Admitted,
) -> Result<Reply, ScimError> {
    if hook.method == Method::GET {
        // Okta asks once whether the address is ours.
        return match hook.header(&[CHALLENGE]) {
            Some(challenge) if challenge.len() <= 1024 => Ok(Reply::ok(json!({ "verification": challenge }))),
            _ => Err(ScimError::new(StatusCode::METHOD_NOT_ALLOWED, None, "Hooks are sent with POST.")),
        };
    }
    if hook.method != Method::POST {
        return Err(ScimError::new(StatusCode::METHOD_NOT_ALLOWED, None, "Hooks are sent with POST."));
    }
    let body = scim::parse(hook.body)?;
    let now = ports.clock.now_seconds();
    let delivery = hook.signed().map(|(signature, _, _)| hash(&format!("signature {signature:?}")));
    if let Some(delivery) = &delivery
        && !ports.store.note_delivery(connection, delivery, now + REMEMBERED).await?
    {
        let text = "This hook was delivered before. Sign it anew to deliver it again.";
        return Err(ScimError::new(StatusCode::CONFLICT, None, text));
    }
    let done = deliver(ports, connection, source, &body).await;
    if done.as_ref().is_err_and(|error| error.status.is_server_error())
        && let Some(delivery) = &delivery
    {
        // What could not be carried out may come again as it is.
        ports.store.forget_delivery(connection, delivery).await?;
    }
    let Delivered { asked, ignored, repeated } = done?;
    tracing::info!(
        connection.id = %connection,
        token.id = admitted.token.id,
        hook.asked = asked,
        hook.ignored = ignored,
        hook.repeated = repeated,
        "hook"
    );
    Ok(Reply::ok(json!({ "v": 1, "asked": asked, "ignored": ignored, "repeated": repeated })))
}

/// What a hook came to, counted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Delivered {
    /// People who are wanted now.
    asked: usize,
    /// Events that mean nothing here.
    ignored: usize,
    /// Events that were delivered before.
    repeated: usize,
}

async fn deliver(
    ports: &WebhookPorts,
    connection: &ConnectionId,
    source: PushedSource,
    body: &Value,
) -> Result<Delivered, ScimError> {
    let mut done = Delivered::default();
    let mut keys: BTreeSet<String> = BTreeSet::new();
    if let Some(person) = body.get("person").filter(|person| person.is_object()) {
        if source == PushedSource::Pushed {
            Scim::new(ports, connection).upsert(person).await?;
            done.asked += 1;
        } else {
            let key = ["key", "externalId", "id"].iter().find_map(|name| text(person.get(*name)));
            keys.insert(key.ok_or_else(|| ScimError::value("The person needs a key by which the source has them."))?);
        }
    }
    keys.extend(text(body.get("key")));
    keys.extend(body.get("keys").and_then(Value::as_array).into_iter().flatten().filter_map(|key| text(Some(key))));
    for event in events(body) {
        match event.id {
            Some(id)
                if !ports
                    .store
                    .note_delivery(connection, &hash(&id), ports.clock.now_seconds() + REMEMBERED)
                    .await? =>
            {
                done.repeated += 1;
            }
            _ if event.keys.is_empty() => done.ignored += 1,
            _ => keys.extend(event.keys),
        }
    }
    if keys.len() > MOST {
        return Err(ScimError::value(format!("One hook names at most {MOST} people.")));
    }
    if keys.is_empty() && done == Delivered::default() {
        done.ignored = 1;
    }
    let asked_ms = ports.clock.now().as_millisecond();
    let requests = keys.iter().map(|key| {
        let request = SyncRequest { key: PersonKey::new(key.as_str()), asked_ms };
        ports.store.request_sync(connection, &request)
    });
    ports.store.write_all(requests.collect()).await?;
    done.asked += keys.len();
    if !keys.is_empty() {
        notify(ports, connection).await;
    }
    Ok(done)
}

fn text(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty() && text.len() <= 512).then_some(text)
}

/// An event that an identity provider sent.
struct Event {
    /// By which the same event is known again.
    id: Option<String>,
    /// Whom it is about; nobody where it means nothing here.
    keys: Vec<String>,
}

/// The events of a body: Okta's, or a list as OneLogin sends it.
fn events(body: &Value) -> Vec<Event> {
    let okta = body.pointer("/data/events").and_then(Value::as_array);
    if let Some(events) = okta {
        return events.iter().filter_map(Value::as_object).map(okta_event).collect();
    }
    let list = body.as_array().into_iter().flatten().filter_map(Value::as_object);
    list.map(|event| Event {
        id: text(event.get("uuid")),
        keys: text(event.get("user_id")).or_else(|| text(event.get("key"))).into_iter().collect(),
    })
    .collect()
}

fn okta_event(event: &Map<String, Value>) -> Event {
    let kind = event.get("eventType").and_then(Value::as_str).unwrap_or_default();
    let wanted = OKTA.iter().any(|known| kind.starts_with(known));
    let targets = event.get("target").and_then(Value::as_array).into_iter().flatten();
    let users = targets.filter(|target| target.get("type").and_then(Value::as_str) == Some("User"));
    let keys = if wanted { users.filter_map(|user| text(user.get("id"))).collect() } else { Vec::new() };
    Event { id: text(event.get("uuid")).map(|id| format!("okta {id}")), keys }
}
