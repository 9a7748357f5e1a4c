//! What a request is refused with, in the protocol's own form.
//! <https://www.rfc-editor.org/rfc/rfc7644#section-3.12>

use axum::http::StatusCode;
use hardmatch_store::StoreError;
use serde_json::{Value, json};

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScimError {
    pub(crate) status: StatusCode,
    /// Which error of the protocol's own list it is.
    pub(crate) kind: Option<&'static str>,
    /// What is wrong, and what to do. Shown to administrators of identity providers; names no other person.
    pub(crate) detail: String,
}

impl ScimError {
    pub(crate) fn new(status: StatusCode, kind: Option<&'static str>, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into() }
    }

    fn bad(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some(kind), detail)
    }

    pub(crate) fn syntax(detail: impl Into<String>) -> Self {
        Self::bad("invalidSyntax", detail)
    }

    pub(crate) fn value(detail: impl Into<String>) -> Self {
        Self::bad("invalidValue", detail)
    }

    pub(crate) fn filter(detail: impl Into<String>) -> Self {
        Self::bad("invalidFilter", detail)
    }

    pub(crate) fn path(detail: impl Into<String>) -> Self {
        Self::bad("invalidPath", detail)
    }

    pub(crate) fn no_target(detail: impl Into<String>) -> Self {
        Self::bad("noTarget", detail)
    }

    pub(crate) fn mutability(detail: impl Into<String>) -> Self {
        Self::bad("mutability", detail)
    }

    pub(crate) fn taken(attribute: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            Some("uniqueness"),
            format!("Another resource has this {attribute} already. Look it up with a filter, and change that one."),
        )
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, None, format!("There is no {what} of this id (any more)."))
    }

    /// As it is answered.
    pub(crate) fn json(&self) -> Value {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.as_str(),
            "detail": self.detail,
        });
        if let Some(kind) = self.kind {
            body["scimType"] = json!(kind);
        }
        body
    }
}

/// The state cannot be read or written: nothing is said of it but that it may be tried again.
impl From<StoreError> for ScimError {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %error, "a request could not be carried out");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            None,
            "The state of hardmatch cannot be reached just now. Try again in a minute.",
        )
    }
}
