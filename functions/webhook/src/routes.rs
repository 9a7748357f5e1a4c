//! From HTTP to what is asked, and back: addresses, bodies within their limits, and a line in the log for each call. The
//! line names the address without ids, the connection and the token by its public part: no personal data, and no body.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_store::api_tokens::TokenScope;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;

use crate::access::{admit, refused};
use crate::error::ScimError;
use crate::limits::LARGEST_BODY;
use crate::ports::{PushedSource, WebhookPorts};
use crate::reply::Reply;
use crate::scim::{self, Scim};
use crate::{bulk_upload, hooks, people};

/// The longest key of a person in an address, in bytes.
const LONGEST_KEY: usize = 512;
/// The longest name of a connection.
const LONGEST_NAME: usize = 64;

/// Everything under `/connections`, for a local port and for API Gateway alike.
pub fn router(ports: WebhookPorts) -> Router {
    Router::new().route("/connections/{*rest}", axum::routing::any(answer)).with_state(Arc::new(ports))
}

/// What an address stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route {
    Scim(scim::Place),
    BulkUpload,
    /// What became of one upload.
    Upload(String),
    Hooks,
    Person(PersonKey),
}

impl Route {
    /// The connection and the rest of an address.
    fn of(path: &str) -> Option<(ConnectionId, Option<Self>)> {
        let mut parts = Vec::new();
        for part in path.strip_prefix("/connections/")?.trim_end_matches('/').split('/') {
            parts.push(percent_decode_str(part).decode_utf8().ok()?.into_owned());
        }
        let (connection, rest) = parts.split_first()?;
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if connection.is_empty() || connection.len() > LONGEST_NAME || !connection.chars().all(named) {
            return None;
        }
        Some((ConnectionId::new(connection.as_str()), Self::within(rest)))
    }

    fn within(parts: &[String]) -> Option<Self> {
        let (first, rest) = parts.split_first()?;
        match (first.as_str(), rest) {
            ("scim", [version, place @ ..]) if version == "v2" => scim::Place::of(place).map(Self::Scim),
            ("bulkUpload", []) => Some(Self::BulkUpload),
            ("bulkUpload", [id]) => Some(Self::Upload(id.clone())),
            ("hooks", []) => Some(Self::Hooks),
            // API Gateway hands an address over decoded: the slashes of a key are not told apart from its own.
            ("people", [key @ .., sync]) if sync == "sync" => {
                let key = key.join("/");
                (!key.is_empty() && key.len() <= LONGEST_KEY).then(|| Self::Person(PersonKey::new(key)))
            }
            _ => None,
        }
    }

    fn template(&self) -> &'static str {
        match self {
            Self::Scim(place) => place.template(),
            Self::BulkUpload => "/bulkUpload",
            Self::Upload(_) => "/bulkUpload/{id}",
            Self::Hooks => "/hooks",
            Self::Person(_) => "/people/{key}/sync",
        }
    }

    fn scope(&self) -> TokenScope {
        match self {
            Self::Scim(_) | Self::BulkUpload | Self::Upload(_) => TokenScope::Scim,
            Self::Hooks => TokenScope::Hook,
            Self::Person(_) => TokenScope::Sync,
        }
    }
}

/// What is known of a call for its line in the log.
#[derive(Default)]
struct Call {
    route: &'static str,
    connection: Option<ConnectionId>,
    token: Option<String>,
    bytes: usize,
}

async fn answer(State(ports): State<Arc<WebhookPorts>>, request: Request) -> Response<Body> {
    let began = ports.clock.now();
    let method = request.method().clone();
    let plain = wants_plain(request.headers());
    let mut call = Call::default();
    let reply = carry_out(&ports, request, &mut call).await;
    let took = ports.clock.now().as_millisecond() - began.as_millisecond();
    tracing::info!(
        http.method = %method,
        http.route = call.route,
        http.status = reply.status.as_u16(),
        connection.id = call.connection.as_ref().map(tracing::field::display),
        token.id = call.token,
        http.bytes = call.bytes,
        http.took_ms = took,
        "call"
    );
    let mut response = reply.response(plain);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

async fn carry_out(ports: &WebhookPorts, request: Request, call: &mut Call) -> Reply {
    let (parts, body) = request.into_parts();
    let (connection, route) = Route::of(parts.uri.path()).unwrap_or_else(|| (ConnectionId::new("-"), None));
    call.route = route.as_ref().map_or("-", Route::template);
    let query = parts.uri.query().unwrap_or_default();
    let headers = &parts.headers;
    // A hook is known by the signature over its body, which is read first, within its limits.
    if let Some(Route::Hooks) = route {
        let body = match read(ports, headers, body).await {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        call.bytes = body.len();
        let hook = hooks::Hook { method: &parts.method, headers, body: &body };
        let admitted = match hooks::admit(ports, &connection, &hook).await {
            Ok(admitted) => admitted,
            Err(reply) => return reply,
        };
        call.connection = Some(connection.clone());
        call.token = Some(admitted.token.id.clone());
        return match source(ports, &connection).await {
            Ok(source) => hooks::answer(ports, &connection, source, &hook, &admitted).await,
            Err(reply) => reply,
        };
    }
    let scope = route.as_ref().map_or(TokenScope::Scim, Route::scope);
    let admitted = match admit(ports, &connection, headers, scope).await {
        Ok(admitted) => admitted,
        Err(reply) => return reply,
    };
    call.connection = Some(connection.clone());
    call.token = Some(admitted.token.id);
    let Some(route) = route else {
        return Reply::from(ScimError::new(StatusCode::NOT_FOUND, None, "There is nothing at this address."));
    };
    let source = match source(ports, &connection).await {
        Ok(source) => source,
        Err(reply) => return reply,
    };
    if scope == TokenScope::Scim && source != PushedSource::Pushed {
        return Reply::from(ScimError::new(
            StatusCode::FORBIDDEN,
            None,
            "The people of this connection are read from a directory. To push them, write [source] kind = \"scim\" into its file.",
        ));
    }
    let body = match read(ports, headers, body).await {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    call.bytes = body.len();
    let wrong_method =
        || Reply::from(ScimError::new(StatusCode::METHOD_NOT_ALLOWED, None, "This address does not take that method."));
    match (&route, &parts.method) {
        (Route::Scim(place), method) => {
            let request = scim::Request { method, place, query, headers, body: &body };
            Scim::new(ports, &connection).answer(&request).await
        }
        (Route::BulkUpload, &Method::POST) => bulk_upload::upload(ports, &connection, &body).await,
        (Route::Upload(id), &Method::GET) => bulk_upload::status(ports, &connection, id).await,
        (Route::Person(key), &Method::POST) => people::sync(ports, &connection, key, query).await,
        (Route::Person(key), &Method::GET) => people::status(ports, &connection, key).await,
        (Route::Hooks | Route::BulkUpload | Route::Upload(_) | Route::Person(_), _) => wrong_method(),
    }
}

/// Where the people of a connection come from. One that was taken away since its token was made is not known.
async fn source(ports: &WebhookPorts, connection: &ConnectionId) -> Result<PushedSource, Reply> {
    match ports.connections.source(connection).await {
        Ok(Some(source)) => Ok(source),
        Ok(None) => Err(refused(ports)),
        Err(error) => {
            tracing::warn!(connection.id = %connection, error = %error, "a connection cannot be looked up");
            let text = "The connection cannot be looked up just now. Try again in a minute.";
            Err(Reply::from(ScimError::new(StatusCode::SERVICE_UNAVAILABLE, None, text)))
        }
    }
}

/// A body within its limits of bytes and time.
async fn read(ports: &WebhookPorts, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Reply> {
    let too_large = || {
        Reply::from(ScimError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            None,
            format!("The body is larger than {LARGEST_BODY} bytes. Send less at a time."),
        ))
    };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > LARGEST_BODY) {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(ports.limits.body_time, Limited::new(body, LARGEST_BODY).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(too_large()),
        Ok(Err(_)) => Err(Reply::from(ScimError::syntax("The body ended early."))),
        Err(_) => {
            let text = "The body took too long to arrive.";
            Err(Reply::from(ScimError::new(StatusCode::REQUEST_TIMEOUT, None, text)))
        }
    }
}

/// Whether a client takes plain JSON alone.
fn wants_plain(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    accepted.contains("application/json") && !accepted.contains("application/scim+json")
}
