//! Connections by name: what the table says about one, and its configuration as text, read and checked once for each
//! revision.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hardmatch_domain::ids::{ConnectionId, Guid};
use hardmatch_policy::{Config, Endpoints, Location, Passwords, policy_hash, widens};
use hardmatch_store::connection::Meta;
use hardmatch_store::{Scope, Store, StoreError};

/// A connection, ready to be worked for.
#[derive(Clone)]
pub struct Opened {
    /// Its configuration of the active revision.
    pub config: Arc<Config>,
    /// What the table says about it.
    pub meta: Meta,
    /// The cloud and tenant under which its look-ups lie.
    pub scope: Scope,
}

/// Why a connection cannot be worked for. Each sentence ends with the cure.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is not there, or has no configuration yet.
    #[error("connection {0} has no configuration. Store one with `hardmatch config push`")]
    Unconfigured(ConnectionId),
    /// Its stored configuration is not understood by this version.
    #[error(
        "the configuration of connection {connection} is not understood: {problems}. Store a corrected one with `hardmatch config push`"
    )]
    Misconfigured {
        /// Whose.
        connection: ConnectionId,
        /// What is wrong, each with its line.
        problems: String,
    },
    /// Nobody knows the tenant's directory id.
    #[error(
        "the tenant of connection {0} is not known by its directory id. Store the configuration again with `hardmatch config push`, which looks it up"
    )]
    NoTenant(ConnectionId),
}

/// A configuration that cannot be carried out where we run. Says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(pub String);

/// Configurations that were read, by connection and revision.
type Seen = BTreeMap<(ConnectionId, u64), Arc<Config>>;

/// Opens connections of one table.
pub struct Connections {
    store: Store,
    seen: Mutex<Seen>,
}

impl Opened {
    /// The application it writes as; empty for a simulated tenant, whose file names none.
    pub fn client_id(&self) -> &str {
        self.config.tenant.auth.as_ref().map_or("", |auth| auth.client_id.as_str())
    }
}

impl Connections {
    /// Over a store.
    pub fn new(store: Store) -> Self {
        Self { store, seen: Mutex::default() }
    }

    /// The connection as it is now. Costs one read when its configuration is known.
    pub async fn open(&self, connection: &ConnectionId) -> Result<Opened, ConnectionError> {
        let meta = self.store.meta(connection).await?.value;
        let config = self.config(connection, meta.policy_revision).await?;
        let tenant = meta.tenant.clone().or_else(|| guid(&config.tenant.id));
        let tenant = tenant.ok_or_else(|| ConnectionError::NoTenant(connection.clone()))?;
        let scope = scope(&config, &tenant);
        Ok(Opened { config, meta, scope })
    }

    /// Stores a configuration that somebody sent, once it is found good and to be of this connection and tenant.
    pub async fn configure(
        &self,
        connection: &ConnectionId,
        text: &str,
        tenant: &str,
    ) -> Result<Meta, ConnectionError> {
        let misfit = |problems: String| ConnectionError::Misconfigured { connection: connection.clone(), problems };
        let config =
            Config::load(text, "the configuration", Path::new(".")).map_err(|problems| misfit(problems.lines()))?;
        if config.connection != *connection {
            return Err(misfit(format!("it is of connection {}", config.connection)));
        }
        if let Location::File(_) = &config.source.location {
            return Err(misfit(
                "functions read people from s3://BUCKET/KEY, and source.location is a file of some machine".to_owned(),
            ));
        }
        if let Passwords::File(_) = &config.passwords {
            return Err(misfit("[passwords] names a file, and functions keep none".to_owned()));
        }
        if config.tenant.cloud.endpoints().is_none() {
            return Err(misfit("a simulated tenant lives on one machine".to_owned()));
        }
        let tenant = guid(tenant).ok_or_else(|| ConnectionError::NoTenant(connection.clone()))?;
        let known = self.store.meta(connection).await?.value.tenant;
        if known.is_some_and(|known| known != tenant) {
            return Err(misfit(
                "its state is of another tenant; give the other tenant a connection of its own".to_owned(),
            ));
        }
        self.store.update_meta(connection, |meta| meta.tenant = Some(tenant.clone())).await?;
        Ok(activate(&self.store, &config, text, Path::new(".")).await?)
    }

    /// The configuration of a revision.
    pub async fn config(&self, connection: &ConnectionId, revision: u64) -> Result<Arc<Config>, ConnectionError> {
        let key = (connection.clone(), revision);
        if let Some(config) = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(config));
        }
        let text = self.store.policy(connection, revision).await?;
        let text = text.ok_or_else(|| ConnectionError::Unconfigured(connection.clone()))?;
        // Stored text names no file of this machine; relative paths in it mean nothing here.
        let config = Config::load(&text, "stored configuration", Path::new(".")).map_err(|problems| {
            ConnectionError::Misconfigured { connection: connection.clone(), problems: problems.lines() }
        })?;
        let config = Arc::new(config);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // The newest revision is wanted again and again, older ones by runs that end soon.
        seen.retain(|(known, old), _| known != connection || *old + KEPT_REVISIONS > revision);
        seen.insert(key, Arc::clone(&config));
        Ok(config)
    }
}

/// Makes a configuration the connection's active one: a new revision when it says something new. `folder` is what relative
/// paths in the old text refer to.
pub async fn activate(store: &Store, config: &Config, text: &str, folder: &Path) -> Result<Meta, StoreError> {
    let connection = &config.connection;
    let hash = policy_hash(text);
    loop {
        let meta = store.meta(connection).await?.value;
        if meta.policy_hash == hash && meta.policy_revision > 0 {
            return Ok(meta);
        }
        let widened = match store.policy(connection, meta.policy_revision).await? {
            Some(old) => match Config::load(&old, "policy", folder) {
                Ok(old) => widens(&old, config),
                // The old text is not understood any more: anything may have changed.
                Err(_) => true,
            },
            None => false,
        };
        let revision = meta.policy_revision + 1;
        store.put_policy(connection, revision, text).await?;
        // Revisions are put if absent: of two who store at the same time, the first one's text has the number, and the
        // second takes the next.
        if store.policy(connection, revision).await?.as_deref() != Some(text) {
            continue;
        }
        return store
            .update_meta(connection, |meta| {
                meta.policy_revision = meta.policy_revision.max(revision);
                if meta.policy_revision == revision {
                    meta.policy_hash.clone_from(&hash);
                    // It may name another secret or certificate.
                    meta.credential_asked = None;
                }
                meta.widened |= widened;
            })
            .await;
    }
}

/// Revisions of one connection that are kept read.
const KEPT_REVISIONS: u64 = 3;

/// The cloud and tenant under which look-ups lie.
pub fn scope(config: &Config, tenant: &str) -> Scope {
    Scope::new(&graph_host(config), tenant)
}

/// The host that stands for the cloud in keys.
pub fn graph_host(config: &Config) -> String {
    match config.tenant.cloud.endpoints() {
        Some(Endpoints { graph, .. }) => graph.split("://").last().unwrap_or(&graph).to_owned(),
        None => "simulated".to_owned(),
    }
}

/// A directory id in its usual form, when the text is one.
pub fn guid(text: &str) -> Option<String> {
    Guid::parse(text).map(|guid| guid.to_string())
}
