//! Doorbells: messages that say "look here". The table holds the work; losing, repeating or reordering a bell changes
//! nothing.

use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use jiff::Timestamp;
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
    /// The version written here, and the newest that can be read.
    pub const VERSION: u32 = 1;

    /// A bell of the present version.
    pub fn new(connection: ConnectionId, run: impl Into<String>, kind: BellKind) -> Self {
        Self { v: Self::VERSION, connection, run: run.into(), kind }
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

/// What a function made of a bell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The work is done, or was not there, or is not ours to do.
    Done,
    /// Ring again after this time.
    Again(Duration),
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

/// The other end of a doorbell, for whoever plays the queue service in process: hands bells over, and hands them over
/// again unless they are acknowledged.
#[async_trait]
pub trait BellQueue: Send + Sync {
    /// At most `max` bells that are due, oldest first as a rule. They stay hidden until acknowledged, given back, or
    /// forgotten for too long.
    fn receive(&self, queue: Queue, max: usize, now: Timestamp) -> Vec<Received>;

    /// Done: never again. An unknown id is no error.
    fn ack(&self, id: &str);

    /// Not done: due again after a delay.
    fn nack(&self, id: &str, delay: Duration, now: Timestamp);

    /// When the next bell of a queue can be received, those being handled included. `None`: nothing is left.
    fn next_due(&self, queue: Queue) -> Option<Timestamp>;

    /// Returns when a bell was rung since the last time this returned. For one waiter.
    async fn rung(&self);
}

/// A bell as it was handed over; nobody has understood it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Names the message, the same at every receipt.
    pub id: String,
    /// JSON of a [`Bell`], perhaps of a newer version.
    pub body: String,
    /// How often it has been handed over, this time included.
    pub received: u32,
}

/// The bell could not be rung; the tick will ring for work left over.
#[derive(Debug, thiserror::Error)]
#[error("the doorbell could not be rung: {0}")]
pub struct DoorbellError(pub String);
