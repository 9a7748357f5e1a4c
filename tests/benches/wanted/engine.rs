//! The engine and the webhook as `serve` runs them: over a table in a file, with the real clock, against the simulated tenant
//! on loopback, pushed to over HTTP.

use std::collections::BTreeSet;
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
use hardmatch_ports::doorbell::After;
use hardmatch_ports::run::{Intent, Phase, Run};
use hardmatch_ports::{Blobs, Clock, Message, Table};
use hardmatch_runtime::RealClock;
use hardmatch_sim::{CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID, Running, Seed, Sim, World};
use hardmatch_store::api_tokens::TokenScope;
use hardmatch_store::{Store, StoreError, TenantKey};
use hardmatch_tests::Delivered;
use hardmatch_vault::{SecretCredential, SecretString};
use hardmatch_webhook::tokens::make;
use hardmatch_webhook::{
    Limits, NotKnown, PersonState, PersonStates, PushedConnections, PushedSource, Rate, WebhookPorts, router,
};
use hardmatch_wiring::CompiledPolicies;
use hardmatch_wiring::connections::activate;
use hardmatch_wiring::source::source_over;
use reqwest::Client;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How often it is looked whether an account is there.
const LOOK: Duration = Duration::from_micros(500);
/// Longer than anything here takes.
const TOO_LONG: Duration = Duration::from_mins(1);

/// A request of the benchmark's own is never refused for its rate.
const RATE: Rate = Rate { per_second: 1_000_000, burst: 1_000_000 };

/// A connection whose first plan is applied.
pub(crate) struct Served {
    /// An identity provider, its token, and where it pushes to.
    client: Client,
    token: String,
    base: String,
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
        let served = Self::listening(Seed::contoso()).await?;
        for number in 0..people {
            served.push(number).await?;
        }
        served.first_plan(people).await?;
        Ok(served)
    }

    /// Nobody was pushed yet. `people` have accounts under their immutable IDs, as after years of another product.
    pub(crate) async fn with_accounts(people: usize) -> anyhow::Result<Self> {
        let mut seed = Seed::contoso();
        for number in 0..people {
            seed = seed.user(account(number));
        }
        Self::listening(seed).await
    }

    async fn listening(seed: Seed) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let sim = Sim::new(seed).start_local().await?;
        let clock: Arc<dyn Clock> = Arc::new(RealClock);
        let options = TableOptions { missing: Missing::Create, ..TableOptions::default() };
        let table: Arc<dyn Table> = Arc::new(FileTable::open(folder.path().join("state.db"), &options)?);
        let store = Store::open(Arc::clone(&table)).await?;
        let text = format!(
            "schema = 1\nconnection = \"wanted\"\n[tenant]\nid = \"{CONTOSO_TENANT_ID}\"\ncloud = \"simulated\"\n\
             [source]\nkind = \"scim\"\n[anchor]\nfrom = \"externalId\"\n[guard]\nmax_creations_percent = 100\n"
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
        let blobs: Arc<dyn Blobs> = Arc::new(FolderBlobs::new(folder.path().join("files")));
        let source = source_over(&config, &clock, &store, &blobs).map_err(|error| anyhow!("{error}"))?;
        let functions = Functions::new(Parts {
            store: store.clone(),
            blobs,
            scope: TenantKey::new("simulated", CONTOSO_TENANT_ID),
            source,
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
        let made = make("a benchmark", BTreeSet::from(TokenScope::ALL), clock.now().as_millisecond());
        store.put_api_token(&connection, &made.kept, made.signing.as_ref()).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let webhook = router(WebhookPorts {
            store: store.clone(),
            clock: Arc::clone(&clock),
            doorbell: queues.clone(),
            connections: Arc::new(Pushed),
            people: Arc::new(Pushed),
            url: url.clone(),
            limits: Arc::new(Limits::new(RATE)),
        });
        tokio::spawn(async move { drop(axum::serve(listener, webhook).await) });
        Ok(Self {
            client: Client::new(),
            token: made.token.expose_secret().to_owned(),
            base: format!("{url}/connections/{connection}/scim/v2"),
            store,
            clock,
            connection,
            functions,
            queues,
            sim,
            _folder: folder,
        })
    }

    /// The first plan, over the `people` who were pushed, is made and applied.
    pub(crate) async fn first_plan(&self, people: usize) -> anyhow::Result<()> {
        let run = self.run(Accept::TheStop).await?;
        ensure!(self.tenant().live_users() == people, "the first run ended {:?}: {:?}", run.status, run.problems);
        Ok(())
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

    /// Pushes a person, and returns when that is answered.
    pub(crate) async fn push(&self, number: usize) -> anyhow::Result<()> {
        self.send("/Users", &person(number), 201).await.map(drop)
    }

    /// Pushes people together, and returns when that is answered.
    pub(crate) async fn push_together(&self, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
        let operations: Vec<Value> = numbers
            .map(|number| {
                json!({ "method": "POST", "path": "/Users", "bulkId": format!("b{number}"), "data": person(number) })
            })
            .collect();
        let body =
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
        let told = self.send("/Bulk", &body, 200).await?;
        let done = told["Operations"].as_array().map_or(&[][..], Vec::as_slice);
        ensure!(done.iter().all(|one| one["status"] == "201"), "an operation was refused: {told}");
        ensure!(done.len() == operations.len(), "{} of {} operations were answered", done.len(), operations.len());
        Ok(())
    }

    async fn send(&self, path: &str, body: &Value, status: u16) -> anyhow::Result<Value> {
        let request = self.client.post(format!("{}{path}", self.base)).bearer_auth(&self.token);
        let answer = request.header("content-type", "application/scim+json").body(body.to_string()).send().await?;
        let told = answer.status().as_u16();
        let body = answer.bytes().await?;
        ensure!(told == status, "{path} was answered with {told}: {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }

    /// Returns when the person's account is in the tenant.
    pub(crate) async fn until_there(&self, number: usize) -> anyhow::Result<()> {
        let upn = upn(number);
        self.until(|| async { Ok(self.tenant().user(&upn).is_some()) }).await.with_context(|| upn.clone())
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

fn upn(number: usize) -> String {
    format!("p{number:06}@contoso.com")
}

/// The account of [`person`].
fn account(number: usize) -> Value {
    json!({
        "userPrincipalName": upn(number),
        "onPremisesImmutableId": external_id(number),
        "displayName": format!("Person {number}"),
        "givenName": "Person",
        "surname": number.to_string(),
        "jobTitle": "Engineer",
        "mail": upn(number),
        "proxyAddresses": [format!("SMTP:{}", upn(number))],
    })
}

fn external_id(number: usize) -> String {
    format!("{number:08}")
}

fn person(number: usize) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": upn(number),
        "externalId": external_id(number),
        "displayName": format!("Person {number}"),
        "name": { "givenName": "Person", "familyName": number.to_string() },
        "title": "Engineer",
        "emails": [{ "value": upn(number), "type": "work", "primary": true }],
        "active": true,
    })
}

/// The one connection, whose people are pushed. What became of them is not asked here.
struct Pushed;

#[async_trait]
impl PushedConnections for Pushed {
    async fn source(&self, _: &ConnectionId) -> Result<Option<PushedSource>, NotKnown> {
        Ok(Some(PushedSource::Pushed))
    }
}

#[async_trait]
impl PersonStates for Pushed {
    async fn state(&self, _: &ConnectionId, _: &PersonKey) -> Result<Option<PersonState>, NotKnown> {
        Ok(None)
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
