//! One person on demand: asked for, followed, or only explained.

use std::time::Duration;

use axum::http::StatusCode;
use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_store::sync_requests::SyncRequest;
use serde_json::json;
use url::form_urlencoded;

use crate::error::ScimError;
use crate::ports::{Provisioning, WebhookPorts};
use crate::reply::Reply;
use crate::state::{is_open, notify};

/// The longest wait for a result.
const LONGEST_WAIT: Duration = Duration::from_secs(25);
/// How often it is looked whether there is one.
const LOOK: Duration = Duration::from_millis(50);

/// Asks for a person; waits for the result where the query says so. With `dryRun=true` the decision is told, and nothing
/// is asked for.
pub(crate) async fn sync(ports: &WebhookPorts, connection: &ConnectionId, key: &PersonKey, query: &str) -> Reply {
    let ask = Ask::of(query);
    let told = match ask {
        Ok(Ask { dry_run: true, .. }) => told(ports, connection, key).await,
        Ok(Ask { wait, .. }) => asked(ports, connection, key, wait).await,
        Err(error) => Err(error),
    };
    told.unwrap_or_else(Reply::from)
}

/// What became of a person.
pub(crate) async fn status(ports: &WebhookPorts, connection: &ConnectionId, key: &PersonKey) -> Reply {
    told(ports, connection, key).await.unwrap_or_else(Reply::from)
}

struct Ask {
    dry_run: bool,
    wait: Duration,
}

impl Ask {
    fn of(query: &str) -> Result<Self, ScimError> {
        let mut ask = Self { dry_run: false, wait: Duration::ZERO };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "dryRun" => {
                    ask.dry_run = value.parse().map_err(|_| ScimError::value("dryRun must be true or false."))?;
                }
                "wait" => {
                    let seconds =
                        value.parse::<u64>().map_err(|_| ScimError::value("wait must be a number of seconds."))?;
                    ask.wait = Duration::from_secs(seconds).min(LONGEST_WAIT);
                }
                _ => {}
            }
        }
        Ok(ask)
    }
}

async fn asked(ports: &WebhookPorts, c: &ConnectionId, key: &PersonKey, wait: Duration) -> Result<Reply, ScimError> {
    let now = ports.clock.now();
    let request = SyncRequest { key: key.clone(), asked_ms: now.as_millisecond() };
    ports.store.write(ports.store.request_sync(c, &request)).await?;
    notify(ports, c).await;
    let until = now.saturating_add(wait).unwrap_or(now);
    while is_open(ports, c, key).await? {
        if ports.clock.now() >= until {
            return Ok(Reply::of(
                StatusCode::ACCEPTED,
                json!({ "v": 1, "state": Provisioning::Pending.name(), "status": "the same address, with GET" }),
            ));
        }
        ports.clock.sleep(LOOK).await;
    }
    told(ports, c, key).await
}

/// The decision about a person, with its evidence.
async fn told(ports: &WebhookPorts, c: &ConnectionId, key: &PersonKey) -> Result<Reply, ScimError> {
    let open = is_open(ports, c, key).await?;
    let state = ports.people.state(c, key).await.map_err(|error| {
        tracing::warn!(connection.id = %c, error = %error, "a person's state cannot be told");
        ScimError::new(StatusCode::SERVICE_UNAVAILABLE, None, "The state cannot be found out just now. Try again.")
    })?;
    match state {
        Some(state) => Ok(Reply::ok(json!({
            "v": 1,
            "state": if open { Provisioning::Pending.name() } else { state.provisioning.name() },
            "reason": state.reason,
            "detail": state.detail,
            "remedy": state.remedy,
            "account": state.account,
            "person": state.row,
        }))),
        None if open => Ok(Reply::ok(json!({ "v": 1, "state": Provisioning::Pending.name() }))),
        None => Err(ScimError::new(
            StatusCode::NOT_FOUND,
            None,
            "Nobody of this key is known. The source does not have them, or nothing was read yet.",
        )),
    }
}
