#![doc = include_str!("../README.md")]

mod begin;
mod close;
mod gate;
mod gather;
mod open;
mod phases;
mod plan;
mod slice;

use std::sync::Arc;

use hardmatch_domain::policy::Policy;
use hardmatch_ports::{Blobs, Clock, Doorbell};
use hardmatch_store::{Scope, Store};

pub use hardmatch_ports::doorbell::After;

pub use gather::{Explained, decide_one};
pub use open::{Accept, Acceptance, Opening, accept, open_run};
pub use phases::{advance, decide_slices};
pub use plan::{read_slice, slice_count};

/// What deciding may use: the store and nothing else of the world. No way to the tenant, none to the source.
#[derive(Clone)]
pub struct MatchPorts {
    /// Where the facts are.
    pub store: Store,
    /// Cloud and tenant.
    pub scope: Scope,
    /// Where plans and reports go.
    pub blobs: Arc<dyn Blobs>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// To ring for the next work.
    pub doorbell: Arc<dyn Doorbell>,
    /// The policy of a revision, compiled.
    pub policies: Arc<dyn Policies>,
    /// What the run has cost so far.
    pub meter: Arc<dyn Meter>,
}

/// What was counted elsewhere and belongs into a run's report.
pub trait Meter: Send + Sync {
    /// Calls to the tenant, and units of the table.
    fn read(&self) -> (hardmatch_ports::tenant::Counters, hardmatch_ports::table::Units);
}

/// Policies by revision. A run pins one; compiling it is the policy crate's business.
pub trait Policies: Send + Sync {
    /// The policy stored under the revision as this text.
    fn compile(&self, text: &str, revision: u64) -> Result<Arc<Policy>, String>;
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum MatchError {
    /// The store.
    #[error(transparent)]
    Store(#[from] hardmatch_store::StoreError),
    /// A plan or report could not be kept.
    #[error(transparent)]
    Blob(#[from] hardmatch_ports::BlobError),
    /// The run, its policy or its plan is not as it must be.
    #[error("{0}")]
    Broken(String),
}

impl From<hardmatch_ports::TableError> for MatchError {
    fn from(error: hardmatch_ports::TableError) -> Self {
        Self::Store(error.into())
    }
}
