//! What a directory's source is told. Filled by the code that reads `hardmatch.toml`; nothing is read here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_ports::SourceError;
use hardmatch_sources_entry::ColumnMapping;
use secrecy::SecretString;

/// Where the directory is, how one signs in, and what its attributes mean.
#[derive(Clone, Debug)]
pub struct LdapSettings {
    /// `ldaps://host:port`, or `ldap://host:port` for StartTLS, or a domain whose controllers the name servers give. Tried in
    /// this order.
    pub servers: Vec<String>,
    /// The DN below which people are.
    pub base: String,
    /// Who of them is read, beside being a person (RFC 4515).
    pub filter: Option<String>,
    /// A DN, `user@domain` or `DOMAIN\user`.
    pub bind: String,
    /// A file with the certificates (PEM) of the authorities that may have issued the servers'.
    pub ca: PathBuf,
    /// What the attributes mean.
    pub mapping: ColumnMapping,
    /// The name server that is asked for the directory's servers; `None`: those of this machine.
    pub nameserver: Option<SocketAddr>,
    /// How long is waited.
    pub limits: TimeLimits,
}

/// How long is waited for a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimits {
    /// For a name, and for a connection with TLS.
    pub connect: Duration,
    /// For the next part of an answer. Active Directory ends a query after 120 s.
    pub answer: Duration,
    /// For everything that one look at a directory does.
    pub whole: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), answer: Duration::from_mins(1), whole: Duration::from_mins(30) }
    }
}

/// Where the password of the bind account is kept: read whenever one signs in.
#[async_trait]
pub trait PasswordPlace: Send + Sync {
    /// The password.
    async fn password(&self) -> Result<SecretString, SourceError>;
}

/// Where the copy of a directory is kept between readings: from it the next reading goes on with what changed since.
#[async_trait]
pub trait CopyPlace: Send + Sync {
    /// What is kept; `None` where nothing is.
    async fn load(&self) -> Result<Option<Vec<u8>>, SourceError>;

    /// Keeps bytes in the place of what was kept, whole or not at all.
    async fn keep(&self, bytes: Vec<u8>) -> Result<(), SourceError>;
}

/// Where a copy is kept, and for how long changes are laid over it before the directory is read whole again.
#[derive(Clone)]
pub struct KeptCopy {
    /// Where it is kept.
    pub place: Arc<dyn CopyPlace>,
    /// A copy of a full reading is followed for so long (seconds), unless times say otherwise.
    pub full_every: i64,
    /// When the directory is read whole, by somebody's schedule.
    pub full_times: Option<FullTimes>,
}

/// From a time to the last time at which a full reading was due (Unix seconds both).
pub type FullTimes = Arc<dyn Fn(i64) -> i64 + Send + Sync>;

impl KeptCopy {
    /// The copy of a full reading that is older than this (Unix seconds) is not followed any more.
    pub(crate) fn full_since(&self, now: i64) -> i64 {
        self.full_times.as_ref().map_or(now - self.full_every + 1, |times| times(now))
    }
}
