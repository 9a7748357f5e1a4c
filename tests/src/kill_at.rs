//! A table that stops: the process is killed at its n-th write, and whatever it asks afterwards is refused.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hardmatch_ports::table::Units;
use hardmatch_ports::{Item, Key, Page, Query, Table, TableError, Write};
use tokio::sync::Notify;

use crate::bill::Bill;
use crate::secret_scan::SecretScan;
use crate::trace::Trace;

/// Where a command is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KillAt {
    /// At which write of the table; 1 is the first.
    pub at: u64,
    /// What became of that write.
    pub spoil: CorruptAnswer,
}

/// What became of the write at which a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CorruptAnswer {
    /// It did not happen.
    Lost,
    /// It happened, and nobody heard of it. Of a batch, the first half.
    Done,
}

pub(crate) struct KillTable<T> {
    inner: T,
    cut: Option<KillAt>,
    writes: AtomicU64,
    dead: AtomicBool,
    killed: Notify,
    bill: Option<Bill>,
    trace: Option<Trace>,
    secret_scan: Option<Arc<SecretScan>>,
    keys: Keys,
}

/// The keys of everything that was ever written. Clones share them.
pub(crate) type Keys = Arc<Mutex<BTreeSet<(String, String)>>>;

impl<T: Table> KillTable<T> {
    pub(crate) fn new(inner: T, cut: Option<KillAt>) -> Self {
        let (writes, dead) = (AtomicU64::new(0), AtomicBool::new(false));
        Self {
            inner,
            cut,
            writes,
            dead,
            killed: Notify::new(),
            bill: None,
            trace: None,
            secret_scan: None,
            keys: Keys::default(),
        }
    }

    /// The same, with everything it writes entered into a bill.
    pub(crate) fn billed(self, bill: Option<Bill>) -> Self {
        Self { bill, ..self }
    }

    /// The same, with everything it is asked entered into a trace.
    pub(crate) fn traced(self, trace: Option<Trace>) -> Self {
        Self { trace, ..self }
    }

    /// Enters into the trace what was done since the units were these.
    fn note(&self, before: Units, what: &str, key: &Key) {
        if let Some(trace) = &self.trace {
            trace.enter(what, key, self.inner.units().since(before));
        }
    }

    /// The same, with everything it writes looked through for secrets.
    pub(crate) fn hushed(self, secret_scan: Arc<SecretScan>) -> Self {
        Self { secret_scan: Some(secret_scan), ..self }
    }

    /// The same, with the keys of everything it writes entered here.
    pub(crate) fn keyed(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    async fn enter(&self, writes: &[Write], times: u64) {
        let keys = writes.iter().map(|write| (write.key().pk.clone(), write.key().sk.clone()));
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).extend(keys);
        if let Some(secret_scan) = &self.secret_scan {
            secret_scan.look_at(writes);
        }
        if let Some(bill) = &self.bill {
            bill.enter(&self.inner, writes, times).await;
        }
    }

    /// Returns when the process is killed.
    pub(crate) async fn killed(&self) {
        self.killed.notified().await;
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Writes so far.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    fn alive(&self) -> Result<(), TableError> {
        if self.is_dead() { Err(gone()) } else { Ok(()) }
    }

    /// Counts a write; says how it is spoilt when it is the one.
    fn strikes(&self) -> Result<Option<CorruptAnswer>, TableError> {
        self.alive()?;
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let Some(cut) = self.cut.filter(|cut| cut.at == number) else { return Ok(None) };
        self.dead.store(true, Ordering::SeqCst);
        self.killed.notify_one();
        Ok(Some(cut.spoil))
    }
}

fn gone() -> TableError {
    TableError::Unavailable("the process was killed".to_owned())
}

#[async_trait]
impl<T: Table> Table for KillTable<T> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        self.alive()?;
        let before = self.inner.units();
        let found = self.inner.get(key).await;
        self.note(before, "get", key);
        found
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        self.alive()?;
        let before = self.inner.units();
        let found = self.inner.batch_get(keys).await;
        if let Some(first) = keys.first() {
            self.note(before, "get many", first);
        }
        found
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.alive()?;
        let before = self.inner.units();
        let found = self.inner.query(query).await;
        self.note(before, "query", &Key::new(query.pk.clone(), query.prefix.clone()));
        found
    }

    async fn write(&self, write: Write) -> Result<u64, TableError> {
        self.enter(std::slice::from_ref(&write), 1).await;
        let (before, key) = (self.inner.units(), write.key().clone());
        match self.strikes()? {
            None => {
                let written = self.inner.write(write).await;
                self.note(before, "write", &key);
                written
            }
            Some(CorruptAnswer::Lost) => Err(gone()),
            Some(CorruptAnswer::Done) => self.inner.write(write).await.and(Err(gone())),
        }
    }

    async fn batch_write(&self, mut writes: Vec<Write>) -> Result<(), TableError> {
        self.enter(&writes, 1).await;
        let (before, key) = (self.inner.units(), writes.first().map(|write| write.key().clone()));
        match self.strikes()? {
            None => {
                let written = self.inner.batch_write(writes).await;
                if let Some(key) = &key {
                    self.note(before, "write many", key);
                }
                written
            }
            Some(CorruptAnswer::Lost) => Err(gone()),
            Some(CorruptAnswer::Done) => {
                writes.truncate(writes.len().div_ceil(2));
                self.inner.batch_write(writes).await.and(Err(gone()))
            }
        }
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.enter(&writes, 2).await;
        let (before, key) = (self.inner.units(), writes.first().map(|write| write.key().clone()));
        match self.strikes()? {
            None => {
                let written = self.inner.transact(writes).await;
                if let Some(key) = &key {
                    self.note(before, "transact", key);
                }
                written
            }
            Some(CorruptAnswer::Lost) => Err(gone()),
            Some(CorruptAnswer::Done) => self.inner.transact(writes).await.and(Err(gone())),
        }
    }

    fn units(&self) -> Units {
        self.inner.units()
    }
}
