//! What a run is for.

use serde::{Deserialize, Serialize};

/// Whether a run may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Observe and decide only.
    Plan,
    /// Observe, decide, write.
    Sync,
}
