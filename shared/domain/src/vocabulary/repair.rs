//! A repair as data: calls in order, each with its own account and with what was before and shall be after, so that every
//! call that can be taken back says how.

use serde::{Deserialize, Serialize};

use crate::vocabulary::ids::{ImmutableId, ObjectId, PersonRef};

/// What a repair is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairKind {
    /// An account without an immutable ID gets one.
    SetId,
    /// An account gets another immutable ID.
    ReplaceId,
    /// An account loses its immutable ID.
    ClearId,
    /// A person under a new anchor gets their old account back.
    Rehire,
    /// Two accounts of one person become one; the cloud masters both.
    Merge,
    /// Two accounts of one person become one; Entra Connect masters the one that goes.
    MergeSynced,
    /// An account comes back from the recycle bin.
    RestoreHolder,
    /// An account in the recycle bin is deleted for good.
    PurgeHolder,
    /// Sign-in names move to or from federated domains, or are exchanged.
    SignInName,
}

impl RepairKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::SetId,
        Self::ReplaceId,
        Self::ClearId,
        Self::Rehire,
        Self::Merge,
        Self::MergeSynced,
        Self::RestoreHolder,
        Self::PurgeHolder,
        Self::SignInName,
    ];

    /// The name in documents and commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::SetId => "set-id",
            Self::ReplaceId => "replace-id",
            Self::ClearId => "clear-id",
            Self::Rehire => "rehire",
            Self::Merge => "merge",
            Self::MergeSynced => "merge-synced",
            Self::RestoreHolder => "restore",
            Self::PurgeHolder => "purge",
            Self::SignInName => "sign-in-name",
        }
    }
}

/// A repair that was decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RepairPlan {
    /// What it is for.
    pub kind: RepairKind,
    /// In order. A call rests on the calls before it.
    pub calls: Vec<RepairCall>,
    /// People beside the person of the change whose accounts or names are part of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<PersonRef>,
    /// Addresses of the accounts that take part: nobody else is given one of them meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Box<str>>,
}

impl RepairPlan {
    /// The accounts that take part, each once, in the order in which they first appear.
    pub fn accounts(&self) -> Vec<&ObjectId> {
        accounts(&self.calls)
    }

    /// Whether a call of it cannot be taken back: the point from which the repair only goes on.
    pub fn is_final(&self) -> bool {
        self.calls.iter().any(|call| call.inverse().is_none())
    }
}

/// The accounts of calls, each once.
pub(crate) fn accounts(calls: &[RepairCall]) -> Vec<&ObjectId> {
    let mut found: Vec<&ObjectId> = Vec::new();
    for call in calls {
        if !found.contains(&&call.account) {
            found.push(&call.account);
        }
    }
    found
}

/// One call of a repair.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RepairCall {
    /// The account, by its object id: sign-in names move on the way.
    pub account: ObjectId,
    /// What is written.
    pub write: RepairWrite,
}

/// What one call of a repair writes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum RepairWrite {
    /// `PATCH` of the sign-in name alone.
    Upn {
        /// As it was.
        before: Box<str>,
        /// As it shall be.
        after: Box<str>,
    },
    /// `PATCH` of `onPremisesImmutableId` alone; `None` clears.
    Id {
        /// As it was.
        before: Option<ImmutableId>,
        /// As it shall be.
        after: Option<ImmutableId>,
    },
    /// `DELETE /users/{id}`: into the recycle bin.
    Delete,
    /// `POST /directory/deletedItems/{id}/restore`.
    Restore {
        /// The sign-in name that it comes back with, where its own is another account's by now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upn: Option<Box<str>>,
    },
    /// `DELETE /directory/deletedItems/{id}`: nothing brings the account back.
    Purge,
}

impl RepairCall {
    /// The call that takes this one back; `None` where nothing does.
    pub fn inverse(&self) -> Option<RepairCall> {
        let write = match &self.write {
            RepairWrite::Upn { before, after } => RepairWrite::Upn { before: after.clone(), after: before.clone() },
            RepairWrite::Id { before, after } => RepairWrite::Id { before: after.clone(), after: before.clone() },
            RepairWrite::Delete => RepairWrite::Restore { upn: None },
            RepairWrite::Restore { .. } => RepairWrite::Delete,
            RepairWrite::Purge => return None,
        };
        Some(RepairCall { account: self.account.clone(), write })
    }

    /// Whether it writes an immutable ID, which decides who signs in as the account.
    pub fn writes_id(&self) -> bool {
        matches!(self.write, RepairWrite::Id { .. })
    }
}
