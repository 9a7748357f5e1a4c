#![doc = include_str!("../README.md")]

mod acknowledged;
mod admission;
mod checkpoint;
mod commands;
mod credential_expiry;
mod deadline;
mod driver;
mod lane;
mod opening;
mod phase;
mod plan;
mod schedule;
mod table_loss;
mod tick;

use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::{Message, MessageKind};
use hardmatch_ports::run::{Compute, Run};
use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::Counters;
use hardmatch_ports::{Blobs, Clock, Doorbell};
use hardmatch_store::{Store, StoreError, TenantKey};
use jiff::Timestamp;

pub use hardmatch_ports::Policies;
pub use hardmatch_ports::doorbell::After;
pub use hardmatch_ports::tenant_request::DisconnectResult;

pub use acknowledged::{acknowledged, facts as acknowledged_facts, needs_somebody};
pub use admission::{Admission, admit};
pub use commands::disconnect::disconnect;
pub use commands::{Handled, Request, handle_command, paused};
pub use credential_expiry::watch_credential;
pub use driver::advance;
pub use opening::{Accept, Acceptance, Opening, accept, open_run};
pub use phase::decide::load_facts::{Explained, decide_one};
pub use plan::{Named, Slices, read_plan};
pub use schedule::{PassedBy, Started, nightly, start_scheduled};
pub use tick::{notify_left_over, notify_to_look_again, tick, tick_all};

/// What deciding may use: the store and nothing else of the world. No way to the tenant, none to the source.
#[derive(Clone)]
pub struct MatchPorts {
    /// Where the facts are.
    pub store: Store,
    /// Cloud and tenant.
    pub scope: TenantKey,
    /// Where plans and reports go.
    pub blobs: Arc<dyn Blobs>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// To notify the next work.
    pub doorbell: Arc<dyn Doorbell>,
    /// The policy of a revision, compiled.
    pub policies: Arc<dyn Policies>,
    /// What the run has cost so far.
    pub metrics: Arc<dyn RunMetrics>,
    /// When this message must have left everything in order; `None` where nobody ends a process that works long.
    pub deadline: Option<Timestamp>,
}

/// Answers a message of the queues `match` and `match-now`. Messages of other queues are not ours.
pub async fn answer(ports: &MatchPorts, message: &Message) -> Result<After, MatchError> {
    match &message.kind {
        MessageKind::Match | MessageKind::Advance => advance(ports, &message.connection, &message.run).await,
        MessageKind::Start { slot } => {
            let started = start_scheduled(ports, &message.connection, slot).await?;
            tracing::info!(connection.id = %message.connection, run.slot = slot, run.started = ?started, "a scheduled time has come");
            Ok(After::Done)
        }
        MessageKind::Nightly { slot } => {
            nightly(&ports.store, &*ports.doorbell, slot, None).await.map(|()| After::Done)
        }
        MessageKind::Tick => {
            let tick = |connection| async move { tick(ports, &connection).await };
            tick_all(&ports.store, tick).await.map(|()| After::Done)
        }
        // An operator's request needs to be known by its queue: see `admit`.
        MessageKind::OperatorCommand { .. }
        | MessageKind::TenantRequest { .. }
        | MessageKind::ObserveSource
        | MessageKind::ObserveTenant
        | MessageKind::Write => Ok(After::Done),
    }
}

/// How a connection stands at a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionHealth {
    /// Which.
    pub connection: ConnectionId,
    /// Open runs whose messages have given up.
    pub stuck_runs: u64,
    /// Whether nothing is written for it.
    pub quarantined: bool,
    /// Whole hours since its last run over everybody ended well. `None` before its first, and while it is paused.
    pub hours_since_run: Option<i64>,
    /// When the application's proof ends (Unix seconds), where that is known: a connection without a run is warned
    /// about, too.
    pub credential_ends: Option<i64>,
}

/// What a run has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunCost {
    /// Calls to the tenant.
    pub calls: Counters,
    /// Units of the table.
    pub units: Units,
    /// What functions did for it, where each message is counted.
    pub compute: Option<Compute>,
}

/// What was counted elsewhere and belongs into a run's report.
#[async_trait]
pub trait RunMetrics: Send + Sync {
    /// What a run has cost so far, this message included. Asked once, by whoever writes its report.
    async fn read(&self, run: &str) -> Result<RunCost, StoreError>;

    /// Is told of a run that has come to rest, closed or with a plan that waits: by whoever brought it there, so once.
    fn run_ended(&self, _run: &Run) {}

    /// Is told at each tick how a connection stands.
    fn connection_state(&self, _upkeep: &ConnectionHealth) {}
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum MatchError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A plan or report could not be kept.
    #[error(transparent)]
    Blob(#[from] hardmatch_ports::BlobError),
    /// The run, its policy or its plan is not as it must be.
    #[error("{0}")]
    Broken(String),
}

impl From<hardmatch_ports::TableError> for MatchError {
    fn from(error: hardmatch_ports::TableError) -> Self {
        Self::Store(error.into())
    }
}
