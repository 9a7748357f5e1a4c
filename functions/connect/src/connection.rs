//! What the function may use, and what it has to know of each connection. Nothing here acts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_policy::permission::{self, Feature, Need};
use hardmatch_ports::{Clock, IdentityPlatform, Sealed, TokenStore};
use hardmatch_store::Store;
use hardmatch_store::connecting::ConnectMethod;

use crate::PublicUrl;
use crate::words::is_guid;

/// What the function may use.
pub struct Ports {
    /// Links, attempts and what came of them.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The connections there are.
    pub connections: Arc<dyn ConnectionLookup>,
    /// Where browsers reach us.
    pub url: PublicUrl,
    /// Whether a connection that was disconnected is taken up here once it is connected: on one machine. In a stack these
    /// pages are open to anybody and change no connection's state; the function that decides does it.
    pub takes_up: bool,
}

/// Finds a connection by its name. A stack may have many; each has a platform of its own, which speaks for one
/// application in one tenant.
#[async_trait]
pub trait ConnectionLookup: Send + Sync {
    /// The connection; `None` when nobody configured it (any more).
    async fn connection(&self, id: &ConnectionId) -> Result<Option<Arc<Connection>>, Unavailable>;
}

/// A connection could not be looked up. May be tried again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// Connections that are known from the start.
#[derive(Default)]
pub struct Configured(BTreeMap<ConnectionId, Arc<Connection>>);

impl FromIterator<Connection> for Configured {
    fn from_iter<T: IntoIterator<Item = Connection>>(connections: T) -> Self {
        Self(connections.into_iter().map(|one| (one.id.clone(), Arc::new(one))).collect())
    }
}

#[async_trait]
impl ConnectionLookup for Configured {
    async fn connection(&self, id: &ConnectionId) -> Result<Option<Arc<Connection>>, Unavailable> {
        Ok(self.0.get(id).cloned())
    }
}

/// What connecting has to know of a connection.
pub struct Connection {
    /// Its name.
    pub id: ConnectionId,
    /// The tenant as configured: directory id, or one of its domain names.
    pub tenant: String,
    /// The application (client id).
    pub client_id: String,
    /// What it is to do, and so which permissions it needs.
    pub features: BTreeSet<Feature>,
    /// Microsoft's identity platform, speaking for this application in this tenant.
    pub platform: Arc<dyn IdentityPlatform>,
    /// Its kept tokens. Tokens from before a consent lack what was granted, and are forgotten then.
    pub tokens: Arc<dyn TokenStore>,
    /// How it acts in the tenant.
    pub means: SignInMeans,
}

/// How a connection acts in its tenant.
pub enum SignInMeans {
    /// With permissions of the application's own, which an administrator grants once.
    Consent,
    /// For an administrator who signs in.
    SignIn {
        /// Keeps what a sign-in must still know when the browser comes back.
        sealed: Arc<dyn Sealed>,
    },
}

impl Connection {
    /// What its features need.
    pub(crate) fn needs(&self) -> Vec<Need> {
        permission::needs(&self.features)
    }

    pub(crate) fn method(&self) -> ConnectMethod {
        match self.means {
            SignInMeans::Consent => ConnectMethod::Consent,
            SignInMeans::SignIn { .. } => ConnectMethod::SignIn,
        }
    }

    /// The directory id, where the configuration names it.
    pub(crate) fn directory_id(&self) -> Option<String> {
        is_guid(&self.tenant).then(|| self.tenant.to_ascii_lowercase())
    }
}
