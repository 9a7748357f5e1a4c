//! What only functions have that talk to the identity platform: tokens, and the key that seals them.

use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_policy::StackLimits;
use hardmatch_ports::credentials::{CredentialError, SecretReader, WebIdentity};
use hardmatch_ports::{Clock, Seal, Table};
use hardmatch_runtime::env;
use hardmatch_vault::{SealedSecrets, SecretString, TokenVault};

use crate::lambda::{Home, StartError, needed};
use crate::tenant::TenantMeans;

/// What only functions have that talk to the identity platform: tokens, and the key that seals them.
#[derive(Clone)]
pub struct TokenHome {
    /// The table of sealed tokens.
    pub table: Arc<dyn Table>,
    /// The key service.
    pub seal: Arc<dyn Seal>,
    /// The role's own identity.
    pub identity: Arc<dyn WebIdentity>,
    /// Secrets by reference, of every connection.
    secrets: Arc<dyn SecretReader>,
    limits: Arc<StackLimits>,
    clock: Arc<dyn Clock>,
}

impl TokenHome {
    /// Reads its names from the environment.
    pub fn open(home: &Home) -> Result<Self, StartError> {
        Ok(Self {
            table: Arc::new(home.aws.table(needed(env::TOKEN_TABLE)?)),
            seal: Arc::new(home.aws.seal(needed(env::KEY)?)),
            identity: Arc::new(home.aws.web_identity()),
            secrets: Arc::new(home.aws.secrets()),
            limits: Arc::clone(&home.limits),
            clock: Arc::clone(&home.clock),
        })
    }

    /// The tokens of a connection.
    pub fn vault(&self, connection: &ConnectionId) -> TokenVault {
        TokenVault::new(Arc::clone(&self.table), Arc::clone(&self.seal), Arc::clone(&self.clock), connection.as_str())
    }

    /// Small secrets of a connection, kept for one use.
    pub fn sealed(&self, connection: &ConnectionId) -> SealedSecrets {
        SealedSecrets::new(
            Arc::clone(&self.table),
            Arc::clone(&self.seal),
            Arc::clone(&self.clock),
            connection.as_str(),
        )
    }

    /// What a connection's client is made with here.
    pub fn means(&self, connection: &ConnectionId) -> TenantMeans {
        TenantMeans {
            clock: Arc::clone(&self.clock),
            identity: Some(Arc::clone(&self.identity)),
            secrets: Some(Arc::new(OwnSecrets {
                all: Arc::clone(&self.secrets),
                limits: Arc::clone(&self.limits),
                connection: connection.clone(),
            })),
            token_store: Some(Arc::new(self.vault(connection))),
        }
    }
}

/// The secrets of one connection. Whatever its configuration says, no other is asked for.
struct OwnSecrets {
    all: Arc<dyn SecretReader>,
    limits: Arc<StackLimits>,
    connection: ConnectionId,
}

#[async_trait]
impl SecretReader for OwnSecrets {
    async fn read(&self, reference: &str) -> Result<SecretString, CredentialError> {
        self.limits.secret(&self.connection, reference).map_err(CredentialError)?;
        self.all.read(reference).await
    }
}

#[cfg(test)]
mod tests;
