//! A directory, a tenant and a table in memory on one clock, and messages that are answered until none is left.

mod directory;
mod memory;
mod tenant;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ingest::{After, ObserveError, SourcePorts, TenantPorts, observe_source, observe_tenant};
use hardmatch_ports::doorbell::{Doorbell, DoorbellError, Message};
use hardmatch_ports::run::{Collection, Run};
use hardmatch_ports::{Clock as _, Key, Table as _, Write};
use hardmatch_runtime::ManualClock;
use hardmatch_store::runs::RunPlace;
use hardmatch_store::{Store, TenantKey};
use hardmatch_wiring::CompiledPolicies;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use directory::People;
use memory::{MemoryBlobs, MemoryTable};
use tenant::Accounts;

pub(crate) use directory::person;
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

/// The side that a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Tenant,
}

pub(crate) struct Fixture {
    pub(crate) clock: ManualClock,
    pub(crate) table: Arc<MemoryTable>,
    blobs: Arc<MemoryBlobs>,
    pub(crate) store: Store,
    pub(crate) people: Arc<People>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) run: String,
    runs: u64,
    policy: u64,
}

impl Fixture {
    pub(crate) async fn new(people: usize, accounts: usize) -> Self {
        let clock = ManualClock::new(Timestamp::from_second(NOON).unwrap());
        let table = Arc::new(MemoryTable::new(clock.clone()));
        table.write(Write::put(Key::new("STORE", "SECRET"), vec![7; 32])).await.unwrap();
        let store = Store::open(table.clone()).await.unwrap();
        store.put_policy(&contoso(), 1, POLICY).await.unwrap();
        let mut fixture = Self {
            people: Arc::new(People::new(people)),
            accounts: Arc::new(Accounts::new(clock.clone(), accounts)),
            clock,
            table,
            blobs: Arc::default(),
            store,
            run: String::new(),
            runs: 0,
            policy: 1,
        };
        fixture.begin().await;
        fixture
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
                let (tenant, blobs) = (self.accounts.clone(), self.blobs.clone());
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
        self.table.slow.store(true, Ordering::SeqCst);
        self
    }

    pub(crate) fn writes(&self) -> u64 {
        self.table.writes.load(Ordering::SeqCst)
    }

    /// Answers messages until the process dies at a write from here; `false` when the side was read before. The next one
    /// comes when nobody takes the dead one for alive.
    pub(crate) async fn dies_at(&self, side: Side, units: Option<i64>, at: u64) -> bool {
        self.table.dies_at.store(self.writes() + at, Ordering::SeqCst);
        let died = loop {
            match self.message(side, units).await {
                Ok(After::Done) => break false,
                Ok(After::Again(wait)) => self.clock.advance(wait),
                Err(_) => break true,
            }
        };
        self.table.dies_at.store(0, Ordering::SeqCst);
        self.table.dead.store(false, Ordering::SeqCst);
        self.clock.advance(Duration::from_mins(10));
        died
    }

    pub(crate) async fn collection(&self, name: &str) -> Collection {
        let run = self.store.run(&contoso(), &self.run).await.unwrap().unwrap().value;
        let known = run.collections.get(name).cloned().unwrap_or_else(|| panic!("{name} is not read: {run:?}"));
        assert_eq!(known.doubts, Vec::<String>::new(), "{name}");
        known
    }

    /// Everything that the table holds, except for runs, leases and times of looking.
    pub(crate) fn holds(&self) -> BTreeMap<String, String> {
        let items = self.table.items.lock().unwrap();
        let told = items.values().filter(|item| !item.key.pk.starts_with("LOCK#") && !item.key.sk.starts_with("RUN#"));
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
        told.map(|item| (format!("{} / {}", item.key.pk, item.key.sk), text(&item.body))).collect()
    }

    /// The blobs of readings.
    pub(crate) fn blobs(&self) -> &MemoryBlobs {
        &self.blobs
    }

    /// How many blobs readings left.
    pub(crate) fn files(&self) -> usize {
        self.blobs.names().len()
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
