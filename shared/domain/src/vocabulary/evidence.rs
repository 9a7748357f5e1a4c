//! Evidence: what each rule found on its way to a decision.

use serde::{Deserialize, Serialize};

use crate::vocabulary::ids::ObjectId;

/// What one rule found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// Which rule looked.
    pub rule: EvidenceRule,
    /// What it found.
    pub found: Found,
    /// At which account, when it is not the joined one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Box<ObjectId>>,
    /// The person's value that was compared. Personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<Box<str>>,
    /// The tenant's value. Personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theirs: Option<Box<str>>,
}

/// The rule that looked at something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceRule {
    /// `[scope] include`.
    Scope,
    /// Our link.
    Link,
    /// Immutable ID of live accounts.
    HardMatch,
    /// Immutable ID of soft-deleted accounts.
    DeletedHardMatch,
    /// UPN.
    Upn,
    /// Primary SMTP address.
    PrimarySmtp,
    /// UPN or addresses of soft-deleted accounts.
    DeletedSoftMatch,
    /// Any other address.
    Address,
    /// An independent attribute (`match.prove`).
    Proof,
    /// Directory roles.
    Roles,
    /// The domain of the sign-in name.
    Domain,
    /// Licences of an account, or the rule that gives one. Documents that other programs read spell it so.
    #[serde(rename = "licences")]
    Licenses,
    /// The rule that makes the person a member of a group.
    Groups,
    /// Whether sign-in is allowed.
    Enabled,
    /// When the account was created, changed, deleted or last synced.
    Dates,
    /// People who claim the same thing.
    Claims,
    /// Last written, now, wanted.
    Drift,
}

/// What a rule found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The rule found nothing.
    Nothing,
    /// What the rule found is equal to ours.
    Same,
    /// What the rule found differs from ours.
    Different,
    /// Equal but for upper and lower case.
    CaseOnly,
    /// More than one.
    Several,
    /// Known without comparing: a fact shown for the record.
    Fact,
    /// Could not be known.
    Unknown,
}
