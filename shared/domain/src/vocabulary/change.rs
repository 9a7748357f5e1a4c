//! A decision and the change it asks for: data that can be printed, stored, compared, refused and undone.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::vocabulary::attribute::Attributes;
use crate::vocabulary::group::GroupTarget;
use crate::vocabulary::ids::{ImmutableId, ObjectId, PersonKey, PersonRef};
use crate::vocabulary::license::License;
use crate::vocabulary::link::{JoinRule, LeavingCause};
use crate::vocabulary::reason::Reason;

/// What was decided about one person: the verdict of every rule, and the change, if any.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub key: PersonKey,
    /// The join.
    pub join: Join,
    /// What is to be done, for people and for counting.
    pub action: Action,
    /// Why; the first is the main one. Never empty.
    pub reasons: Vec<Reason>,
    /// What each rule found.
    pub evidence: Vec<Evidence>,
    /// The change; `None` when there is nothing to write (now), as for nearly everybody: apart, so that such a decision
    /// is small.
    pub change: Option<Box<Change>>,
    /// When the person must be decided again because time alone changes the answer (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_again_at: Option<i64>,
    /// The cause and start of leaving, to be remembered in the link's ledger, when the person is leaving.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<(LeavingCause, i64)>,
    /// Whether the joined account is there, live and not blocked by us: the guard counts in percent of these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub active: bool,
}

impl Decision {
    /// Whether the person needs nothing and nobody's attention.
    pub fn is_converged(&self) -> bool {
        self.change.is_none()
            && self.reasons.iter().all(|reason| {
                matches!(
                    reason.code.weight(),
                    crate::vocabulary::reason::Weight::Note | crate::vocabulary::reason::Weight::Reported
                )
            })
    }
}

/// How a person was joined to an account, or why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Join {
    /// To this account.
    Joined {
        /// By which rule.
        rule: JoinRule,
        /// The account.
        account: ObjectId,
    },
    /// Nobody in the tenant is the person.
    None,
    /// A rule refused; the first reason says why. The account it was about, when there is exactly one.
    Refused {
        /// About which account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<ObjectId>,
    },
    /// Not looked for: out of scope and never linked.
    NotLooked,
}

/// The action as an operator names it. A change may take several steps for one action.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing.
    None,
    /// Create an account.
    Create,
    /// Join an existing account (soft match) and write what differs.
    Takeover,
    /// Join by hard match: store the link, and write what differs.
    Link,
    /// Write attributes or manager.
    Update,
    /// Give or take licences.
    License,
    /// Join or leave groups.
    Membership,
    /// Change the sign-in name (and whatever else differs).
    Rename,
    /// Allow sign-in.
    Enable,
    /// Block sign-in.
    Suspend,
    /// Bring back from the recycle bin.
    Restore,
    /// Soft-delete.
    Delete,
    /// Delete for good.
    Purge,
    /// Change an immutable ID.
    Repair,
    /// Make one account of two.
    Merge,
}

impl Action {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Action::None => "none",
            Action::Create => "create",
            Action::Takeover => "takeover",
            Action::Link => "link",
            Action::Update => "update",
            Action::License => "license",
            Action::Membership => "membership",
            Action::Rename => "rename",
            Action::Enable => "enable",
            Action::Suspend => "suspend",
            Action::Restore => "restore",
            Action::Delete => "delete",
            Action::Purge => "purge",
            Action::Repair => "repair",
            Action::Merge => "merge",
        }
    }
}

/// A change of one person's account: ordered steps, each with what was before and what shall be after.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// Hash of person, account, steps and before/after: the same change decided twice is the same change.
    pub id: ChangeId,
    /// Who.
    pub person: PersonRef,
    /// Which account; `None` when it is created.
    pub account: Option<ObjectId>,
    /// What, as an operator names it.
    pub action: Action,
    /// In order; the writer performs them and chooses nothing.
    pub steps: Vec<Step>,
    /// Must be settled before this one is sent: people whose change frees the name, or the manager to be created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<PersonRef>,
    /// Whether and why it must wait although it is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// What removals of the guard's kinds it holds.
    #[serde(default, skip_serializing_if = "Removals::is_none")]
    pub removals: Removals,
    /// Index of the first step that is a removal; those before it are not, all from it on are. Set exactly when
    /// `removals` is not empty. Steps before it are written in the writing phase and wait for nothing but `hold`
    /// being [`Hold::Approval`] or [`Hold::Repair`]; steps from it on wait at the gate, whatever `hold` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal_from: Option<usize>,
    /// Managers before reports: how many people in `after`, one upon the other, are to be created first. A lane
    /// writes lower depths first; `after` alone is what makes it safe.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u32,
    /// Whose link to the account ends when this change stores its own: somebody who is gone from the source and whose
    /// anchor or employment this person continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_from: Option<PersonRef>,
    /// The revisions of the facts it rests on.
    pub decided_on: Revisions,
    /// The join it rests on; stored with the link.
    pub joined_by: JoinRule,
    /// Why.
    pub reasons: Vec<Reason>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Change {
    /// Whether it only opens the way: the person is decided again when it is written, with facts that nobody has before.
    pub fn is_first_of_several(&self) -> bool {
        matches!(self.steps.as_slice(), [Step::Restore])
    }
}

/// Names a change: lower-case hex of a SHA-256, shortened to 32 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeId(Box<str>);

impl ChangeId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identity of a change: everything that says what happens to whom, nothing that says when or why.
    pub fn of(person: &PersonRef, account: Option<&ObjectId>, steps: &[Step]) -> Self {
        let canonical = serde_json_canonicalizer::to_vec(&(person, account, steps)).unwrap_or_default();
        let digest = Sha256::digest(&canonical);
        let mut text = String::with_capacity(32);
        for byte in digest.iter().take(16) {
            use std::fmt::Write as _;
            let _ = write!(text, "{byte:02x}");
        }
        Self(text.into())
    }
}

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
        /// Which.
        group: GroupTarget,
    },
    /// `DELETE /groups/{id}/members/{account}/$ref`. Being no member is success.
    LeaveGroup {
        /// Which.
        id: ObjectId,
        /// Its name, for people.
        name: Box<str>,
    },
    /// `POST /directory/deletedItems/{id}/restore`.
    Restore,
    /// `DELETE /users/{id}`: soft.
    Delete {
        /// Why.
        cause: LeavingCause,
    },
    /// `DELETE /directory/deletedItems/{id}` of another account that stands in the way, for good.
    Purge {
        /// Which.
        account: ObjectId,
    },
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

/// Why a decided change waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Policy wants an approval for the action. Applying the plan that shows it approves it. The whole change waits;
    /// its removals, if any, go through the gate afterwards.
    Approval,
    /// It holds removals: the gate judges them together, last. Only the steps from `removal_from` on wait.
    Removal,
    /// It needs a repair sequence; nothing applies it yet. The whole change waits: its steps say what the sequence
    /// must end with, not how.
    Repair,
}

/// How many removals of each kind a change holds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Removals {
    /// Deletions.
    #[serde(default)]
    pub deletes: u32,
    /// Blocked sign-ins.
    #[serde(default)]
    pub suspends: u32,
    /// Cleared attributes.
    #[serde(default)]
    pub blanks: u32,
    /// Licences taken away. Documents that other programs read spell it so.
    #[serde(default, rename = "licences")]
    pub licenses: u32,
    /// Memberships taken away.
    #[serde(default)]
    pub memberships: u32,
    /// Whether the person loses their sign-in or account by it, and had them until now: a later stage of the same leaving
    /// takes nothing that was not taken. Not a removal of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub departs: bool,
}

impl Removals {
    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        self.total() == 0
    }

    /// How many in all: each person counts once for each kind.
    pub fn total(&self) -> u32 {
        self.deletes + self.suspends + self.blanks + self.licenses + self.memberships
    }
}

/// The revisions a change was decided on.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Revisions {
    /// Of the person's record.
    pub person: u64,
    /// Of the account's mirror; 0 when there is none.
    pub account: u64,
    /// Of the policy.
    pub policy: u64,
}

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

/// What looked.
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
    /// Nothing.
    Nothing,
    /// Equal.
    Same,
    /// Something else.
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
