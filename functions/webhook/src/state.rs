//! What is known of a person who was pushed or asked for, and saying that somebody is wanted.

use std::time::Duration;

use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_ports::doorbell::{Message, MessageKind, Urgency};
use hardmatch_ports::run::Phase;
use hardmatch_store::StoreError;
use serde_json::{Value, json};

use crate::ports::{Provisioning, WebhookPorts};

/// Says that somebody of a connection is wanted. What is not heard is found by the next look, so a failure is told to
/// operators and not to the client: the request is stored.
pub(crate) async fn notify(ports: &WebhookPorts, connection: &ConnectionId) {
    let message = Message::new(connection.clone(), "", MessageKind::SyncPeople).with_urgency(Urgency::Now);
    if let Err(error) = ports.doorbell.notify(message, Duration::ZERO).await {
        tracing::warn!(connection.id = %connection, error = %error, "nobody was told that people are wanted");
    }
}

/// Whether something that was asked for the person is still to be done.
pub(crate) async fn is_open(ports: &WebhookPorts, c: &ConnectionId, key: &PersonKey) -> Result<bool, StoreError> {
    let pid = ports.store.secret().pid(key);
    if ports.store.sync_request(c, pid).await?.is_some() {
        return Ok(true);
    }
    let Some(run) = ports.store.now_run(c, pid).await? else { return Ok(false) };
    let run = ports.store.run(c, &run.value).await?;
    Ok(run.is_some_and(|run| !matches!(run.value.phase, Phase::Planned | Phase::Closed)))
}

/// The provisioning state of a person, for SCIM.
pub(crate) async fn state(ports: &WebhookPorts, c: &ConnectionId, key: &PersonKey) -> Value {
    let pending = || json!({ "state": Provisioning::Pending.name() });
    match is_open(ports, c, key).await {
        Ok(false) => {}
        Ok(true) => return pending(),
        Err(error) => {
            tracing::warn!(connection.id = %c, error = %error, "a person's state cannot be told");
            return pending();
        }
    }
    match ports.people.state(c, key).await {
        Ok(Some(state)) => {
            let mut told = json!({ "state": state.provisioning.name() });
            let more = [
                ("reason", state.reason),
                ("detail", state.detail),
                ("remedy", state.remedy),
                ("account", state.account),
            ];
            for (name, value) in more {
                if let Some(value) = value {
                    told[name] = json!(value);
                }
            }
            told
        }
        Ok(None) => pending(),
        Err(error) => {
            tracing::warn!(connection.id = %c, error = %error, "a person's state cannot be told");
            pending()
        }
    }
}
