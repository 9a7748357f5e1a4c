#![doc = include_str!("../README.md")]

mod acknowledged;
mod admission;
mod begin;
mod close;
mod departed;
mod gate;
mod gather;
mod lane;
mod lost;
mod obey;
mod open;
mod pace;
mod park;
mod phases;
mod place;
mod plan;
mod schedule;
mod slice;
mod tick;
mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::{Bell, BellKind};
use hardmatch_ports::run::{Effort, Run};
use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::Counters;
use hardmatch_ports::{Blobs, Clock, Doorbell};
use hardmatch_store::{Scope, Store, StoreError};
use jiff::Timestamp;

pub use hardmatch_ports::Policies;
pub use hardmatch_ports::doorbell::After;
pub use hardmatch_ports::reach::Parked;

pub use acknowledged::{acknowledged, facts as acknowledged_facts, needs_somebody};
pub use admission::{Admission, admit};
pub use gather::{Explained, decide_one};
pub use obey::{Obeyed, Request, obey, paused};
pub use open::{Accept, Acceptance, Opening, accept, open_run};
pub use park::disconnect;
pub use phases::advance;
pub use plan::{Named, Slices, read_plan};
pub use schedule::{PassedBy, Started, nightly, start_scheduled};
pub use tick::{ring_left_over, ring_to_look_again, tick, tick_all};
pub use watch::watch_credential;

/// What deciding may use: the store and nothing else of the world. No way to the tenant, none to the source.
#[derive(Clone)]
pub struct MatchPorts {
    /// Where the facts are.
    pub store: Store,
    /// Cloud and tenant.
    pub scope: Scope,
    /// Where plans and reports go.
    pub blobs: Arc<dyn Blobs>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// To ring for the next work.
    pub doorbell: Arc<dyn Doorbell>,
    /// The policy of a revision, compiled.
    pub policies: Arc<dyn Policies>,
    /// What the run has cost so far.
    pub meter: Arc<dyn Meter>,
    /// When this bell must have left everything in order; `None` where nobody ends a process that works long.
    pub until: Option<Timestamp>,
}

/// Answers a bell of the queues `match` and `match-now`. Bells of other queues are not ours.
pub async fn answer(ports: &MatchPorts, bell: &Bell) -> Result<After, MatchError> {
    match &bell.kind {
        BellKind::Match | BellKind::Advance => advance(ports, &bell.connection, &bell.run).await,
        BellKind::Start { slot } => {
            let started = start_scheduled(ports, &bell.connection, slot).await?;
            tracing::info!(connection.id = %bell.connection, run.slot = slot, run.started = ?started, "a scheduled time has come");
            Ok(After::Done)
        }
        BellKind::Nightly { slot } => nightly(&ports.store, &*ports.doorbell, slot, None).await.map(|()| After::Done),
        BellKind::Tick => {
            let tick = |connection| async move { tick(ports, &connection).await };
            tick_all(&ports.store, tick).await.map(|()| After::Done)
        }
        // An operator's request needs to be known by its queue: see `admit`.
        BellKind::Ask { .. }
        | BellKind::Reach { .. }
        | BellKind::ObserveSource
        | BellKind::ObserveTenant
        | BellKind::Write => Ok(After::Done),
    }
}

/// How a connection stands at a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upkeep {
    /// Which.
    pub connection: ConnectionId,
    /// Open runs whose bells have given up.
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
pub struct Spent {
    /// Calls to the tenant.
    pub calls: Counters,
    /// Units of the table.
    pub units: Units,
    /// What functions did for it, where each bell is counted.
    pub effort: Option<Effort>,
}

/// What was counted elsewhere and belongs into a run's report.
#[async_trait]
pub trait Meter: Send + Sync {
    /// What a run has cost so far, this bell included. Asked once, by whoever writes its report.
    async fn read(&self, run: &str) -> Result<Spent, StoreError>;

    /// Is told of a run that has come to rest, closed or with a plan that waits: by whoever brought it there, so once.
    fn rested(&self, _run: &Run) {}

    /// Is told at each tick how a connection stands.
    fn ticked(&self, _upkeep: &Upkeep) {}
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
