//! People who are wanted now, provisioned in the background of `serve`: one engine for each connection. It drives runs about
//! wanted people and no others, so `plan`, `apply` and `sync` work beside it on the same state: each side has a lane of
//! its own, and both draw on one write budget.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::{Lock, ProcessDoorbell, ProcessLock};
use hardmatch_local::{Engine, Functions, Hooks};
use hardmatch_ports::doorbell::{After, Urgency};
use hardmatch_ports::{Doorbell, DoorbellError, Message};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::connection::{State, lock_path};
use crate::engine::functions;
use crate::fail::Failure;
use crate::lanes::serve_lock_path;
use crate::output;
use crate::tenant_side::TenantSide;

/// How many messages of a connection are answered at a time.
const AT_ONCE: usize = 4;
/// A connection that cannot be reached yet, as one that nobody has connected, is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// Rounds are not counted here: nobody waits in front of these runs.
const NO_PATIENCE: usize = 0;

/// The engines of all connections that a process serves.
pub(crate) struct Background {
    doorbells: Arc<Doorbells>,
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    /// No other process provisions wanted people of this state.
    _lock: ProcessLock,
}

/// A connection that is served.
pub(crate) struct Served {
    pub(crate) state: State,
    pub(crate) side: Arc<TenantSide>,
}

impl Background {
    /// Takes the state's lock for serving, and begins.
    pub(crate) fn start(served: Vec<Served>) -> Result<Self, Failure> {
        let Some(first) = served.first() else { return Err(Failure::usage("no connection is served")) };
        let lock = lock(&first.state)?;
        let (stop, stopped) = watch::channel(false);
        let mut doorbells = BTreeMap::new();
        let mut tasks = Vec::new();
        for one in served {
            let doorbell = Arc::new(ProcessDoorbell::new(Arc::clone(&one.state.clock)));
            doorbells.insert(one.state.loaded.config.connection.clone(), Arc::clone(&doorbell));
            let stopped = stopped.clone();
            tasks.push(tokio::spawn(async move { attend(one, doorbell, stopped).await }));
        }
        Ok(Self { doorbells: Arc::new(Doorbells(doorbells)), tasks, stop, _lock: lock })
    }

    /// Where others say that people of a connection are wanted.
    pub(crate) fn doorbell(&self) -> Arc<dyn Doorbell> {
        self.doorbells.clone()
    }

    /// Ends the work: messages under way come to their end. What is left over is found at the next start.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            // A task that panicked has said so.
            drop(task.await);
        }
    }
}

/// One process serves a state. A lane for wanted people that an earlier one left is freed where nobody else can have it: no
/// command that provisions one person is at work.
fn lock(state: &State) -> Result<ProcessLock, Failure> {
    let path = serve_lock_path(state);
    match ProcessLock::take(&path) {
        Ok(Lock::Ours(lock)) => Ok(lock),
        Ok(Lock::Theirs(holder)) => Err(Failure::run(format!(
            "the state file {} is served already, by {}. Stop it, or use a state file of its own",
            state.loaded.config.state_path.display(),
            holder.name
        ))),
        Err(error) => Err(Failure::run(format!("{} cannot be locked: {error}", path.display()))),
    }
}

/// Provisions the people of one connection until it is told to stop.
async fn attend(served: Served, doorbell: Arc<ProcessDoorbell>, mut stopped: watch::Receiver<bool>) {
    let connection = served.state.loaded.config.connection.clone();
    let mut told = String::new();
    while !*stopped.borrow() {
        match engine(&served, &doorbell).await {
            Ok(engine) => {
                engine
                    .attend(&connection, async {
                        // The sender lives as long as somebody can tell.
                        drop(stopped.clone().wait_for(|stop| *stop).await);
                    })
                    .await;
                return;
            }
            Err(failure) => {
                let now = failure.to_string();
                if now != told {
                    output::note(format!("People of {connection} are not provisioned yet: {now}"));
                    told = now;
                }
            }
        }
        tokio::select! {
            () = served.state.clock.sleep(LOOK_AGAIN) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

async fn engine(served: &Served, doorbell: &Arc<ProcessDoorbell>) -> Result<Engine, Failure> {
    let state = &served.state;
    let meta = state.activate_policy().await?;
    let functions = functions(state, doorbell, &served.side, &meta).await?;
    // A command that provisions one person has the lock for driving, and may have the lane.
    if let Ok(Lock::Ours(_free)) = ProcessLock::take(&lock_path(&state.loaded.config.state_path)) {
        hardmatch_write::release_lane(&functions.writing, Urgency::Now).await?;
    }
    let (queues, hooks) = (Arc::clone(doorbell), Arc::new(Unattended));
    Ok(Engine { functions, queues, at_once: AT_ONCE, patience: NO_PATIENCE, hooks })
}

/// Nobody waits in front of this: what fails is delivered again, as on AWS, and said in the log.
struct Unattended;

#[async_trait]
impl Hooks for Unattended {
    async fn answer(&self, functions: &Functions, message: Message) -> Result<After, String> {
        functions.answer(&message).await.inspect_err(|error| {
            tracing::error!(connection.id = %message.connection, run.id = message.run, error, "a message failed");
        })
    }

    fn stopped(&self) -> Option<hardmatch_local::Stopped> {
        None
    }
}

/// One doorbell for each connection.
struct Doorbells(BTreeMap<ConnectionId, Arc<ProcessDoorbell>>);

#[async_trait]
impl Doorbell for Doorbells {
    async fn notify(&self, message: Message, delay: Duration) -> Result<(), DoorbellError> {
        match self.0.get(&message.connection) {
            Some(doorbell) => doorbell.notify(message, delay).await,
            None => Err(DoorbellError(format!("the connection {} is not served here", message.connection))),
        }
    }
}
