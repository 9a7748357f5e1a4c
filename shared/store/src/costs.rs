//! What each message of a run has cost. Functions that share a run share no memory; each leaves a note, and who closes the
//! run adds them up.

use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::Counters;
use hardmatch_ports::{Condition, Write};
use serde::{Deserialize, Serialize};

use crate::{Result, Store, json, keys};

/// What one message, or all messages of a run, have cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Calls to the tenant.
    pub calls: Counters,
    /// Units of the table. The note itself is in it.
    pub units: Units,
    /// How many messages were answered.
    pub messages: u64,
    /// Milliseconds that functions worked.
    pub worked_ms: u64,
}

impl Cost {
    /// The sum of two costs.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.plus(other.calls),
            units: self.units.plus(other.units),
            messages: self.messages + other.messages,
            worked_ms: self.worked_ms + other.worked_ms,
        }
    }
}

/// The note of a message is kept so long (seconds): longer than a run lasts.
const KEPT: i64 = 30 * 24 * 60 * 60;

impl Store {
    /// Leaves a note of what the handling of a message has cost. `receipt` names this handling: a message that was handed over
    /// twice has cost twice.
    pub async fn note_cost(&self, run: &str, receipt: &str, cost: &Cost, now: i64) -> Result<()> {
        let write = Write::Put {
            key: keys::cost(run, receipt),
            body: json(cost),
            expires: Some(now + KEPT),
            condition: Condition::None,
        };
        self.table.write(write).await?;
        Ok(())
    }

    /// What all messages of a run have cost so far.
    pub async fn costs(&self, run: &str) -> Result<Cost> {
        let notes = self.read_all::<Cost>(keys::costs(run), "cost").await?;
        Ok(notes.into_iter().fold(Cost::default(), |sum, (_, note)| sum.plus(note.value)))
    }
}
