//! Why a reading of the tenant stops before its end, and what an error of the tenant means for it.

use hardmatch_ports::tenant::Retry;
use hardmatch_ports::{BlobError, TableError, TenantError};
use hardmatch_store::StoreError;

use crate::ports::ObserveError;

/// Why a reading of the tenant stopped before its end.
pub(super) enum TenantStop {
    Tenant(TenantError),
    Failed(ObserveError),
    /// The deadline is near. The progress is kept; the next message goes on.
    Deadline,
}

impl From<TenantError> for TenantStop {
    fn from(error: TenantError) -> Self {
        Self::Tenant(error)
    }
}

impl From<ObserveError> for TenantStop {
    fn from(error: ObserveError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for TenantStop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<BlobError> for TenantStop {
    fn from(error: BlobError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<TableError> for TenantStop {
    fn from(error: TableError) -> Self {
        Self::Failed(StoreError::from(error).into())
    }
}

/// An error of the tenant, for operators.
pub(super) fn describe(error: &TenantError) -> String {
    if error.request_id.is_empty() {
        error.message.clone()
    } else {
        format!("{} (request {})", error.message, error.request_id)
    }
}

/// Whether the tenant answers, and permissions withhold what was asked for: the run goes on without it.
pub(super) fn is_withheld(error: &TenantError) -> bool {
    error.retry == Retry::Never && error.status >= 400 && error.status != 401
}

/// A reading that came to its end without having been at its beginning, which cannot be.
pub(super) fn unfinished() -> StoreError {
    StoreError::Unreadable { kind: "reading", cause: "it is not at its end".to_owned() }
}
