//! The functions in one process, as one command starts them. A stage is used for one command and dropped.

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
use hardmatch_match::{MatchPorts, Meter, Spent};
use hardmatch_policy::Config;
use hardmatch_ports::doorbell::{After, BellKind, Queue};
use hardmatch_ports::run::{Effort, Phase, Run};
use hardmatch_ports::{Bell, Clock, Doorbell, DoorbellError, Policies, Table, TenantWrite as _};
use hardmatch_runtime::pump::{Pump, Serving};
use hardmatch_runtime::{ManualClock, run_batch};
use hardmatch_sim::{CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID};
use hardmatch_store::costs::Cost;
use hardmatch_store::{Scope, Store, StoreError};
use hardmatch_vault::{SecretCredential, SecretString};
use hardmatch_wiring::source::source;
use hardmatch_wiring::{CompiledPolicies, Connections};
use hardmatch_write::WritePorts;
use jiff::Timestamp;

use crate::cut::CutTable;
use crate::delivered::Delivered;
use crate::hush::Hush;
use crate::trace::Trace;
use crate::world::Stopped;

/// What a stage is built from.
pub(crate) struct Plan<'a> {
    pub(crate) clock: &'a ManualClock,
    pub(crate) table: CutTable<FileTable>,
    pub(crate) folder: &'a Path,
    pub(crate) config: &'a Config,
    pub(crate) url: &'a str,
    pub(crate) habits: Habits,
    pub(crate) bells: Bells,
    pub(crate) hush: Arc<Hush>,
    pub(crate) at_once: usize,
    pub(crate) time: Option<Duration>,
    pub(crate) processes: Processes,
    pub(crate) trace: Option<Trace>,
    pub(crate) watch: Option<Arc<dyn Watch>>,
    pub(crate) passwords: Delivered,
}

/// Who answers bells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Processes {
    /// One process, as on one machine.
    #[default]
    One,
    /// A new one for each bell, as when AWS starts all functions anew: it remembers nothing of the one before, reads the
    /// connection itself, and notes with the run what the bell has cost.
    OneForEachBell,
}

/// Looks on while bells are answered by [`Processes::OneForEachBell`], one after the other: for benchmarks.
pub trait Watch: Send + Sync {
    /// A process begins to work.
    fn begins(&self, bell: &BellKind);
    /// It has ended.
    fn ends(&self, bell: &BellKind);
}

/// What becomes of the bells that the functions ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bells {
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
    async fn ring(&self, _: Bell, _: Duration) -> Result<(), DoorbellError> {
        Ok(())
    }
}

pub(crate) struct Stage {
    pub(crate) store: Store,
    pub(crate) deciding: MatchPorts,
    pub(crate) table: Arc<CutTable<FileTable>>,
    pub(crate) doorbell: Arc<ProcessDoorbell>,
    /// What the functions ring.
    theirs: Arc<dyn Doorbell>,
    /// As the functions decide, with a bell of its own.
    ticking: MatchPorts,
    clock: Arc<dyn Clock>,
    client: Arc<GraphClient>,
    source: SourcePorts,
    tenant: TenantPorts,
    writing: WritePorts,
    at_once: usize,
    processes: Processes,
    trace: Option<Trace>,
    watch: Option<Arc<dyn Watch>>,
    /// What a bell has of time; `None` is as much as it takes.
    time: Option<Duration>,
    hush: Arc<Hush>,
    bells: Arc<AtomicU64>,
}

/// Rounds in a row without progress after which a run is stuck. With bells that get lost some are to be expected.
const PATIENCE: usize = 40;

impl Stage {
    pub(crate) async fn open(plan: Plan<'_>) -> Result<Self, Stopped> {
        let clock: Arc<dyn Clock> = Arc::new(plan.clock.clone());
        let table = Arc::new(plan.table);
        let store = Store::open(table.clone()).await.map_err(|error| stopped(&table, &error))?;
        let doorbell = Arc::new(ProcessDoorbell::with_habits(Arc::clone(&clock), plan.habits));
        let theirs: Arc<dyn Doorbell> = match plan.bells {
            Bells::Heard => doorbell.clone(),
            Bells::Lost => Arc::new(Unheard),
        };
        let scope = Scope::new("simulated", CONTOSO_TENANT_ID);
        let client = client(plan.url, &clock)?;
        let deciding = MatchPorts {
            store: store.clone(),
            scope: scope.clone(),
            blobs: Arc::new(FolderBlobs::new(plan.folder.join("files"))),
            clock: Arc::clone(&clock),
            doorbell: Arc::clone(&theirs),
            policies: Arc::new(CompiledPolicies::new(plan.folder)),
            meter: Arc::new(Counting { client: Arc::clone(&client), table: table.clone() }),
            until: None,
        };
        let ticking = MatchPorts { doorbell: doorbell.clone(), ..deciding.clone() };
        let source = SourcePorts {
            store: store.clone(),
            scope: scope.clone(),
            source: source(plan.config, &clock).map_err(|error| stopped(&table, &error))?,
            policies: Arc::clone(&deciding.policies),
            clock: Arc::clone(&clock),
            doorbell: Arc::clone(&theirs),
            until: None,
        };
        let tenant = TenantPorts {
            store: store.clone(),
            scope: scope.clone(),
            tenant: client.clone(),
            policies: Arc::clone(&deciding.policies),
            clock: Arc::clone(&clock),
            doorbell: Arc::clone(&theirs),
            blobs: Arc::clone(&deciding.blobs),
            until: None,
        };
        let writing = WritePorts {
            store: store.clone(),
            scope,
            client: CONTOSO_CLIENT_ID.to_owned(),
            tenant: client.clone(),
            passwords: Arc::new(plan.passwords),
            clock: Arc::clone(&clock),
            doorbell: Arc::clone(&theirs),
            holder: "a test".to_owned(),
            until: None,
        };
        hardmatch_write::release_lane(&writing).await.map_err(|error| stopped(&table, &error))?;
        Ok(Self {
            store,
            deciding,
            ticking,
            table,
            doorbell,
            theirs,
            clock,
            client,
            source,
            tenant,
            writing,
            at_once: plan.at_once,
            time: plan.time,
            processes: plan.processes,
            trace: plan.trace,
            watch: plan.watch,
            hush: plan.hush,
            bells: Arc::default(),
        })
    }

    /// An error as the end of a command: the process was killed, or it failed by itself.
    pub(crate) fn stopped(&self, error: &dyn std::fmt::Display) -> Stopped {
        stopped(&self.table, error)
    }

    /// Drives a run until it rests: planned or closed.
    pub(crate) async fn drive(&self, connection: &ConnectionId, id: &str) -> Result<Run, Stopped> {
        let errors: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut idle = 0;
        loop {
            let now = self.run(connection, id).await?;
            if matches!(now.phase, Phase::Planned | Phase::Closed) {
                return Ok(now);
            }
            let before = self.progress(&now).await?;
            // Whoever opened the run has rung; where each bell is counted, none is rung twice.
            if self.processes == Processes::One || self.doorbell.is_empty() {
                let rung = hardmatch_match::ring_left_over(&self.ticking, &now).await;
                rung.map_err(|error| self.stopped(&error))?;
            }
            self.answer_bells(&errors).await?;
            let then = self.run(connection, id).await?;
            idle = if before == self.progress(&then).await? { idle + 1 } else { 0 };
            if idle > PATIENCE {
                return Err(Stopped::Failed(format!("the run does not go on in phase {:?}", then.phase)));
            }
        }
    }

    /// Bells answered so far.
    pub(crate) fn bells(&self) -> u64 {
        self.bells.load(Ordering::SeqCst)
    }

    pub(crate) async fn run(&self, connection: &ConnectionId, id: &str) -> Result<Run, Stopped> {
        let run = self.store.run(connection, id).await.map_err(|error| self.stopped(&error))?;
        run.map(|stored| stored.value).ok_or_else(|| Stopped::Failed(format!("there is no run {id}")))
    }

    /// Rings from outside, and lets the functions answer until no bell is left.
    pub(crate) async fn ring(&self, bells: Vec<Bell>) -> Result<(), Stopped> {
        for bell in bells {
            self.doorbell.ring(bell, Duration::ZERO).await.map_err(|error| self.stopped(&error))?;
        }
        self.answer_bells(&Arc::default()).await
    }

    async fn answer_bells(&self, errors: &Arc<Mutex<Vec<String>>>) -> Result<(), Stopped> {
        let pump = self.pump(errors);
        tokio::select! {
            biased;
            () = self.table.killed() => return Err(Stopped::Killed),
            _ = pump.run_dry() => {}
        }
        if self.table.is_dead() {
            return Err(Stopped::Killed);
        }
        // Two who do the same at a time may meet, and the queue hands the bell over again. What fails each time is put
        // aside in the end.
        let said = errors.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match self.doorbell.dead_letters().pop() {
            Some(letter) => Err(Stopped::Failed(format!("{}: {}", letter.reason, said.unwrap_or_default()))),
            None => Ok(()),
        }
    }

    async fn progress(&self, run: &Run) -> Result<(Phase, usize, usize), Stopped> {
        let slices = self.store.slices(&run.id, None, usize::MAX).await.map_err(|error| self.stopped(&error))?;
        Ok((run.phase, slices.len(), run.collections.len()))
    }

    fn pump(&self, errors: &Arc<Mutex<Vec<String>>>) -> Pump {
        let serving = Serving { batch: 1, at_once: self.at_once };
        let alone = Arc::default();
        let mut pump = Pump::new(self.doorbell.clone(), Arc::clone(&self.clock));
        for queue in Queue::ALL {
            let rooms = Rooms {
                source: self.source.clone(),
                tenant: self.tenant.clone(),
                deciding: self.deciding.clone(),
                writing: self.writing.clone(),
                errors: Arc::clone(errors),
                time: self.time,
                processes: self.processes,
                trace: self.trace.clone(),
                watch: self.watch.clone(),
                table: Arc::clone(&self.table),
                client: Arc::clone(&self.client),
                alone: Arc::clone(&alone),
                hush: Arc::clone(&self.hush),
                bells: Arc::clone(&self.bells),
            };
            let doorbell = Arc::clone(&self.theirs);
            pump = pump.serve(queue, serving, move |event| {
                let (rooms, doorbell) = (rooms.clone(), doorbell.clone());
                async move { run_batch(event, &*doorbell, |bell| rooms.answer(bell)).await }
            });
        }
        pump
    }
}

fn stopped(table: &CutTable<FileTable>, error: &dyn std::fmt::Display) -> Stopped {
    if table.is_dead() { Stopped::Killed } else { Stopped::Failed(error.to_string()) }
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
    table: Arc<CutTable<FileTable>>,
}

#[async_trait]
impl Meter for Counting {
    async fn read(&self, _: &str) -> Result<Spent, StoreError> {
        Ok(Spent { calls: self.client.counters(), units: self.table.units(), effort: None })
    }
}

/// What earlier bells noted, and what this one has cost so far.
struct Noted {
    store: Store,
    since: Cost,
    so_far: Counting,
}

impl Noted {
    fn cost(&self) -> Cost {
        let (calls, units) = (self.so_far.client.counters(), self.so_far.table.units());
        Cost { calls: calls.since(self.since.calls), units: units.since(self.since.units), bells: 1, worked_ms: 0 }
    }
}

#[async_trait]
impl Meter for Noted {
    async fn read(&self, run: &str) -> Result<Spent, StoreError> {
        let cost = self.store.costs(run).await?.plus(self.cost());
        let effort = Some(Effort { bells: cost.bells, worked_ms: cost.worked_ms });
        Ok(Spent { calls: cost.calls, units: cost.units, effort })
    }
}

/// The functions, each with its own ports.
#[derive(Clone)]
struct Rooms {
    source: SourcePorts,
    tenant: TenantPorts,
    deciding: MatchPorts,
    writing: WritePorts,
    errors: Arc<Mutex<Vec<String>>>,
    time: Option<Duration>,
    processes: Processes,
    trace: Option<Trace>,
    watch: Option<Arc<dyn Watch>>,
    table: Arc<CutTable<FileTable>>,
    client: Arc<GraphClient>,
    /// Processes of their own work one after the other here, so that what the table counts meanwhile is theirs.
    alone: Arc<tokio::sync::Mutex<()>>,
    hush: Arc<Hush>,
    bells: Arc<AtomicU64>,
}

impl Rooms {
    /// When a bell that comes now must have left everything in order.
    fn until(&self) -> Option<Timestamp> {
        self.time.map(|time| self.deciding.clock.now().saturating_add(time).unwrap_or(Timestamp::MAX))
    }

    async fn answer(&self, bell: Bell) -> Result<After, String> {
        let number = self.bells.fetch_add(1, Ordering::SeqCst);
        let answer = match self.processes {
            Processes::One => self.hand(&bell).await,
            Processes::OneForEachBell => self.hand_alone(&bell, number).await,
        };
        answer
            .inspect_err(|error| self.hush.look("an error", error.as_bytes()))
            .inspect_err(|error| self.errors.lock().unwrap_or_else(PoisonError::into_inner).push(error.clone()))
    }

    /// As a function does that was just started.
    async fn hand_alone(&self, bell: &Bell, number: u64) -> Result<After, String> {
        let _alone = self.alone.lock().await;
        if let Some(trace) = &self.trace {
            trace.bell(bell);
        }
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let so_far = || Counting { client: Arc::clone(&self.client), table: Arc::clone(&self.table) };
        let since = Cost { calls: self.client.counters(), units: self.table.units(), ..Cost::default() };
        let store = Store::open(self.table.clone()).await.map_err(|error| text(&error))?;
        let policies: Arc<dyn Policies> = Arc::new(CompiledPolicies::without_files());
        let noted = Arc::new(Noted { store: store.clone(), since, so_far: so_far() });
        let alone = Self {
            source: SourcePorts { store: store.clone(), policies: policies.clone(), ..self.source.clone() },
            tenant: TenantPorts { store: store.clone(), policies: policies.clone(), ..self.tenant.clone() },
            writing: WritePorts { store: store.clone(), ..self.writing.clone() },
            deciding: MatchPorts { store: store.clone(), policies, meter: noted.clone(), ..self.deciding.clone() },
            ..self.clone()
        };
        if !bell.connection.as_str().is_empty() {
            Connections::new(store.clone(), None).open(&bell.connection).await.map_err(|error| text(&error))?;
        }
        let watch = self.watch.as_deref();
        watch.inspect(|watch| watch.begins(&bell.kind));
        let answer = alone.hand(bell).await;
        watch.inspect(|watch| watch.ends(&bell.kind));
        if !bell.run.is_empty() {
            let mut cost = noted.cost();
            cost.units.write += 1;
            let now = self.deciding.clock.now_seconds();
            store.note_cost(&bell.run, &number.to_string(), &cost, now).await.map_err(|error| text(&error))?;
        }
        answer
    }

    async fn hand(&self, bell: &Bell) -> Result<After, String> {
        let (connection, run) = (&bell.connection, bell.run.as_str());
        let until = self.until();
        let source = SourcePorts { until, ..self.source.clone() };
        let tenant = TenantPorts { until, ..self.tenant.clone() };
        let writing = WritePorts { until, ..self.writing.clone() };
        let deciding = MatchPorts { until, ..self.deciding.clone() };
        match bell.kind {
            BellKind::ObserveSource => said(hardmatch_ingest::observe_source(&source, connection, run).await),
            BellKind::ObserveTenant => said(hardmatch_ingest::observe_tenant(&tenant, connection, run).await),
            BellKind::Match
            | BellKind::Advance
            | BellKind::Start { .. }
            | BellKind::Nightly { .. }
            | BellKind::Tick
            | BellKind::Ask { .. }
            | BellKind::Reach { .. } => said(hardmatch_match::answer(&deciding, bell).await),
            BellKind::Write => said(hardmatch_write::answer(&writing, connection, run).await),
        }
    }
}

fn said<E: std::fmt::Display>(after: Result<After, E>) -> Result<After, String> {
    after.map_err(|error| error.to_string())
}
