//! The compiled policy of a revision.

use std::sync::Arc;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::policy::Policy;
use hardmatch_ports::Policies;
use hardmatch_store::Store;

use crate::error::MatchError;
use crate::ports::MatchPorts;

/// Compiles the stored text of a connection's policy. [`MatchError::Broken`] when the revision is not stored or cannot be
/// compiled.
pub(crate) async fn policy(
    ports: &MatchPorts,
    connection: &ConnectionId,
    revision: u64,
) -> Result<Arc<Policy>, MatchError> {
    stored_policy(&ports.store, &*ports.policies, connection, revision).await
}

/// The same, without the other ports.
pub(crate) async fn stored_policy(
    store: &Store,
    policies: &dyn Policies,
    connection: &ConnectionId,
    revision: u64,
) -> Result<Arc<Policy>, MatchError> {
    let text = store
        .policy(connection, revision)
        .await?
        .ok_or_else(|| MatchError::Broken(format!("policy {revision} of {connection} is not stored")))?;
    policies.compile(&text, revision).map_err(MatchError::Broken)
}
