//! A directory, a tenant and a table on one clock, and messages that are answered until none is left.

mod book;
mod directory;
mod tenant;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::FolderBlobs;
use hardmatch_ingest::{After, ObserveError, SourcePorts, TenantPorts, observe_source, observe_tenant};
use hardmatch_ports::doorbell::{Doorbell, DoorbellError, Message};
use hardmatch_ports::run::{Collection, Run};
use hardmatch_ports::{Clock as _, Key, Table as _, Write};
use hardmatch_runtime::ManualClock;
use hardmatch_store::keys::{hex, unhex};
use hardmatch_store::runs::RunPlace;
use hardmatch_store::{Store, TenantKey};
use hardmatch_wiring::CompiledPolicies;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::TempDir;

use book::Book;
use directory::People;
use tenant::Accounts;

pub(crate) use tenant::{PAGE, object_id};

/// Noon on 15 January 2026, UTC.
const NOON: i64 = 1_768_478_400;
/// What a message keeps free at its end; every unit of these tests takes a second.
const RESERVE: i64 = 20;
const POLICY: &str = "schema = 1\nconnection = \"contoso\"\n[tenant]\nid = \"11111111-1111-4111-8111-111111111111\"\ncloud = \"simulated\"\n\
                      [source]\nkind = \"csv\"\nlocation = \"people.csv\"\n";

struct Unheard;

#[async_trait]
impl Doorbell for Unheard {
    async fn notify(&self, _: Message, _: Duration) -> Result<(), DoorbellError> {
        Ok(())
    }
}

/// Which side a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Tenant,
}

pub(crate) struct Lab {
    pub(crate) clock: ManualClock,
    pub(crate) book: Arc<Book>,
    pub(crate) store: Store,
    pub(crate) people: Arc<People>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) run: String,
    folder: TempDir,
    runs: u64,
    policy: u64,
}

impl Lab {
    pub(crate) async fn new(people: usize, accounts: usize) -> Self {
        let clock = ManualClock::new(Timestamp::from_second(NOON).unwrap());
        let book = Arc::new(Book::new(clock.clone()));
        book.write(Write::put(Key::new("STORE", "SECRET"), vec![7; 32])).await.unwrap();
        let store = Store::open(book.clone()).await.unwrap();
        store.put_policy(&contoso(), 1, POLICY).await.unwrap();
        let mut lab = Self {
            people: Arc::new(People::new(people)),
            accounts: Arc::new(Accounts::new(clock.clone(), accounts)),
            clock,
            book,
            store,
            run: String::new(),
            folder: tempfile::tempdir().unwrap(),
            runs: 0,
            policy: 1,
        };
        lab.begin().await;
        lab
    }

    /// From here on runs have these rules beside the policy.
    pub(crate) async fn rule(&mut self, rules: &str) {
        self.policy += 1;
        self.store.put_policy(&contoso(), self.policy, &format!("{POLICY}{rules}")).await.unwrap();
        self.begin().await;
    }

    /// A new run that observes.
    pub(crate) async fn begin(&mut self) {
        self.runs += 1;
        self.run = format!("run{}", self.runs);
        let run: Run = serde_json::from_value(json!({
            "v": 1, "id": self.run, "connection": "contoso", "intent": "sync", "phase": "observing",
            "policy_revision": self.policy, "started_ms": (NOON + i64::try_from(self.runs).unwrap() * 60) * 1000,
            "everybody": false, "collections": {},
        }))
        .unwrap();
        let meta = self.store.meta(&contoso()).await.unwrap();
        self.store.open_run(&run, &RunPlace::Connection(Box::new(meta))).await.unwrap();
    }

    /// Answers one message that has time for so many units of a second; `None`: for all.
    pub(crate) async fn message(&self, side: Side, units: Option<i64>) -> Result<After, ObserveError> {
        let now = self.clock.now();
        let deadline = units.map(|units| now + SignedDuration::from_secs(RESERVE + units));
        let (store, scope) = (self.store.clone(), scope());
        let policies = Arc::new(CompiledPolicies::without_files());
        let (clock, doorbell) = (Arc::new(self.clock.clone()), Arc::new(Unheard));
        match side {
            Side::Source => {
                let source = self.people.clone();
                let ports = SourcePorts { store, scope, source, policies, clock, doorbell, deadline };
                observe_source(&ports, &contoso(), &self.run).await
            }
            Side::Tenant => {
                let (tenant, blobs) = (self.accounts.clone(), Arc::new(self.blobs()));
                let ports = TenantPorts { store, scope, tenant, policies, clock, doorbell, blobs, deadline };
                observe_tenant(&ports, &contoso(), &self.run).await
            }
        }
    }

    /// Answers messages until the side is read; how many it took.
    pub(crate) async fn read(&self, side: Side, units: Option<i64>) -> usize {
        for messages in 1..5_000 {
            match self.message(side, units).await.unwrap() {
                After::Done => return messages,
                After::Again(wait) => self.clock.advance(wait),
            }
        }
        panic!("the side is never read");
    }

    /// Each write of the table takes a second from here on.
    pub(crate) fn slow(&self) -> &Self {
        self.book.slow.store(true, Ordering::SeqCst);
        self
    }

    pub(crate) fn writes(&self) -> u64 {
        self.book.writes.load(Ordering::SeqCst)
    }

    /// Answers messages until the process dies at a write from here; `false` when the side was read before. The next one
    /// comes when nobody takes the dead one for alive.
    pub(crate) async fn dies_at(&self, side: Side, units: Option<i64>, at: u64) -> bool {
        self.book.dies_at.store(self.writes() + at, Ordering::SeqCst);
        let died = loop {
            match self.message(side, units).await {
                Ok(After::Done) => break false,
                Ok(After::Again(wait)) => self.clock.advance(wait),
                Err(_) => break true,
            }
        };
        self.book.dies_at.store(0, Ordering::SeqCst);
        self.book.dead.store(false, Ordering::SeqCst);
        self.clock.advance(Duration::from_mins(10));
        died
    }

    pub(crate) async fn collection(&self, name: &str) -> Collection {
        let run = self.store.run(&contoso(), &self.run).await.unwrap().unwrap().value;
        let known = run.collections.get(name).cloned().unwrap_or_else(|| panic!("{name} is not read: {run:?}"));
        assert_eq!(known.doubts, Vec::<String>::new(), "{name}");
        known
    }

    /// Everything that the table holds but for runs and leases; times of looking are all the same, and it is the same with
    /// whom somebody is marked.
    pub(crate) fn holds(&self) -> BTreeMap<String, String> {
        let held = self.book.held.lock().unwrap();
        let told = held.iter().filter(|(key, _)| !key.pk.starts_with("LOCK#") && !key.sk.starts_with("RUN#"));
        let times = ["delta_at", "full_at"];
        let text = |body: &[u8]| match std::str::from_utf8(body) {
            Ok(text) if times.iter().any(|time| text.contains(time)) => {
                let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
                for time in times {
                    value.as_object_mut().map(|object| object.remove(time));
                }
                value.to_string()
            }
            Ok(text) => text.to_owned(),
            Err(_) => format!("{body:?}"),
        };
        let people = |key: &Key, body: &[u8]| {
            let marked = if key.sk.starts_with("crowd#") { body.to_vec() } else { unhex(&key.sk).unwrap() };
            marked.chunks(16).map(|pid| (format!("OPEN / {}", hex(pid)), String::new())).collect::<Vec<_>>()
        };
        let told = told.flat_map(|(key, body)| {
            if key.pk.starts_with("DIRTY#") {
                people(key, body)
            } else {
                vec![(format!("{} / {}", key.pk, key.sk), text(body))]
            }
        });
        told.collect()
    }

    /// Where readings keep what is too large for the table.
    pub(crate) fn blobs(&self) -> FolderBlobs {
        FolderBlobs::new(self.folder.path())
    }

    /// What readings of the tenant left in files.
    pub(crate) fn files(&self) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
            entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(self.folder.path())
    }
}

/// Fails with the first difference: whole tables are long.
pub(crate) fn same(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>, when: &str) {
    for (key, body) in one {
        let theirs = other.get(key);
        assert_eq!(theirs, Some(body), "{when}: {key}");
    }
    let more: Vec<&String> = other.keys().filter(|key| !one.contains_key(*key)).take(3).collect();
    assert!(more.is_empty(), "{when}: {more:?}");
}

pub(crate) fn contoso() -> ConnectionId {
    ConnectionId::new("contoso")
}

pub(crate) fn scope() -> TenantKey {
    TenantKey::new("simulated", "11111111-1111-4111-8111-111111111111")
}
