//! A store in memory, a clock to be turned by hand, and a doorbell that keeps what is sent. The tests beside the code and
//! those of whole messages share it.

#![allow(dead_code, reason = "compiled into the crate's own tests and into those of whole messages; each uses a part")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::attribute::{Attributes, Texts};
use hardmatch_domain::ids::{ConnectionId, PersonKey, PersonRef};
use hardmatch_domain::person::{Addresses, Extra, Person, PersonRecord, SourceStatus};
use hardmatch_domain::policy::Policy;
use hardmatch_embedded::{FileTable, FolderBlobs};
use hardmatch_match::{
    ConnectionHealth, Handled, MatchPorts, Request, RunCost, RunMetrics, Started, handle_command, start_scheduled, tick,
};
use hardmatch_ports::command::{Command, CommandAuthority, Reply};
use hardmatch_ports::doorbell::{Doorbell, DoorbellError, Message, MessageKind};
use hardmatch_ports::run::{Compute, Phase, Run};
use hardmatch_ports::table::Units;
use hardmatch_ports::{Clock as _, Item, Key, Page, Policies, Query, Table, TableError, Write};
use hardmatch_runtime::ManualClock;
use hardmatch_store::changes::LanePhase;
use hardmatch_store::{PersonHash, Store, StoreError, TenantKey};
use jiff::Timestamp;
use tempfile::TempDir;

/// Noon on 15 January 2026, UTC.
pub(crate) const NOON: i64 = 1_768_478_400;
/// The scheduled time at [`NOON`].
pub(crate) const SLOT: &str = "2026-01-15T12:00:00Z";
/// What every run has cost.
pub(crate) const COMPUTE: Compute = Compute { messages: 7, worked_ms: 4_200 };

/// A table that drops checkpoints while it is told to.
pub(crate) struct ForgetfulTable(FileTable, AtomicBool);

impl ForgetfulTable {
    pub(crate) fn drop_checkpoints(&self, yes: bool) {
        self.1.store(yes, Ordering::SeqCst);
    }
}

#[async_trait]
impl Table for ForgetfulTable {
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
        if self.1.load(Ordering::SeqCst) && write.key().pk.ends_with("#checkpoint") {
            return Ok(1);
        }
        self.0.write(write).await
    }

    async fn batch_write(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.0.batch_write(writes).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.0.transact(writes).await
    }

    fn units(&self) -> Units {
        self.0.units()
    }
}

/// Keeps what is sent, or refuses to send.
#[derive(Default)]
pub(crate) struct Outbox(Mutex<Vec<Message>>);

#[async_trait]
impl Doorbell for Outbox {
    async fn notify(&self, message: Message, _: Duration) -> Result<(), DoorbellError> {
        self.0.lock().unwrap().push(message);
        Ok(())
    }
}

struct NoPolicy;

impl Policies for NoPolicy {
    fn compile(&self, _: &str, _: u64) -> Result<Arc<Policy>, String> {
        Err("the policy cannot be compiled".to_owned())
    }
}

/// Keeps what it is told about runs and connections.
#[derive(Default)]
pub(crate) struct Told {
    ended: Mutex<Vec<Run>>,
    health: Mutex<Vec<ConnectionHealth>>,
}

impl Told {
    /// The runs whose end was told since it was last asked.
    pub(crate) fn ended(&self) -> Vec<Run> {
        std::mem::take(&mut *self.ended.lock().unwrap())
    }

    /// How connections stood at the ticks since it was last asked.
    pub(crate) fn health(&self) -> Vec<ConnectionHealth> {
        std::mem::take(&mut *self.health.lock().unwrap())
    }
}

#[async_trait]
impl RunMetrics for Told {
    async fn read(&self, _: &str) -> Result<RunCost, StoreError> {
        Ok(RunCost { units: Units { read: 5, write: 3 }, compute: Some(COMPUTE), ..RunCost::default() })
    }

    fn run_ended(&self, run: &Run) {
        self.ended.lock().unwrap().push(run.clone());
    }

    fn connection_state(&self, health: &ConnectionHealth) {
        self.health.lock().unwrap().push(health.clone());
    }
}

pub(crate) struct Fixture {
    pub(crate) clock: ManualClock,
    pub(crate) table: Arc<ForgetfulTable>,
    pub(crate) store: Store,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) told: Arc<Told>,
    pub(crate) ports: MatchPorts,
    _folder: TempDir,
}

impl Fixture {
    /// Enters a person of the source by key.
    pub(crate) async fn person(&self, key: &str) -> PersonHash {
        let person = Person {
            key: PersonKey::new(key),
            anchors: Vec::new(),
            attributes: Attributes::default(),
            addresses: Addresses::default(),
            groups: Texts::default(),
            manager: None,
            enabled: Some(true),
            password_expired: None,
            extra: Extra::default(),
            given_by: None,
        };
        let record = PersonRecord {
            connection: contoso(),
            person,
            standing: SourceStatus::Present,
            revision: 1,
            former: Vec::new(),
        };
        let mut writes = Vec::new();
        self.store.put_person(&self.ports.scope, None, &record, &mut writes);
        self.store.write_all(writes).await.unwrap();
        self.store.pid(&PersonRef { connection: contoso(), key: PersonKey::new(key) })
    }

    /// The id that commands give a run.
    pub(crate) const RUN: &str = "01KCZZZZZZZZZZZZZZZZZZZZZZ";

    /// Connections with a policy, of which a plan was accepted.
    pub(crate) async fn new(connections: &[&str]) -> Self {
        let clock = ManualClock::new(Timestamp::from_second(NOON).unwrap());
        let table = Arc::new(ForgetfulTable(FileTable::in_memory().unwrap(), AtomicBool::new(false)));
        let store = Store::open(table.clone()).await.unwrap();
        let (outbox, folder) = (Arc::new(Outbox::default()), tempfile::tempdir().unwrap());
        let told = Arc::new(Told::default());
        let ports = MatchPorts {
            store: store.clone(),
            scope: TenantKey::new("graph.test", "t1"),
            blobs: Arc::new(FolderBlobs::new(folder.path())),
            clock: Arc::new(clock.clone()),
            doorbell: outbox.clone(),
            policies: Arc::new(NoPolicy),
            metrics: told.clone(),
            deadline: None,
        };
        for name in connections {
            let name = ConnectionId::new(*name);
            let made = store.update_together(&name, |meta| {
                (meta.policy.revision, meta.history.first_accepted) = (1, Some(NOON - 1));
            });
            made.await.unwrap();
        }
        Self { clock, table, store, outbox, told, ports, _folder: folder }
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now_seconds()
    }

    /// The messages sent since it was last asked.
    pub(crate) fn notified(&self) -> Vec<Message> {
        std::mem::take(&mut *self.outbox.0.lock().unwrap())
    }

    pub(crate) fn kinds(&self) -> Vec<MessageKind> {
        self.notified().into_iter().map(|message| message.kind).collect()
    }

    pub(crate) async fn started(&self, slot: &str) -> Started {
        start_scheduled(&self.ports, &contoso(), slot).await.unwrap()
    }

    pub(crate) async fn run(&self, id: &str) -> Run {
        self.store.run(&contoso(), id).await.unwrap().unwrap().value
    }

    /// The run that a scheduled time opens.
    pub(crate) async fn opened(&self, slot: &str) -> Run {
        match self.started(slot).await {
            Started::Opened(id) => self.run(&id).await,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn change(&self, run: &Run, change: impl Fn(&mut Run)) -> Run {
        let name = contoso();
        let changed = self.store.update_run(&name, &run.id, |run| {
            change(run);
            true
        });
        changed.await.unwrap().unwrap()
    }

    pub(crate) async fn enter(&self, run: &Run, phase: Phase) -> Run {
        self.change(run, |run| run.phase = phase).await
    }

    /// Gives every phase of a run something to do.
    pub(crate) async fn work(&self, run: &Run) {
        let people = [PersonHash::from_bytes([1; 16])];
        self.store.put_slices(&run.id, 0, &people).await.unwrap();
        for phase in [LanePhase::Write, LanePhase::Remove] {
            let lane = self.store.put_pointers(&run.id, phase, 0, 0, &people);
            self.store.write_all(lane).await.unwrap();
        }
    }

    pub(crate) async fn tick(&self) {
        tick(&self.ports, &contoso()).await.unwrap();
    }

    /// Carries out a command of the approver `ada`, who looks for the reply `A1`.
    pub(crate) async fn handle(&self, command: &Command) -> Handled {
        self.handle_as(command, CommandAuthority::Approver).await
    }

    pub(crate) async fn handle_as(&self, command: &Command, authority: CommandAuthority) -> Handled {
        let connection = &contoso();
        let request = Request { connection, run: Self::RUN, command, authority, by: "ada", reply: "A1" };
        handle_command(&self.ports, &request).await.unwrap()
    }
}

pub(crate) fn contoso() -> ConnectionId {
    ConnectionId::new("contoso")
}

/// Why a request was refused; empty when it was not.
pub(crate) fn why(handled: &Handled) -> &str {
    match handled {
        Handled::Replied(Reply::Refused { why }) => why,
        Handled::Replied(_) | Handled::PassedOn => "",
    }
}
