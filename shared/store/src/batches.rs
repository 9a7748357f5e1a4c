//! Hands: whose next step is on its way to the tenant, and under which fence. One item for twenty people, written before
//! their calls are sent: whoever leases the lane next reads what an earlier writer left behind, and knows whose result
//! is unknown.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::{Key, Query, TableError, Write};
use serde::{Deserialize, Serialize};

use crate::keys::{PersonHash, hex, unhex};
use crate::runs::{pack, unpack};
use crate::{Result, Store, json};

/// A hand that was sent, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Where it is kept.
    pub key: Key,
    /// Whose people.
    pub connection: ConnectionId,
    /// Under which fence.
    pub fence: u64,
    /// Whom.
    pub pids: Vec<PersonHash>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    v: u32,
    connection: ConnectionId,
    people: String,
}

impl Store {
    /// Where the hand of a slot is kept. A writer has as many slots as hands in flight, and uses them again.
    pub fn batch_key(lane: &str, fence: u64, slot: usize) -> Key {
        Key::new(format!("HAND#{lane}"), format!("{fence:012}#{slot:02}"))
    }

    /// The write that says whose next step is about to be sent.
    pub fn put_batch(key: &Key, connection: &ConnectionId, pids: &[PersonHash]) -> Write {
        let body = Body { v: 1, connection: connection.clone(), people: hex(&pack(pids)) };
        Write::put(key.clone(), json(&body))
    }

    /// Every hand that is kept of a lane.
    pub async fn batches(&self, lane: &str) -> Result<Vec<Batch>> {
        let found = self.read_all::<Body>(Query::prefix(format!("HAND#{lane}"), ""), "hand").await?;
        let hands = found.into_iter().filter_map(|(key, stored)| {
            let fence = key.sk.split('#').next()?.parse().ok()?;
            let pids = unpack(&unhex(&stored.value.people)?);
            Some(Batch { key, connection: stored.value.connection, fence, pids })
        });
        Ok(hands.collect())
    }

    /// Performs writes that rest on a condition each, all at a time and none with another: whether each held. A
    /// transaction would cost twice as much and prove nothing more.
    pub async fn each_if(&self, writes: Vec<Write>) -> Result<Vec<Option<u64>>> {
        let answers = futures::future::join_all(writes.into_iter().map(|write| self.table.write(write))).await;
        let mut held = Vec::with_capacity(answers.len());
        for answer in answers {
            match answer {
                Ok(revision) => held.push(Some(revision)),
                Err(TableError::Conflict { .. }) => held.push(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(held)
    }
}
