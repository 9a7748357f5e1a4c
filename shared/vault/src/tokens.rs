//! Tokens between two starts of a function: sealed items of the small token table.
//!
//! `TOKEN#<connection>` / `access-token` or `refresh-token`.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::seal::Seal;
use hardmatch_ports::table::{Condition, Item, Key, Table, TableError, Write};
use hardmatch_ports::tokens::{Kept, KeptToken, TokenError, TokenKind, TokenStore};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use crate::sealed::{Opened, SealedItems};

/// An access token is not used in its last minutes: the request it is for must arrive within its life, and clocks differ.
const ACCESS_MARGIN: SignedDuration = SignedDuration::from_mins(2);
/// How often a write is tried when others write at the same time. Each failure means that somebody else has succeeded.
const ATTEMPTS: usize = 5;

/// Keeps the tokens of one connection, sealed. Prints without them.
pub struct TokenVault {
    items: SealedItems,
    clock: Arc<dyn Clock>,
}

/// What a kept token is good for.
enum Found {
    Alive(KeptToken),
    /// Past its life.
    Dead,
    /// It stays shut, for good.
    Shut(String),
    /// Sealed by a newer version.
    Newer(String),
}

impl TokenVault {
    /// The tokens of this connection, in this table, under keys of this seal.
    pub fn new(
        table: Arc<dyn Table>,
        seal: Arc<dyn Seal>,
        clock: Arc<dyn Clock>,
        connection: impl Into<String>,
    ) -> Self {
        Self { items: SealedItems::new(table, seal, Arc::clone(&clock), connection.into()), clock }
    }

    /// Forgets the access token alone. The next call asks for another; an administrator stays signed in.
    pub async fn forget_access(&self) -> Result<(), TokenError> {
        self.items.batch_write(vec![Write::delete(self.key(TokenKind::Access))]).await
    }

    fn key(&self, kind: TokenKind) -> Key {
        Key::new(format!("TOKEN#{}", self.items.connection()), kind.word())
    }

    async fn found(&self, kind: TokenKind, item: &Item) -> Result<Found, TokenError> {
        let now = self.clock.now();
        if item.expires.is_some_and(|expires| expires <= now.as_second()) {
            return Ok(Found::Dead);
        }
        Ok(match self.items.open(kind.word(), item).await? {
            Opened::Plain(token) if usable(kind, token.expires, now) => Found::Alive(token),
            Opened::Plain(_) => Found::Dead,
            Opened::Shut(why) => Found::Shut(why),
            Opened::Newer(why) => Found::Newer(why),
        })
    }
}

fn usable(kind: TokenKind, expires: Option<Timestamp>, now: Timestamp) -> bool {
    let margin = match kind {
        TokenKind::Access => ACCESS_MARGIN,
        TokenKind::Refresh => SignedDuration::ZERO,
    };
    expires.is_none_or(|expires| expires.duration_since(now) > margin)
}

/// What to do about a sign-in that is lost.
fn lost(why: &str) -> TokenError {
    TokenError(format!(
        "The administrator's sign-in that was kept cannot be opened: {why}. Sign in again (hardmatch auth connect)."
    ))
}

#[async_trait]
impl TokenStore for TokenVault {
    async fn load(&self, kind: TokenKind) -> Result<Option<(KeptToken, u64)>, TokenError> {
        let Some(item) = self.items.get(&self.key(kind)).await? else { return Ok(None) };
        match (self.found(kind, &item).await?, kind) {
            (Found::Alive(token), _) => Ok(Some((token, item.revision))),
            (Found::Dead, _) | (Found::Shut(_) | Found::Newer(_), TokenKind::Access) => Ok(None),
            (Found::Shut(why) | Found::Newer(why), TokenKind::Refresh) => Err(lost(&why)),
        }
    }

    async fn keep(&self, kind: TokenKind, token: &KeptToken, seen: Option<u64>) -> Result<Kept, TokenError> {
        let key = self.key(kind);
        let body = self.items.seal(kind.word(), &key, token).await?;
        let expires = token.expires.map(Timestamp::as_second);
        let mut condition = seen.map_or(Condition::Absent, Condition::Revision);
        for _ in 0..ATTEMPTS {
            let write = Write::Put { key: key.clone(), body: body.clone(), expires, condition };
            match self.items.write(write).await {
                Ok(revision) => return Ok(Kept::Ours(revision)),
                Err(TableError::Conflict { .. }) => {}
                Err(error) => return Err(TokenError(error.to_string())),
            }
            condition = match self.items.get(&key).await? {
                Some(item) => match self.found(kind, &item).await? {
                    // The answer to our own write was lost.
                    Found::Alive(theirs) if same(&theirs, token) => return Ok(Kept::Ours(item.revision)),
                    Found::Alive(theirs) => return Ok(Kept::Theirs(theirs, item.revision)),
                    Found::Dead | Found::Shut(_) => Condition::Revision(item.revision),
                    Found::Newer(why) => return Err(TokenError(format!("The token was not kept: {why}."))),
                },
                // A refresh that is under way must not bring back a sign-in that an operator disconnected.
                None if kind == TokenKind::Refresh && seen.is_some() => {
                    return Err(TokenError(
                        "The connection was disconnected meanwhile. Sign in again (hardmatch auth connect) to go on."
                            .to_owned(),
                    ));
                }
                None => Condition::Absent,
            };
        }
        Err(TokenError("The token was not kept: others change it without end. Try again.".to_owned()))
    }

    async fn forget(&self) -> Result<(), TokenError> {
        let kinds = [TokenKind::Access, TokenKind::Refresh];
        let writes = kinds.into_iter().map(|kind| Write::delete(self.key(kind))).collect();
        self.items.batch_write(writes).await
    }
}

fn same(a: &KeptToken, b: &KeptToken) -> bool {
    a.secret.expose_secret() == b.secret.expose_secret()
}

impl fmt::Debug for TokenVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenVault({})", self.items.connection())
    }
}
