//! What an operator decided, compiled: the form of `hardmatch.toml` that decisions are made from.
//!
//! Expressions are traits here, because the language they are written in (CEL) is no business of the rules.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::vocabulary::attribute::{Attr, DirectoryExtension};
use crate::vocabulary::group::GroupKind;
use crate::vocabulary::ids::ConnectionId;
use crate::vocabulary::person::Person;
use crate::vocabulary::values;
use crate::vocabulary::write_back::WriteBackRule;

pub use crate::vocabulary::mapping::{Expression, FlowFrom, FlowManager, FlowWhen, Mapping, RuleError, WhenEmpty};

/// The policy of one connection.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The connection that the policy is for.
    pub connection: ConnectionId,
    /// Rises with every stored version; a change names the version it was decided under.
    pub revision: u64,
    /// Who is ours to manage; `None` means everybody in the source.
    pub scope: Option<Arc<dyn Rule>>,
    /// Where the immutable ID comes from, in order. One element means exactly that one.
    pub anchor_from: Vec<Box<str>>,
    /// When the tenant's and the source's IDs differ.
    pub on_conflict: OnConflict,
    /// Soft match rules, in order.
    pub soft: Vec<SoftRule>,
    /// Independent attributes that can prove identity.
    pub prove: Vec<Attr>,
    /// What to do with a soft-deleted account of the person.
    pub soft_deleted: SoftDeleted,
    /// Synced duplicates have been taken out of Entra Connect's scope and may be deleted.
    pub merge_synced: bool,
    /// How attributes flow. In attribute order, at most one each.
    pub flow: Vec<Mapping>,
    /// Whether the source's manager flows.
    pub manager: FlowManager,
    /// What happens to those who leave.
    pub lifecycle: Lifecycle,
    /// When a person's first day begins; `None`: nobody has one.
    pub starts: Option<Arc<dyn DayBoundary>>,
    /// When a person's last day is over; `None`: nobody has one.
    pub ends: Option<Arc<dyn DayBoundary>>,
    /// Which actions are on, need approval, or are off.
    pub actions: Actions,
    /// Limits on removals.
    pub guard: Guard,
    /// After how many days the tenant's users are read in full, and not only what changed.
    pub full_listing_days: u32,
    /// Who is given which licence, in the operator's order.
    pub licenses: Vec<LicenseRule>,
    /// Who is a member of which group.
    pub groups: Vec<GroupRule>,
    /// What the source is given where it has no value. In the order of the attributes' names.
    pub write_back: Vec<WriteBackRule>,
}

impl Policy {
    /// The directory extensions that flow, by name. An account is to be read with each of them before it is decided.
    pub fn directory_extensions(&self) -> impl Iterator<Item = DirectoryExtension> {
        self.flow.iter().filter_map(|mapping| mapping.to.directory_extension())
    }

    /// The mapping of sign-in names.
    fn upn_mapping(&self) -> Option<&Mapping> {
        self.flow.iter().find(|mapping| mapping.to == Attr::UserPrincipalName)
    }

    /// The sign-in name the policy gives the person; `None` when it gives none.
    pub(crate) fn wanted_upn<'a>(&self, person: &'a Person) -> Result<Option<Cow<'a, str>>, RuleError> {
        match self.upn_mapping().filter(|mapping| mapping.when != FlowWhen::Never) {
            Some(mapping) => Ok(mapping.value(person)?.filter(|value| !value.is_empty())),
            None => Ok(None),
        }
    }

    /// Whether the policy gives an account of the person a value of the attribute that Graph takes.
    pub(crate) fn gives(&self, person: &Person, attr: Attr) -> bool {
        let mut mappings = self.flow.iter().filter(|mapping| mapping.to == attr && mapping.when != FlowWhen::Never);
        mappings.any(|mapping| {
            let value = mapping.value(person).ok().flatten();
            value.is_some_and(|value| !value.is_empty() && values::problem(attr, &value).is_none())
        })
    }

    /// Whether an account that has a sign-in name is ever given another.
    pub(crate) fn renames(&self) -> bool {
        self.upn_mapping().is_some_and(|mapping| mapping.when == FlowWhen::Always)
    }
}

/// `[[license]]`: whom the expression fits has the licence. A licence that no rule names is nobody's business here.
#[derive(Clone, Debug)]
pub struct LicenseRule {
    /// Part number (`SPE_E3`) or id of the SKU.
    pub sku: Box<str>,
    /// Names or ids of service plans that stay off.
    pub without: Vec<Box<str>>,
    /// Who has it.
    pub when: Arc<dyn Rule>,
}

/// `[[group]]`: whom the expression fits is a member.
#[derive(Clone, Debug)]
pub struct GroupRule {
    /// The display name of the group.
    pub name: Box<str>,
    /// The kind of group to make where there is none.
    pub kind: GroupKind,
    /// Who is a member.
    pub when: Arc<dyn Rule>,
}

/// A yes-or-no expression over a person.
pub trait Rule: Debug + Send + Sync {
    /// The answer; an error is *unknown*, never no.
    fn test(&self, person: &Person) -> Result<bool, RuleError>;
    /// As the operator wrote it.
    fn text(&self) -> &str;
}

/// A day of a person, as the moment at which something begins or is over.
pub trait DayBoundary: Debug + Send + Sync {
    /// Unix seconds; `None` when the source names no day; an error is *unknown*.
    fn at(&self, person: &Person) -> Result<Option<i64>, RuleError>;
    /// As the operator wrote it.
    fn text(&self) -> &str;
}

/// `anchor.on_conflict`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// Refuse and report.
    Stop,
    /// Learn the tenant's value and hand it to the source.
    TenantWins,
    /// Write the source's value.
    SourceWins,
}

/// `match.soft`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum SoftRule {
    /// The account's UPN is the person's.
    #[serde(rename = "userPrincipalName")]
    Upn,
    /// The person's primary address is the account's primary address.
    #[serde(rename = "primarySmtp")]
    PrimarySmtp,
    /// The person's employee ID is the account's, and nobody else's on either side.
    #[serde(rename = "employeeId")]
    EmployeeId,
}

/// `match.soft_deleted`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SoftDeleted {
    /// Bring it back and go on.
    Restore,
    /// Delete it for good, then create.
    Purge,
    /// Wait until the tenant purges it.
    Wait,
    /// Report the person and write nothing.
    Refuse,
}

/// `[lifecycle]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lifecycle {
    /// Gone from a complete listing.
    pub absent: Vec<Stage>,
    /// No longer in scope.
    pub left_scope: Vec<Stage>,
    /// Disabled at the source.
    pub disabled: Vec<Stage>,
    /// Password expired at the source.
    pub password_expired: Vec<Stage>,
    /// The last day is over.
    pub ended: Vec<Stage>,
    /// Somebody deleted our account in the tenant.
    pub account_deleted: AccountDeleted,
    /// Provision people who are disabled at the source.
    pub create_disabled: bool,
    /// When sign-in is allowed again.
    pub reenable: Reenable,
    /// Revoke sessions when suspending.
    pub revoke_sessions: bool,
}

/// One step of leaving, and how long after the cause it is taken. No stages: the leaving is ignored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stage {
    /// What is done at this stage.
    pub action: LeavingAction,
    /// Seconds after the cause was first decided on.
    pub after_seconds: i64,
}

/// What a leaver's account undergoes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeavingAction {
    /// Block sign-in.
    Suspend,
    /// Take away the licences and memberships that we gave.
    RemoveLicenses,
    /// Soft-delete.
    Delete,
}

/// `lifecycle.account_deleted`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountDeleted {
    /// Report the deleted account and do nothing.
    Report,
    /// Restore the deleted account.
    Restore,
    /// Create another account.
    Recreate,
}

/// `lifecycle.reenable`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reenable {
    /// Enable only what we disabled.
    Ours,
    /// The source decides, even where an administrator blocked the account.
    Always,
}

/// `[actions]`: each on, with approval, or off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Actions {
    /// Create an account.
    pub create: Switch,
    /// Write ordinary attributes.
    pub update: Switch,
    /// Soft match onto an existing account.
    pub takeover: Switch,
    /// A new UPN for a linked account.
    pub rename: Switch,
    /// Allow sign-in again.
    pub enable: Switch,
    /// Block sign-in.
    pub suspend: Switch,
    /// Bring back a soft-deleted account.
    pub restore: Switch,
    /// Soft-delete.
    pub delete: Switch,
    /// Give and take licences.
    pub license: Switch,
    /// Join and leave groups.
    pub membership: Switch,
    /// Change an immutable ID.
    pub repair: Switch,
    /// Make one account of two.
    pub merge: Switch,
    /// Delete for good.
    pub purge: Switch,
}

/// Whether an action may be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// It is taken.
    On,
    /// It waits for an operator.
    Approve,
    /// It is only reported.
    Off,
}

/// `[guard]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Guard {
    /// Most removals in 24 hours.
    pub max_removals: u64,
    /// Most removals in 24 hours, in percent of the links at the start of that window.
    pub max_removals_percent: u64,
    /// So many are always allowed; never more than a fifth of the accounts, and one at the least.
    pub always_allow: u64,
    /// Most new accounts in 24 hours, in percent of the accounts at the start of that window, after the first applied plan.
    pub max_creations_percent: u64,
    /// Most linked people of whom in 24 hours something changes that names them, in percent likewise.
    pub max_identity_changes_percent: u64,
}

impl Guard {
    /// So many new accounts a day always pass.
    pub const ALWAYS_CREATE: u64 = 25;

    /// So many people a day may always be named otherwise.
    pub const ALWAYS_NAME: u64 = 10;

    /// The part of a small directory that `always_allow` never exceeds: one in so many.
    const SMALL_PART: u64 = 5;

    /// In 30 days so many times a day's limit may lose their sign-in or account without an approval.
    pub const SLOW_FACTOR: u64 = 4;

    /// What is always allowed of removals in a directory of so many accounts.
    pub fn always_allowed(&self, accounts: u64) -> u64 {
        self.always_allow.min((accounts / Self::SMALL_PART).max(1))
    }

    /// How many removals a day are within the limits of a directory of so many accounts.
    pub fn daily(&self, accounts: u64) -> u64 {
        self.always_allowed(accounts).max(self.max_removals.min(part(accounts, self.max_removals_percent)))
    }

    /// How many new accounts a day are within the limits of a directory of so many accounts.
    pub fn daily_creations(&self, accounts: u64) -> u64 {
        Self::ALWAYS_CREATE.max(part(accounts, self.max_creations_percent))
    }

    /// How many people a day may be named otherwise within the limits of a directory of so many accounts.
    pub fn daily_identity_changes(&self, accounts: u64) -> u64 {
        Self::ALWAYS_NAME.max(part(accounts, self.max_identity_changes_percent))
    }

    /// Most memberships of one group taken away in 24 hours, in percent of its members.
    pub const GROUP_PERCENT: u64 = 20;
}

/// So many percent of a number, rounded down.
fn part(of: u64, percent: u64) -> u64 {
    u64::try_from(u128::from(of) * u128::from(percent) / 100).unwrap_or(u64::MAX)
}

/// The times of a connection's own schedule that came last (Unix seconds).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScheduledTime {
    /// The last time at which a run was due.
    pub at: i64,
    /// The last time at which the source was due to be read whole; at most [`at`](Self::at).
    pub full: i64,
    /// Whether there are no other times than those.
    pub daily: bool,
}
