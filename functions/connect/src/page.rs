//! The pages, and what goes around each: what a browser may do with it. Templates have the shape; everything in them is
//! escaped.

use std::sync::LazyLock;

use askama::Template;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, REFRESH,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardmatch_policy::permission::{Grade, Need};
use hardmatch_store::connecting::ConnectMethod;
use sha2::{Digest, Sha256};
use url::Url;

use crate::public_url::Transport;

/// Stands in each page; the policy names its hash, so no other style gets in.
pub(crate) const STYLE: &str = include_str!("../templates/connect.css");

/// <https://www.w3.org/TR/CSP3/#grammardef-hash-source>
static STYLE_HASH: LazyLock<String> =
    LazyLock::new(|| format!("sha256-{}", STANDARD.encode(Sha256::digest(STYLE.as_bytes()))));

/// Stands in the one page that tells a time, and shows it as the reader's clock does. Without a script that page says how
/// many minutes are left, and the time in UTC.
pub(crate) const SCRIPT: &str = include_str!("../templates/times.js");

static SCRIPT_HASH: LazyLock<String> =
    LazyLock::new(|| format!("sha256-{}", STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()))));

/// A sentence in which commands and names stand between backticks, as terminals show them.
#[derive(Template)]
#[template(
    source = "{% for (is_code, part) in parts %}{% if *is_code %}<code>{{ part }}</code>{% else %}{{ part }}{% endif %}{% endfor %}",
    ext = "html"
)]
pub(crate) struct Prose<'a> {
    parts: Vec<(bool, &'a str)>,
}

impl<'a> Prose<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let parts: Vec<&str> = text.split('`').collect();
        // A backtick without its other one is a character like any other.
        if parts.len().is_multiple_of(2) {
            return Self { parts: vec![(false, text)] };
        }
        Self { parts: parts.into_iter().enumerate().map(|(nth, part)| (nth % 2 == 1, part)).collect() }
    }
}

/// To somebody without a link.
#[derive(Template)]
#[template(path = "landing.html")]
pub(crate) struct Landing;

/// What a link offers.
#[derive(Template)]
#[template(path = "offer.html")]
pub(crate) struct Offer<'a> {
    pub(crate) connection: &'a str,
    pub(crate) tenant: &'a str,
    pub(crate) client_id: &'a str,
    /// How many minutes the link lives.
    pub(crate) minutes: u64,
    /// When the link ends: in UTC for people, and as `<time datetime>` has it.
    pub(crate) until: String,
    pub(crate) until_exact: String,
    pub(crate) redirect: String,
    pub(crate) method: ConnectMethod,
    pub(crate) groups: Vec<Group>,
    pub(crate) action: String,
}

/// The way out to Microsoft.
#[derive(Template)]
#[template(path = "onward.html")]
pub(crate) struct Onward<'a> {
    pub(crate) target: &'a str,
}

/// The permissions of one feature.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) needs: Vec<Need>,
}

/// Needs by feature, in their order.
pub(crate) fn groups(needs: &[Need]) -> Vec<Group> {
    needs
        .chunk_by(|one, next| one.feature == next.feature)
        .map(|needs| Group { title: needs[0].feature.title(), needs: needs.to_vec() })
        .collect()
}

/// What came of it.
#[derive(Template)]
#[template(path = "outcome.html")]
pub(crate) struct Outcome<'a> {
    pub(crate) tone: Tone,
    pub(crate) title: String,
    pub(crate) said: String,
    pub(crate) cure: String,
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) covered: &'a [(Need, &'static str)],
    pub(crate) missing: &'a [Need],
    pub(crate) method: ConnectMethod,
    /// Granted and used for nothing.
    pub(crate) unused: String,
    /// Granted and dangerous.
    pub(crate) too_much: String,
    /// Where the button to look again leads.
    pub(crate) check: Option<String>,
}

/// How it went, for the eye; the words say it too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Wait,
    Bad,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Wait => "wait",
            Self::Bad => "bad",
        }
    }
}

/// What went wrong.
#[derive(Template)]
#[template(path = "problem.html")]
pub(crate) struct Problem {
    pub(crate) title: &'static str,
    pub(crate) said: String,
    pub(crate) cure: String,
    pub(crate) facts: Vec<(&'static str, String)>,
}

fn grade(need: &Need) -> &'static str {
    match need.grade {
        Grade::Required => "required",
        Grade::Optional => "optional",
    }
}

/// Leads on to Microsoft by itself. A page of its own and no redirect: browsers apply `form-action` to wherever a form is
/// redirected, and a tenant that signs in elsewhere is sent on to a host that nobody here can name.
/// <https://www.w3.org/TR/CSP3/#directive-form-action>
pub(crate) fn lead_to(target: &Url) -> Response {
    let mut response = respond(StatusCode::OK, &Onward { target: target.as_str() });
    // A URL is ASCII without spaces; were it not, the page has the link all the same.
    if let Ok(refresh) = HeaderValue::from_str(&format!("0;url={target}")) {
        response.headers_mut().insert(REFRESH, refresh);
    }
    response
}

/// A page. Its forms lead to ourselves, and nowhere else.
pub(crate) fn respond(status: StatusCode, page: &impl Template) -> Response {
    with_policy(status, page, "")
}

/// A page that tells a time, with the one script that shows it in the reader's time zone.
pub(crate) fn respond_with_time(status: StatusCode, page: &impl Template) -> Response {
    with_policy(status, page, &format!(" script-src '{}';", *SCRIPT_HASH))
}

fn with_policy(status: StatusCode, page: &impl Template, scripts: &str) -> Response {
    // Our templates write texts into a string: there is nothing that could fail.
    let html = page.render().unwrap_or_default();
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let policy = format!(
        "default-src 'none'; style-src '{}';{scripts} form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        *STYLE_HASH
    );
    // An origin is ASCII; were it not, the strictest policy would stand in.
    let policy = HeaderValue::from_str(&policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// What every response carries, redirects too.
pub(crate) fn guard(mut response: Response, transport: Transport) -> Response {
    let always: [(HeaderName, &str); 4] = [
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    let headers = response.headers_mut();
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    match transport {
        Transport::Tls => {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        Transport::Loopback => {}
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code_and_stays_text() {
        for (text, html) in [
            ("Run `hardmatch doctor`, <b>now</b>.", "Run <code>hardmatch doctor</code>, &#60;b&#62;now&#60;/b&#62;."),
            ("`a` and `<i>`", "<code>a</code> and <code>&#60;i&#62;</code>"),
            ("one ` alone", "one ` alone"),
            ("", ""),
        ] {
            assert_eq!(Prose::of(text).to_string(), html);
        }
    }
}
