//! Doorbells: messages that say "look here". The table holds the work; losing, repeating or reordering a bell changes
//! nothing.

use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use serde::{Deserialize, Serialize};

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bell {
    /// Version of this message; a reader that does not know it leaves it and asks for it again.
    pub v: u32,
    /// Whose work.
    pub connection: ConnectionId,
    /// Which run.
    pub run: String,
    /// What.
    #[serde(flatten)]
    pub kind: BellKind,
}

/// What there is to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum BellKind {
    /// Read the people of the source.
    ObserveSource,
    /// Read the accounts of the tenant.
    ObserveTenant,
    /// Decide slices.
    Match,
    /// Drain the lane.
    Write,
    /// See whether the run's phase has ended.
    Advance,
}

impl Bell {
    /// Version 1.
    pub fn new(connection: ConnectionId, run: impl Into<String>, kind: BellKind) -> Self {
        Self { v: 1, connection, run: run.into(), kind }
    }

    /// Which function answers it.
    pub fn queue(&self) -> Queue {
        match self.kind {
            BellKind::ObserveSource => Queue::Source,
            BellKind::ObserveTenant => Queue::Tenant,
            BellKind::Match | BellKind::Advance => Queue::Match,
            BellKind::Write => Queue::Write,
        }
    }
}

/// One queue for each function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Ingest, source side.
    Source,
    /// Ingest, tenant side.
    Tenant,
    /// Match.
    Match,
    /// Write.
    Write,
}

/// Rings.
#[async_trait]
pub trait Doorbell: Send + Sync {
    /// Rings after a delay. At least once, in any order.
    async fn ring(&self, bell: Bell, delay: Duration) -> Result<(), DoorbellError>;
}

/// The bell could not be rung; the tick will ring for work left over.
#[derive(Debug, thiserror::Error)]
#[error("the doorbell could not be rung: {0}")]
pub struct DoorbellError(pub String);
