//! What the messages of a run have noted so far; and CloudWatch is told what becomes of runs.

use async_trait::async_trait;
use hardmatch_match::{ConnectionHealth, RunCost, RunMetrics};
use hardmatch_ports::run::{Compute, Run};
use hardmatch_runtime::Metrics;
use hardmatch_store::StoreError;
use hardmatch_wiring::lambda::{Begun, Home, Timestamp};

/// What the messages of a run have noted so far; and tells CloudWatch what becomes of runs.
pub(crate) struct Noted {
    home: Home,
    begun: Begun,
}

impl Noted {
    pub(crate) fn since(home: &Home, begun: Begun) -> Self {
        Self { home: home.clone(), begun }
    }

    fn write(&self, metrics: &Metrics) {
        self.home.metrics.write(metrics, self.home.clock.now());
    }
}

#[async_trait]
impl RunMetrics for Noted {
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

    fn connection_state(&self, upkeep: &ConnectionHealth) {
        self.write(&Metrics::of_tick(
            &upkeep.connection,
            upkeep.stuck_runs,
            upkeep.quarantined,
            upkeep.hours_since_run,
        ));
        if let Some(ends) = upkeep.credential_ends.and_then(|ends| Timestamp::from_second(ends).ok()) {
            self.write(&Metrics::of_credential(&upkeep.connection, ends, self.home.clock.now()));
        }
    }
}
