//! The engine as `serve` runs it: over a table in a file, with the real clock, against the simulated tenant on loopback.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use async_trait::async_trait;
use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_embedded::{FileTable, FolderBlobs, Missing, ProcessDoorbell, TableOptions};
use hardmatch_graph::{GraphClient, GraphOptions};
use hardmatch_local::{Engine, Functions, Hooks, Parts, Stopped};
use hardmatch_match::{Accept, NewRun, RunCost, RunMetrics, open_run};
use hardmatch_policy::Config;
use hardmatch_ports::doorbell::{After, MessageKind};
use hardmatch_ports::run::{Intent, Phase, Run};
use hardmatch_ports::{Clock, Doorbell as _, Message, Table};
use hardmatch_runtime::RealClock;
use hardmatch_sim::{CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID, Running, Seed, Sim, World};
use hardmatch_store::sync_requests::SyncRequest;
use hardmatch_store::{Store, StoreError, TenantKey};
use hardmatch_tests::Delivered;
use hardmatch_vault::{SecretCredential, SecretString};
use hardmatch_wiring::CompiledPolicies;
use hardmatch_wiring::connections::activate;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::source::{Pushed, upn};

/// How often it is looked whether an account is there.
const LOOK: Duration = Duration::from_micros(500);
/// Longer than anything here takes.
const TOO_LONG: Duration = Duration::from_mins(1);

/// A connection whose first plan is applied.
pub(crate) struct Served {
    pub(crate) people: Arc<Pushed>,
    store: Store,
    clock: Arc<dyn Clock>,
    connection: ConnectionId,
    functions: Functions,
    queues: Arc<ProcessDoorbell>,
    sim: Running,
    _folder: TempDir,
}

/// The engine at work.
pub(crate) struct Attending {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Attending {
    pub(crate) async fn stop(self) {
        drop(self.stop);
        drop(self.task.await);
    }
}

impl Served {
    /// `people` are there, and their first plan is applied.
    pub(crate) async fn new(people: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let sim = Sim::new(Seed::contoso()).start_local().await?;
        let clock: Arc<dyn Clock> = Arc::new(RealClock);
        let options = TableOptions { missing: Missing::Create, ..TableOptions::default() };
        let table: Arc<dyn Table> = Arc::new(FileTable::open(folder.path().join("state.db"), &options)?);
        let store = Store::open(Arc::clone(&table)).await?;
        let text = format!(
            "schema = 1\nconnection = \"wanted\"\n[tenant]\nid = \"{CONTOSO_TENANT_ID}\"\ncloud = \"simulated\"\n\
             [source]\nkind = \"csv\"\nlocation = \"people.csv\"\n[guard]\nmax_creations_percent = 100\n"
        );
        let config =
            Config::load(&text, "hardmatch.toml", folder.path()).map_err(|problems| anyhow!(problems.lines()))?;
        activate(&store, &config, &text, folder.path()).await?;
        let tenant = Some(CONTOSO_TENANT_ID.to_owned());
        store.update_together(&config.connection, |meta| meta.status.tenant.clone_from(&tenant)).await?;
        let root = url::Url::parse(sim.url())?;
        let credential = Arc::new(SecretCredential::literal(SecretString::from(CONTOSO_SECRET)));
        let graph =
            GraphOptions::new(CONTOSO_TENANT_ID, CONTOSO_CLIENT_ID, root.clone(), root, credential, Arc::clone(&clock));
        let client = Arc::new(GraphClient::new(graph)?);
        let queues = Arc::new(ProcessDoorbell::new(Arc::clone(&clock)));
        let source = Arc::new(Pushed::default());
        let functions = Functions::new(Parts {
            store: store.clone(),
            blobs: Arc::new(FolderBlobs::new(folder.path().join("files"))),
            scope: TenantKey::new("simulated", CONTOSO_TENANT_ID),
            source: source.clone(),
            tenant: client.clone(),
            writer: client,
            client_id: CONTOSO_CLIENT_ID.to_owned(),
            passwords: Arc::new(Delivered::default()),
            policies: Arc::new(CompiledPolicies::new(folder.path())),
            metrics: Arc::new(Uncounted),
            clock: Arc::clone(&clock),
            doorbell: queues.clone(),
            holder: "a benchmark".to_owned(),
        });
        let connection = config.connection.clone();
        let served = Self { people: source, store, clock, connection, functions, queues, sim, _folder: folder };
        for number in 0..people {
            served.people.push(number, "Engineer");
        }
        let run = served.run(Accept::TheStop).await?;
        ensure!(served.tenant().live_users() == people, "the first run ended {:?}: {:?}", run.status, run.problems);
        Ok(served)
    }

    pub(crate) fn tenant(&self) -> &World {
        self.sim.world()
    }

    fn engine(&self) -> Engine {
        let (functions, queues) = (self.functions.clone(), Arc::clone(&self.queues));
        Engine { functions, queues, at_once: 4, patience: 5, hooks: Arc::new(Plain) }
    }

    /// Begins to provision wanted people.
    pub(crate) fn attend(&self) -> Attending {
        let (stop, stopped) = oneshot::channel::<()>();
        let (engine, connection) = (self.engine(), self.connection.clone());
        let task = tokio::spawn(async move {
            engine.attend(&connection, async { drop(stopped.await) }).await;
        });
        Attending { stop, task }
    }

    /// Asks for a person, as the receiver of a push does.
    pub(crate) async fn want(&self, key: &PersonKey) -> anyhow::Result<()> {
        let request = SyncRequest { key: key.clone(), asked_ms: self.clock.now().as_millisecond() };
        self.store.write(self.store.request_sync(&self.connection, &request)).await?;
        let message = Message::new(self.connection.clone(), "", MessageKind::SyncPeople);
        Ok(self.queues.notify(message, Duration::ZERO).await?)
    }

    /// Returns when the person's account is in the tenant.
    pub(crate) async fn until_there(&self, number: usize) -> anyhow::Result<()> {
        let upn = upn(number);
        self.until(|| async { Ok(self.tenant().user(&upn).is_some()) }).await.with_context(|| upn.clone())
    }

    /// Returns when nothing is left to do for the person.
    pub(crate) async fn until_answered(&self, key: &PersonKey) -> anyhow::Result<()> {
        let pid = self.store.secret().pid(key);
        self.until(|| async { Ok(self.store.sync_request(&self.connection, pid).await?.is_none()) }).await
    }

    /// Returns when nobody is wanted any more.
    pub(crate) async fn until_all_answered(&self) -> anyhow::Result<()> {
        while !self.store.sync_requests(&self.connection, 1).await?.is_empty() {
            self.clock.sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn until<F: Future<Output = anyhow::Result<bool>>>(&self, is: impl Fn() -> F) -> anyhow::Result<()> {
        let end = self.clock.now() + jiff::SignedDuration::try_from(TOO_LONG)?;
        while !is().await? {
            ensure!(self.clock.now() < end, "nothing came of it");
            self.clock.sleep(LOOK).await;
        }
        Ok(())
    }

    /// A run over everybody.
    pub(crate) async fn reconcile(&self) -> anyhow::Result<Run> {
        self.run(Accept::Nothing).await
    }

    async fn run(&self, accept: Accept) -> anyhow::Result<Run> {
        let now_ms = self.clock.now().as_millisecond();
        let new = NewRun {
            accept,
            ..NewRun::new(
                hardmatch_store::runs::new_run_id(now_ms),
                self.connection.clone(),
                Intent::Sync,
                "a benchmark".to_owned(),
            )
        };
        let run = open_run(&self.store, &*self.queues, &new, now_ms).await?;
        let run = self.engine().drive(&self.connection, &run.id).await.map_err(|stopped| anyhow!("{stopped:?}"))?;
        ensure!(run.phase == Phase::Closed, "the run stopped in {:?}", run.phase);
        Ok(run)
    }
}

struct Uncounted;

#[async_trait]
impl RunMetrics for Uncounted {
    async fn read(&self, _: &str) -> Result<RunCost, StoreError> {
        Ok(RunCost::default())
    }
}

struct Plain;

#[async_trait]
impl Hooks for Plain {
    async fn answer(&self, functions: &Functions, message: Message) -> Result<After, String> {
        functions.answer(&message).await
    }

    fn stopped(&self) -> Option<Stopped> {
        None
    }
}
