//! A directory and a tenant in memory, a table that writes down what it holds and can be killed, and bells that are
//! answered until none is left.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::account::{Account, AddressHolder, HolderKind};
use hardmatch_domain::attribute::{Attr, Attributes};
use hardmatch_domain::group::Group;
use hardmatch_domain::ids::{ConnectionId, ObjectId, PersonKey, TenantId};
use hardmatch_domain::person::Person;
use hardmatch_embedded::{FileTable, FolderBlobs};
use hardmatch_ingest::{After, ObserveError, SourcePorts, TenantPorts, observe_source, observe_tenant};
use hardmatch_ports::doorbell::{Bell, Doorbell, DoorbellError};
use hardmatch_ports::run::{Collection, Run};
use hardmatch_ports::source::Completeness;
use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::{
    Cursor, Delta, DeltaNext, DeltaPage, Granted, ListPage, Organization, Retry, Sku, TenantError,
};
use hardmatch_ports::{
    Clock as _, Entry, Item, Key, Listing, Page, Query, Source, SourceError, Table, TableError, TenantRead, Write,
};
use hardmatch_runtime::ManualClock;
use hardmatch_store::runs::Place;
use hardmatch_store::{Scope, Store};
use hardmatch_wiring::CompiledPolicies;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::TempDir;

/// Noon on 15 January 2026, UTC.
const NOON: i64 = 1_768_478_400;
/// What a bell keeps free at its end; every unit of these tests takes a second.
const RESERVE: i64 = 20;
const POLICY: &str = "schema = 1\nconnection = \"contoso\"\n[tenant]\nid = \"11111111-1111-4111-8111-111111111111\"\ncloud = \"simulated\"\n\
                      [source]\nkind = \"csv\"\nlocation = \"people.csv\"\n";
/// Accounts on a page.
pub(crate) const PAGE: usize = 50;

/// A table that remembers what it holds, takes a second for each write when asked to, and dies at one.
pub(crate) struct Book {
    inner: FileTable,
    clock: ManualClock,
    held: Mutex<BTreeMap<Key, Vec<u8>>>,
    writes: AtomicU64,
    slow: AtomicBool,
    dies_at: AtomicU64,
    dead: AtomicBool,
}

impl Book {
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

/// The directory, and how often it was listed.
#[derive(Default)]
pub(crate) struct People(pub(crate) Mutex<BTreeMap<usize, String>>, pub(crate) AtomicU64);

struct Rows(Vec<Entry>, u64);

#[async_trait]
impl Listing for Rows {
    async fn next(&mut self) -> Result<Vec<Entry>, SourceError> {
        let rest = self.0.split_off(self.0.len().min(300));
        Ok(std::mem::replace(&mut self.0, rest))
    }

    fn finish(&mut self) -> Completeness {
        Completeness { entries: self.1, ..Completeness::default() }
    }
}

#[async_trait]
impl Source for People {
    async fn open(&self) -> Result<Box<dyn Listing>, SourceError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        let rows: Vec<Entry> = self.0.lock().unwrap().iter().map(|(number, title)| person(*number, title)).collect();
        let count = rows.len() as u64;
        Ok(Box::new(Rows(rows, count)))
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }
}

fn person(number: usize, title: &str) -> Entry {
    let upn = format!("p{number}@contoso.com");
    Entry::Person(Box::new(Person {
        key: PersonKey::new(format!("key-{number}")),
        anchors: Vec::new(),
        attributes: Attributes::from_pairs([(Attr::UserPrincipalName, upn.as_str()), (Attr::JobTitle, title)]),
        addresses: hardmatch_domain::person::Addresses::default(),
        groups: hardmatch_domain::attribute::Texts::default(),
        manager: None,
        enabled: Some(true),
        password_expired: None,
        extra: hardmatch_domain::person::Extra::default(),
    }))
}

/// The tenant. Every page takes a second.
pub(crate) struct Accounts {
    clock: ManualClock,
    /// Title of each live account; `false`: in the recycle bin.
    pub(crate) all: Mutex<BTreeMap<usize, (String, bool)>>,
    /// What a round that is followed tells of.
    pub(crate) told: Mutex<Vec<usize>>,
    pub(crate) groups: Mutex<usize>,
    /// The cursor that is not known any more, once.
    pub(crate) lost: Mutex<Option<String>>,
    pub(crate) pages: AtomicU64,
}

impl Accounts {
    fn page<T>(
        &self,
        page: Option<&Cursor>,
        name: &str,
        all: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    ) -> Result<ListPage<T>, TenantError> {
        self.clock.advance(Duration::from_secs(1));
        self.pages.fetch_add(1, Ordering::SeqCst);
        let mut lost = self.lost.lock().unwrap();
        if page.is_some_and(|page| lost.as_ref() == Some(&page.0)) {
            *lost = None;
            return Err(TenantError {
                retry: Retry::FromTheStart,
                status: 400,
                code: "Directory_ExpiredPageToken".to_owned(),
                message: "the page token has expired".to_owned(),
                request_id: String::new(),
            });
        }
        let all = all.into_iter();
        let at: usize = page.map_or(0, |page| page.0.rsplit(' ').next().unwrap().parse().unwrap());
        let more = all.len() > at + PAGE;
        let next = more.then(|| Cursor(format!("{name} {}", at + PAGE)));
        Ok(ListPage { items: all.skip(at).take(PAGE).collect(), next })
    }

    fn accounts(&self, page: Option<&Cursor>, name: &str, live: bool) -> Result<ListPage<Account>, TenantError> {
        let all = self.all.lock().unwrap();
        let of_these: Vec<_> = all.iter().filter(|(_, (_, is))| *is == live).collect();
        self.page(page, name, of_these.into_iter().map(|(&number, (title, _))| account(number, title, live)))
    }
}

pub(crate) fn object_id(number: usize) -> ObjectId {
    ObjectId::new(format!("{number:08x}-2222-4222-8333-{number:012x}"))
}

fn account(number: usize, title: &str, live: bool) -> Account {
    let upn = format!("p{number}@contoso.com");
    Account {
        attributes: Attributes::from_pairs([(Attr::UserPrincipalName, upn.as_str()), (Attr::JobTitle, title)]),
        enabled: Some(true),
        deleted: (!live).then(|| "2026-01-01T00:00:00Z".into()),
        ..Account::blank(object_id(number))
    }
}

#[async_trait]
impl TenantRead for Accounts {
    async fn organization(&self) -> Result<Organization, TenantError> {
        Ok(Organization {
            id: TenantId::new("11111111-1111-4111-8111-111111111111"),
            name: "Contoso".to_owned(),
            domains: BTreeMap::new(),
            directory_sync: None,
            last_sync: None,
        })
    }

    async fn role_holders(&self) -> Result<BTreeMap<ObjectId, Vec<String>>, TenantError> {
        Ok(BTreeMap::new())
    }

    async fn delta_start(&self) -> Result<Cursor, TenantError> {
        Ok(Cursor("delta 0".to_owned()))
    }

    async fn delta_whole(&self) -> Result<Cursor, TenantError> {
        Ok(Cursor("whole 0".to_owned()))
    }

    async fn users(&self, page: Option<&Cursor>) -> Result<ListPage<Account>, TenantError> {
        self.accounts(page, "users", true)
    }

    async fn delta(&self, cursor: &Cursor) -> Result<DeltaPage, TenantError> {
        let told = self.told.lock().unwrap().clone();
        let all = self.all.lock().unwrap().clone();
        let ListPage { items, next } = self.page(Some(cursor), "delta", told)?;
        let seen = |number: usize| match all.get(&number) {
            Some((title, true)) => Delta::Seen { account: Box::new(account(number, title, true)), manager: None },
            Some((_, false)) => Delta::Deleted(object_id(number)),
            None => Delta::Purged(object_id(number)),
        };
        let next = next.map_or_else(|| DeltaNext::Done(Cursor("delta 0".to_owned())), DeltaNext::Page);
        Ok(DeltaPage { changes: items.into_iter().map(seen).collect(), next })
    }

    async fn deleted_users(&self, page: Option<&Cursor>) -> Result<ListPage<Account>, TenantError> {
        self.accounts(page, "bin", false)
    }

    async fn group_addresses(&self, page: Option<&Cursor>) -> Result<ListPage<(String, AddressHolder)>, TenantError> {
        let held = |number: usize| {
            let holder = AddressHolder { id: object_id(900_000 + number), kind: HolderKind::Group };
            (format!("g{number}@contoso.com"), holder)
        };
        let groups = *self.groups.lock().unwrap();
        self.page(page, "groups", (0..groups).map(held))
    }

    async fn contact_addresses(&self, page: Option<&Cursor>) -> Result<ListPage<(String, AddressHolder)>, TenantError> {
        self.page(page, "contacts", Vec::new())
    }

    async fn account(&self, id: &ObjectId) -> Result<Option<Account>, TenantError> {
        let all = self.all.lock().unwrap();
        Ok(all
            .iter()
            .find(|(number, _)| object_id(**number) == *id)
            .map(|(&number, (title, live))| account(number, title, *live)))
    }

    async fn skus(&self) -> Result<Vec<Sku>, TenantError> {
        Ok(Vec::new())
    }

    async fn groups_named(&self, _: &str) -> Result<Vec<Group>, TenantError> {
        Ok(Vec::new())
    }

    async fn group(&self, _: &ObjectId) -> Result<Option<Group>, TenantError> {
        Ok(None)
    }

    async fn members(&self, _: &ObjectId, page: Option<&Cursor>) -> Result<ListPage<ObjectId>, TenantError> {
        self.page(page, "members", Vec::new())
    }

    async fn granted(&self) -> Result<Granted, TenantError> {
        Ok(Granted { permissions: Vec::new(), principal: None, tenant: None })
    }
}

struct Unheard;

#[async_trait]
impl Doorbell for Unheard {
    async fn ring(&self, _: Bell, _: Duration) -> Result<(), DoorbellError> {
        Ok(())
    }
}

/// Which side a bell is for.
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
}

impl Lab {
    pub(crate) async fn new(people: usize, accounts: usize) -> Self {
        let clock = ManualClock::new(Timestamp::from_second(NOON).unwrap());
        let inner = FileTable::in_memory().unwrap();
        let book = Arc::new(Book {
            inner,
            clock: clock.clone(),
            held: Mutex::default(),
            writes: AtomicU64::new(0),
            slow: AtomicBool::new(false),
            dies_at: AtomicU64::new(0),
            dead: AtomicBool::new(false),
        });
        book.write(Write::put(Key::new("STORE", "SECRET"), vec![7; 32])).await.unwrap();
        let store = Store::open(book.clone()).await.unwrap();
        store.put_policy(&contoso(), 1, POLICY).await.unwrap();
        let lab = Self {
            people: Arc::new(People(
                (0..people).map(|number| (number, "Engineer".to_owned())).collect::<BTreeMap<_, _>>().into(),
                AtomicU64::new(0),
            )),
            accounts: Arc::new(Accounts {
                clock: clock.clone(),
                all: Mutex::new((0..accounts).map(|number| (number, ("Engineer".to_owned(), true))).collect()),
                told: Mutex::default(),
                groups: Mutex::new(0),
                lost: Mutex::default(),
                pages: AtomicU64::new(0),
            }),
            clock,
            book,
            store,
            run: String::new(),
            folder: tempfile::tempdir().unwrap(),
            runs: 0,
        };
        let mut lab = lab;
        lab.begin().await;
        lab
    }

    /// A new run that observes.
    pub(crate) async fn begin(&mut self) {
        self.runs += 1;
        self.run = format!("run{}", self.runs);
        let run: Run = serde_json::from_value(json!({
            "v": 1, "id": self.run, "connection": "contoso", "intent": "sync", "phase": "observing",
            "policy_revision": 1, "started_ms": (NOON + i64::try_from(self.runs).unwrap() * 60) * 1000,
            "everybody": false, "collections": {},
        }))
        .unwrap();
        let meta = self.store.meta(&contoso()).await.unwrap();
        self.store.open_run(&run, &Place::Connection(Box::new(meta))).await.unwrap();
    }

    /// Answers one bell that has time for so many units of a second; `None`: for all.
    pub(crate) async fn bell(&self, side: Side, units: Option<i64>) -> Result<After, ObserveError> {
        let now = self.clock.now();
        let until = units.map(|units| now + SignedDuration::from_secs(RESERVE + units));
        let (store, scope) = (self.store.clone(), scope());
        let policies = Arc::new(CompiledPolicies::without_files());
        let (clock, doorbell) = (Arc::new(self.clock.clone()), Arc::new(Unheard));
        match side {
            Side::Source => {
                let source = self.people.clone();
                let ports = SourcePorts { store, scope, source, policies, clock, doorbell, until };
                observe_source(&ports, &contoso(), &self.run).await
            }
            Side::Tenant => {
                let (tenant, blobs) = (self.accounts.clone(), Arc::new(FolderBlobs::new(self.folder.path())));
                let ports = TenantPorts { store, scope, tenant, policies, clock, doorbell, blobs, until };
                observe_tenant(&ports, &contoso(), &self.run).await
            }
        }
    }

    /// Answers bells until the side is read; how many it took.
    pub(crate) async fn read(&self, side: Side, units: Option<i64>) -> usize {
        for bells in 1..5_000 {
            match self.bell(side, units).await.unwrap() {
                After::Done => return bells,
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

    /// Answers bells until the process dies at a write from here; `false` when the side was read before. The next one
    /// comes when nobody takes the dead one for alive.
    pub(crate) async fn dies_at(&self, side: Side, units: Option<i64>, at: u64) -> bool {
        self.book.dies_at.store(self.writes() + at, Ordering::SeqCst);
        let died = loop {
            match self.bell(side, units).await {
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

    /// Everything that the table holds but for runs and leases; times of looking are all the same.
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
        told.map(|(key, body)| (format!("{} / {}", key.pk, key.sk), text(body))).collect()
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

pub(crate) fn scope() -> Scope {
    Scope::new("simulated", "11111111-1111-4111-8111-111111111111")
}
