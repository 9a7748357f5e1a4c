//! The client: made from options, read through [`TenantRead`](hardmatch_ports::TenantRead), written through
//! [`TenantWrite`](hardmatch_ports::TenantWrite).

use std::fmt;
use std::sync::Arc;

use hardmatch_ports::identity::Grant;
use hardmatch_ports::tenant::{Priority, TenantError};
use hardmatch_ports::tokens::TokenError;
use url::Url;

use crate::claims::claims_of;
use crate::delegated::Delegated;
use crate::kept::Pocket;
use crate::options::{GrantKind, GraphOptions, OptionsError, origin, root};
use crate::pages::Pages;
use crate::token::{Scopes, Source, Tokens};
use crate::user::Select;
use crate::wire::{Pressure, Wire};

/// Microsoft Graph, one tenant, one application. Share it: token, throttling and counters belong to the whole client.
pub struct GraphClient {
    pub(crate) wire: Wire,
    /// The configured root, which every link must lie under.
    pub(crate) graph: Url,
    /// Root and version.
    pub(crate) base: String,
    pub(crate) read_priority: Priority,
    /// The listings that are being read.
    pub(crate) pages: Pages,
    client_id: String,
    /// What is read of every user.
    pub(crate) select: Select,
}

impl GraphClient {
    /// Checks the options. Sends nothing yet.
    pub fn new(options: GraphOptions) -> Result<Self, OptionsError> {
        let http = options.http()?;
        let backoff = options.backoff();
        let endpoint = options.endpoint(http.clone(), Arc::clone(&backoff))?;
        let graph = root("graph", &options.graph)?;
        let source = match &options.grant {
            GrantKind::ClientCredentials => {
                Source::Application(Scopes::new(options.default_scope()?, options.other_scope()?))
            }
            GrantKind::Delegated { scopes } => {
                let token_store = options.token_store.clone().ok_or(OptionsError::TokenStore)?;
                Source::Administrator(Delegated::new(token_store, options.delegated_scopes(scopes)?))
            }
        };
        let tenant = options.tenant_id();
        let tokens = Tokens::new(endpoint, source, Pocket::new(options.token_store), tenant);
        Ok(Self {
            wire: Wire::new(http, options.clock, tokens, backoff, options.longest_wait, origin(&options.graph)),
            base: format!("{graph}/v1.0"),
            graph: options.graph,
            read_priority: options.read_priority,
            pages: Pages::default(),
            client_id: options.client_id,
            select: Select::with(options.extensions),
        })
    }

    /// What the present access token carries, for comparing with what is needed. Asks for a token only where there is
    /// none; a permission granted since then shows in the next one, or after [`GraphClient::reset`].
    ///
    /// # Errors
    /// There is no token, or it cannot be read.
    pub async fn grant(&self) -> Result<Grant, TenantError> {
        claims_of(&self.wire.tokens.get().await?.secret)
    }

    /// Forgets the access token in memory and every token that is kept: the refresh token of an administrator too, who
    /// then has to sign in again. The application itself just asks for its next token.
    ///
    /// # Errors
    /// What is kept could not be forgotten. The token in memory is gone even so.
    pub async fn reset(&self) -> Result<(), TokenError> {
        self.wire.tokens.reset().await
    }

    /// How often access tokens could not be read from, or handed to, the token store. Work went on with fresh ones.
    pub fn token_store_failures(&self) -> u64 {
        self.wire.tokens.token_store_failures()
    }

    /// What the throttling headers said last, so that the holder of the budget can slow down.
    pub fn pressure(&self) -> Pressure {
        self.wire.pressure()
    }

    /// A URL below the version root.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

impl fmt::Debug for GraphClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphClient")
            .field("graph", &self.graph.as_str())
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
