//! A table that writes down what it holds, and can be slow and be killed.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_embedded::FileTable;
use hardmatch_ports::table::Units;
use hardmatch_ports::{Item, Key, Page, Query, Table, TableError, Write};
use hardmatch_runtime::ManualClock;

/// A table that remembers what it holds, takes a second for each write when asked to, and dies at one.
pub(crate) struct Book {
    inner: FileTable,
    clock: ManualClock,
    pub(super) held: Mutex<BTreeMap<Key, Vec<u8>>>,
    pub(super) writes: AtomicU64,
    pub(super) slow: AtomicBool,
    pub(super) dies_at: AtomicU64,
    pub(super) dead: AtomicBool,
}

impl Book {
    pub(super) fn new(clock: ManualClock) -> Self {
        Self {
            inner: FileTable::in_memory().unwrap(),
            clock,
            held: Mutex::default(),
            writes: AtomicU64::new(0),
            slow: AtomicBool::new(false),
            dies_at: AtomicU64::new(0),
            dead: AtomicBool::new(false),
        }
    }

    fn strike(&self) -> Result<(), TableError> {
        self.alive()?;
        if self.slow.load(Ordering::SeqCst) {
            self.clock.advance(Duration::from_secs(1));
        }
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if number == self.dies_at.load(Ordering::SeqCst) {
            self.dead.store(true, Ordering::SeqCst);
        }
        self.alive()
    }

    fn alive(&self) -> Result<(), TableError> {
        let dead = self.dead.load(Ordering::SeqCst);
        if dead { Err(TableError::Unavailable("the process was killed".to_owned())) } else { Ok(()) }
    }

    fn enter(&self, writes: &[Write]) {
        let mut held = self.held.lock().unwrap();
        for write in writes {
            match write {
                Write::Put { key, body, .. } => drop(held.insert(key.clone(), body.clone())),
                Write::Delete { key, .. } => drop(held.remove(key)),
                Write::Check { .. } => {}
            }
        }
    }
}

#[async_trait]
impl Table for Book {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        self.alive()?;
        self.inner.get(key).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        self.alive()?;
        self.inner.batch_get(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.alive()?;
        self.inner.query(query).await
    }

    async fn write(&self, write: Write) -> Result<u64, TableError> {
        self.alive()?;
        let revision = self.inner.write(write.clone()).await?;
        self.enter(&[write]);
        Ok(revision)
    }

    async fn batch_write(&self, mut writes: Vec<Write>) -> Result<(), TableError> {
        let struck = self.strike();
        if struck.is_err() && !writes.is_empty() {
            // Of the batch in which a process dies one half is there, in an order that nobody promised.
            if self.writes.load(Ordering::SeqCst).is_multiple_of(2) {
                writes.reverse();
            }
            writes.truncate(writes.len() / 2);
        }
        self.enter(&writes);
        self.inner.batch_write(writes).await?;
        struck
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.alive()?;
        self.inner.transact(writes.clone()).await?;
        self.enter(&writes);
        Ok(())
    }

    fn units(&self) -> Units {
        self.inner.units()
    }
}
