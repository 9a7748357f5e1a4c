//! What goes back over the wire: answers, and refusals in Graph's error shape
//! (<https://learn.microsoft.com/graph/errors>).

use serde_json::{Value, json};

use crate::clock::iso;

/// A finished answer, before the diagnostic headers are added.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn bytes(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, body.to_string().into_bytes())
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// One entry of `error.details`.
#[derive(Clone, Debug)]
pub(crate) struct Detail {
    pub(crate) code: &'static str,
    pub(crate) target: String,
}

/// A refusal, not yet dressed with request ids.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) details: Vec<Detail>,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Set when the caller did something no client of Graph should do.
    pub(crate) violation: Option<String>,
}

pub(crate) type Outcome<T = Answer> = Result<T, Box<Refusal>>;

/// Everything an error body names besides its text.
pub(crate) struct Ids<'a> {
    pub(crate) request: &'a str,
    pub(crate) client: &'a str,
    pub(crate) now: i64,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            status,
            code,
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
            violation: None,
        })
    }

    pub(crate) fn bad(message: impl Into<String>) -> Box<Self> {
        Self::new(400, "Request_BadRequest", message)
    }

    /// Missing permission, or a target that holds a role: the same body
    /// (<https://learn.microsoft.com/graph/api/resources/users>).
    pub(crate) fn denied() -> Box<Self> {
        Self::new(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    }

    /// <https://learn.microsoft.com/graph/errors>; also the answer for soft-deleted objects.
    pub(crate) fn not_found(id: &str) -> Box<Self> {
        Self::new(
            404,
            "Request_ResourceNotFound",
            format!("Resource '{id}' does not exist or one of its queried reference-property objects are not present."),
        )
    }

    pub(crate) fn invalid_value(property: &str, resource: &str) -> Box<Self> {
        Self::bad(format!("Invalid value specified for property '{property}' of resource '{resource}'."))
            .detail("InvalidValue", property)
    }

    pub(crate) fn required(property: &str, resource: &str) -> Box<Self> {
        Self::bad(format!("A value is required for property '{property}' of resource '{resource}'."))
    }

    pub(crate) fn unsupported_query(message: impl Into<String>) -> Box<Self> {
        Self::new(400, "Request_UnsupportedQuery", message)
    }

    /// Nothing in Graph's documentation answers this call: say so loudly, so that the story fails.
    pub(crate) fn unknown(what: impl Into<String>) -> Box<Self> {
        let what = what.into();
        let mut refusal = Self::new(501, "NotImplemented", format!("The simulated tenant does not know {what}."));
        refusal.violation = Some(what);
        refusal
    }

    pub(crate) fn detail(mut self: Box<Self>, code: &'static str, target: impl Into<String>) -> Box<Self> {
        self.details.push(Detail { code, target: target.into() });
        self
    }

    pub(crate) fn with(mut self: Box<Self>, name: &'static str, value: impl Into<String>) -> Box<Self> {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn violating(mut self: Box<Self>, what: impl Into<String>) -> Box<Self> {
        self.violation = Some(what.into());
        self
    }

    pub(crate) fn render(&self, ids: &Ids<'_>) -> Answer {
        let mut error = json!({
            "code": self.code,
            "message": self.message,
            "innerError": {
                "date": iso(ids.now).trim_end_matches('Z'),
                "request-id": ids.request,
                "client-request-id": ids.client,
            },
        });
        if !self.details.is_empty() {
            error["details"] = self
                .details
                .iter()
                .map(|d| json!({ "code": d.code, "message": self.message, "target": d.target }))
                .collect();
        }
        let mut answer = Answer::json(self.status, &json!({ "error": error }));
        answer.headers.clone_from(&self.headers);
        answer
    }
}
