//! What a client is made from, and the checks that keep tokens on the hosts they are meant for.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hardmatch_domain::attribute::DirectoryExtension;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::credentials::Credential;
use hardmatch_ports::tenant::Priority;
use hardmatch_ports::tokens::TokenStore;
use url::{Host, Url};

use crate::backoff::Backoff;
use crate::endpoint::Endpoint;

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
    /// global cloud, and where that is refused the root's own.
    pub scope: Option<String>,
    /// Proves who we are.
    pub credential: Arc<dyn Credential>,
    /// Tells the time and waits.
    pub clock: Arc<dyn Clock>,
    /// For a connection to stand.
    pub connect_timeout: Duration,
    /// For a whole request and its answer.
    pub request_timeout: Duration,
    /// A read is repeated after waits up to this; a longer one is told to the caller, who plans it. Nobody pays for a
    /// function that sleeps.
    pub longest_wait: Duration,
    /// How reads of [`TenantRead`](hardmatch_ports::TenantRead) rank when the tenant is throttled.
    pub read_priority: Priority,
    /// Seed of the jitter of waits; `None` takes a random one.
    pub jitter_seed: Option<u64>,
    /// Keeps tokens between two starts. Access tokens do without; a refresh token has nowhere else to be.
    pub token_store: Option<Arc<dyn TokenStore>>,
    /// Who the tokens speak for.
    pub grant: GrantKind,
    /// Directory extensions that every account is read with, beside what each tenant has.
    pub extensions: Vec<DirectoryExtension>,
}

/// Who tokens speak for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GrantKind {
    /// The application itself.
    /// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
    #[default]
    ClientCredentials,
    /// An administrator who signed in, by the refresh token that was kept then. Needs a token store.
    /// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow>
    Delegated {
        /// Delegated permissions of Graph, without its host: `User.ReadWrite.All`. Empty: those consented to.
        scopes: BTreeSet<String>,
    },
}

/// Longer than the slowest page of a listing is expected to take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(100);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Where one process does it all, and the caller would only wait in its place.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

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
            longest_wait: LONGEST_WAIT,
            read_priority: Priority::Low,
            jitter_seed: None,
            token_store: None,
            grant: GrantKind::ClientCredentials,
            extensions: Vec::new(),
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
            .field("grant", &self.grant)
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
    /// A refresh token must be kept somewhere.
    #[error("Delegated sign-in needs a place to keep its refresh token: configure the state that keeps tokens.")]
    TokenStore,
    /// The HTTP stack did not start.
    #[error("The HTTP client could not be made: {0}. Check the certificate store and the proxy settings.")]
    Http(String),
}

impl GraphOptions {
    /// The token endpoint, for the waits of `backoff`.
    pub(crate) fn endpoint(&self, http: reqwest::Client, backoff: Arc<Backoff>) -> Result<Endpoint, OptionsError> {
        check_tenant(&self.tenant)?;
        let login = root("login", &self.login)?;
        Ok(Endpoint {
            http,
            clock: Arc::clone(&self.clock),
            credential: Arc::clone(&self.credential),
            client_id: self.client_id.clone(),
            token_url: format!("{login}/{}/oauth2/v2.0/token", self.tenant),
            backoff,
            asked: AtomicU64::new(0),
        })
    }

    /// Waits of this client.
    pub(crate) fn backoff(&self) -> Arc<Backoff> {
        Arc::new(Backoff::new(self.jitter_seed.unwrap_or_else(rand::random)))
    }

    /// The HTTP client for everything that carries a secret.
    pub(crate) fn http(&self) -> Result<reqwest::Client, OptionsError> {
        let mut builder = reqwest::Client::builder()
            // A redirect would carry the token, or the secret, to another host.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(self.connect_timeout)
            .timeout(self.request_timeout);
        if is_loopback(&self.login) || is_loopback(&self.graph) {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|error| OptionsError::Http(error.to_string()))
    }

    /// The scope of the application itself: the Graph root followed by `/.default`. A stand-in on this machine plays the
    /// global cloud, whose scope it checks.
    pub(crate) fn default_scope(&self) -> Result<String, OptionsError> {
        let root = root("graph", &self.graph)?;
        let resource = if is_loopback(&self.graph) { "https://graph.microsoft.com" } else { &root };
        Ok(self.scope.clone().unwrap_or_else(|| format!("{resource}{DEFAULT}")))
    }

    /// The scope that is asked for where the login service does not know the first: a stand-in on this machine may go by
    /// its own root.
    pub(crate) fn other_scope(&self) -> Result<Option<String>, OptionsError> {
        let root = root("graph", &self.graph)?;
        Ok((self.scope.is_none() && is_loopback(&self.graph)).then(|| format!("{root}{DEFAULT}")))
    }

    /// The scopes of an administrator: each with the resource in front, and the one that brings refresh tokens.
    pub(crate) fn delegated_scopes(&self, scopes: &BTreeSet<String>) -> Result<Vec<String>, OptionsError> {
        Ok(with_resource(&self.default_scope()?, scopes))
    }

    /// The directory id, where the tenant is configured by it.
    pub(crate) fn tenant_id(&self) -> Option<String> {
        uuid::Uuid::parse_str(&self.tenant).ok().map(|id| id.hyphenated().to_string())
    }
}

const DEFAULT: &str = "/.default";

/// Delegated permissions as the platform wants them; without any, those consented to.
pub(crate) fn with_resource(default_scope: &str, scopes: &BTreeSet<String>) -> Vec<String> {
    let resource = default_scope.strip_suffix(DEFAULT).unwrap_or(default_scope);
    let whole = |scope: &String| if scope.contains("://") { scope.clone() } else { format!("{resource}/{scope}") };
    let asked =
        if scopes.is_empty() { vec![format!("{resource}{DEFAULT}")] } else { scopes.iter().map(whole).collect() };
    // Without it no refresh token comes. <https://learn.microsoft.com/entra/identity-platform/scopes-oidc>
    asked.into_iter().chain(["offline_access".to_owned()]).collect()
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

/// Host and port, for errors that say who answered.
pub(crate) fn origin(url: &Url) -> String {
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    format!("{}{port}", url.host_str().unwrap_or_default())
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
    fn delegated_permissions_are_asked_for_of_the_resource() {
        let asked = |scope: &str, scopes: &[&str]| {
            with_resource(scope, &scopes.iter().map(|scope| (*scope).to_owned()).collect()).join(" ")
        };
        let usgov = "https://graph.microsoft.us/.default";
        assert_eq!(
            asked(usgov, &["User.ReadWrite.All", "https://graph.microsoft.us/Domain.Read.All"]),
            "https://graph.microsoft.us/User.ReadWrite.All https://graph.microsoft.us/Domain.Read.All offline_access"
        );
        assert_eq!(asked(usgov, &[]), "https://graph.microsoft.us/.default offline_access");
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
