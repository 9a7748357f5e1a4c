//! The engine that is shipped, as stories have it: on a clock, a table and a tenant of their own, with messages that are
//! lost, doubled and counted, and a process that can be killed. It is used for one command and dropped.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::doorbell::Habits;
use hardmatch_embedded::{FileTable, FolderBlobs, ProcessDoorbell};
use hardmatch_graph::{GraphClient, GraphOptions};
use hardmatch_ingest::{SourcePorts, TenantPorts};
use hardmatch_local::{Engine, Functions, Hooks, Parts};
use hardmatch_match::{MatchPorts, RunCost, RunMetrics};
use hardmatch_policy::Config;
use hardmatch_ports::doorbell::{After, MessageKind, Urgency};
use hardmatch_ports::run::{Compute, Run};
use hardmatch_ports::{Clock, Doorbell, DoorbellError, Message, Policies, Table, TenantWrite as _};
use hardmatch_runtime::ManualClock;
use hardmatch_sim::{CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID};
use hardmatch_sources_files::{ColumnMapping, FileSource, Format, Shape};
use hardmatch_store::costs::Cost;
use hardmatch_store::{Store, StoreError, TenantKey};
use hardmatch_vault::{SecretCredential, SecretString};
use hardmatch_wiring::source::source_over;
use hardmatch_wiring::{CompiledPolicies, Connections};
use hardmatch_write::WritePorts;
use jiff::Timestamp;

use crate::delivered::Delivered;
use crate::kill_at::KillTable;
use crate::rights::GuardedTable;
use crate::secret_scan::SecretScan;
use crate::stopped::Stopped;
use crate::taught::Taught;
use crate::telling::{LastRead, Telling};
use crate::trace::Trace;

/// What the engine of a story is built from.
pub(crate) struct Plan<'a> {
    pub(crate) clock: &'a ManualClock,
    pub(crate) table: KillTable<FileTable>,
    pub(crate) folder: &'a Path,
    pub(crate) config: &'a Config,
    /// The source is a directory that takes values, over the people of a file.
    pub(crate) taught: Option<(&'a Taught, &'a Path)>,
    pub(crate) url: &'a str,
    pub(crate) habits: Habits,
    pub(crate) messages: Messages,
    pub(crate) secret_scan: Arc<SecretScan>,
    pub(crate) at_once: usize,
    pub(crate) time: Option<Duration>,
    pub(crate) processes: Processes,
    pub(crate) trace: Option<Trace>,
    pub(crate) watch: Option<Arc<dyn Watch>>,
    pub(crate) passwords: Delivered,
    pub(crate) telling: Option<(std::path::PathBuf, LastRead)>,
}

/// Who answers messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Processes {
    /// One process, as on one machine.
    #[default]
    One,
    /// A new one for each message, as when AWS starts all functions anew: it remembers nothing of the one before, reads the
    /// connection itself, and notes with the run what the message has cost.
    OneForEachMessage,
}

/// Looks on while messages are answered by [`Processes::OneForEachMessage`], one after the other: for benchmarks.
pub trait Watch: Send + Sync {
    /// A process begins to work.
    fn begins(&self, message: &MessageKind);
    /// It has ended.
    fn ends(&self, message: &MessageKind);
}

/// A file of people with the usual columns.
fn people_file(path: &Path) -> Shape {
    let mapping = ColumnMapping { anchor_from: vec!["objectGUID".into()], header: true, ..ColumnMapping::default() };
    Shape { path: path.to_owned(), format: Format::Csv, delimiter: None, encoding: None, mapping }
}

/// What becomes of the messages that the functions send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Messages {
    /// They are heard, as far as the habits of the queues allow.
    #[default]
    Heard,
    /// None is ever heard: the tick alone keeps the work going.
    Lost,
}

/// A doorbell that nobody hears.
struct Unheard;

#[async_trait]
impl Doorbell for Unheard {
    async fn notify(&self, _: Message, _: Duration) -> Result<(), DoorbellError> {
        Ok(())
    }
}

pub(crate) struct StoryEngine {
    pub(crate) store: Store,
    pub(crate) deciding: MatchPorts,
    pub(crate) table: Arc<KillTable<FileTable>>,
    pub(crate) doorbell: Arc<ProcessDoorbell>,
    engine: Engine,
    answers: Arc<Answers>,
}

/// Rounds in a row without progress after which a run is stuck. With messages that get lost some are to be expected.
const PATIENCE: usize = 40;

impl StoryEngine {
    pub(crate) async fn open(plan: Plan<'_>) -> Result<Self, Stopped> {
        let clock: Arc<dyn Clock> = Arc::new(plan.clock.clone());
        let table = Arc::new(plan.table);
        let store = Store::open(table.clone()).await.map_err(|error| stopped(&table, &error))?;
        let doorbell = Arc::new(ProcessDoorbell::with_habits(Arc::clone(&clock), plan.habits));
        let client = client(plan.url, &clock)?;
        let blobs: Arc<dyn hardmatch_ports::Blobs> = Arc::new(FolderBlobs::new(plan.folder.join("files")));
        let mut functions = Functions::new(Parts {
            store: store.clone(),
            blobs: Arc::clone(&blobs),
            scope: TenantKey::new("simulated", CONTOSO_TENANT_ID),
            source: match plan.taught {
                Some((taught, people)) => {
                    taught.over(Arc::new(FileSource::new(people_file(people), Arc::clone(&clock))))
                }
                None => source_over(plan.config, &clock, &store, &blobs).map_err(|error| stopped(&table, &error))?,
            },
            tenant: client.clone(),
            writer: client.clone(),
            client_id: CONTOSO_CLIENT_ID.to_owned(),
            passwords: Arc::new(plan.passwords),
            policies: Arc::new(CompiledPolicies::new(plan.folder)),
            metrics: Arc::new(Counting { client: Arc::clone(&client), table: table.clone() }),
            clock,
            doorbell: match plan.messages {
                Messages::Heard => doorbell.clone(),
                Messages::Lost => Arc::new(Unheard),
            },
            holder: "a test".to_owned(),
        });
        if let Some((path, last)) = plan.telling {
            functions.source.source = Arc::new(Telling { source: functions.source.source, path, last });
        }
        functions.source.store = as_role(&store, &table, "SourceRole");
        functions.tenant.store = as_role(&store, &table, "TenantRole");
        functions.writing.store = as_role(&store, &table, "WriteRole");
        functions.deciding.store = as_role(&store, &table, "MatchRole");
        for urgency in [Urgency::Scheduled, Urgency::Now] {
            let released = hardmatch_write::release_lane(&functions.writing, urgency).await;
            released.map_err(|error| stopped(&table, &error))?;
        }
        let answers = Arc::new(Answers {
            table: Arc::clone(&table),
            doorbell: Arc::clone(&doorbell),
            client,
            errors: Mutex::default(),
            time: plan.time,
            processes: plan.processes,
            trace: plan.trace,
            watch: plan.watch,
            alone: tokio::sync::Mutex::default(),
            secret_scan: plan.secret_scan,
            messages: AtomicU64::default(),
        });
        let deciding = functions.deciding.clone();
        let hooks: Arc<dyn Hooks> = answers.clone();
        let engine =
            Engine { functions, queues: Arc::clone(&doorbell), at_once: plan.at_once, patience: PATIENCE, hooks };
        Ok(Self { store, deciding, table, doorbell, engine, answers })
    }

    /// An error as the end of a command: the process was killed, or it failed by itself.
    pub(crate) fn stopped(&self, error: &dyn std::fmt::Display) -> Stopped {
        stopped(&self.table, error)
    }

    /// Drives a run until it rests: planned or closed.
    pub(crate) async fn drive(&self, connection: &ConnectionId, id: &str) -> Result<Run, Stopped> {
        self.engine.drive(connection, id).await.map_err(|stopped| ended(&stopped))
    }

    /// Messages answered so far.
    pub(crate) fn messages(&self) -> u64 {
        self.answers.messages.load(Ordering::SeqCst)
    }

    pub(crate) async fn run(&self, connection: &ConnectionId, id: &str) -> Result<Run, Stopped> {
        self.engine.run(connection, id).await.map_err(|stopped| ended(&stopped))
    }

    /// Sends a message from outside, and lets the functions answer until no message is left.
    pub(crate) async fn notify(&self, messages: Vec<Message>) -> Result<(), Stopped> {
        for message in messages {
            self.doorbell.notify(message, Duration::ZERO).await.map_err(|error| self.stopped(&error))?;
        }
        self.engine.serve().await;
        self.answers.stopped().map_or(Ok(()), |stopped| Err(ended(&stopped)))
    }
}

/// The store as the function of a role may use it on AWS.
pub(crate) fn as_role(store: &Store, table: &Arc<KillTable<FileTable>>, role: &'static str) -> Store {
    store.through(Arc::new(GuardedTable::new(Arc::clone(table) as _, role)))
}

fn stopped(table: &KillTable<FileTable>, error: &dyn std::fmt::Display) -> Stopped {
    if table.is_dead() { Stopped::Killed } else { Stopped::Failed(error.to_string()) }
}

fn ended(stopped: &hardmatch_local::Stopped) -> Stopped {
    use hardmatch_local::Stopped as Ended;
    match stopped {
        Ended::Killed => Stopped::Killed,
        Ended::Failed(why) => Stopped::Failed(why.clone()),
        Ended::Stuck(phase) => Stopped::Failed(format!("the run does not go on in phase {phase:?}")),
        Ended::Paused => Stopped::Failed("the connection is paused".to_owned()),
        Ended::Unknown => Stopped::Failed("there is no such run".to_owned()),
    }
}

fn client(url: &str, clock: &Arc<dyn Clock>) -> Result<Arc<GraphClient>, Stopped> {
    let failed = |error: &dyn std::fmt::Display| Stopped::Failed(error.to_string());
    let root = url::Url::parse(url).map_err(|error| failed(&error))?;
    let credential = Arc::new(SecretCredential::literal(SecretString::from(CONTOSO_SECRET)));
    let mut options =
        GraphOptions::new(CONTOSO_TENANT_ID, CONTOSO_CLIENT_ID, root.clone(), root, credential, Arc::clone(clock));
    options.jitter_seed = Some(7);
    Ok(Arc::new(GraphClient::new(options).map_err(|error| failed(&error))?))
}

struct Counting {
    client: Arc<GraphClient>,
    table: Arc<KillTable<FileTable>>,
}

#[async_trait]
impl RunMetrics for Counting {
    async fn read(&self, _: &str) -> Result<RunCost, StoreError> {
        Ok(RunCost { calls: self.client.counters(), units: self.table.units(), compute: None })
    }
}

/// What earlier messages noted, and what this one has cost so far.
struct Noted {
    store: Store,
    since: Cost,
    so_far: Counting,
}

impl Noted {
    fn cost(&self) -> Cost {
        let (calls, units) = (self.so_far.client.counters(), self.so_far.table.units());
        Cost { calls: calls.since(self.since.calls), units: units.since(self.since.units), messages: 1, worked_ms: 0 }
    }
}

#[async_trait]
impl RunMetrics for Noted {
    async fn read(&self, run: &str) -> Result<RunCost, StoreError> {
        let cost = self.store.costs(run).await?.plus(self.cost());
        let compute = Some(Compute { messages: cost.messages, worked_ms: cost.worked_ms });
        Ok(RunCost { calls: cost.calls, units: cost.units, compute })
    }
}

/// What stands around each answer of a story.
struct Answers {
    table: Arc<KillTable<FileTable>>,
    doorbell: Arc<ProcessDoorbell>,
    client: Arc<GraphClient>,
    errors: Mutex<Vec<String>>,
    /// What a message has of time; `None` is as much as it takes.
    time: Option<Duration>,
    processes: Processes,
    trace: Option<Trace>,
    watch: Option<Arc<dyn Watch>>,
    /// Processes of their own work one after the other here, so that what the table counts meanwhile is theirs.
    alone: tokio::sync::Mutex<()>,
    secret_scan: Arc<SecretScan>,
    messages: AtomicU64,
}

#[async_trait]
impl Hooks for Answers {
    async fn answer(&self, functions: &Functions, message: Message) -> Result<After, String> {
        let number = self.messages.fetch_add(1, Ordering::SeqCst);
        let answer = match self.processes {
            Processes::One => functions.with_deadline(self.deadline(functions)).answer(&message).await,
            Processes::OneForEachMessage => self.answer_alone(functions, &message, number).await,
        };
        answer
            .inspect_err(|error| self.secret_scan.look("an error", error.as_bytes()))
            .inspect_err(|error| self.errors.lock().unwrap_or_else(PoisonError::into_inner).push(error.clone()))
    }

    async fn killed(&self) {
        self.table.killed().await;
    }

    fn stopped(&self) -> Option<hardmatch_local::Stopped> {
        if self.table.is_dead() {
            return Some(hardmatch_local::Stopped::Killed);
        }
        // Two who do the same at a time may meet, and the queue hands the message over again. What fails each time is put
        // aside in the end.
        let letter = self.doorbell.dead_letters().pop()?;
        let said = self.errors.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let why = format!("{}: {}", letter.reason, said.unwrap_or_default());
        Some(hardmatch_local::Stopped::Failed(why))
    }

    /// The opener of the run has sent its messages; where each message is counted, none is sent twice.
    fn notify_left_over(&self, queues: &ProcessDoorbell) -> bool {
        self.processes == Processes::One || queues.is_empty()
    }

    /// Stories send the tick themselves.
    fn look_again(&self) -> bool {
        false
    }
}

impl Answers {
    /// When a message that comes now must have left everything in order.
    fn deadline(&self, functions: &Functions) -> Option<Timestamp> {
        self.time.map(|time| functions.deciding.clock.now().saturating_add(time).unwrap_or(Timestamp::MAX))
    }

    /// As a function does that was just started.
    async fn answer_alone(&self, functions: &Functions, message: &Message, number: u64) -> Result<After, String> {
        let _alone = self.alone.lock().await;
        if let Some(trace) = &self.trace {
            trace.message(message);
        }
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let so_far = || Counting { client: Arc::clone(&self.client), table: Arc::clone(&self.table) };
        let since = Cost { calls: self.client.counters(), units: self.table.units(), ..Cost::default() };
        let store = Store::open(self.table.clone()).await.map_err(|error| text(&error))?;
        let policies: Arc<dyn Policies> = Arc::new(CompiledPolicies::without_files());
        let noted = Arc::new(Noted { store: store.clone(), since, so_far: so_far() });
        let of = |role| as_role(&store, &self.table, role);
        let functions = Functions {
            source: SourcePorts { store: of("SourceRole"), policies: policies.clone(), ..functions.source.clone() },
            tenant: TenantPorts { store: of("TenantRole"), policies: policies.clone(), ..functions.tenant.clone() },
            writing: WritePorts { store: of("WriteRole"), ..functions.writing.clone() },
            deciding: MatchPorts {
                store: of("MatchRole"),
                policies,
                metrics: noted.clone(),
                ..functions.deciding.clone()
            },
        };
        if !message.connection.as_str().is_empty() {
            Connections::new(store.clone(), None).open(&message.connection).await.map_err(|error| text(&error))?;
        }
        let watch = self.watch.as_deref();
        watch.inspect(|watch| watch.begins(&message.kind));
        let answer = functions.with_deadline(self.deadline(&functions)).answer(message).await;
        watch.inspect(|watch| watch.ends(&message.kind));
        if !message.run.is_empty() {
            let mut cost = noted.cost();
            cost.units.write += 1;
            let now = functions.deciding.clock.now_seconds();
            store.note_cost(&message.run, &number.to_string(), &cost, now).await.map_err(|error| text(&error))?;
        }
        answer
    }
}
