//! Named secrets of a connection that must outlive the process for a while, such as what a sign-in in progress keeps
//! back until the browser returns: sealed items of the small token table.
//!
//! `SECRET#<connection>` / name.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::seal::Seal;
use hardmatch_ports::table::{Condition, Item, Key, Table, TableError, Write};
use hardmatch_ports::tokens::{KeptToken, Sealed, TokenError};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::sealed::{Opened, SealedItems};

const KIND: &str = "secret";

/// Keeps named secrets of one connection, sealed. Names are no secrets: they stand in keys. Prints without values.
pub struct SealedSecrets {
    items: SealedItems,
    clock: Arc<dyn Clock>,
}

impl SealedSecrets {
    /// The secrets of this connection, in this table, under keys of this seal.
    pub fn new(
        table: Arc<dyn Table>,
        seal: Arc<dyn Seal>,
        clock: Arc<dyn Clock>,
        connection: impl Into<String>,
    ) -> Self {
        Self { items: SealedItems::new(table, seal, Arc::clone(&clock), connection.into()), clock }
    }

    /// The secret of this name, which stays. `None` when it is not there or past its time.
    pub async fn get(&self, name: &str) -> Result<Option<SecretString>, TokenError> {
        match self.items.get(&self.key(name)).await? {
            Some(item) => self.open(&item).await,
            None => Ok(None),
        }
    }

    async fn open(&self, item: &Item) -> Result<Option<SecretString>, TokenError> {
        let now = self.clock.now();
        match self.items.open(KIND, item).await? {
            Opened::Plain(token) => Ok((token.expires.is_none_or(|expires| now < expires)).then_some(token.secret)),
            Opened::Shut(why) | Opened::Newer(why) => {
                Err(TokenError(format!("A secret that was kept cannot be opened: {why}. Begin again.")))
            }
        }
    }

    fn key(&self, name: &str) -> Key {
        Key::new(format!("SECRET#{}", self.items.connection()), name)
    }
}

#[async_trait]
impl Sealed for SealedSecrets {
    async fn put(&self, name: &str, secret: &SecretString, expires: Timestamp) -> Result<(), TokenError> {
        let key = self.key(name);
        let token =
            KeptToken { secret: secret.clone(), obtained: self.clock.now(), expires: Some(expires), mark: None };
        let body = self.items.seal(KIND, &key, &token).await?;
        let write = Write::Put { key, body, expires: Some(expires.as_second()), condition: Condition::None };
        self.items.write(write).await.map(|_| ()).map_err(|error| TokenError(error.to_string()))
    }

    async fn take(&self, name: &str) -> Result<Option<SecretString>, TokenError> {
        let key = self.key(name);
        let Some(item) = self.items.get(&key).await? else { return Ok(None) };
        let secret = self.open(&item).await?;
        match self.items.write(Write::Delete { key, condition: Condition::Revision(item.revision) }).await {
            Ok(_) => Ok(secret),
            // Somebody else took it, or put another in its place.
            Err(TableError::Conflict { .. }) => Ok(None),
            Err(error) => Err(TokenError(error.to_string())),
        }
    }
}

impl fmt::Debug for SealedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSecrets({})", self.items.connection())
    }
}
