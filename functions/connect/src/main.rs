//! Wires the pages for connecting on AWS, behind an HTTP API.

use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_connect::{Connection, ConnectionLookup, Ports, PublicUrl, SignInMeans, Unavailable, router};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_runtime::env;
use hardmatch_wiring::ConnectionError;
use hardmatch_wiring::lambda::{Error, Home, needed};
use hardmatch_wiring::policy::Method;
use hardmatch_wiring::tenant::{platform, whole};
use hardmatch_wiring::tokens::TokenHome;
use url::Url;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let home = Home::open().await?;
    let tokens = TokenHome::open(&home)?;
    let ports = Ports {
        store: home.store.clone(),
        clock: Arc::clone(&home.clock),
        url: PublicUrl::new(&Url::parse(&needed(env::URL)?)?)?,
        connections: Arc::new(Stored { home, tokens }),
        takes_up: false,
    };
    lambda_http::run(router(ports)).await
}

/// The connections of the table, as they are configured now.
struct Stored {
    home: Home,
    tokens: TokenHome,
}

#[async_trait]
impl ConnectionLookup for Stored {
    async fn connection(&self, id: &ConnectionId) -> Result<Option<Arc<Connection>>, Unavailable> {
        let opened = match self.home.connections.open(id).await {
            Ok(opened) => opened,
            Err(ConnectionError::Unconfigured(_)) => return Ok(None),
            Err(error) => return Err(Unavailable(error.to_string())),
        };
        let (client_id, options) =
            whole(&opened.config, &self.tokens.means(id)).map_err(|unfit| Unavailable(unfit.to_string()))?;
        let delegated =
            opened.config.tenant.auth.as_ref().is_some_and(|auth| matches!(auth.method, Method::Delegated { .. }));
        let means = if delegated {
            SignInMeans::SignIn { sealed: Arc::new(self.tokens.sealed(id)) }
        } else {
            SignInMeans::Consent
        };
        Ok(Some(Arc::new(Connection {
            id: id.clone(),
            tenant: opened.config.tenant.id.clone(),
            client_id,
            features: opened.config.features(),
            platform: Arc::new(platform(&options).map_err(|unfit| Unavailable(unfit.to_string()))?),
            tokens: Arc::new(self.tokens.vault(id)),
            means,
        })))
    }
}
