//! A decision and the change it asks for: data that can be printed, stored, compared, refused and undone.

use serde::{Deserialize, Serialize};

use crate::vocabulary::declined::Declined;
use crate::vocabulary::ids::{ObjectId, PersonKey, PersonRef};
use crate::vocabulary::link::{JoinRule, LeavingCause, LedgerChange};
use crate::vocabulary::reason::{Reason, Wakes, Weight};
use crate::vocabulary::write_back::PlannedWriteBack;

pub use crate::vocabulary::change_id::ChangeId;
pub use crate::vocabulary::evidence::{Evidence, EvidenceRule, Found};
pub use crate::vocabulary::repair::{RepairCall, RepairKind, RepairPlan, RepairWrite};
pub use crate::vocabulary::step::{ManagerTarget, Step};

/// What was decided about one person: the verdict of every rule, and the change, if any.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// The person in the source.
    pub key: PersonKey,
    /// How the person was joined to an account.
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
    /// What is to be changed in the ledger of the person's link, whether or not anything is written to the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Box<LedgerChange>>,
    /// Whether the joined account is there, live and not blocked by us: the guard counts in percent of these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub active: bool,
    /// What the person's entry in the source is to be given, where it has nothing, once the account is theirs.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub write_back: Box<[PlannedWriteBack]>,
}

impl Decision {
    /// Whether the change undoes another.
    pub fn undoes(&self) -> bool {
        self.change.as_deref().is_some_and(|change| change.undoes.is_some())
    }

    /// Whether the person needs nothing and nobody's attention.
    pub fn is_converged(&self) -> bool {
        self.change.is_none()
            && self.write_back.is_empty()
            && self.reasons.iter().all(|reason| matches!(reason.code.weight(), Weight::Note | Weight::Reported))
    }

    /// Whether the person needs attention although everything that was planned is done.
    pub fn needs_somebody(&self) -> bool {
        self.reasons.iter().any(|reason| match reason.code.weight() {
            Weight::Note | Weight::Reported => false,
            Weight::Refused => true,
            Weight::Held => match reason.code.wakes() {
                // Time or other people's changes bring these back by themselves.
                Wakes::Timer | Wakes::Change | Wakes::Another => false,
                // Approved with the plan, when the change is done.
                Wakes::Approval => self.change.is_none(),
                Wakes::Nobody => true,
            },
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
        /// The account that was joined.
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
    /// Nothing is to be done.
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
    /// The name in documents and reports.
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

impl RepairKind {
    /// The action whose switch decides on repairs of this kind.
    pub fn action(self) -> Action {
        match self {
            Self::SetId | Self::ReplaceId | Self::ClearId | Self::Rehire | Self::RestoreHolder | Self::SignInName => {
                Action::Repair
            }
            Self::Merge | Self::MergeSynced => Action::Merge,
            Self::PurgeHolder => Action::Purge,
        }
    }
}

/// A change of one person's account: ordered steps, each with what was before and what shall be after.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// Hash of person, account, steps and before/after: the same change decided twice is the same change.
    pub id: ChangeId,
    /// The person the change is for.
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
    /// being [`Hold::Approval`]; steps from it on wait at the gate, whatever `hold` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal_from: Option<usize>,
    /// Managers before reports: how many people in `after`, one upon the other, are to be created first. A lane
    /// writes lower depths first; `after` alone is what makes it safe.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u32,
    /// The person whose link to the account ends when this change stores its own: somebody who is gone from the source and whose
    /// anchor or employment this person continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_from: Option<PersonRef>,
    /// The revisions of the facts it rests on.
    pub decided_on: Revisions,
    /// The join it rests on; stored with the link.
    pub joined_by: JoinRule,
    /// Why the change is made, and what stands in its way.
    pub reasons: Vec<Reason>,
    /// What it undoes: not to be planned again once it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<Box<Declined>>,
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

/// Why a decided change waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Policy wants an approval for the action. Applying the plan that shows it approves it. The whole change waits;
    /// its removals, if any, go through the gate afterwards.
    Approval,
    /// It holds removals: the gate judges them together, last. Only the steps from `removal_from` on wait.
    Removal,
}

/// How many removals of each kind a change holds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Removals {
    /// Deleted accounts.
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

    /// Adds what another change removes.
    pub(crate) fn add(&mut self, more: &Removals) {
        self.deletes += more.deletes;
        self.suspends += more.suspends;
        self.blanks += more.blanks;
        self.licenses += more.licenses;
        self.memberships += more.memberships;
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
