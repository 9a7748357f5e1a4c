//! Batches: whose next step is on its way to the tenant, and under which fence. One item for twenty people, written before
//! their calls are sent: the next holder of the lane reads what an earlier writer left behind, and knows whose result is
//! unknown.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::Urgency;
use hardmatch_ports::{Key, TableError, Write};
use serde::{Deserialize, Serialize};

use crate::hashes::{PersonHash, TenantKey, hex, pack, unhex, unpack};
use crate::leases::LeaseProof;
use crate::{Result, Store, json, keys};

/// The lane of an application in a tenant, by how urgent its changes are.
pub fn lane_name(scope: &TenantKey, client: &str, urgency: Urgency) -> String {
    let scheduled = format!("lane~{}~{client}", scope.as_str());
    match urgency {
        Urgency::Scheduled => scheduled,
        Urgency::Now => format!("{scheduled}~now"),
    }
}

/// A batch that was sent, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Where it is kept.
    pub key: Key,
    /// The connection of the people.
    pub connection: ConnectionId,
    /// Under which fence.
    pub fence: u64,
    /// The people whose steps are in the batch.
    pub pids: Vec<PersonHash>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    v: u32,
    connection: ConnectionId,
    people: String,
}

impl Store {
    /// The write that says, in a slot of the lane's holder, whose next step is about to be sent. A writer has as many slots as
    /// batches in flight, and uses them again.
    pub fn put_batch(lane: &LeaseProof, slot: usize, connection: &ConnectionId, pids: &[PersonHash]) -> Write {
        Self::batch_at(keys::batch(lane.name(), lane.fence(), slot), connection, pids)
    }

    /// The write that forgets the batch of a slot.
    pub fn delete_batch(lane: &LeaseProof, slot: usize) -> Write {
        Write::delete(keys::batch(lane.name(), lane.fence(), slot))
    }

    /// The write that keeps, of a batch of an earlier writer, the people whose result is unknown.
    pub fn shrink_batch(batch: &Batch, left: &[PersonHash]) -> Write {
        Self::batch_at(batch.key.clone(), &batch.connection, left)
    }

    fn batch_at(key: Key, connection: &ConnectionId, pids: &[PersonHash]) -> Write {
        Write::put(key, json(&Body { v: 1, connection: connection.clone(), people: hex(&pack(pids)) }))
    }

    /// Whether the writer that sent a batch of a lane still holds the lane at a time (Unix milliseconds).
    pub async fn is_in_flight(&self, lane: &str, batch: &Batch, now_ms: i64) -> Result<bool> {
        self.is_leased(lane, batch.fence, now_ms).await
    }

    /// Every batch that is kept of a lane.
    pub async fn batches(&self, lane: &str) -> Result<Vec<Batch>> {
        let found = self.read_all::<Body>(keys::batches(lane), "batch").await?;
        let batches = found.into_iter().filter_map(|(key, stored)| {
            let fence = keys::fence_of(&key)?;
            let pids = unpack(&unhex(&stored.value.people)?);
            Some(Batch { key, connection: stored.value.connection, fence, pids })
        });
        Ok(batches.collect())
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
