//! What the bells of a run have noted so far; and CloudWatch is told what becomes of runs.

use hardmatch_match::{Meter, Upkeep};
use hardmatch_ports::run::{Effort, Run};
use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::Counters;
use hardmatch_runtime::Metrics;
use hardmatch_store::costs::Cost;
use hardmatch_wiring::lambda::{Home, Timestamp};

/// What the bells of a run have noted so far; and tells CloudWatch what becomes of runs.
pub(crate) struct Noted {
    cost: Cost,
    home: Home,
}

impl Noted {
    pub(crate) async fn of(home: &Home, run: &str) -> Result<Self, String> {
        let cost = match run {
            "" => Cost::default(),
            run => home.store.costs(run).await.map_err(|error| error.to_string())?,
        };
        Ok(Self { cost, home: home.clone() })
    }

    fn write(&self, metrics: &Metrics) {
        self.home.metrics.write(metrics, self.home.clock.now());
    }
}

impl Meter for Noted {
    fn read(&self) -> (Counters, Units) {
        (self.cost.calls, self.cost.units)
    }

    fn effort(&self) -> Option<Effort> {
        Some(Effort { bells: self.cost.bells, worked_ms: self.cost.worked_ms })
    }

    fn rested(&self, run: &Run) {
        for metrics in Metrics::of_run(run).iter().chain(&Metrics::of_run_by_kind(run)) {
            self.write(metrics);
        }
    }

    fn ticked(&self, upkeep: &Upkeep) {
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
