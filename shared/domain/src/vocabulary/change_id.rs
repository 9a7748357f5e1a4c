//! The name of a change: what it does, and to whom.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::vocabulary::ids::{ConnectionId, ObjectId, PersonRef};
use crate::vocabulary::repair::RepairPlan;
use crate::vocabulary::step::Step;
use crate::vocabulary::text::hex;

/// Names a change: lower-case hex of a SHA-256, shortened to 32 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeId(Box<str>);

impl ChangeId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as people type it: a beginning that tells changes apart.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }

    /// The identity of a change: everything that says what happens to whom, nothing that says when or why.
    pub fn of(person: &PersonRef, account: Option<&ObjectId>, steps: &[Step]) -> Self {
        Self::hashed(&(person, account, steps))
    }

    /// The identity of a repair that an operator asked for, of one account of a connection.
    pub fn of_repair(connection: &ConnectionId, account: &ObjectId, plan: &RepairPlan) -> Self {
        Self::hashed(&(connection, account, plan))
    }

    /// Of JSON as it is stored. Equal changes are equal text: nothing in a change is without an order. Canonical JSON would
    /// take a twelfth of the time of a plan, since every person's change is named anew in every run.
    fn hashed(what: &impl Serialize) -> Self {
        let text = serde_json::to_vec(what).unwrap_or_default();
        Self(hex(&Sha256::digest(&text)[..16]).into())
    }
}
