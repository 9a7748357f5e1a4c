//! What an operator asks to undo.

use serde::{Deserialize, Serialize};

/// What an operator asks to undo: everything that a run wrote, what it wrote of one person, or everything that was written
/// of one person within thirty days.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Undo {
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The person, by their place in keys (32 hex digits).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Who asks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
}
