#![doc = include_str!("../README.md")]

mod batch;
mod binding;
mod drain;
mod lane;
mod message;
mod notify;
mod repair;
mod task;
mod timing;

use std::sync::Arc;

use hardmatch_ports::credentials::PasswordSink;
use hardmatch_ports::{Clock, Doorbell, TenantWrite};
use hardmatch_store::{Store, TenantKey};
use jiff::Timestamp;

pub use hardmatch_ports::doorbell::After;

pub use drain::drain;
pub use lane::release_lane;
pub use message::answer;

/// The ports of the writer.
#[derive(Clone)]
pub struct WritePorts {
    /// The table with the lane and its changes.
    pub store: Store,
    /// Cloud and tenant.
    pub scope: TenantKey,
    /// The application's client id: with the scope, the lane whose write quota is shared.
    pub client: String,
    /// The tenant.
    pub tenant: Arc<dyn TenantWrite>,
    /// Where initial passwords go.
    pub passwords: Arc<dyn PasswordSink>,
    /// The time; tests advance it by hand.
    pub clock: Arc<dyn Clock>,
    /// To say that the lane is empty.
    pub doorbell: Arc<dyn Doorbell>,
    /// This writer in words, for another one that finds the lane taken.
    pub holder: String,
    /// The message must have left everything in order by then; `None` where a process that works long is not ended.
    pub deadline: Option<Timestamp>,
}

/// Why the lane could not be worked on.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] hardmatch_store::StoreError),
    /// An initial password could not be handed over; nothing more is created.
    #[error(transparent)]
    Password(#[from] hardmatch_ports::credentials::CredentialError),
    /// The tenant does not answer.
    #[error(
        "the tenant has not answered {batches} batches in a row, for {seconds} seconds. What was not written stays ready: check the network and the proxy, then run the same command again"
    )]
    Silent {
        /// Batches without an answer.
        batches: u32,
        /// Since the first of them.
        seconds: i64,
    },
    /// The tenant does not take the credentials. The connection is quarantined, nobody is marked as refused.
    #[error(
        "the tenant does not accept the application's credentials ({status} {code}): {message} What was not written stays ready"
    )]
    LockedOut {
        /// HTTP status.
        status: u16,
        /// Code of the login service or of Graph.
        code: String,
        /// What it is about and the cure. No values.
        message: String,
    },
}

impl From<hardmatch_ports::TableError> for WriteError {
    fn from(error: hardmatch_ports::TableError) -> Self {
        Self::Store(error.into())
    }
}
