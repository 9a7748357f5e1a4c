//! A deployed stack, as an operator meets it: its tables and reports to read, its queues to send to. Nothing here writes
//! into a table; functions do what they are asked for.

use std::sync::Arc;
use std::time::Duration;

use hardmatch_aws::stacks::Stack as Outputs;
use hardmatch_aws::{Aws, QueueUrls, SqsDoorbell};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_match::MatchPorts;
use hardmatch_policy::{Active, Config, Protected, protected_changes, takes_an_approver};
use hardmatch_ports::command::{Command, CommandAuthority, PATIENCE, Reply};
use hardmatch_ports::doorbell::{MessageKind, Queue};
use hardmatch_ports::run::{Phase, Run};
use hardmatch_ports::{Blobs, Clock, Doorbell, Message, Table};
use hardmatch_store::Store;
use hardmatch_store::connection::{ConnectionState, Meta};
use hardmatch_vault::DelegatedCredential;
use hardmatch_wiring::connections::MAX_TEXT;
use hardmatch_wiring::tenant::{self as wiring, TenantMeans};

use crate::args::Common;
use crate::connection::{Loaded, State, clock, load};
use crate::fail::Failure;
use crate::progress::Progress;
use crate::tenant_side::said;

/// What somebody is told who may not ask for what they asked for.
const APPROVER: &str =
    "This takes an approver: ask somebody whose role has the stack's approver policy to run the same command";
/// A request is answered within seconds; a queue that is slow to deliver is given this long.
const REPLY: Duration = PATIENCE;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(400);
/// Between two looks at a run, which takes longer.
const LOOK_AT_RUN: Duration = Duration::from_secs(1);

/// A stack: its tables to read, its queues.
pub(crate) struct Whole {
    outputs: Outputs,
    aws: Aws,
    table: Arc<dyn Table>,
    blobs: Arc<dyn Blobs>,
    pub(crate) store: Store,
    clock: Arc<dyn Clock>,
}

/// A stack with one of its connections in hand.
pub(crate) struct Stack {
    pub(crate) whole: Whole,
    pub(crate) state: State,
}

/// Queues of work, by the names of the template's outputs.
const QUEUES: [(Queue, &str); 4] = [
    (Queue::Source, "SourceQueue"),
    (Queue::Tenant, "TenantQueue"),
    (Queue::Match, "MatchQueue"),
    (Queue::Write, "WriteQueue"),
];

/// The store over a stack's table. A table that no function has opened yet has none; a function is woken then, because
/// an operator writes nothing into a table.
async fn store_of(
    table: &Arc<dyn Table>,
    aws: &Aws,
    outputs: &Outputs,
    clock: &Arc<dyn Clock>,
) -> Result<Store, Failure> {
    if let Some(store) = Store::find(Arc::clone(table)).await? {
        return Ok(store);
    }
    let message =
        Message::for_all(MessageKind::OperatorCommand { reply: ulid::Ulid::new().to_string(), command: Command::Wake });
    let mut urls = QueueUrls::new();
    urls.insert(message.queue(), outputs.output("CommandQueue").map_err(Failure::run)?);
    aws.doorbell(urls).notify(message, Duration::ZERO).await.map_err(|error| {
        Failure::run(format!("the stack is new and has not ticked yet; wait five minutes and try again ({error})"))
    })?;
    let began = clock.now();
    loop {
        if let Some(store) = Store::find(Arc::clone(table)).await? {
            return Ok(store);
        }
        if clock.now().duration_since(began).unsigned_abs() > REPLY {
            return Err(Failure::run("the stack's functions do not answer. Look at the log of the match function"));
        }
        clock.sleep(LOOK).await;
    }
}

impl Whole {
    /// Finds the stack by its name.
    pub(crate) async fn open(name: &str) -> Result<Self, Failure> {
        let clock = clock();
        let aws = Aws::load(Arc::clone(&clock)).await;
        let outputs = aws.stack(name).await.map_err(Failure::run)?;
        let output = |name| outputs.output(name).map_err(Failure::run);
        let table: Arc<dyn Table> = Arc::new(aws.table(output("WorkTable")?));
        let blobs: Arc<dyn Blobs> = Arc::new(aws.blobs(output("Bucket")?));
        let store = store_of(&table, &aws, &outputs, &clock).await?;
        Ok(Self { outputs, aws, table, blobs, store, clock })
    }

    /// The queues, to look into them.
    pub(crate) fn queues(&self) -> Result<SqsDoorbell, Failure> {
        let mut urls = QueueUrls::new();
        for (queue, output) in QUEUES {
            urls.insert(queue, self.url(output)?);
        }
        Ok(self.aws.doorbell(urls))
    }

    /// Asks for something, of a connection or, where there is none, of the whole stack, and waits for the reply. `run` names
    /// the run that a request opens, and `approval` says why it takes an approver, where it does.
    pub(crate) async fn request(
        &self,
        connection: &ConnectionId,
        run: &str,
        command: Command,
        approval: Option<&str>,
    ) -> Result<Reply, Failure> {
        let authority = if approval.is_some() { CommandAuthority::Approver } else { command.needs() };
        // Who may send to a queue is decided by IAM: the queue says whose word a request is.
        let queue = match authority {
            CommandAuthority::Approver => "ApproveQueue",
            CommandAuthority::Operator => "CommandQueue",
        };
        let name = ulid::Ulid::new().to_string();
        let message =
            Message::new(connection.clone(), run, MessageKind::OperatorCommand { reply: name.clone(), command });
        let mut urls = QueueUrls::new();
        urls.insert(message.queue(), self.url(queue)?);
        self.aws.doorbell(urls).notify(message, Duration::ZERO).await.map_err(|error| match authority {
            CommandAuthority::Operator => Failure::run(format!(
                "{error}. This takes an operator: ask somebody whose role has the stack's operator policy to run the same command"
            )),
            CommandAuthority::Approver => Failure::run(format!("{error}. {}", approval.unwrap_or(APPROVER))),
        })?;
        let began = self.clock.now();
        loop {
            match self.store.reply(connection, &name).await? {
                Some(Reply::Refused { why }) => return Err(Failure::usage(why)),
                Some(reply) => return Ok(reply),
                None if self.clock.now().duration_since(began).unsigned_abs() > REPLY => {
                    return Err(Failure::run(format!(
                        "the stack has not answered for {} seconds. The request has expired: what of it was not begun by now does not happen. Look at the logs of the functions and at `hardmatch connection dead-letters --stack {}`, and ask again",
                        REPLY.as_secs(),
                        self.outputs.name()
                    )));
                }
                None => self.clock.sleep(LOOK).await,
            }
        }
    }

    /// The URL of a queue by its output.
    pub(crate) fn url(&self, output: &'static str) -> Result<String, Failure> {
        self.outputs.output(output).map_err(Failure::run)
    }
}

impl Stack {
    /// Finds the stack and the connection: by its file, or by the name under which it is stored there.
    pub(crate) async fn open(name: &str, common: &Common) -> Result<Self, Failure> {
        let whole = Whole::open(name).await?;
        let loaded = match &common.connection {
            None => load(&common.config)?,
            Some(connection) => stored(&whole.store, &ConnectionId::new(connection.clone()), common).await?,
        };
        Ok(Self::of(whole, loaded))
    }

    /// Finds the stack and the connection, as it is stored there: a file only says which.
    pub(crate) async fn open_stored(name: &str, common: &Common) -> Result<Self, Failure> {
        let whole = Whole::open(name).await?;
        let connection = match &common.connection {
            None => load(&common.config)?.config.connection,
            Some(connection) => ConnectionId::new(connection.clone()),
        };
        let loaded = stored(&whole.store, &connection, common).await?;
        Ok(Self::of(whole, loaded))
    }

    fn of(whole: Whole, loaded: Loaded) -> Self {
        let state = State {
            loaded,
            file: None,
            table: Arc::clone(&whole.table),
            store: whole.store.clone(),
            blobs: Arc::clone(&whole.blobs),
            clock: Arc::clone(&whole.clock),
        };
        Self { whole, state }
    }

    /// The connection.
    pub(crate) fn connection(&self) -> &ConnectionId {
        &self.state.loaded.config.connection
    }

    /// What deciding needs to explain and to list.
    pub(crate) fn deciding(&self, meta: &Meta) -> Result<MatchPorts, Failure> {
        self.state.deciding(meta).ok_or_else(|| {
            Failure::run("the connection's tenant is not known yet. Store its configuration: `hardmatch config push`")
        })
    }

    /// Asks for something and waits for the reply. `run` names the run that a request opens.
    pub(crate) async fn ask(&self, run: &str, command: Command) -> Result<Option<String>, Failure> {
        done(self.whole.request(self.connection(), run, command, None).await?)
    }

    /// Asks the side that reaches the tenant, and waits for the reply.
    pub(crate) async fn reach(&self, command: Command) -> Result<Reply, Failure> {
        self.whole.request(self.connection(), "", command, None).await
    }

    /// Watches a run until it rests: planned, closed, or with work to write while the connection is paused.
    pub(crate) async fn watch(&self, run: &str, since: Phase, progress: &Progress) -> Result<Run, Failure> {
        loop {
            let found = self.state.store.run(self.connection(), run).await?;
            if let Some(stored) = found {
                let now = stored.value;
                progress.show(&now, &now.tenant_calls);
                if now.phase == Phase::Closed || (now.phase == Phase::Planned && since != Phase::Planned) {
                    return Ok(now);
                }
                if matches!(now.phase, Phase::Writing | Phase::Gate | Phase::Removing) && self.is_paused().await? {
                    return Ok(now);
                }
            }
            self.state.clock.sleep(LOOK_AT_RUN).await;
        }
    }

    async fn is_paused(&self) -> Result<bool, Failure> {
        Ok(self.state.store.meta(self.connection()).await?.status.state == ConnectionState::Paused)
    }

    /// Stores the file's configuration in the stack when it says something new.
    pub(crate) async fn push(&self) -> Result<Meta, Failure> {
        let loaded = &self.state.loaded;
        let hash = hardmatch_policy::policy_hash(&loaded.text);
        let meta = self.state.store.meta(self.connection()).await?;
        if meta.policy.hash == hash && meta.policy.revision > 0 {
            return Ok(meta);
        }
        // A queue takes no more either, and says of it only that a message is too long.
        if loaded.text.len() > MAX_TEXT {
            return Err(Failure::usage(format!(
                "{} has {} bytes, and a stack stores up to {MAX_TEXT}. Leave comments out, or say with expressions over groups and attributes what is listed person by person",
                loaded.path.display(),
                loaded.text.len()
            )));
        }
        let protected = self.protected_changes(&meta).await?;
        let approval = (!protected.is_empty()).then(|| takes_an_approver(&protected));
        let tenant = directory_id(&loaded.config, &self.state.clock).await?;
        let configure = Command::Configure { text: loaded.text.clone(), tenant };
        done(self.whole.request(self.connection(), "", configure, approval.as_deref()).await?)?;
        Ok(self.state.store.meta(self.connection()).await?)
    }
}

impl Stack {
    /// What in the file takes an approver, judged by what is stored. The function that stores the file judges again.
    async fn protected_changes(&self, meta: &Meta) -> Result<Vec<Protected>, Failure> {
        let new = &self.state.loaded.config;
        let old = self.state.store.policy(self.connection(), meta.policy.revision).await?;
        let old = old.map(|old| Config::load(&old, "stored configuration", std::path::Path::new(".")));
        Ok(match &old {
            None => protected_changes(Active::Missing, new),
            Some(Err(_)) => protected_changes(Active::Unreadable, new),
            Some(Ok(old)) => protected_changes(Active::Understood(old), new),
        })
    }
}

fn done(reply: Reply) -> Result<Option<String>, Failure> {
    match reply {
        Reply::Done { run } => Ok(run),
        other => Err(strange(&other)),
    }
}

/// A reply to something else than was asked.
pub(crate) fn strange(reply: &Reply) -> Failure {
    let was = match reply {
        Reply::Done { .. } => "done",
        Reply::Reached { .. } => "how the tenant is reached",
        Reply::Checked { .. } => "what was looked at",
        Reply::Disconnected { .. } => "disconnected",
        Reply::Judged { .. } => "what was said of changes is kept",
        Reply::Redriven { .. } => "dead letters were put back",
        Reply::Removed { .. } => "removed",
        Reply::Refused { .. } => "refused",
    };
    Failure::run(format!(
        "the stack answered something else than was asked ({was}). Use the `hardmatch` of the version that is deployed"
    ))
}

/// The configuration that is stored in the stack.
async fn stored(store: &Store, connection: &ConnectionId, common: &Common) -> Result<Loaded, Failure> {
    let meta = store.meta(connection).await?;
    let text = store.policy(connection, meta.policy.revision).await?.ok_or_else(|| {
        Failure::usage(format!(
            "the stack has no connection {connection}. Store one with `hardmatch config push --config FILE`"
        ))
    })?;
    let config = Config::load(&text, "stored configuration", std::path::Path::new("."))
        .map_err(|problems| Failure::usage(problems.pictures(crate::output::paint())))?;
    Ok(Loaded { config, text: text.to_string(), path: common.config.clone() })
}

/// The tenant's directory id: from the file, or looked up by its domain name, which takes no credentials.
async fn directory_id(config: &Config, clock: &Arc<dyn Clock>) -> Result<String, Failure> {
    if let Some(id) = hardmatch_wiring::connections::guid(&config.tenant.id) {
        return Ok(id);
    }
    let endpoints = config.tenant.cloud.endpoints();
    let endpoints = endpoints.ok_or_else(|| Failure::usage("a simulated tenant lives on one machine"))?;
    let client_id = config.tenant.auth.as_ref().map_or("", |auth| auth.client_id.as_str());
    let means = TenantMeans { clock: Arc::clone(clock), identity: None, secrets: None, token_store: None };
    let options = wiring::options(config, &endpoints, client_id, Arc::new(DelegatedCredential::public()), &means)?;
    let metadata =
        wiring::platform(&options)?.metadata().await.map_err(|error| Failure::run(said(&endpoints, &error)))?;
    metadata.tenant.ok_or_else(|| {
        Failure::run(format!(
            "the login service does not tell the directory id of {}. Write it as tenant.id",
            config.tenant.id
        ))
    })
}
