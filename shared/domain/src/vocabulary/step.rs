//! The writes that a change is made of.

use serde::{Deserialize, Serialize};

use crate::vocabulary::attribute::Attributes;
use crate::vocabulary::group::GroupTarget;
use crate::vocabulary::ids::{ImmutableId, ObjectId, PersonKey};
use crate::vocabulary::license::License;
use crate::vocabulary::link::LeavingCause;
use crate::vocabulary::repair::RepairPlan;

/// One write (or one entry in our own books).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Step {
    /// `POST /users`: all attributes at once. An ensure, keyed by the immutable ID: an account that already holds the
    /// ID is adopted, not duplicated. Stores the link too. Created with sign-in blocked, the blocking is ours.
    Create {
        /// All attributes, the UPN among them.
        attributes: Attributes,
        /// The ID it gets.
        immutable_id: Option<ImmutableId>,
        /// Whether sign-in is allowed.
        enabled: bool,
        /// The manager, bound inline where the tenant accepts it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manager: Option<ManagerTarget>,
    },
    /// Store or confirm the link. No call.
    Link,
    /// `PATCH /users/{id}`: what differs, and for a takeover the ID with it: if the ID is refused, nothing is written.
    Update {
        /// The ID, when it is set for the first time (managed domains only; anything else is a repair).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        immutable_id: Option<ImmutableId>,
        /// As they were.
        before: Attributes,
        /// As they shall be; an empty text clears.
        after: Attributes,
    },
    /// `PATCH` of the UPN alone.
    Rename {
        /// As it was.
        before: Box<str>,
        /// As it shall be.
        after: Box<str>,
    },
    /// `PATCH` of `accountEnabled` alone.
    SetEnabled {
        /// As it was.
        before: Option<bool>,
        /// As it shall be.
        after: bool,
        /// Why, when it blocks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<LeavingCause>,
    },
    /// `POST revokeSignInSessions`.
    RevokeSessions,
    /// `PUT` or `DELETE /users/{id}/manager/$ref`.
    SetManager {
        /// As it was.
        before: Option<ObjectId>,
        /// As it shall be; `None` removes.
        after: Option<ManagerTarget>,
    },
    /// `POST /users/{id}/assignLicense`: gives and takes in one call. A licence that the account has is given anew with
    /// other plans.
    SetLicenses {
        /// What it shall have.
        give: Vec<License>,
        /// What it had of us, and shall have no more.
        take: Vec<License>,
    },
    /// `POST /groups/{id}/members/$ref`; a group that does not exist is made first. Being a member already is success.
    JoinGroup {
        /// The group that the account joins or leaves.
        group: GroupTarget,
    },
    /// `DELETE /groups/{id}/members/{account}/$ref`. Being no member is success.
    LeaveGroup {
        /// The account.
        id: ObjectId,
        /// Its name, for people.
        name: Box<str>,
    },
    /// `POST /directory/deletedItems/{id}/restore`.
    Restore,
    /// `DELETE /users/{id}`: soft.
    Delete {
        /// Why sign-in is blocked.
        cause: LeavingCause,
    },
    /// `PATCH` that clears the immutable ID, when a join of ours is undone (managed domains only).
    ClearId {
        /// As it was.
        before: ImmutableId,
    },
    /// End the link. No call.
    Unlink,
    /// `DELETE /directory/deletedItems/{id}` of another account that stands in the way, for good.
    Purge {
        /// The account.
        account: ObjectId,
    },
    /// A sequence of calls with a journal of its own, which ends with everything written or with everything as it was.
    Repair(Box<RepairPlan>),
}

/// The manager to be set: their account when it exists, or the person whose account an earlier change creates.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagerTarget {
    /// An account that exists.
    Account(ObjectId),
    /// A person of the same connection whose account an earlier change creates or joins. If they have none when this
    /// step's turn comes, the manager is left out and the person decided again.
    Person(PersonKey),
}
