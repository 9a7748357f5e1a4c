//! A change that an approver rejected, or an operator undid, as it is remembered of its person.

use serde::{Deserialize, Serialize};

use crate::vocabulary::change_id::ChangeId;

/// A change that somebody did not want.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declined {
    /// The change.
    pub change: ChangeId,
    /// How it was declined.
    pub how: Declining,
    /// The revision of the person's record that it rested on.
    pub person: u64,
    /// The revision of the policy that it rested on.
    pub policy: u64,
    /// The operator.
    pub by: String,
    /// When (Unix seconds).
    pub at: i64,
    /// The operator's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// How a change was declined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Declining {
    /// An approver rejected it as a whole.
    Rejected,
    /// It was written and undone.
    Undone {
        /// The change that undid it.
        by_change: ChangeId,
        /// Digests of what it set: values.
        values: Vec<Box<str>>,
        /// Digests of what it did: sign-in, licences, memberships, the manager, the account itself.
        acts: Vec<Box<str>>,
    },
}
