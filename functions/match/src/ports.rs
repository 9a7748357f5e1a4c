//! What deciding may use of the world, and what it is told and tells about the cost and the end of runs.

use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::{Compute, Run};
use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::Counters;
use hardmatch_ports::{Blobs, Clock, Doorbell, Policies};
use hardmatch_store::{Store, StoreError, TenantKey};
use jiff::Timestamp;

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
    /// Sends the messages that ask for the next work.
    pub doorbell: Arc<dyn Doorbell>,
    /// Compiles the policy text of a revision.
    pub policies: Arc<dyn Policies>,
    /// What runs have cost, and who is told of their end.
    pub metrics: Arc<dyn RunMetrics>,
    /// When this message must have left everything in order; `None` where no platform ends a process that works long.
    pub deadline: Option<Timestamp>,
}

/// What deciding one person takes, for who only tells the decision: facts, rules and time. Nothing is stored or sent.
#[derive(Clone)]
pub struct ExplainPorts {
    /// Where the facts are.
    pub store: Store,
    /// Cloud and tenant.
    pub scope: TenantKey,
    /// Compiles the policy text of a revision.
    pub policies: Arc<dyn Policies>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl MatchPorts {
    /// What of it deciding one person takes.
    pub fn explaining(&self) -> ExplainPorts {
        ExplainPorts {
            store: self.store.clone(),
            scope: self.scope.clone(),
            policies: Arc::clone(&self.policies),
            clock: Arc::clone(&self.clock),
        }
    }
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

/// How a connection stands at a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionHealth {
    /// The connection.
    pub connection: ConnectionId,
    /// Open runs whose messages have given up.
    pub stuck_runs: u64,
    /// Whether nothing is written for it.
    pub quarantined: bool,
    /// Whole hours since its last run over everybody ended well, or since its first one began where none has. `None` before
    /// that, and while it is paused.
    pub hours_since_run: Option<i64>,
    /// When the application's secret or certificate ends (Unix seconds), where that is known: a connection without a run
    /// is warned about, too.
    pub credential_ends: Option<i64>,
}

/// What was counted elsewhere and belongs into a run's report, and who counts runs.
#[async_trait]
pub trait RunMetrics: Send + Sync {
    /// What a run has cost so far, this message included. Asked once a run, when its report is written.
    async fn read(&self, run: &str) -> Result<RunCost, StoreError>;

    /// A run came to rest, closed or with a plan that waits. Called once a run, by the message that brought it there.
    fn run_ended(&self, _run: &Run) {}

    /// How a connection stands, at each tick.
    fn connection_state(&self, _health: &ConnectionHealth) {}
}
