//! What a directory's source is told. Filled by the code that reads `hardmatch.toml`; nothing is read here.

use std::path::PathBuf;

use async_trait::async_trait;
use hardmatch_ports::SourceError;
use hardmatch_sources_entry::ColumnMapping;
use secrecy::SecretString;

/// Where the directory is, how one signs in, and what its attributes mean.
#[derive(Clone, Debug)]
pub struct LdapSettings {
    /// `ldaps://host:port`, or `ldap://host:port` for StartTLS. Tried in this order.
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
}

/// Where the password of the bind account is kept: read whenever one signs in.
#[async_trait]
pub trait PasswordPlace: Send + Sync {
    /// The password.
    async fn password(&self) -> Result<SecretString, SourceError>;
}
