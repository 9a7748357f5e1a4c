//! An answer before it is HTTP.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

use crate::error::ScimError;

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Option<Value>,
    pub(crate) location: Option<String>,
    pub(crate) etag: Option<String>,
    /// Seconds after which the client may try again.
    pub(crate) retry_after: Option<u64>,
}

impl Reply {
    pub(crate) fn of(status: StatusCode, body: Value) -> Self {
        Self { body: Some(body), ..Self::empty(status) }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::of(StatusCode::OK, body)
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, body: None, location: None, etag: None, retry_after: None }
    }

    pub(crate) fn at(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }

    /// The same with the version and the address that its body names.
    pub(crate) fn with_meta(self) -> Self {
        let text = |name: &str| {
            let meta = self.body.as_ref().and_then(|body| body.get("meta"));
            meta.and_then(|meta| meta.get(name)).and_then(Value::as_str).map(str::to_owned)
        };
        let (etag, location) = (text("version"), text("location"));
        Self { location, etag, ..self }
    }

    /// As HTTP. A client that takes plain JSON alone gets it under that name.
    pub(crate) fn response(self, plain: bool) -> Response<Body> {
        let media = if plain { "application/json" } else { "application/scim+json" };
        let body = self.body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let mut put = |name, value: Option<String>| {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        };
        put(CONTENT_TYPE, (self.status != StatusCode::NO_CONTENT).then(|| media.to_owned()));
        put(LOCATION, self.location);
        put(ETAG, self.etag);
        put(RETRY_AFTER, self.retry_after.map(|seconds| seconds.to_string()));
        put(WWW_AUTHENTICATE, (self.status == StatusCode::UNAUTHORIZED).then(|| "Bearer".to_owned()));
        response
    }
}

impl From<ScimError> for Reply {
    fn from(error: ScimError) -> Self {
        let busy = error.status == StatusCode::SERVICE_UNAVAILABLE;
        Self { retry_after: busy.then_some(60), ..Self::of(error.status, error.json()) }
    }
}
