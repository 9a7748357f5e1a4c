//! Slots: scheduled times, each taken once, so that a schedule that fires twice begins one run.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::{Condition, Key, Query, Write};
use serde::{Deserialize, Serialize};

use crate::{Result, Store, json};

/// A slot is remembered for so long (seconds): far longer than any queue keeps a message.
const REMEMBERED: i64 = 30 * 24 * 60 * 60;

/// `SLOT#C / scheduled time`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Version of this shape.
    pub v: u32,
    /// The run that was begun for it.
    pub run: String,
}

impl Store {
    /// The write that takes a slot, once. `slot` sorts by time: RFC 3339 in UTC, to the second.
    pub(crate) fn put_slot(c: &ConnectionId, slot: &str, run: &str, now: i64) -> Write {
        Write::Put {
            key: Key::new(pk(c), slot),
            body: json(&Slot { v: 1, run: run.to_owned() }),
            expires: Some(now + REMEMBERED),
            condition: Condition::Absent,
        }
    }

    /// The newest slot that was taken, and for which run.
    pub async fn newest_slot(&self, c: &ConnectionId) -> Result<Option<(String, Slot)>> {
        let query = Query::prefix(pk(c), "").descending().limit(1);
        let found = self.read_all::<Slot>(query, "slot").await?;
        Ok(found.into_iter().next().map(|(key, stored)| (key.sk, stored.value)))
    }
}

fn pk(c: &ConnectionId) -> String {
    format!("SLOT#{c}")
}
