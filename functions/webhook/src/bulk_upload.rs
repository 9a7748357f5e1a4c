//! The body that is written for Microsoft Entra's API-driven inbound provisioning, unchanged: up to fifty people, taken
//! with 202 and followed at the address that is answered. A client does not say whether a person is new.
//! <https://learn.microsoft.com/entra/identity/app-provisioning/inbound-provisioning-api-concepts>

use axum::http::StatusCode;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_store::pushed::Upload;
use serde_json::{Value, json};

use crate::addresses::WebhookAddresses;
use crate::error::ScimError;
use crate::ports::WebhookPorts;
use crate::reply::Reply;
use crate::scim::{self, Scim};
use crate::state::state;

/// Operations of one request at most, as at Microsoft's.
const MOST_OPERATIONS: usize = 50;
/// What became of an upload is kept so long (seconds).
const KEPT: i64 = 7 * 24 * 60 * 60;

/// Takes an upload: every person of it is stored, or refused by themselves.
pub(crate) async fn upload(ports: &WebhookPorts, connection: &ConnectionId, body: &[u8]) -> Reply {
    take(ports, connection, body).await.unwrap_or_else(Reply::from)
}

async fn take(ports: &WebhookPorts, connection: &ConnectionId, body: &[u8]) -> Result<Reply, ScimError> {
    let body = scim::parse(body)?;
    let operations = body.get("Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| ScimError::syntax("The body needs a list of Operations."))?;
    if operations.is_empty() {
        return Err(ScimError::syntax("The list of Operations is empty."));
    }
    if operations.len() > MOST_OPERATIONS {
        return Err(ScimError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Some("tooMany"),
            format!("A request has at most {MOST_OPERATIONS} operations. Send the others in requests of their own."),
        ));
    }
    let scim = Scim::new(ports, connection);
    let mut done = Vec::with_capacity(operations.len());
    for operation in operations {
        let text = |name: &str| operation.get(name).and_then(Value::as_str).map(str::to_owned);
        let result = one(&scim, operation).await;
        if let Err(error) = &result
            && error.status.is_server_error()
        {
            return Err(error.clone());
        }
        let (id, error) = match result {
            Ok(id) => (Some(id), None),
            Err(error) => (None, Some(error.detail)),
        };
        done.push(json!({ "bulkId": text("bulkId"), "id": id, "error": error }));
    }
    let now = ports.clock.now();
    let upload = Upload { id: scim::new_id(now.as_millisecond()), operations: done };
    ports.store.put_upload(connection, &upload, now.as_second() + KEPT).await?;
    let address = format!("{}/{}", WebhookAddresses::of(&ports.url, connection).bulk_upload, upload.id);
    Ok(Reply::empty(StatusCode::ACCEPTED).at(address))
}

async fn one(scim: &Scim<'_>, operation: &Value) -> Result<String, ScimError> {
    let text = |name: &str| operation.get(name).and_then(Value::as_str).unwrap_or_default();
    let path = text("path").trim_matches('/');
    if !path.eq_ignore_ascii_case("Users") && !path.to_ascii_lowercase().starts_with("users/") {
        return Err(ScimError::value("The path of an operation is /Users."));
    }
    if !["POST", "PUT", "PATCH"].iter().any(|method| text("method").eq_ignore_ascii_case(method)) {
        return Err(ScimError::value(
            "The method of an operation is POST. Somebody who left is sent with active: false.",
        ));
    }
    let data = operation.get("data").ok_or_else(|| ScimError::value("The operation has no data."))?;
    scim.upsert(data).await
}

/// What became of an upload, and of its people since.
pub(crate) async fn status(ports: &WebhookPorts, connection: &ConnectionId, id: &str) -> Reply {
    told(ports, connection, id).await.unwrap_or_else(Reply::from)
}

async fn told(ports: &WebhookPorts, connection: &ConnectionId, id: &str) -> Result<Reply, ScimError> {
    let upload = ports.store.upload(connection, id).await?.ok_or_else(|| ScimError::not_found("upload"))?;
    let mut told = Vec::with_capacity(upload.operations.len());
    for mut operation in upload.operations {
        let id = operation.get("id").and_then(Value::as_str).map(str::to_owned);
        operation["state"] = match id {
            None => json!({ "state": "refused" }),
            Some(id) => match ports.store.pushed_person_by_id(connection, &id).await? {
                Some(person) => state(ports, connection, &person.value.key).await,
                None => json!({ "state": "deleted" }),
            },
        };
        told.push(operation);
    }
    Ok(Reply::ok(json!({ "v": 1, "id": upload.id, "operations": told })))
}
