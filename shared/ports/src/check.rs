//! One thing that was looked at, and how it is.

use serde::{Deserialize, Serialize};

/// One thing that `doctor` looked at. Holds no secret: it is shown, and travels from a function to the caller.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at: `permissions`, `domains`.
    pub area: String,
    /// How it is.
    pub state: CheckState,
    /// What was found, in a sentence.
    pub finding: String,
    /// What to do; empty when there is nothing to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cure: String,
}

/// How a thing that was looked at is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// Nothing is to be done.
    Ok,
    /// Works, but somebody should know.
    Warn,
    /// Does not work.
    Fail,
    /// Could not be looked at.
    Unknown,
}

impl CheckState {
    /// The name in `--json` documents.
    pub fn name(self) -> &'static str {
        match self {
            CheckState::Ok => "ok",
            CheckState::Warn => "warn",
            CheckState::Fail => "fail",
            CheckState::Unknown => "unknown",
        }
    }
}
