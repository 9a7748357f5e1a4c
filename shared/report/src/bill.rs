//! What a run has cost, and what writing a plan will take: the price list's arithmetic as sentences and documents.

use hardmatch_domain::change::Action;
use hardmatch_ports::run::{Compute, Phase, Run};
use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::Counters;
use serde_json::{Map, Value, json};

use crate::cost::{self, CostItem, Dollars, US_EAST_1, Used, dollars};
use crate::words;

/// What a run has cost.
pub(crate) struct Bill {
    /// `None` where one process did it all: nothing of it was paid for.
    compute: Option<Compute>,
    dollars: Dollars,
}

impl Bill {
    pub(crate) fn of(run: &Run) -> Self {
        let compute = run.compute;
        let Compute { messages, worked_ms } = compute.unwrap_or_default();
        let mut dollars = cost::of_run(&Used::of_run(run.units, &run.tenant_calls, messages, worked_ms), &US_EAST_1);
        if compute.is_none() {
            // Of the rest nothing is known: there were no messages to count, and the keys are of this machine.
            dollars.items.retain(|(item, _)| matches!(item, CostItem::Writes | CostItem::Reads));
        }
        Self { compute, dollars }
    }

    /// What the sum is, and what it is not.
    pub(crate) fn sentence(&self) -> String {
        let sum = dollars(self.dollars.micros());
        let prices = format!("prices of {}, {}", US_EAST_1.region, US_EAST_1.read);
        match self.compute {
            Some(_) => {
                format!("This run cost about {sum} on AWS ({prices}), before any free tier, discount or tax.")
            }
            None => format!(
                "This run was made on one machine and cost nothing. On AWS the units of its table would cost about {sum} ({prices}); functions, queues and logs come on top."
            ),
        }
    }

    /// Each item and its sum, as shown.
    pub(crate) fn items(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.dollars.items.iter().map(|(item, micros)| (item.name(), dollars(*micros)))
    }

    /// For programs.
    pub(crate) fn document(&self, run: &Run) -> Value {
        let items = self.dollars.items.iter();
        let mut micros: Map<String, Value> =
            items.map(|(item, micros)| (item.name().replace(' ', "_"), (*micros).into())).collect();
        micros.insert("total".to_owned(), self.dollars.micros().into());
        json!({
            "paid": self.compute.is_some(),
            "requests": run.tenant_calls.requests,
            "read_units": run.units.read,
            "write_units": run.units.write,
            "messages": self.compute.map(|compute| compute.messages),
            "seconds": self.compute.map(|compute| words::seconds(compute.worked_ms)),
            "microdollars": micros,
            "prices": { "region": US_EAST_1.region, "read": US_EAST_1.read },
        })
    }
}

/// Write units of the table that writing one person's change takes: the account as it now is, its link, the change's end,
/// the dirty mark that goes; with a new link, the person's way to it and the account's look-ups besides; with a new name, those look-ups that change;
/// for a removal, its place at the gate. A test of the whole product holds them to what is billed.
fn write_units(action: &str) -> u64 {
    let is = |known: Action| known.name() == action;
    if [Action::Create, Action::Takeover, Action::Link, Action::Restore].into_iter().any(is) {
        8
    } else if [Action::Rename, Action::Suspend, Action::Delete].into_iter().any(is) {
        7
    } else {
        4
    }
}

/// What Microsoft lets one application write to one tenant: 3,000 requests in 150 seconds.
/// <https://learn.microsoft.com/graph/throttling-limits#identity-and-access-service-limits>
const WRITES_A_SECOND: u64 = 3_000 / 150;

/// Messages that move a run on besides those that write.
const MESSAGES_A_RUN: u64 = 10;

/// A writer works so long (seconds) before it notifies the rest.
const SECONDS_A_MESSAGE: u64 = 240;

/// What writing a plan will take. An estimate: what the tenant refuses, holds up or asks again for is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// People whose account is to be changed, those included whose change waits for an approval.
    pub changes: u64,
    /// Writes to Microsoft Graph.
    pub writes: u64,
    /// Seconds at the pace that Microsoft documents.
    pub seconds: u64,
    /// Write units of the table.
    pub write_units: u64,
    /// On AWS, in millionths of a dollar.
    pub microdollars: u64,
}

impl Forecast {
    /// Of a run's plan, when it has one.
    pub fn of(run: &Run) -> Option<Self> {
        let plan = run.plan.as_ref()?;
        let of = plan.by_action.iter().filter(|(action, _)| *action != Action::None.name());
        let changes = of.clone().map(|(_, count)| count).sum();
        let written = of.map(|(action, count)| count * write_units(action)).sum();
        // A plan of an earlier version does not say; most changes are one write.
        let writes = plan.writes.unwrap_or(changes);
        let seconds = writes.div_ceil(WRITES_A_SECOND);
        let units = Units { read: changes, write: written };
        let messages = if changes == 0 { 0 } else { MESSAGES_A_RUN + seconds / SECONDS_A_MESSAGE };
        let used = Used::of_run(units, &Counters::default(), messages, seconds * 1000);
        let microdollars = cost::of_run(&used, &US_EAST_1).micros();
        Some(Self { changes, writes, seconds, write_units: units.write, microdollars })
    }

    /// Of a plan that waits to be written, and has anything to write.
    pub(crate) fn of_waiting(run: &Run) -> Option<Self> {
        Self::of(run).filter(|forecast| run.phase == Phase::Planned && forecast.changes > 0)
    }

    /// In one sentence; with what AWS takes where the run is one of functions: on one machine nobody pays AWS.
    pub(crate) fn sentence(&self, run: &Run) -> String {
        let Self { writes, seconds, write_units, microdollars, .. } = *self;
        let count = |count: u64, one: &str, many: &str| {
            format!("{} {}", words::number(count), if count == 1 { one } else { many })
        };
        let aws = if run.compute.is_some() {
            let units = count(write_units, "write unit", "write units");
            format!("; on AWS about {units} of the table and {} in all", dollars(microdollars))
        } else {
            String::new()
        };
        format!(
            "Writing this plan takes about {} to Microsoft Graph, at least {} at the pace Microsoft allows{aws}.",
            count(writes, "write", "writes"),
            words::whole_duration(seconds),
        )
    }

    /// For programs.
    pub(crate) fn document(&self) -> Value {
        json!({
            "changes": self.changes,
            "writes": self.writes,
            "seconds": self.seconds,
            "write_units": self.write_units,
            "microdollars": self.microdollars,
            "prices": { "region": US_EAST_1.region, "read": US_EAST_1.read },
        })
    }
}
