//! Lanes: scheduled work and single people who are wanted now have one each, so that nobody waits behind a company. Both
//! draw on one write budget. A person who is in flight in both is sent for by one at a time.

use std::collections::HashSet;

use hardmatch_ports::doorbell::Urgency;
use hardmatch_ports::tenant::Priority;
use hardmatch_store::batches::lane_name;
use hardmatch_store::{PersonHash, StoreError};

use crate::WritePorts;

/// The lane a draining works in.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    /// Its lease and its batches lie under this name.
    pub(crate) name: String,
    /// The other lane of the same application in the same tenant.
    pub(crate) other: String,
    pub(crate) urgency: Urgency,
}

/// People whom the other lane has in flight.
#[derive(Debug, Default)]
pub(crate) struct OtherLaneBatches {
    /// Their calls may be on their way.
    pub(crate) live: HashSet<PersonHash>,
    /// Their writer is gone, and what it sent has an unknown result.
    pub(crate) left: HashSet<PersonHash>,
}

impl Lane {
    pub(crate) fn of(ports: &WritePorts, urgency: Urgency) -> Self {
        let [scheduled, now] =
            [Urgency::Scheduled, Urgency::Now].map(|urgency| lane_name(&ports.scope, &ports.client, urgency));
        match urgency {
            Urgency::Scheduled => Self { name: scheduled, other: now, urgency },
            Urgency::Now => Self { name: now, other: scheduled, urgency },
        }
    }

    /// How urgent its calls are for the tenant.
    pub(crate) fn priority(&self) -> Priority {
        match self.urgency {
            Urgency::Scheduled => Priority::Low,
            Urgency::Now => Priority::High,
        }
    }

    /// The people whom the other lane has in flight. Asked after this lane's own batch is noted: of two writers that ask at the
    /// same time at least one then sees the other.
    pub(crate) async fn elsewhere(&self, ports: &WritePorts) -> Result<OtherLaneBatches, StoreError> {
        let mut found = OtherLaneBatches::default();
        let now_ms = ports.clock.now().as_millisecond();
        for batch in ports.store.batches(&self.other).await? {
            let live = ports.store.is_in_flight(&self.other, &batch, now_ms).await?;
            if live { found.live.extend(batch.pids) } else { found.left.extend(batch.pids) }
        }
        Ok(found)
    }
}

/// Frees the lane of a writer that is gone for certain: the process that had it has ended.
pub async fn release_lane(ports: &WritePorts, urgency: Urgency) -> Result<(), StoreError> {
    ports.store.free(&Lane::of(ports, urgency).name).await
}
