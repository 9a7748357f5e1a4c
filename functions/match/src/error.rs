//! Why a message about a run cannot be answered.

use hardmatch_ports::{BlobError, TableError};
use hardmatch_store::StoreError;

/// Why a run cannot go on. The message returns to its queue and is tried again.
#[derive(Debug, thiserror::Error)]
pub enum MatchError {
    /// The store refused or could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A plan or report could not be kept or read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The run, its policy or its plan is not as it must be. The sentence names the remedy.
    #[error("{0}")]
    Broken(String),
}

impl From<TableError> for MatchError {
    fn from(error: TableError) -> Self {
        Self::Store(error.into())
    }
}
