//! The world of a story: a directory, a tenant, a table and a clock, and the commands an operator has.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_embedded::doorbell::Habits;
use hardmatch_embedded::{FileTable, FolderBlobs};
use hardmatch_match::{
    Accept, Acceptance, Handled, NewRun, Request, Started, accept, handle_command, open_run, start_due,
};
use hardmatch_policy::{Config, Schedule};
use hardmatch_ports::clock::Clock as _;
use hardmatch_ports::command::{Command, CommandAuthority, Reply};
use hardmatch_ports::doorbell::{Message, MessageKind};
use hardmatch_ports::run::{Intent, Phase, PlanRow, Run, Undo};
use hardmatch_ports::table::Units;
use hardmatch_ports::{Blobs as _, Item, Key, Table as _, Write};
use hardmatch_runtime::ManualClock;
use hardmatch_sim::{CONTOSO_TENANT_ID, Running, Seed, Sim, SimClock};
use hardmatch_store::Store;
use hardmatch_store::changes::LanePhase;
use hardmatch_store::connection::Meta;
use hardmatch_store::sync_requests::SyncRequest;
use hardmatch_wiring::connections::activate;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::account::Seen;
use crate::bill::Bill;
use crate::delivered::Delivered;
use crate::directory::Directory;
use crate::engine::{self, Messages, Processes, StoryEngine, Watch};
use crate::kill_at::{Keys, KillAt, KillTable};
use crate::ran::Ran;
use crate::secret_scan::SecretScan;
use crate::stopped::Stopped;
use crate::taught::Taught;
use crate::telling::LastRead;
use crate::trace::Trace;

/// Noon on 15 January 2026, UTC.
const NOON: i64 = 1_768_478_400;

/// A directory, a tenant, a table, a clock.
pub struct World {
    /// The clock of everything. It passes by itself when everybody waits.
    pub clock: ManualClock,
    /// The source.
    pub people: Directory,
    /// The source is a directory that takes values, over the same people.
    pub taught: Option<Taught>,
    /// The tenant, as an administrator sees it.
    pub tenant: hardmatch_sim::World,
    /// How the queues behave in the next commands.
    pub habits: Habits,
    /// Where the next command is killed.
    pub cut: Option<KillAt>,
    /// Whether the messages of the functions are heard at all.
    pub messages: Messages,
    /// Where the next commands' writes are entered.
    pub bill: Option<Bill>,
    /// Whether the next runs send again what was refused before, as `--retry` has it.
    pub retry: bool,
    /// How many of a function work at a time.
    pub at_once: usize,
    /// What a message has of time until its function is ended; `None` is as much as it takes.
    pub time: Option<Duration>,
    /// Who answers messages.
    pub processes: Processes,
    /// Where the next commands' questions to the table and writes are entered, message by message.
    pub trace: Option<Trace>,
    /// Looks on while the next commands' messages are answered.
    pub watch: Option<Arc<dyn Watch>>,
    /// Makes the source one that tells whether it has changed, and keeps what was read of it last.
    pub telling: Option<LastRead>,
    /// Initial passwords that were delivered.
    pub passwords: Delivered,
    /// Looks for secrets while the folder is still there.
    secret_scan: Arc<SecretScan>,
    running: Running,
    table: FileTable,
    keys: Keys,
    folder: TempDir,
    policy: String,
    commands: u64,
    /// The connection that commands are about, and the directories and policies of others.
    name: String,
    others: BTreeMap<String, (Directory, String)>,
}

impl World {
    /// The tenant of [`Seed::contoso`], nobody in the source, the default policy.
    pub async fn new() -> Self {
        Self::with(Seed::contoso(), "").await
    }

    /// A tenant, and what the policy says besides connection, tenant and source.
    pub async fn with(seed: Seed, policy: &str) -> Self {
        let clock = ManualClock::auto(Timestamp::from_second(NOON).expect("a date"));
        let shared = clock.clone();
        let running = Sim::new(seed)
            .clock(SimClock::Shared(Arc::new(move || shared.now())))
            .start_local()
            .await
            .expect("the tenant starts");
        let folder = tempfile::tempdir().expect("a folder");
        let table = new_table().await;
        let mut world = Self {
            clock,
            people: Directory::new(folder.path().join("people.csv")),
            taught: None,
            tenant: running.world().clone(),
            habits: Habits::default(),
            cut: None,
            bill: None,
            messages: Messages::Heard,
            retry: false,
            at_once: 1,
            time: None,
            processes: Processes::One,
            trace: None,
            watch: None,
            passwords: Delivered::default(),
            telling: None,
            secret_scan: Arc::new(SecretScan::new(running.world().clone(), folder.path())),
            running,
            table,
            keys: Keys::default(),
            folder,
            policy: String::new(),
            commands: 0,
            name: "contoso".to_owned(),
            others: BTreeMap::new(),
        };
        world.set_policy(policy);
        world
    }

    /// From now on the policy says this besides connection, tenant and source.
    pub fn set_policy(&mut self, more: &str) {
        let file = self.people.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.policy = self.config_text(&format!("[source]\nkind = \"csv\"\nlocation = \"{file}\"\n"), more);
    }

    /// From now on the connection has these sources. Files lie beside that of the directory.
    pub fn set_sources(&mut self, sources: &str, more: &str) {
        self.policy = self.config_text(sources, more);
    }

    /// From now on the source is a directory that takes values, and the policy says this besides.
    pub fn teach(&mut self, more: &str) -> Taught {
        let source = "[source]\nkind = \"ldap\"\nlocation = \"ldaps://dc1.example.test\"\nbase = \"DC=example,DC=test\"\n\
                      bind = \"svc-sync@example.test\"\npassword = \"env:LDAP_PASSWORD\"\nca = \"ca.pem\"\n";
        self.policy = self.config_text(source, more);
        self.taught.get_or_insert_default().clone()
    }

    /// A configuration of the connection and its tenant, with this source.
    pub(crate) fn config_text(&self, source: &str, more: &str) -> String {
        format!(
            "schema = 1\nconnection = \"{}\"\n[tenant]\nid = \"{CONTOSO_TENANT_ID}\"\ncloud = \"simulated\"\n\
             {source}{more}\n",
            self.name
        )
    }

    /// From now on the configuration is this text, which names the connection `contoso`.
    pub fn set_config(&mut self, text: String) {
        self.policy = text;
    }

    /// The table is lost, and a new one takes its place. What lies in files stays.
    pub async fn lose_the_table(&mut self) {
        self.table = new_table().await;
    }

    /// What the table holds now, for [`World::restore`].
    pub async fn backup(&self) -> Backup {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut items = Vec::new();
        for (pk, sk) in keys {
            items.extend(self.table.get(&Key::new(pk, sk)).await.expect("an item"));
        }
        Backup(items)
    }

    /// The names of all blobs.
    pub async fn files(&self) -> Vec<String> {
        FolderBlobs::new(self.folder.path().join("files")).list("").await.expect("the names of blobs")
    }

    /// The table is as it was when the backup was made. What lies in files stays.
    pub async fn restore(&mut self, backup: &Backup) {
        self.table = new_table().await;
        for item in &backup.0 {
            self.table.write(Write::put(item.key.clone(), item.body.clone())).await.expect("an item");
        }
    }

    /// Time passes.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Days pass.
    pub fn pass_days(&self, days: u64) {
        self.pass(Duration::from_secs(days * 24 * 60 * 60));
    }

    /// All accounts, live and in the recycle bin.
    pub fn accounts(&self) -> Vec<Seen> {
        self.tenant.users().into_iter().map(Seen).collect()
    }

    /// The account with a sign-in name (or that had it before it was deleted).
    pub fn account(&self, upn: &str) -> Seen {
        Seen(self.tenant.user(upn).unwrap_or_default())
    }

    /// The members of the group of the tenant that has a value in a property, by the local parts of their sign-in names, sorted;
    /// nobody where there is no such group.
    pub fn members(&self, property: &str, value: &str) -> Vec<String> {
        let groups = self.tenant.groups();
        let Some(group) = groups.iter().find(|group| group[property] == value) else { return Vec::new() };
        let ids = group["members"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of = |id: &serde_json::Value| {
            let user = self.tenant.user(id.as_str()?)?;
            user["userPrincipalName"].as_str()?.split('@').next().map(str::to_owned)
        };
        let mut names: Vec<String> = ids.iter().filter_map(of).collect();
        names.sort();
        names
    }

    /// Plans.
    pub async fn plan(&mut self) -> Ran {
        self.try_plan().await.expect("the plan rests")
    }

    /// Synchronises. A first run stops at its plan.
    pub async fn sync(&mut self) -> Ran {
        self.try_sync(Accept::Nothing).await.expect("the run rests")
    }

    /// Synchronises with `--yes`.
    pub async fn sync_yes(&mut self) -> Ran {
        self.try_sync(Accept::TheStop).await.expect("the run rests")
    }

    /// Applies a plan by its hash.
    pub async fn apply(&mut self, hash: &str) -> Ran {
        self.try_apply(hash).await.expect("the plan is applied")
    }

    /// Plans, and applies what was planned.
    pub async fn settle_by_hash(&mut self) -> Ran {
        let hash = self.plan().await.hash();
        self.apply(&hash).await
    }

    /// Plans.
    pub async fn try_plan(&mut self) -> Result<Ran, Stopped> {
        self.command(StoryCommand::new(Intent::Plan, Accept::Nothing)).await
    }

    /// Synchronises.
    pub async fn try_sync(&mut self, accept: Accept) -> Result<Ran, Stopped> {
        self.command(StoryCommand::new(Intent::Sync, accept)).await
    }

    /// Synchronises with `--accept-source`.
    pub async fn sync_accepting_source(&mut self) -> Ran {
        let command = StoryCommand { source: Source::AsItIs, ..StoryCommand::new(Intent::Sync, Accept::TheStop) };
        self.command(command).await.expect("the run rests")
    }

    /// Plans for everybody, not only for those whose facts changed.
    pub async fn plan_everybody(&mut self) -> Ran {
        let command = StoryCommand { everybody: true, ..StoryCommand::new(Intent::Plan, Accept::Nothing) };
        self.command(command).await.expect("the plan rests")
    }

    /// Synchronises one person, by their key at the source.
    pub async fn sync_one(&mut self, key: &str) -> Ran {
        let command =
            StoryCommand { only: Some(PersonKey::new(key)), ..StoryCommand::new(Intent::Sync, Accept::Nothing) };
        self.command(command).await.expect("the run rests")
    }

    /// Sends a message from outside, as a schedule does, in a process of its own that answers until no message is left. The tick is
    /// such a message. What it took of the table.
    pub async fn notify(&mut self, kinds: &[MessageKind]) -> Result<Units, Stopped> {
        let (engine, config) = self.begin().await?;
        self.activate(&engine, &config).await.map_err(|error| engine.stopped(&error))?;
        let message = |kind: &MessageKind| match kind {
            MessageKind::Start { .. } | MessageKind::SyncPeople => {
                Message::new(config.connection.clone(), "", kind.clone())
            }
            other => Message::for_all(other.clone()),
        };
        let before = engine.table.units();
        engine.notify(kinds.iter().map(message).collect()).await?;
        Ok(engine.table.units().since(before))
    }

    /// Begins what the connection's own schedule has due, as the tick of a stack does, in a process of its own that answers until
    /// no message is left. What it took of the table.
    pub async fn due(&mut self, schedule: &Schedule) -> Result<(Started, Units), Stopped> {
        let (engine, config) = self.begin().await?;
        self.activate(&engine, &config).await.map_err(|error| engine.stopped(&error))?;
        let before = engine.table.units();
        let due = schedule.last(self.clock.now().as_second());
        let started = start_due(&engine.deciding, &config.connection, due, false).await;
        let started = started.map_err(|error| engine.stopped(&error))?;
        engine.notify(Vec::new()).await?;
        Ok((started, engine.table.units().since(before)))
    }

    /// Asks for people by their keys, as a hook does that names them, and lets the functions answer until no message is
    /// left. The runs that it took, oldest first.
    pub async fn want(&mut self, keys: &[&str]) -> Result<Vec<Ran>, Stopped> {
        let (engine, config) = self.begin().await?;
        let connection = config.connection.clone();
        self.activate(&engine, &config).await.map_err(|error| engine.stopped(&error))?;
        let before = engine.store.run_ids(&connection, usize::MAX).await.map_err(|error| engine.stopped(&error))?;
        for key in keys {
            let request = SyncRequest { key: PersonKey::new(*key), asked_ms: self.clock.now().as_millisecond() };
            let write = engine.store.request_sync(&connection, &request);
            engine.store.write(write).await.map_err(|error| engine.stopped(&error))?;
        }
        engine.notify(vec![Message::new(connection.clone(), "", MessageKind::SyncPeople)]).await?;
        let mut ids = engine.store.run_ids(&connection, usize::MAX).await.map_err(|error| engine.stopped(&error))?;
        ids.retain(|id| !before.contains(id));
        ids.reverse();
        let mut runs = Vec::new();
        for id in ids {
            let run = engine.run(&connection, &id).await?;
            runs.push(self.ended(&engine, run).await?);
        }
        Ok(runs)
    }

    /// Notifies the newest run, in a process of its own that answers until no message is left.
    pub async fn notify_run(&mut self, kinds: &[MessageKind]) -> Result<(), Stopped> {
        let (engine, config) = self.begin().await?;
        let newest = engine.store.run_ids(&config.connection, 1).await.map_err(|error| engine.stopped(&error))?;
        let id = newest.into_iter().next().unwrap_or_default();
        let message = |kind: &MessageKind| Message::new(config.connection.clone(), id.clone(), kind.clone());
        engine.notify(kinds.iter().map(message).collect()).await
    }

    /// What is stored.
    pub async fn store(&self) -> Store {
        Store::open(Arc::new(self.table.handle())).await.expect("a store")
    }

    /// The connection that commands are about; `contoso`, unless another was [turned to](Self::turn_to).
    pub fn connection(&self) -> ConnectionId {
        ConnectionId::new(self.name.as_str())
    }

    /// From now on commands are about this connection of the same tenant, with people and a policy of its own: nobody and
    /// the default one at first.
    pub fn turn_to(&mut self, name: &str) {
        let fresh = || (Directory::new(self.folder.path().join(format!("{name}.csv"))), String::new());
        let (people, policy) = self.others.remove(name).unwrap_or_else(fresh);
        let before = std::mem::replace(&mut self.name, name.to_owned());
        let left = (std::mem::replace(&mut self.people, people), std::mem::replace(&mut self.policy, policy));
        self.others.insert(before, left);
        if self.policy.is_empty() {
            self.set_policy("");
        }
    }

    /// All runs, newest first.
    pub async fn runs(&self) -> Vec<Run> {
        let (store, connection) = (self.store().await, self.connection());
        let mut runs = Vec::new();
        for id in store.run_ids(&connection, usize::MAX).await.expect("runs") {
            runs.extend(store.run(&connection, &id).await.expect("a run").map(|stored| stored.value));
        }
        runs
    }

    /// Plans how to undo what a run wrote, all of it or what it wrote of one person.
    pub async fn undo_run(&mut self, run: &str, key: Option<&str>) -> Ran {
        let person = self.place_of(key).await;
        self.undo(Undo { run: Some(run.to_owned()), person, by: "ada".to_owned() }).await
    }

    /// Plans how to undo what was written of one person within thirty days.
    pub async fn undo_person(&mut self, key: &str) -> Ran {
        let person = self.place_of(Some(key)).await;
        self.undo(Undo { run: None, person, by: "ada".to_owned() }).await
    }

    async fn place_of(&self, key: Option<&str>) -> Option<String> {
        let store = self.store().await;
        key.map(|key| store.secret().pid(&PersonKey::new(key)).hex())
    }

    async fn undo(&mut self, undo: Undo) -> Ran {
        let command = StoryCommand { undo: Some(undo), ..StoryCommand::new(Intent::Plan, Accept::Nothing) };
        self.command(command).await.expect("the run rests")
    }

    /// What an approver asks for, and the reply.
    pub async fn ask(&mut self, command: &Command) -> Reply {
        let (engine, config) = self.begin().await.expect("a process");
        let connection = &config.connection;
        let authority = CommandAuthority::Approver;
        let request = Request { connection, run: "", command, authority, by: "ada", reply: "" };
        match handle_command(&engine.deciding, &request).await.expect("a reply") {
            Handled::Replied(reply) => reply,
            Handled::PassedOn => Reply::Done { run: None },
        }
    }

    /// Applies a plan by its hash.
    pub async fn try_apply(&mut self, hash: &str) -> Result<Ran, Stopped> {
        let (engine, config) = self.begin().await?;
        let accepted = accept(&engine.deciding, &config.connection, hash, "a test").await;
        let run = match accepted.map_err(|error| engine.stopped(&error))? {
            Acceptance::GoesOn(run) | Acceptance::Resumes(run) | Acceptance::Applied(run) => *run,
            Acceptance::Expired(run) => {
                return Err(Stopped::Failed(format!("the plan {hash} of run {} is too old", run.id)));
            }
            Acceptance::Unknown { waiting } => {
                return Err(Stopped::Failed(format!("no plan has the hash {hash}; {waiting:?} waits")));
            }
        };
        let run = engine.drive(&config.connection, &run.id).await?;
        self.ended(&engine, run).await
    }

    /// How many commands there were.
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// The rows of all plans that were begun after so many commands.
    pub async fn rows_since(&mut self, commands: u64) -> Vec<PlanRow> {
        let (engine, config) = self.begin().await.expect("a process");
        let mut rows = Vec::new();
        for id in engine.store.run_ids(&config.connection, usize::MAX).await.expect("runs") {
            if id.parse().is_ok_and(|number: u64| number > commands) {
                rows.extend(rows_of(&engine, &id).await.expect("rows"));
            }
        }
        rows
    }

    async fn command(&mut self, command: StoryCommand) -> Result<Ran, Stopped> {
        let (engine, config) = self.begin().await?;
        let meta = self.activate(&engine, &config).await.map_err(|error| engine.stopped(&error))?;
        let run = if let Some(run) = self.left_open(&engine, &config.connection, &meta, &command).await? {
            run
        } else {
            let new = NewRun {
                accept: command.accept,
                everybody: command.everybody,
                only: command.only.clone(),
                accept_source: command.source == Source::AsItIs,
                retry: self.retry,
                undo: command.undo.clone(),
                ..NewRun::new(
                    format!("{:026}", self.commands),
                    config.connection.clone(),
                    command.intent,
                    "a test".to_owned(),
                )
            };
            let now = self.clock.now().as_millisecond();
            open_run(&engine.store, &*engine.doorbell, &new, now).await.map_err(|error| engine.stopped(&error))?
        };
        let run = engine.drive(&config.connection, &run.id).await?;
        self.ended(&engine, run).await
    }

    /// A new process a minute later.
    pub(crate) async fn begin(&mut self) -> Result<(StoryEngine, Config), Stopped> {
        self.commands += 1;
        self.pass(Duration::from_mins(1));
        self.people.write().map_err(|error| Stopped::Failed(error.to_string()))?;
        self.tenant.take_requests();
        let config = Config::load(&self.policy, "hardmatch.toml", self.folder.path())
            .map_err(|problems| Stopped::Failed(problems.lines()))?;
        let mut habits = self.habits.clone();
        habits.faults.seed = habits.faults.seed.wrapping_add(self.commands);
        let engine = StoryEngine::open(engine::Plan {
            clock: &self.clock,
            table: KillTable::new(self.table.handle(), self.cut.take())
                .billed(self.bill.clone())
                .traced(self.trace.clone())
                .hushed(Arc::clone(&self.secret_scan))
                .keyed(Arc::clone(&self.keys)),
            folder: self.folder.path(),
            config: &config,
            taught: self.taught.as_ref().map(|taught| (taught, self.people.path())),
            url: self.running.url(),
            habits,
            messages: self.messages,
            secret_scan: Arc::clone(&self.secret_scan),
            at_once: self.at_once,
            time: self.time,
            processes: self.processes,
            trace: self.trace.clone(),
            watch: self.watch.clone(),
            passwords: self.passwords.clone(),
            telling: self.telling.clone().map(|last| (self.people.path().to_owned(), last)),
        })
        .await?;
        Ok((engine, config))
    }

    /// As the command does: a new policy text becomes a new revision, and the tenant is remembered.
    pub(crate) async fn activate(
        &self,
        engine: &StoryEngine,
        config: &Config,
    ) -> Result<Meta, hardmatch_store::StoreError> {
        let meta = activate(&engine.store, config, &self.policy, self.folder.path()).await?;
        if meta.status.tenant.is_some() {
            return Ok(meta);
        }
        let tenant = Some(CONTOSO_TENANT_ID.to_owned());
        engine.store.update_together(&config.connection, |meta| meta.status.tenant.clone_from(&tenant)).await
    }

    /// A run that a killed process left open is taken up again.
    async fn left_open(
        &self,
        engine: &StoryEngine,
        connection: &ConnectionId,
        meta: &Meta,
        command: &StoryCommand,
    ) -> Result<Option<Run>, Stopped> {
        let Some(id) = &meta.schedule.run else { return Ok(None) };
        let run = engine.run(connection, id).await?;
        let is_open = !matches!(run.phase, Phase::Closed | Phase::Planned);
        Ok(Some(run).filter(|run| {
            is_open
                && run.intent == command.intent
                && run.policy_revision == meta.policy.revision
                && run.only == command.only
                && run.undo.is_some() == command.undo.is_some()
        }))
    }

    /// Gathers what a command left behind. Fails when work is left that nobody would ever do.
    pub(crate) async fn ended(&mut self, engine: &StoryEngine, run: Run) -> Result<Ran, Stopped> {
        let failed = |what: String| Err(Stopped::Failed(what));
        if !engine.doorbell.is_empty() || !engine.doorbell.dead_letters().is_empty() {
            return failed(format!("messages are left over: {:?}", engine.doorbell.dead_letters()));
        }
        let violations = self.tenant.violations();
        if !violations.is_empty() {
            return failed(format!("the tenant was asked for what Graph does not have: {violations:?}"));
        }
        let (store, gone) = (&engine.store, |error: hardmatch_store::StoreError| engine.stopped(&error));
        if run.phase == Phase::Closed {
            let mut left = store.slices(&run.id, None, usize::MAX).await.map_err(gone)?.len();
            left += store.held(&run.id).await.map_err(gone)?.len();
            for phase in [LanePhase::Write, LanePhase::Remove] {
                left += store.pointers(&run.id, phase, None, usize::MAX).await.map_err(gone)?.len();
            }
            if left > 0 {
                return failed(format!("{left} pieces of work are left in a closed run"));
            }
        }
        let mut rows = rows_of(engine, &run.id).await?;
        rows.sort_by(|one, other| one.upn.cmp(&other.upn));
        let pids: Vec<_> = rows.iter().map(|row| store.secret().pid(&row.decision.key)).collect();
        let outcomes: BTreeMap<PersonKey, _> = store
            .outcomes_of(&run, &pids)
            .await
            .map_err(gone)?
            .into_iter()
            .map(|(_, outcome)| (outcome.key.clone(), outcome))
            .collect();
        let writes = self.tenant.requests().into_iter().filter(crate::invariants::is_write).collect();
        Ok(Ran { run, rows, outcomes, writes, table_writes: engine.table.writes(), messages: engine.messages() })
    }
}

/// A table's items at some time.
#[derive(Clone)]
pub struct Backup(Vec<Item>);

impl Backup {
    /// The keys of what it holds, as `partition / sort key`.
    pub fn keys(&self) -> Vec<String> {
        self.ends().into_iter().map(|(key, _)| key).collect()
    }

    /// The same, and when each item ends (Unix seconds), where it does.
    pub fn ends(&self) -> Vec<(String, Option<i64>)> {
        self.0.iter().map(|item| (format!("{} / {}", item.key.pk, item.key.sk), item.expires)).collect()
    }
}

async fn new_table() -> FileTable {
    let table = FileTable::in_memory().expect("a table");
    // The table's secret orders people in keys: always the same, so that a story is the same at every run.
    table.write(Write::put(Key::new("STORE", "SECRET"), vec![7; 32])).await.expect("a secret");
    table
}

async fn rows_of(engine: &StoryEngine, run: &str) -> Result<Vec<PlanRow>, Stopped> {
    let told = |error: hardmatch_match::MatchError| engine.stopped(&error);
    let mut rows = Vec::new();
    let mut slices = hardmatch_match::read_plan(&engine.deciding, run).await.map_err(told)?;
    while let Some((_, more)) = slices.next().await.map_err(told)? {
        rows.extend(more);
    }
    Ok(rows)
}

struct StoryCommand {
    intent: Intent,
    accept: Accept,
    source: Source,
    everybody: bool,
    only: Option<PersonKey>,
    undo: Option<Undo>,
}

impl StoryCommand {
    fn new(intent: Intent, accept: Accept) -> Self {
        Self { intent, accept, source: Source::AsKnown, everybody: false, only: None, undo: None }
    }
}

#[derive(PartialEq, Eq)]
enum Source {
    AsKnown,
    AsItIs,
}
