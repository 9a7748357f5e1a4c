//! A table that can be listed, which no table of the port can.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use hardmatch_embedded::FileTable;
use hardmatch_ports::table::Units;
use hardmatch_ports::{Item, Key, Page, Query, Table, TableError, Write};

/// Remembers every key that was ever written.
pub(super) struct SpiedTable(FileTable, Mutex<BTreeSet<Key>>);

impl SpiedTable {
    pub(super) fn new() -> Self {
        Self(FileTable::in_memory().expect("a table"), Mutex::default())
    }

    /// Every item that is there.
    pub(super) async fn everything(&self) -> Vec<Key> {
        let mut found = Vec::new();
        let keys = self.1.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for key in keys {
            if self.0.get(&key).await.expect("an answer").is_some() {
                found.push(key);
            }
        }
        found
    }

    fn remember<'w>(&self, writes: impl IntoIterator<Item = &'w Write>) {
        let mut keys = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        keys.extend(writes.into_iter().map(|write| write.key().clone()));
    }
}

#[async_trait]
impl Table for SpiedTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        self.0.get(key).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        self.0.batch_get(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.0.query(query).await
    }

    async fn write(&self, write: Write) -> Result<u64, TableError> {
        self.remember([&write]);
        self.0.write(write).await
    }

    async fn batch_write(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.remember(&writes);
        self.0.batch_write(writes).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.remember(&writes);
        self.0.transact(writes).await
    }

    fn units(&self) -> Units {
        self.0.units()
    }
}
