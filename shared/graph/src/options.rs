//! What a client is made from, and the checks that keep tokens on the hosts they are meant for.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hardmatch_ports::clock::Clock;
use hardmatch_ports::credentials::Credential;
use hardmatch_ports::tenant::Priority;
use url::{Host, Url};

/// What a [`GraphClient`](crate::GraphClient) is made from.
#[derive(Clone)]
pub struct GraphOptions {
    /// Directory id, or any verified domain name of the tenant. Never `common` or another alias.
    pub tenant: String,
    /// Application (client) id.
    pub client_id: String,
    /// Login authority, such as `https://login.microsoftonline.com`.
    /// <https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>
    pub login: Url,
    /// Graph root without a version, such as `https://graph.microsoft.com`.
    /// <https://learn.microsoft.com/graph/deployments>
    pub graph: Url,
    /// The scope to ask for; `None` is the Graph root followed by `/.default`, or for a loopback root the scope of the
    /// global cloud.
    pub scope: Option<String>,
    /// Proves who we are.
    pub credential: Arc<dyn Credential>,
    /// Tells the time and waits.
    pub clock: Arc<dyn Clock>,
    /// For a connection to stand.
    pub connect_timeout: Duration,
    /// For a whole request and its answer.
    pub request_timeout: Duration,
    /// How reads of [`TenantRead`](hardmatch_ports::TenantRead) rank when the tenant is throttled.
    pub read_priority: Priority,
    /// Seed of the jitter of waits; `None` takes a random one.
    pub jitter_seed: Option<u64>,
}

/// Longer than the slowest page of a listing is expected to take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(100);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl GraphOptions {
    /// With the usual time-outs and scope.
    pub fn new(
        tenant: impl Into<String>,
        client_id: impl Into<String>,
        login: Url,
        graph: Url,
        credential: Arc<dyn Credential>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            tenant: tenant.into(),
            client_id: client_id.into(),
            login,
            graph,
            scope: None,
            credential,
            clock,
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            read_priority: Priority::Low,
            jitter_seed: None,
        }
    }
}

impl fmt::Debug for GraphOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphOptions")
            .field("tenant", &self.tenant)
            .field("client_id", &self.client_id)
            .field("login", &self.login.as_str())
            .field("graph", &self.graph.as_str())
            .finish_non_exhaustive()
    }
}

/// Options that cannot make a client. Each names its cure.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// Plain HTTP to somewhere else than this machine, or another scheme.
    #[error("The {which} URL must begin with https:// (plain http is accepted for loopback hosts only).")]
    Scheme {
        /// `login` or `graph`.
        which: &'static str,
    },
    /// A URL with parts that a root must not have.
    #[error("The {which} URL must be a host, with a port where needed, and nothing else.")]
    Root {
        /// `login` or `graph`.
        which: &'static str,
    },
    /// `common` and its like, or characters that no tenant name has.
    #[error("The tenant must be a directory id or a verified domain name; an alias such as `common` gets no token.")]
    Tenant,
    /// The HTTP stack did not start.
    #[error("The HTTP client could not be made: {0}. Check the certificate store and the proxy settings.")]
    Http(String),
}

/// An origin that requests may go to, as text without a trailing slash.
pub(crate) fn root(which: &'static str, url: &Url) -> Result<String, OptionsError> {
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(url) => {}
        _ => return Err(OptionsError::Scheme { which }),
    }
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && matches!(url.path(), "" | "/");
    if !bare || url.host().is_none() {
        return Err(OptionsError::Root { which });
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether the host is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

/// App-only tokens need a concrete tenant.
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
pub(crate) fn check_tenant(tenant: &str) -> Result<(), OptionsError> {
    let alias = ["common", "organizations", "consumers"].iter().any(|alias| tenant.eq_ignore_ascii_case(alias));
    let plain = !tenant.is_empty() && tenant.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    if alias || !plain || tenant.starts_with('.') { Err(OptionsError::Tenant) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooted(text: &str) -> Option<String> {
        root("graph", &Url::parse(text).unwrap()).ok()
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        assert_eq!(rooted("http://127.0.0.1:8080/").as_deref(), Some("http://127.0.0.1:8080"));
        assert_eq!(rooted("http://[::1]:8080").as_deref(), Some("http://[::1]:8080"));
        assert_eq!(rooted("http://localhost").as_deref(), Some("http://localhost"));
        assert_eq!(rooted("https://graph.microsoft.us").as_deref(), Some("https://graph.microsoft.us"));
        for bad in ["http://graph.microsoft.com", "http://127.0.0.1.example.com", "http://localhost.example", "ftp://a"]
        {
            assert_eq!(rooted(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_root_is_a_host_and_nothing_else() {
        for bad in ["https://u:p@a", "https://a/v1.0", "https://a/?x", "https://a/#x"] {
            assert_eq!(rooted(bad), None, "{bad}");
        }
    }

    #[test]
    fn aliases_and_paths_are_no_tenants() {
        for good in ["contoso.onmicrosoft.com", "0d4b1a2c-0000-4000-8000-000000000001"] {
            assert!(check_tenant(good).is_ok(), "{good}");
        }
        for bad in ["", "common", "Organizations", "consumers", "a/b", "a?b", "..", "a b"] {
            assert!(check_tenant(bad).is_err(), "{bad}");
        }
    }
}
