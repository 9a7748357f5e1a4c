//! The browser that began: a cookie for each attempt, and whether a request comes from our own page.

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, ORIGIN};

use crate::PublicUrl;
use crate::problem::Problem;
use crate::public_url::Transport;
use crate::secret::could_be_secret;

/// As long as anything of an attempt is worth something.
const SECONDS: i64 = 60 * 60;

/// An attempt's cookie has a name of its own, so that two attempts in one browser do not take each other's. `__Host-`
/// keeps other hosts of the same domain from setting it.
/// <https://www.ietf.org/archive/id/draft-ietf-httpbis-rfc6265bis-20.html#name-cookie-name-prefixes>
fn name(url: &PublicUrl, attempt: &str) -> String {
    let prefix = match url.transport() {
        Transport::Tls => "__Host-",
        Transport::Loopback => "",
    };
    format!("{prefix}hardmatch-connect-{}", attempt.get(..16).unwrap_or(attempt))
}

/// `Set-Cookie` that binds an attempt to the browser. Lax: it comes along when Microsoft sends the browser back, and
/// with no form that another site posts.
pub(crate) fn bind(url: &PublicUrl, attempt: &str, secret: &str) -> String {
    set(url, attempt, secret, SECONDS)
}

/// `Set-Cookie` that takes it back.
pub(crate) fn release(url: &PublicUrl, attempt: &str) -> String {
    set(url, attempt, "", 0)
}

fn set(url: &PublicUrl, attempt: &str, value: &str, seconds: i64) -> String {
    let secure = match url.transport() {
        Transport::Tls => "; Secure",
        Transport::Loopback => "",
    };
    format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", name(url, attempt))
}

/// The secret that the browser brings for an attempt.
pub(crate) fn brought<'h>(headers: &'h HeaderMap, url: &PublicUrl, attempt: &str) -> Option<&'h str> {
    let name = name(url, attempt);
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, value)| *found == name && could_be_secret(value))
        .map(|(_, value)| value)
}

/// Refuses a form that another site posted. Browsers say where a request comes from in `Sec-Fetch-Site`; under
/// `Referrer-Policy: no-referrer` they write `null` into `Origin`, which is then no evidence either way. Who sends
/// neither is no browser of today.
/// <https://www.w3.org/TR/fetch-metadata/>, <https://fetch.spec.whatwg.org/#append-a-request-origin-header>
pub(crate) fn from_our_page(headers: &HeaderMap, url: &PublicUrl) -> Result<(), Problem> {
    let origin = headers.get(ORIGIN).map(axum::http::HeaderValue::as_bytes);
    let ours = url.origin();
    let same = match headers.get("sec-fetch-site").map(axum::http::HeaderValue::as_bytes) {
        Some(b"same-origin") => origin.is_none_or(|origin| origin == b"null" || origin == ours.as_bytes()),
        Some(_) => false,
        None => origin == Some(ours.as_bytes()),
    };
    if same { Ok(()) } else { Err(Problem::AnotherSite) }
}
