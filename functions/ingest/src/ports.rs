//! What each side may use, and how an observation fails.

use std::sync::Arc;

use hardmatch_ports::{BlobError, Blobs, Clock, Doorbell, Policies, Source, TableError, TenantRead};
use hardmatch_store::{Store, StoreError, TenantKey};
use jiff::Timestamp;

/// What the source side may use: no way to the tenant.
#[derive(Clone)]
pub struct SourcePorts {
    /// Keeps people, their look-ups, and who is dirty.
    pub store: Store,
    /// Cloud and tenant under which people are entered into the look-ups.
    pub scope: TenantKey,
    /// The directory.
    pub source: Arc<dyn Source>,
    /// Compiles the policy that the run pinned, which says by what people are found.
    pub policies: Arc<dyn Policies>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Notifies the run's driver that the reading has ended.
    pub doorbell: Arc<dyn Doorbell>,
    /// When the process is ended; `None` where nobody ends a process that works long. The reading stops some seconds
    /// before and leaves the rest to the next message.
    pub deadline: Option<Timestamp>,
}

/// What the tenant side may use: of the tenant, reading only.
#[derive(Clone)]
pub struct TenantPorts {
    /// Keeps the mirror of the tenant.
    pub store: Store,
    /// Cloud and tenant.
    pub scope: TenantKey,
    /// The tenant.
    pub tenant: Arc<dyn TenantRead>,
    /// Compiles the policy that the run pinned, which says by what accounts are found.
    pub policies: Arc<dyn Policies>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Notifies the run's driver that the reading has ended.
    pub doorbell: Arc<dyn Doorbell>,
    /// Keeps the progress of a reading between two messages, and lists of group members.
    pub blobs: Arc<dyn Blobs>,
    /// When the process is ended; `None` where nobody ends a process that works long. The reading stops some seconds
    /// before and leaves the rest to the next message.
    pub deadline: Option<Timestamp>,
}

/// Why an observation failed. The message is to be delivered again; the work done so far is kept.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The table could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The progress of a reading could not be kept, or not be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl From<TableError> for ObserveError {
    fn from(error: TableError) -> Self {
        Self::Store(error.into())
    }
}
