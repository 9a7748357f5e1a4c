//! The client: made from options, read through [`TenantRead`](hardmatch_ports::TenantRead), written through
//! [`TenantWrite`](hardmatch_ports::TenantWrite).

use std::fmt;
use std::sync::Arc;

use hardmatch_ports::tenant::Priority;
use url::Url;

use crate::backoff::Backoff;
use crate::options::{GraphOptions, OptionsError, check_tenant, is_loopback, root};
use crate::token::Tokens;
use crate::wire::{Pressure, Wire};

/// Microsoft Graph, one tenant, one application. Share it: token, throttling and counters belong to the whole client.
pub struct GraphClient {
    pub(crate) wire: Wire,
    /// The configured root, which every link must lie under.
    pub(crate) graph: Url,
    /// Root and version.
    pub(crate) base: String,
    pub(crate) read_priority: Priority,
    client_id: String,
}

impl GraphClient {
    /// Checks the options. Sends nothing yet.
    pub fn new(options: GraphOptions) -> Result<Self, OptionsError> {
        check_tenant(&options.tenant)?;
        let login = root("login", &options.login)?;
        let graph = root("graph", &options.graph)?;
        let mut builder = reqwest::Client::builder()
            // A redirect would carry the token, or the secret, to another host.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(options.connect_timeout)
            .timeout(options.request_timeout);
        if is_loopback(&options.login) || is_loopback(&options.graph) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| OptionsError::Http(error.to_string()))?;
        let backoff = Arc::new(Backoff::new(options.jitter_seed.unwrap_or_else(rand::random)));
        let tokens = Tokens::new(
            http.clone(),
            Arc::clone(&options.clock),
            options.credential,
            options.client_id.clone(),
            format!("{login}/{}/oauth2/v2.0/token", options.tenant),
            options.scope.unwrap_or_else(|| default_scope(&options.graph, &graph)),
            Arc::clone(&backoff),
        );
        Ok(Self {
            wire: Wire::new(http, options.clock, tokens, backoff),
            base: format!("{graph}/v1.0"),
            graph: options.graph,
            read_priority: options.read_priority,
            client_id: options.client_id,
        })
    }

    /// What the throttling headers said last, so that whoever holds the budget can slow down.
    pub fn pressure(&self) -> Pressure {
        self.wire.pressure()
    }

    /// A URL below the version root.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// The Graph root followed by `/.default`. A stand-in on this machine plays the global cloud, whose scope it checks.
fn default_scope(url: &Url, root: &str) -> String {
    let resource = if is_loopback(url) { "https://graph.microsoft.com" } else { root };
    format!("{resource}/.default")
}

impl fmt::Debug for GraphClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphClient")
            .field("graph", &self.graph.as_str())
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
