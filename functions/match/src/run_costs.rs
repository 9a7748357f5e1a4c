//! The costs that the messages of a run have noted, and the metrics of runs and connections for CloudWatch.

use async_trait::async_trait;
use hardmatch_match::{ConnectionHealth, RunCost, RunMetrics};
use hardmatch_ports::run::{Compute, Run};
use hardmatch_runtime::Metrics;
use hardmatch_store::StoreError;
use hardmatch_wiring::lambda::{Begun, Home, Timestamp};

/// Reads what the messages of a run have noted so far, and tells CloudWatch what becomes of runs and connections.
pub(crate) struct RunCosts {
    home: Home,
    begun: Begun,
}

impl RunCosts {
    pub(crate) fn since(home: &Home, begun: Begun) -> Self {
        Self { home: home.clone(), begun }
    }

    fn write(&self, metrics: &Metrics) {
        self.home.metrics.write(metrics, self.home.clock.now());
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
        for metrics in Metrics::of_run(run).iter().chain(&Metrics::of_run_by_kind(run)) {
            self.write(metrics);
        }
    }

    fn connection_state(&self, health: &ConnectionHealth) {
        self.write(&Metrics::of_tick(
            &health.connection,
            health.stuck_runs,
            health.quarantined,
            health.hours_since_run,
        ));
        if let Some(ends) = health.credential_ends.and_then(|ends| Timestamp::from_second(ends).ok()) {
            self.write(&Metrics::of_credential(&health.connection, ends, self.home.clock.now()));
        }
    }
}
