//! Connections by name: what the table says about one, and its configuration as text, read and checked once for each
//! revision.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hardmatch_domain::ids::{ConnectionId, Guid};
use hardmatch_policy::{
    Active, Config, Endpoints, StackLimits, policy_hash, protected_changes, takes_an_approver, widens,
};
use hardmatch_ports::command::CommandAuthority;
use hardmatch_store::connection::Meta;
use hardmatch_store::{Store, StoreError, TenantKey};

/// A connection, ready to be worked for.
#[derive(Clone)]
pub struct Opened {
    /// Its configuration of the active revision.
    pub config: Arc<Config>,
    /// What the table says about it.
    pub meta: Meta,
    /// The cloud and tenant under which its look-ups lie.
    pub scope: TenantKey,
}

/// Why a connection cannot be worked for. Each sentence ends with the cure.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The store refused or could not be read.
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
    /// Its stored configuration says what this stack does not carry out.
    #[error(
        "the configuration of connection {connection} is refused by this stack: {problems}. Then store it with `hardmatch config push`"
    )]
    OutOfLimits {
        /// Whose.
        connection: ConnectionId,
        /// What is refused, each with its cure.
        problems: String,
    },
    /// The change is an approver's.
    #[error("{0}")]
    TakesAnApprover(String),
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
    /// What the stack lets configurations say; `None` on a machine of one's own.
    limits: Option<Arc<StackLimits>>,
    seen: Mutex<Seen>,
}

/// A configuration that somebody sent.
#[derive(Clone, Copy, Debug)]
pub struct Push<'p> {
    /// For which connection.
    pub connection: &'p ConnectionId,
    /// The TOML.
    pub text: &'p str,
    /// The tenant's directory id, looked up by the sender.
    pub tenant: &'p str,
    /// What the queue it came through stands for.
    pub authority: CommandAuthority,
}

impl Opened {
    /// The application it writes as; empty for a simulated tenant, whose file names none.
    pub fn client_id(&self) -> &str {
        self.config.tenant.auth.as_ref().map_or("", |auth| auth.client_id.as_str())
    }
}

impl Connections {
    /// Over a store, within the limits of a stack; `None` where there is no stack.
    pub fn new(store: Store, limits: Option<Arc<StackLimits>>) -> Self {
        Self { store, limits, seen: Mutex::default() }
    }

    /// The connection as it is now. Costs one read when its configuration is known.
    pub async fn open(&self, connection: &ConnectionId) -> Result<Opened, ConnectionError> {
        let meta = self.store.meta(connection).await?;
        let config = self.config(connection, meta.policy.revision).await?;
        let tenant = meta.status.tenant.clone().or_else(|| guid(&config.tenant.id));
        let tenant = tenant.ok_or_else(|| ConnectionError::NoTenant(connection.clone()))?;
        let scope = scope(&config, &tenant);
        Ok(Opened { config, meta, scope })
    }

    /// Stores a configuration that somebody sent, once it is found good, within the stack's limits, of this connection and
    /// tenant, and its sender's to change. What is refused leaves nothing behind.
    pub async fn configure(&self, push: &Push<'_>) -> Result<Meta, ConnectionError> {
        let Push { connection, text, tenant, authority } = *push;
        let misfit = |problems: String| ConnectionError::Misconfigured { connection: connection.clone(), problems };
        if text.len() > MAX_TEXT {
            return Err(misfit(format!("it has {} bytes, and a stack stores up to {MAX_TEXT}", text.len())));
        }
        let config =
            Config::load(text, "the configuration", Path::new(".")).map_err(|problems| misfit(problems.lines()))?;
        if config.connection != *connection {
            return Err(misfit(format!("it is of connection {}", config.connection)));
        }
        self.within_limits(connection, &config)?;
        let tenant = guid(tenant).ok_or_else(|| ConnectionError::NoTenant(connection.clone()))?;
        if guid(&config.tenant.id).is_some_and(|named| named != tenant) {
            return Err(misfit("it was sent with another directory id than tenant.id".to_owned()));
        }
        let policy = NewPolicy { config: &config, text, folder: Path::new("."), tenant: Some(&tenant) };
        let admit = |meta: &Meta, old: &Old| {
            if meta.status.tenant.as_ref().is_some_and(|known| *known != tenant) {
                return Err(misfit(
                    "its state is of another tenant; give the other tenant a connection of its own".to_owned(),
                ));
            }
            // A connection whose tenant nobody has named yet counts as new.
            let active = if meta.status.tenant.is_some() { old.as_active() } else { Active::Missing };
            let protected = protected_changes(active, &config);
            if !protected.is_empty() && authority < CommandAuthority::Approver {
                return Err(ConnectionError::TakesAnApprover(takes_an_approver(&protected)));
            }
            Ok(())
        };
        policy.activate(&self.store, admit).await
    }

    fn within_limits(&self, connection: &ConnectionId, config: &Config) -> Result<(), ConnectionError> {
        let found = self.limits.as_ref().map(|limits| limits.violations(config)).unwrap_or_default();
        if found.is_empty() {
            return Ok(());
        }
        Err(ConnectionError::OutOfLimits { connection: connection.clone(), problems: found.join(". ") })
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
        // Again: it may have been stored before the limits were as they are.
        self.within_limits(connection, &config)?;
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
    NewPolicy { config, text, folder, tenant: None }.activate(store, |_, _| Ok(())).await
}

/// A configuration that is to become its connection's active one.
struct NewPolicy<'p> {
    config: &'p Config,
    text: &'p str,
    /// What relative paths in the old text refer to.
    folder: &'p Path,
    /// The tenant to be entered into the connection's state, where it is known.
    tenant: Option<&'p str>,
}

impl NewPolicy<'_> {
    /// Activates it, unless the active one says the same. `admit` judges it against what it replaces, under the revision of
    /// the state that the writing asks for: of two who replace it at the same time, the second is judged against the first
    /// one's configuration.
    async fn activate<E: From<StoreError>>(
        &self,
        store: &Store,
        admit: impl Fn(&Meta, &Old) -> Result<(), E>,
    ) -> Result<Meta, E> {
        let (connection, hash) = (&self.config.connection, policy_hash(self.text));
        loop {
            let meta = store.meta(connection).await?;
            let same = meta.policy.hash == hash && meta.policy.revision > 0;
            if same && self.tenant.is_none_or(|tenant| meta.status.tenant.as_deref() == Some(tenant)) {
                return Ok(meta);
            }
            let old = active(store, connection, &meta, self.folder).await?;
            admit(&meta, &old)?;
            let widened = old.is_widened_by(self.config);
            let change = |meta: &mut Meta| {
                if let Some(tenant) = self.tenant {
                    meta.status.tenant = Some(tenant.to_owned());
                }
                meta.policy.widened |= widened;
            };
            if let Some(meta) = store.activate_policy(connection, &meta, self.text, &hash, change).await? {
                return Ok(meta);
            }
        }
    }
}

/// The configuration that a new one replaces.
enum Old {
    Missing,
    Unreadable,
    Understood(Box<Config>),
}

/// The active configuration of a connection whose state was read.
async fn active(store: &Store, c: &ConnectionId, meta: &Meta, folder: &Path) -> Result<Old, StoreError> {
    let Some(text) = store.policy(c, meta.policy.revision).await? else { return Ok(Old::Missing) };
    Ok(match Config::load(&text, "policy", folder) {
        Ok(config) => Old::Understood(Box::new(config)),
        Err(_) => Old::Unreadable,
    })
}

impl Old {
    fn as_active(&self) -> Active<'_> {
        match self {
            Self::Missing => Active::Missing,
            Self::Unreadable => Active::Unreadable,
            Self::Understood(config) => Active::Understood(config),
        }
    }

    /// Whether a new configuration may touch more people, or touch them harder.
    fn is_widened_by(&self, new: &Config) -> bool {
        match self {
            Self::Missing => false,
            // Anything may have changed.
            Self::Unreadable => true,
            Self::Understood(old) => widens(old, new),
        }
    }
}

/// Longest text that is stored, in bytes: an item has room for it even where every line of it is escaped in JSON.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
pub const MAX_TEXT: usize = 190 * 1024;

/// Revisions of one connection that are kept read.
const KEPT_REVISIONS: u64 = 3;

/// The cloud and tenant under which look-ups lie.
pub fn scope(config: &Config, tenant: &str) -> TenantKey {
    TenantKey::new(&graph_host(config), tenant)
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

#[cfg(test)]
mod tests;
