//! The costs that the messages of a run have noted, and the metrics of runs and connections for CloudWatch.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_match::{ConnectionHealth, RunCost, RunMetrics};
use hardmatch_ports::run::{Compute, Run};
use hardmatch_runtime::{Metrics, StackHealth};
use hardmatch_store::StoreError;
use hardmatch_wiring::lambda::{Begun, Home, Timestamp};

/// Reads what the messages of a run have noted so far, and tells CloudWatch what becomes of runs and connections.
pub(crate) struct RunCosts {
    home: Home,
    begun: Begun,
    health: HealthNotes,
}

/// How the connections stand that a tick has looked at so far.
#[derive(Clone, Default)]
pub(crate) struct HealthNotes(Arc<Mutex<StackHealth>>);

impl HealthNotes {
    fn note(&self, health: &ConnectionHealth) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hours) = health.hours_since_run {
            all.hours_since_run.insert(health.connection.clone(), hours);
        }
        if health.quarantined || health.stuck_runs > 0 {
            all.stopped.insert(health.connection.clone());
        }
        if let Some(ends) = health.credential_ends.and_then(|ends| Timestamp::from_second(ends).ok()) {
            all.credentials.insert(health.connection.clone(), ends);
        }
    }

    /// All of them, and those that could not be looked at: for them nothing is written either.
    pub(crate) fn of_stack(&self, failed: Vec<ConnectionId>) -> StackHealth {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.stopped.extend(failed);
        all
    }
}

impl RunCosts {
    pub(crate) fn since(home: &Home, begun: Begun) -> Self {
        Self { home: home.clone(), begun, health: HealthNotes::default() }
    }

    /// Costs of a run that also note how connections stand.
    pub(crate) fn noting(self, health: HealthNotes) -> Self {
        Self { health, ..self }
    }
}

#[async_trait]
impl RunMetrics for RunCosts {
    async fn read(&self, run: &str) -> Result<RunCost, StoreError> {
        let noted = self.home.store.costs(run).await?;
        let cost = noted.plus(self.begun.cost(&self.home));
        let compute = Some(Compute { messages: cost.messages, worked_ms: cost.worked_ms });
        Ok(RunCost { calls: cost.calls, units: cost.units, compute })
    }

    fn run_ended(&self, run: &Run) {
        if let Some(metrics) = Metrics::of_run(run) {
            self.home.metrics.write(&metrics, self.home.clock.now());
        }
    }

    fn connection_state(&self, health: &ConnectionHealth) {
        self.health.note(health);
    }
}
