//! A clock that is set, a key service that is counted, and a table whose answers can be lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_embedded::FileTable;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::credentials::{Credential, CredentialError, Proof};
use hardmatch_ports::seal::{DataKey, Seal, SealContext, SealError};
use hardmatch_ports::table::{Item, Key, Page, Query, Table, TableError, Units, Write};
use hardmatch_ports::tokens::KeptToken;
use hardmatch_vault::{LocalSeal, SecretString};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use tokio::sync::{Notify, watch};
use zeroize::Zeroizing;

/// 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

/// Stands until it is moved.
pub(crate) struct TestClock {
    now: watch::Sender<Timestamp>,
    asleep: Notify,
}

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { now: watch::Sender::new(at(0)), asleep: Notify::new() })
    }

    /// So many seconds after the start.
    pub(crate) fn set(&self, seconds: i64) {
        self.now.send_replace(at(seconds));
    }

    pub(crate) async fn until_asleep(&self) {
        self.asleep.notified().await;
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    async fn sleep(&self, time: Duration) {
        let wakes = self.now() + time;
        let mut now = self.now.subscribe();
        self.asleep.notify_one();
        now.wait_for(|now| *now >= wakes).await.unwrap();
    }
}

/// A key service that counts how often it is asked, and can be out of order.
pub(crate) struct CountedSeal {
    inner: LocalSeal,
    pub(crate) made: AtomicU32,
    pub(crate) unwrapped: AtomicU32,
    pub(crate) down: AtomicBool,
}

impl CountedSeal {
    /// `byte` tells one key from another.
    pub(crate) fn new(byte: u8) -> Arc<Self> {
        let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [byte; 32]);
        let inner = LocalSeal::env("KEY", move |_| Some(key.clone()));
        Arc::new(Self { inner, made: 0.into(), unwrapped: 0.into(), down: false.into() })
    }

    pub(crate) fn calls(&self) -> (u32, u32) {
        (self.made.load(SeqCst), self.unwrapped.load(SeqCst))
    }

    fn up(&self) -> Result<(), SealError> {
        if self.down.load(SeqCst) {
            return Err(SealError::Unavailable("the key service does not answer".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl Seal for CountedSeal {
    async fn data_key(&self, context: &SealContext) -> Result<DataKey, SealError> {
        self.made.fetch_add(1, SeqCst);
        self.up()?;
        self.inner.data_key(context).await
    }

    async fn unwrap_key(&self, wrapped: &[u8], context: &SealContext) -> Result<Zeroizing<[u8; 32]>, SealError> {
        self.unwrapped.fetch_add(1, SeqCst);
        self.up()?;
        self.inner.unwrap_key(wrapped, context).await
    }
}

/// A table that says *conflict* to a write it has done, once: what a repeated request finds when the first answer was
/// lost.
pub(crate) struct LostAnswer {
    pub(crate) inner: FileTable,
    pub(crate) lose: AtomicBool,
}

#[async_trait]
impl Table for LostAnswer {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        self.inner.get(key).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        self.inner.batch_get(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.inner.query(query).await
    }

    async fn write(&self, write: Write) -> Result<u64, TableError> {
        let done = self.inner.write(write).await?;
        if self.lose.swap(false, SeqCst) { Err(TableError::Conflict { at: 0 }) } else { Ok(done) }
    }

    async fn batch_write(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.inner.batch_write(writes).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.inner.transact(writes).await
    }

    fn units(&self) -> Units {
        self.inner.units()
    }
}

pub(crate) fn table() -> Arc<FileTable> {
    Arc::new(FileTable::in_memory().unwrap())
}

/// A token that ends so many seconds after the start.
pub(crate) fn token(secret: &str, ends: Option<i64>) -> KeptToken {
    KeptToken { secret: SecretString::from(secret), obtained: at(0), expires: ends.map(at), mark: None }
}

pub(crate) fn shown(token: &KeptToken) -> &str {
    token.secret.expose_secret()
}

pub(crate) const CLIENT: &str = "0f6b6c1d-7d0a-4f4e-8a51-2f6d1f3b9c77";
pub(crate) const TOKEN_URL: &str = "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token";

/// The assertion, or what was said instead.
pub(crate) async fn assertion(credential: &dyn Credential) -> Result<String, String> {
    match credential.proof(CLIENT, TOKEN_URL).await {
        Ok(Proof::Assertion(text)) => Ok(text.expose_secret().to_owned()),
        Ok(other) => Err(format!("no assertion: {other:?}")),
        Err(CredentialError(said)) => Err(said),
    }
}
