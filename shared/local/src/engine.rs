//! The queues between the functions, served until a run rests.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::ProcessDoorbell;
use hardmatch_match::MatchPorts;
use hardmatch_ports::doorbell::{After, Queue};
use hardmatch_ports::run::{Phase, Run};
use hardmatch_ports::{Clock, Doorbell, Message};
use hardmatch_runtime::pump::{Pump, Serving};
use hardmatch_runtime::run_batch;

use crate::Functions;

/// While queues are served, a run of hours is looked at this often, as a timer does on AWS every few minutes.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// What stands around the answers of the functions.
#[async_trait]
pub trait Hooks: Send + Sync + 'static {
    /// Answers a message with the functions. An error is a failed delivery: the queue delivers it again.
    async fn answer(&self, functions: &Functions, message: Message) -> Result<After, String>;

    /// Returns when no further message is to be answered although the run does not rest. Messages under way come to their end.
    async fn stop(&self) {
        std::future::pending::<()>().await;
    }

    /// Returns when the process is killed: what is under way goes no further.
    async fn killed(&self) {
        std::future::pending::<()>().await;
    }

    /// Why the work must stop, when it must.
    fn stopped(&self) -> Option<Stopped>;

    /// Whether what a run left over is to be notified in this round.
    fn notify_left_over(&self, _queues: &ProcessDoorbell) -> bool {
        true
    }

    /// Whether a run under way is looked at again while queues are served.
    fn look_again(&self) -> bool {
        true
    }
}

/// Why a run was not driven until it rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The process was killed.
    Killed,
    /// An operator paused the connection: nothing is written until it goes on.
    Paused,
    /// Something failed, in words.
    Failed(String),
    /// The run does not get on from this phase.
    Stuck(Phase),
    /// There is no such run.
    Unknown,
}

/// The functions, their queues, and what stands around them.
pub struct Engine {
    /// The functions.
    pub functions: Functions,
    /// The queues.
    pub queues: Arc<ProcessDoorbell>,
    /// How many messages of a queue are answered at a time.
    pub at_once: usize,
    /// Rounds in a row without progress after which a run is stuck.
    pub patience: usize,
    /// Around each answer.
    pub hooks: Arc<dyn Hooks>,
}

impl Engine {
    /// Drives a run until it rests: planned or closed.
    pub async fn drive(&self, connection: &ConnectionId, id: &str) -> Result<Run, Stopped> {
        // What is notified here is always heard, whatever becomes of what the functions notify.
        let doorbell: Arc<dyn Doorbell> = self.queues.clone();
        let notifying = MatchPorts { doorbell, ..self.functions.deciding.clone() };
        let mut idle = 0;
        loop {
            let now = self.run(connection, id).await?;
            if matches!(now.phase, Phase::Planned | Phase::Closed) {
                return Ok(now);
            }
            let before = self.progress(&now).await?;
            if self.hooks.notify_left_over(&self.queues) {
                hardmatch_match::notify_left_over(&notifying, &now).await.map_err(|error| self.failed(&error))?;
            }
            tokio::select! {
                biased;
                () = self.serve() => {}
                stopped = self.look_after(&notifying, connection, id) => return Err(stopped),
            }
            if let Some(stopped) = self.hooks.stopped() {
                return Err(stopped);
            }
            let then = self.run(connection, id).await?;
            idle = if before == self.progress(&then).await? { idle + 1 } else { 0 };
            if idle > self.patience {
                return Err(Stopped::Stuck(then.phase));
            }
        }
    }

    /// Answers messages until no queue has any, or until the hooks stop it.
    pub async fn serve(&self) {
        let pump = self.pump();
        tokio::select! {
            biased;
            () = self.hooks.killed() => {}
            _ = pump.run_dry_or_until(self.hooks.stop()) => {}
        }
    }

    /// Answers messages about people of a connection who are wanted now, until `stop` returns; messages under way come to
    /// their end. What a lost message or an earlier process left over is found at the beginning and each minute.
    pub async fn attend(&self, connection: &ConnectionId, stop: impl Future<Output = ()>) {
        let doorbell: Arc<dyn Doorbell> = self.queues.clone();
        let notifying = MatchPorts { doorbell, ..self.functions.deciding.clone() };
        let look = async {
            loop {
                if let Err(error) = hardmatch_match::notify_wanted(&notifying, connection).await {
                    tracing::warn!(connection.id = %connection, error = %error, "who is wanted could not be looked up");
                }
                notifying.clock.sleep(LOOK_AGAIN).await;
            }
        };
        let pump = self.pump();
        tokio::select! {
            _ = pump.run_until(stop) => {}
            () = look => {}
        }
    }

    /// A run as it is stored now.
    pub async fn run(&self, connection: &ConnectionId, id: &str) -> Result<Run, Stopped> {
        let run = self.functions.deciding.store.run(connection, id).await.map_err(|error| self.failed(&error))?;
        run.map(|stored| stored.value).ok_or(Stopped::Unknown)
    }

    /// An error as the end of the work: of what stopped it before, when something did.
    pub fn failed(&self, error: &dyn Display) -> Stopped {
        self.hooks.stopped().unwrap_or_else(|| Stopped::Failed(error.to_string()))
    }

    async fn look_after(&self, notifying: &MatchPorts, connection: &ConnectionId, id: &str) -> Stopped {
        if !self.hooks.look_again() {
            return std::future::pending().await;
        }
        loop {
            notifying.clock.sleep(LOOK_AGAIN).await;
            let run = match self.run(connection, id).await {
                Ok(run) => run,
                Err(stopped) => return stopped,
            };
            if let Err(error) = hardmatch_match::notify_to_look_again(notifying, &run).await {
                return self.failed(&error);
            }
        }
    }

    async fn progress(&self, run: &Run) -> Result<(Phase, usize, usize), Stopped> {
        let store = &self.functions.deciding.store;
        let slices = store.slices(&run.id, None, usize::MAX).await.map_err(|error| self.failed(&error))?;
        Ok((run.phase, slices.len(), run.collections.len()))
    }

    fn pump(&self) -> Pump {
        let clock: Arc<dyn Clock> = Arc::clone(&self.functions.deciding.clock);
        let serving = Serving { batch: 1, at_once: self.at_once };
        let mut pump = Pump::new(self.queues.clone(), clock);
        for queue in Queue::ALL {
            let (functions, hooks) = (self.functions.clone(), Arc::clone(&self.hooks));
            pump = pump.serve(queue, serving, move |event| {
                let (functions, hooks) = (functions.clone(), Arc::clone(&hooks));
                async move {
                    let doorbell = Arc::clone(&functions.deciding.doorbell);
                    run_batch(event, &*doorbell, |message| hooks.answer(&functions, message)).await
                }
            });
        }
        pump
    }
}
