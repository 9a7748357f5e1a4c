//! A link: our stored pair of a person and an account, and what we own of the account.

use serde::{Deserialize, Serialize};

use crate::vocabulary::account::Account;
use crate::vocabulary::attribute::{Attributes, Texts};
use crate::vocabulary::ids::{ImmutableId, ObjectId, PersonRef};
use crate::vocabulary::license::License;

/// The join of one person to one account. One account has one link in a tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// The person who is linked.
    pub person: PersonRef,
    /// The account that the person is linked to.
    pub account: ObjectId,
    /// The immutable ID when the link was made or last confirmed.
    pub immutable_id: Option<ImmutableId>,
    /// By which rule they were joined.
    pub joined_by: JoinRule,
    /// What we did to the account and may undo.
    #[serde(default)]
    pub ledger: Ledger,
    /// Raised at every change.
    pub revision: u64,
}

/// The rule that found the account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinRule {
    /// Our link names it.
    Link,
    /// Its immutable ID is the person's.
    HardMatch,
    /// It is soft-deleted and its immutable ID is the person's.
    DeletedHardMatch,
    /// Its UPN is the person's.
    Upn,
    /// The person's primary address is one of its addresses.
    PrimarySmtp,
    /// The person's employee ID is its own.
    EmployeeId,
    /// It is soft-deleted and had the person's UPN or address.
    DeletedSoftMatch,
    /// We created it.
    Created,
}

/// What is ours: written by us and not seen to differ since, outside our own writes.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ledger {
    /// We created the account.
    #[serde(default)]
    pub created: bool,
    /// We blocked sign-in, then (Unix seconds), for this cause; nobody has changed it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspension>,
    /// Values we wrote last.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub written: Attributes,
    /// Licences we gave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<LicenseGrant>,
    /// Object ids of groups we made the account a member of.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub memberships: Texts,
    /// When the person's present reason to leave was first decided on (Unix seconds): graces count from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving_since: Option<i64>,
    /// That reason to leave; when another one takes its place, the graces count anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving_cause: Option<LeavingCause>,
    /// We soft-deleted the account, then, for this cause: a return restores it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Suspension>,
    /// A first look found the account neither live nor in deleted items, then (Unix seconds); the second look says
    /// whether it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<i64>,
    /// The account was looked for by GET and in deleted items, twice, and is gone for good (Unix seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_gone: Option<i64>,
}

/// A licence we gave, as we gave it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LicenseGrant {
    /// The SKU's id.
    pub sku: Box<str>,
    /// Ids of the service plans left off, sorted.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub without: Texts,
}

impl Ledger {
    /// The licence, if we gave it.
    pub fn grant(&self, sku: &str) -> Option<&LicenseGrant> {
        self.licenses.iter().find(|grant| *grant.sku == *sku)
    }

    /// What of these licences is ours after they were given and taken.
    pub fn relicense(&mut self, give: &[License], take: &[License]) {
        self.licenses.retain(|grant| give.iter().chain(take).all(|license| license.sku != grant.sku));
        let given =
            give.iter().map(|license| LicenseGrant { sku: license.sku.clone(), without: license.without.clone() });
        self.licenses.extend(given);
    }

    /// What we blocked, deleted or gave, and somebody else has allowed, restored or taken since, is ours no more: the
    /// next to do it is not us.
    pub fn disown(&mut self, account: &Account) {
        if account.is_deleted() {
            return;
        }
        self.deleted = None;
        if account.enabled == Some(true) {
            self.suspended = None;
        }
        self.licenses.retain(|grant| account.licenses.contains(&grant.sku));
        self.memberships = self.memberships.iter().filter(|group| account.memberships.contains(group)).collect();
    }

    /// What a decision changes here: the leaving to remember (cause and Unix seconds of its beginning), and what an account
    /// shows to be ours no more. `None` when everything stays.
    pub fn change(&self, leaving: Option<(LeavingCause, i64)>, account: Option<&Account>) -> Option<LedgerChange> {
        let mut after = self.clone();
        (after.leaving_cause, after.leaving_since) = (leaving.map(|(cause, _)| cause), leaving.map(|(_, since)| since));
        if let Some(account) = account {
            after.disown(account);
        }
        let lost = |before: &Option<Suspension>, after: &Option<Suspension>| before.filter(|_| after.is_none());
        let kept = |sku: &str| after.licenses.iter().any(|grant| *grant.sku == *sku);
        let licenses = self.licenses.iter().map(|grant| &*grant.sku).filter(|sku| !kept(sku)).collect();
        let memberships = self.memberships.iter().filter(|group| !after.memberships.contains(group)).collect();
        (after != *self).then(|| LedgerChange {
            leaving,
            suspended: lost(&self.suspended, &after.suspended),
            deleted: lost(&self.deleted, &after.deleted),
            licenses,
            memberships,
        })
    }

    /// Whether the account is gone for good, and no later look is under way.
    pub(crate) fn is_gone(&self) -> bool {
        self.confirmed_gone.is_some() && self.unseen.is_none()
    }
}

/// What a decision changes in the ledger of the person's link. It says what is no longer ours one by one, so that it can
/// be applied to a ledger to which something was added meanwhile.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LedgerChange {
    /// The cause of leaving and when it began (Unix seconds); `None`: the person is not leaving.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leaving: Option<(LeavingCause, i64)>,
    /// The blocking that somebody else has undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suspended: Option<Suspension>,
    /// The deletion that somebody else has undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted: Option<Suspension>,
    /// SKU ids of licences that somebody else has taken.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    licenses: Texts,
    /// Object ids of groups out of which somebody else has taken the account.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    memberships: Texts,
}

impl LedgerChange {
    /// Makes the change. A blocking or deletion that is newer than the one decided on stays ours.
    pub fn apply(&self, ledger: &mut Ledger) {
        ledger.leaving_cause = self.leaving.map(|(cause, _)| cause);
        ledger.leaving_since = self.leaving.map(|(_, since)| since);
        if self.suspended.is_some() && ledger.suspended == self.suspended {
            ledger.suspended = None;
        }
        if self.deleted.is_some() && ledger.deleted == self.deleted {
            ledger.deleted = None;
        }
        ledger.licenses.retain(|grant| !self.licenses.contains(&grant.sku));
        if !self.memberships.is_empty() {
            ledger.memberships = ledger.memberships.iter().filter(|group| !self.memberships.contains(group)).collect();
        }
    }
}

/// Our blocking (or soft-deleting) of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Suspension {
    /// When sign-in was blocked (Unix seconds).
    pub at: i64,
    /// Why sign-in was blocked.
    pub cause: LeavingCause,
}

/// Why an account is to be suspended or deleted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeavingCause {
    /// Gone from a complete listing, or deleted by the source's word.
    Absent,
    /// Present, but the scope no longer includes them.
    LeftScope,
    /// The source disabled them.
    Disabled,
    /// The source says the password expired.
    PasswordExpired,
    /// The last day is over.
    Ended,
    /// An operator undid what a run had written.
    Undone,
}
