//! What only functions have that talk to the identity platform: tokens, and the key that seals them.

use std::sync::Arc;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::credentials::{SecretReader, WebIdentity};
use hardmatch_ports::{Clock, Seal, Table};
use hardmatch_runtime::env;
use hardmatch_vault::{SealedSecrets, TokenVault};

use crate::lambda::{Home, StartError, needed};
use crate::tenant::Means;

/// What only functions have that talk to the identity platform: tokens, and the key that seals them.
#[derive(Clone)]
pub struct TokenHome {
    /// The table of sealed tokens.
    pub table: Arc<dyn Table>,
    /// The key service.
    pub seal: Arc<dyn Seal>,
    /// The role's own identity.
    pub identity: Arc<dyn WebIdentity>,
    /// Secrets by reference.
    pub secrets: Arc<dyn SecretReader>,
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
    pub fn means(&self, connection: &ConnectionId) -> Means {
        Means {
            clock: Arc::clone(&self.clock),
            identity: Some(Arc::clone(&self.identity)),
            secrets: Some(Arc::clone(&self.secrets)),
            keeper: Some(Arc::new(self.vault(connection))),
        }
    }
}
