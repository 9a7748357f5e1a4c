//! The tenant: reading it whole, following its changes, and writing to it. One implementation: the Graph client.

use std::collections::BTreeMap;
use std::time::Duration;

pub use crate::account_change::AccountChange;
use async_trait::async_trait;
use hardmatch_domain::account::{Account, AddressHolder, Domain, HolderKind};
use hardmatch_domain::attribute::{Attributes, DirectoryExtension};
use hardmatch_domain::facts::knowledge::Question;
use hardmatch_domain::group::{Group, GroupKind};
use hardmatch_domain::ids::{ImmutableId, ObjectId, TenantId};
pub use hardmatch_domain::license::{License, ServicePlan, Sku};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// Reads the tenant. Nothing here changes anything.
#[async_trait]
pub trait TenantRead: Send + Sync {
    /// The organisation and its domains.
    async fn organization(&self) -> Result<Organization, TenantError>;

    /// Who holds directory roles: users, by object id, with role names; members of a role-holding group stand for
    /// themselves. Includes our own service principal under its object id.
    async fn role_holders(&self) -> Result<BTreeMap<ObjectId, Vec<String>>, TenantError>;

    /// Who may activate a directory role: like [`TenantRead::role_holders`]. Empty where the tenant has no plan with
    /// eligible roles; refused where permissions withhold it.
    async fn eligible_for_roles(&self) -> Result<BTreeMap<ObjectId, Vec<String>>, TenantError>;

    /// A cursor from which later changes can be followed ("from now").
    async fn delta_start(&self) -> Result<Cursor, TenantError>;

    /// A cursor whose round tells of every user, as if all had just changed, and ends where later changes are followed
    /// from: for tenants that refuse their listing.
    async fn delta_whole(&self) -> Result<Cursor, TenantError>;

    /// One page of all live users. Begins when `page` is `None`.
    async fn users(&self, page: Option<&Cursor>) -> Result<ListPage<Account>, TenantError>;

    /// One page of changes. [`TenantError::is_cursor_lost`] means: read everything again.
    async fn delta(&self, cursor: &Cursor) -> Result<DeltaPage, TenantError>;

    /// One page of soft-deleted users; their UPNs as they were before the deletion.
    async fn deleted_users(&self, page: Option<&Cursor>) -> Result<ListPage<Account>, TenantError>;

    /// One page of the addresses that groups hold (lower case, without prefix).
    async fn group_addresses(&self, page: Option<&Cursor>) -> Result<ListPage<(String, AddressHolder)>, TenantError>;

    /// One page of the addresses that contacts hold.
    async fn contact_addresses(&self, page: Option<&Cursor>) -> Result<ListPage<(String, AddressHolder)>, TenantError>;

    /// One account: live, soft-deleted, or gone.
    async fn account(&self, id: &ObjectId) -> Result<Option<Account>, TenantError>;

    /// Looks people up: who holds what each question asks for, now. For some people at a time; a listing is cheaper for
    /// many.
    async fn candidates(&self, questions: &[Question]) -> Result<Candidates, TenantError>;

    /// Licences the tenant has.
    async fn skus(&self) -> Result<Vec<Sku>, TenantError>;

    /// Every group with this display name, upper and lower case not counted.
    async fn groups_named(&self, name: &str) -> Result<Vec<Group>, TenantError>;

    /// One group; `None` when there is no such group (any more).
    async fn group(&self, id: &ObjectId) -> Result<Option<Group>, TenantError>;

    /// One page of a group's direct members; not only users.
    async fn members(&self, group: &ObjectId, page: Option<&Cursor>) -> Result<ListPage<ObjectId>, TenantError>;

    /// The directory extensions that every account is read with, by name.
    fn extensions(&self) -> &[DirectoryExtension];

    /// The directory extensions that applications have registered in the tenant. An empty answer says nothing: of a large
    /// tenant the service gives none. Refused where permissions withhold it.
    async fn registered_extensions(&self) -> Result<Vec<RegisteredExtension>, TenantError>;

    /// What the present token says about us.
    async fn granted(&self) -> Result<Granted, TenantError>;
}

/// A directory extension as an application registered it.
/// <https://learn.microsoft.com/graph/api/resources/extensionproperty>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredExtension {
    /// Its whole name.
    pub name: String,
    /// `String`, `Boolean`, `Integer`, `Binary`, `DateTime` or `LargeInteger`.
    pub data_type: String,
    /// Whether it has several values.
    pub multiple: bool,
    /// Whether users can have it.
    pub of_users: bool,
}

/// What the tenant shows of the people whom questions are about.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// Accounts, live and soft-deleted, that hold one of the values or have one of the ids. One that holds several values
    /// may come several times.
    pub accounts: Vec<Account>,
    /// Ids that were asked for and are neither of a live nor of a soft-deleted account.
    pub missing: Vec<ObjectId>,
    /// Groups and contacts that hold one of the names as an address (lower case, without prefix), with all their addresses.
    pub holders: Vec<(String, AddressHolder)>,
    /// Kinds of holders that permissions withhold.
    pub withheld: Vec<HolderKind>,
    /// Questions that could not be asked, because their value is too long for it.
    pub unanswered: Vec<Question>,
    /// Who holds roles, read where an account was found; `None` where there was none.
    pub roles: Option<CandidateRoles>,
}

/// Directory roles, as they are when people are looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CandidateRoles {
    /// As [`TenantRead::role_holders`] says; `None` where permissions withhold it.
    pub holders: Option<BTreeMap<ObjectId, Vec<String>>>,
    /// As [`TenantRead::eligible_for_roles`] says; `None` where permissions withhold it.
    pub eligible: Option<BTreeMap<ObjectId, Vec<String>>>,
}

/// Writes to the tenant.
#[async_trait]
pub trait TenantWrite: Send + Sync {
    /// Performs independent calls together, at most [`MAX_CALLS`]. One answer for each call, in order. Order of
    /// execution is not promised: no call may depend on another of the same hand.
    async fn perform(&self, calls: &[Call], priority: Priority) -> Vec<Answer>;

    /// Every group with this display name: a caller that makes one looks first.
    async fn find_groups(&self, name: &str) -> Result<Vec<Group>, TenantError>;

    /// The tenant's domains as they are now, by lower-case name.
    async fn domains(&self) -> Result<BTreeMap<String, Domain>, TenantError>;

    /// Who holds a directory role now or may activate one, with role names. `None`: permissions withhold it, and nobody is
    /// taken for unprivileged.
    async fn privileged(&self) -> Result<Option<BTreeMap<ObjectId, Vec<String>>>, TenantError>;

    /// Requests, writes and throttles since the start, for reports.
    fn counters(&self) -> Counters;
}

/// Most calls in one hand: the limit of a JSON batch. <https://learn.microsoft.com/graph/json-batching>
pub const MAX_CALLS: usize = 20;

/// Which work is shed first when the tenant is throttled. <https://learn.microsoft.com/graph/throttling-limits>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Scheduled runs.
    Low,
    /// One person, wanted now.
    High,
}

/// A write to the tenant, or the look that precedes one.
#[derive(Clone, Debug)]
pub enum Call {
    /// `POST /users`.
    Create {
        /// All text attributes, UPN, display name and mail nickname among them.
        attributes: Attributes,
        /// The immutable ID of the new account.
        immutable_id: Option<ImmutableId>,
        /// Whether sign-in is allowed.
        enabled: bool,
        /// The manager, bound in the same request.
        manager: Option<ObjectId>,
        /// The initial password; it is sent and not kept.
        password: SecretString,
    },
    /// `PATCH /users/{id}`: an empty text clears; the ID only when it is to be set.
    Update {
        /// The account that the call is about.
        account: ObjectId,
        /// The new ID; `Some(None)` clears it.
        immutable_id: Option<Option<ImmutableId>>,
        /// The attributes to set or to clear.
        attributes: Attributes,
    },
    /// `PATCH` of `accountEnabled`.
    SetEnabled {
        /// The account that the call is about.
        account: ObjectId,
        /// Whether sign-in is allowed afterwards.
        enabled: bool,
    },
    /// `POST revokeSignInSessions`.
    RevokeSessions {
        /// The account that the call is about.
        account: ObjectId,
    },
    /// `PUT` or `DELETE manager/$ref`. Removing a manager who is not there is success.
    SetManager {
        /// The account that the call is about.
        account: ObjectId,
        /// To whom; `None` removes.
        manager: Option<ObjectId>,
    },
    /// `DELETE /users/{id}`. Already deleted is success.
    Delete {
        /// The account that the call is about.
        account: ObjectId,
    },
    /// `POST restore`.
    Restore {
        /// The account that the call is about.
        account: ObjectId,
        /// The sign-in name it comes back with; `None` is its own.
        upn: Option<Box<str>>,
    },
    /// `DELETE /directory/deletedItems/{id}`.
    Purge {
        /// The account that the call is about.
        account: ObjectId,
    },
    /// `POST /users/{id}/assignLicense`. What the account has is given anew with other plans.
    SetLicenses {
        /// The account that the call is about.
        account: ObjectId,
        /// What it shall have.
        give: Vec<License>,
        /// Ids of the SKUs it shall not have.
        take: Vec<Box<str>>,
    },
    /// `POST /groups`. Answered by [`Answer::Made`]; when that is lost, look by name before repeating.
    CreateGroup {
        /// Its display name.
        name: Box<str>,
        /// Security group or Microsoft 365 group.
        kind: GroupKind,
        /// Unique among groups with a mailbox.
        nickname: Box<str>,
    },
    /// `POST /groups/{id}/members/$ref`. Being a member already is success.
    AddMember {
        /// The group that gets a member.
        group: ObjectId,
        /// The account that the call is about.
        account: ObjectId,
    },
    /// `PATCH /groups/{id}` with `members@odata.bind`: several at once, at most [`MAX_CALLS`], as one write. All or nothing:
    /// it is refused when one of them is a member already, or is not there.
    /// <https://learn.microsoft.com/graph/api/group-post-members>
    AddMembers {
        /// The group that gets members.
        group: ObjectId,
        /// The accounts that become members.
        accounts: Vec<ObjectId>,
    },
    /// `DELETE /groups/{id}/members/{account}/$ref`. Being no member is success.
    RemoveMember {
        /// The group that loses a member.
        group: ObjectId,
        /// The account that the call is about.
        account: ObjectId,
    },
    /// `GET /users/{id}`: to re-read before a dangerous write, or after a lost answer.
    Read {
        /// The account that the call is about.
        account: ObjectId,
    },
    /// `GET /directory/deletedItems/{id}`: to re-read before a restore.
    ReadDeleted {
        /// The account that the call is about.
        account: ObjectId,
    },
    /// `GET /users?$filter=onPremisesImmutableId eq …`: did a lost create succeed? Compared byte for byte.
    FindByImmutableId {
        /// The ID that is looked for.
        immutable_id: ImmutableId,
    },
    /// `GET /users?$filter=userPrincipalName eq …`: the same for people without an ID.
    FindByUpn {
        /// The sign-in name that is looked for.
        upn: String,
    },
}

impl Call {
    /// Whether it counts against the write quota.
    pub fn is_write(&self) -> bool {
        !matches!(
            self,
            Call::Read { .. } | Call::ReadDeleted { .. } | Call::FindByImmutableId { .. } | Call::FindByUpn { .. }
        )
    }
}

/// What became of a call.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Done. The account as the tenant described it, when it did.
    Done(Option<Box<Account>>),
    /// Done: a group was made.
    Made(ObjectId),
    /// A look-up found nobody, or the account is gone (404).
    NotFound,
    /// Not done, and would not be if repeated unchanged.
    Refused(Refusal),
    /// Not done, for now; may be repeated after this time at the earliest.
    Later(Later),
    /// Sent, but the answer was lost or useless: it may have been done. Read before repeating.
    Unknown(String),
}

/// Why Graph refused. Never holds bodies; the message may name properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind, in our terms.
    pub kind: RefusalKind,
    /// The HTTP status of the answer; 0 where there was none.
    pub status: u16,
    /// Graph's code.
    pub code: String,
    /// Graph's message, with quoted values taken out.
    pub message: String,
    /// Graph's request id, for Microsoft's support.
    pub request_id: String,
    /// The object that stands in the way, when Graph names it.
    pub conflict: Option<ObjectId>,
    /// The property it is about, when Graph names it.
    pub property: Option<String>,
}

/// Kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// A unique value is held by another object.
    Conflict,
    /// A value is not acceptable.
    InvalidValue,
    /// The domain of a UPN is not verified.
    DomainNotVerified,
    /// The property cannot be changed while the UPN is in a federated domain, or the reason is generic.
    Federated,
    /// Entra Connect masters the object.
    Mastered,
    /// Exchange or another service masters the property.
    ExternalMaster,
    /// A permission is missing, or the account holds a role above ours.
    Forbidden,
    /// It is we who are refused, not what we asked for: the login service gives no token for our credentials. Nothing was
    /// sent.
    Credentials,
    /// The password was refused.
    Password,
    /// The manager cannot be bound at creation.
    ManagerBind,
    /// The directory is full.
    Quota,
    /// No seat of the licence is free.
    NoSeats,
    /// Plans of the licence exclude others that the account has, or need others that it lacks.
    LicenseConflict,
    /// The account has no usage location that a licence could be given in.
    UsageLocation,
    /// The licence came by a group and cannot be taken from the account.
    LicenseInherited,
    /// Members of this group are not written through Graph.
    GroupType,
    /// Any other refusal.
    Other,
}

/// A call that Graph puts off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// At the earliest after this time.
    pub after: Duration,
    /// Whether it was throttling: nobody's failure.
    pub cause: LaterCause,
    /// Graph's request id.
    pub request_id: String,
}

/// Why not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaterCause {
    /// 429, or its predecessor's 503: nobody's call is performed before the time is over.
    Throttled,
    /// Not there yet (replication): 404 or a refusal that follows a write of ours within seconds.
    Lagging,
    /// 5xx or no connection; the call was not performed, or repeating it is harmless. Says nothing about other calls.
    Unavailable,
    /// 5xx with a time, of a write that may have been performed: it is looked at before it is repeated. Says nothing about
    /// other calls.
    MaybeDone,
}

/// Counted since the client was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// HTTP requests sent.
    pub requests: u64,
    /// Calls inside batches and outside that count as writes.
    pub writes: u64,
    /// 429 answers, inner ones too.
    pub throttles: u64,
    /// JSON batches sent.
    pub batches: u64,
    /// Calls in them.
    pub batched_calls: u64,
    /// Tokens asked for.
    pub tokens: u64,
}

impl Counters {
    /// The sum of two counts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    /// What was added since an earlier reading of the same counters.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        self.with(earlier, u64::saturating_sub)
    }

    fn with(self, other: Self, both: fn(u64, u64) -> u64) -> Self {
        Self {
            requests: both(self.requests, other.requests),
            writes: both(self.writes, other.writes),
            throttles: both(self.throttles, other.throttles),
            batches: both(self.batches, other.batches),
            batched_calls: both(self.batched_calls, other.batched_calls),
            tokens: both(self.tokens, other.tokens),
        }
    }
}

/// Where to go on reading. Opaque; may hold a URL of the tenant's own host.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cursor(…)")
    }
}

/// A page of a listing.
#[derive(Clone, Debug)]
pub struct ListPage<T> {
    /// What is on it; may be empty although more follow.
    pub items: Vec<T>,
    /// More; `None` at the end.
    pub next: Option<Cursor>,
}

/// A page of changes.
#[derive(Clone, Debug)]
pub struct DeltaPage {
    /// What changed, in order; the last word about an account wins.
    pub changes: Vec<Delta>,
    /// Where to go on.
    pub next: DeltaNext,
}

/// Where a delta round goes on.
#[derive(Clone, Debug)]
pub enum DeltaNext {
    /// More of this round.
    Page(Cursor),
    /// The round is over; the next one starts here. To be stored only after the whole round was processed.
    Done(Cursor),
}

/// One entry of a delta listing.
#[derive(Clone, Debug)]
pub enum Delta {
    /// Something of a live account, to be laid over what was known of it.
    Seen(Box<AccountChange>),
    /// Soft-deleted.
    Deleted(ObjectId),
    /// Gone for good.
    Purged(ObjectId),
}

/// The tenant as `GET /organization` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// The directory (tenant) id.
    pub id: TenantId,
    /// The display name of the organisation.
    pub name: String,
    /// Domains by lower-case name.
    pub domains: BTreeMap<String, Domain>,
    /// Tenant-wide directory synchronisation: on, turned off, never.
    pub directory_sync: Option<bool>,
    /// Last synchronisation, as Graph writes it.
    pub last_sync: Option<String>,
}

/// What a token grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Application permissions (`roles`), sorted.
    pub permissions: Vec<String>,
    /// Our service principal's object id (`oid`).
    pub principal: Option<ObjectId>,
    /// The tenant of the token (`tid`).
    pub tenant: Option<String>,
}

/// Reading failed. Says whether, and when, trying again can help.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct TenantError {
    /// What to do about it.
    pub retry: Retry,
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// Graph's or the token endpoint's code (`Authorization_RequestDenied`, `AADSTS7000215`).
    pub code: String,
    /// One sentence with the cure, for people. No values.
    pub message: String,
    /// Graph's request id.
    pub request_id: String,
}

impl TenantError {
    /// Whether a cursor is no longer known: read everything again.
    pub fn is_cursor_lost(&self) -> bool {
        self.retry == Retry::FromTheStart
    }

    /// Whether the request itself was refused, for good: another way to the same answer may be open. Neither bad
    /// credentials nor something that passes.
    pub fn is_refused(&self) -> bool {
        self.retry == Retry::Never && matches!(self.status, 400 | 403 | 404 | 405 | 501)
    }

    /// Whether it is we who are refused, for good, and not what we asked for: the login service gives no token for our
    /// credentials, or Graph does not take a fresh one.
    /// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
    pub fn is_credentials(&self) -> bool {
        self.retry == Retry::Never && (self.status == 401 || self.code.starts_with("AADSTS"))
    }

    /// Whether an answer came, again and again, and could not be used: it was cut off each time. Waiting helps against a
    /// broken network, and not against a proxy that cuts large answers.
    pub fn is_cut_off(&self) -> bool {
        self.status == 0 && self.code == "bad_answer" && matches!(self.retry, Retry::After(_))
    }

    /// Whether a permission is missing (or consent, or a role).
    pub fn is_forbidden(&self) -> bool {
        self.status == 403
    }
}

/// When trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After this time.
    After(Duration),
    /// With a new listing.
    FromTheStart,
    /// Never, unless somebody changes something.
    Never,
}
