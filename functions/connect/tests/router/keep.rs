//! Tokens and sealed secrets in memory, and a table that remembers what it was told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hardmatch_embedded::FileTable;
use hardmatch_ports::table::{Page, Query, Units};
use hardmatch_ports::{
    Clock, Item, Kept, KeptToken, Key, Sealed, Table, TableError, TokenError, TokenKind, TokenStore, Write,
};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

/// Keeps tokens; an item that is there is never seen as absent, and can be one that nobody can open.
#[derive(Default)]
pub(crate) struct MemoryTokenStore {
    tokens: Mutex<BTreeMap<&'static str, (KeptToken, u64)>>,
    /// In which order they were kept.
    pub(crate) order: Mutex<Vec<&'static str>>,
    pub(crate) refuses: Mutex<bool>,
    pub(crate) shut: Mutex<bool>,
}

impl MemoryTokenStore {
    pub(crate) fn secret(&self, kind: TokenKind) -> Option<String> {
        self.tokens.lock().unwrap().get(kind.word()).map(|(token, _)| token.secret.expose_secret().to_owned())
    }
}

#[async_trait]
impl TokenStore for MemoryTokenStore {
    async fn load(&self, kind: TokenKind) -> Result<Option<(KeptToken, u64)>, TokenError> {
        if *self.shut.lock().unwrap() {
            return Err(TokenError("cannot be opened".into()));
        }
        Ok(self.tokens.lock().unwrap().get(kind.word()).cloned())
    }

    async fn keep(&self, kind: TokenKind, token: &KeptToken, seen: Option<u64>) -> Result<Kept, TokenError> {
        if *self.refuses.lock().unwrap() {
            return Err(TokenError("the key was taken away".into()));
        }
        let mut tokens = self.tokens.lock().unwrap();
        let had = tokens.get(kind.word()).map(|(_, revision)| *revision);
        if had != seen {
            let (theirs, revision) = tokens[kind.word()].clone();
            return Ok(Kept::Theirs(theirs, revision));
        }
        let revision = had.unwrap_or(0) + 1;
        tokens.insert(kind.word(), (token.clone(), revision));
        self.order.lock().unwrap().push(kind.word());
        Ok(Kept::Ours(revision))
    }

    async fn forget(&self) -> Result<(), TokenError> {
        self.tokens.lock().unwrap().clear();
        Ok(())
    }
}

pub(crate) struct MemorySealed {
    clock: Arc<dyn Clock>,
    secrets: Mutex<BTreeMap<String, (SecretString, Timestamp)>>,
}

impl MemorySealed {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, secrets: Mutex::default() }
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.secrets.lock().unwrap().values().map(|(secret, _)| secret.expose_secret().to_owned()).collect()
    }
}

#[async_trait]
impl Sealed for MemorySealed {
    async fn put(&self, name: &str, secret: &SecretString, expires: Timestamp) -> Result<(), TokenError> {
        self.secrets.lock().unwrap().insert(name.to_owned(), (secret.clone(), expires));
        Ok(())
    }

    async fn take(&self, name: &str) -> Result<Option<SecretString>, TokenError> {
        let taken = self.secrets.lock().unwrap().remove(name);
        Ok(taken.filter(|(_, expires)| self.clock.now() < *expires).map(|(secret, _)| secret))
    }
}

/// The embedded table, and every key and body that was written to it.
pub(crate) struct Remembering {
    table: FileTable,
    pub(crate) written: Arc<Mutex<String>>,
}

impl Remembering {
    pub(crate) fn new(table: FileTable) -> Self {
        Self { table, written: Arc::default() }
    }

    fn remember(&self, write: &Write) {
        let mut written = self.written.lock().unwrap();
        let Key { pk, sk } = write.key();
        written.extend([pk, " ", sk, " "]);
        if let Write::Put { body, .. } = write {
            written.push_str(&String::from_utf8_lossy(body));
        }
        written.push('\n');
    }
}

#[async_trait]
impl Table for Remembering {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        self.table.get(key).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        self.table.batch_get(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.table.query(query).await
    }

    async fn write(&self, write: Write) -> Result<u64, TableError> {
        self.remember(&write);
        self.table.write(write).await
    }

    async fn batch_write(&self, writes: Vec<Write>) -> Result<(), TableError> {
        for write in &writes {
            self.remember(write);
        }
        self.table.batch_write(writes).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        for write in &writes {
            self.remember(write);
        }
        self.table.transact(writes).await
    }

    fn units(&self) -> Units {
        self.table.units()
    }
}
