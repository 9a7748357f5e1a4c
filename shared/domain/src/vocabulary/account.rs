//! Accounts and the tenant around them, as last observed.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::vocabulary::attribute::{Attr, Attributes, Texts};
use crate::vocabulary::group::NamedGroup;
use crate::vocabulary::ids::{ConnectionId, ImmutableId, ObjectId, TenantId};
use crate::vocabulary::license::{License, Sku};

/// A user object of the tenant, live or soft-deleted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its object id.
    pub id: ObjectId,
    /// `onPremisesImmutableId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immutable_id: Option<ImmutableId>,
    /// Text attributes. The UPN of a soft-deleted account is given as it was before the deletion.
    pub attributes: Attributes,
    /// `accountEnabled`; `None` when the listing did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// `proxyAddresses` with their prefixes: `SMTP:` is the primary, `smtp:` are others.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub proxies: Texts,
    /// Member or guest.
    #[serde(default)]
    pub kind: AccountKind,
    /// Who masters it.
    #[serde(default)]
    pub authority: Authority,
    /// SKU ids of its licences, direct or by group.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub licenses: Texts,
    /// Object ids of the groups it is a member of, among those that rules name. Kept by the code that reads the groups: the
    /// listing of users says nothing of it.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub memberships: Texts,
    /// Its manager's object id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<ObjectId>,
    /// `createdDateTime`, as Graph writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Box<str>>,
    /// `deletedDateTime`: set for a soft-deleted account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Box<str>>,
    /// `onPremisesLastSyncDateTime`, evidence for an account mastered by Entra Connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<Box<str>>,
    /// `externalUserState` of a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_state: Option<Box<str>>,
    /// Raised whenever what was observed differs from before.
    #[serde(default)]
    pub revision: u64,
}

impl Account {
    /// An account of which nothing is known but its id: a live member of the cloud.
    pub fn blank(id: ObjectId) -> Self {
        Self {
            id,
            immutable_id: None,
            attributes: Attributes::default(),
            enabled: None,
            proxies: Texts::default(),
            kind: AccountKind::Member,
            authority: Authority::Cloud,
            licenses: Texts::default(),
            memberships: Texts::default(),
            manager: None,
            created: None,
            deleted: None,
            last_sync: None,
            guest_state: None,
            revision: 0,
        }
    }

    /// Sign-in name.
    pub fn upn(&self) -> Option<&str> {
        self.attributes.filled(Attr::UserPrincipalName)
    }

    /// SMTP addresses: every proxy address, and `mail`. In the case they are stored in.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let proxies = self.proxies.iter().filter_map(|proxy| {
            let (kind, address) = proxy.split_once(':')?;
            kind.eq_ignore_ascii_case("smtp").then_some(address)
        });
        proxies.chain(self.attributes.filled(Attr::Mail))
    }

    /// The primary SMTP address: the `SMTP:` proxy, else `mail`.
    pub fn primary_address(&self) -> Option<&str> {
        self.proxies.iter().find_map(|proxy| proxy.strip_prefix("SMTP:")).or_else(|| self.attributes.filled(Attr::Mail))
    }

    /// After licences were given and taken.
    pub fn relicense(&mut self, give: &[License], take: &[License]) {
        for license in take {
            self.licenses = self.licenses.without(&license.sku);
        }
        for license in give {
            self.licenses = self.licenses.with(&license.sku);
        }
    }

    /// Whether it is in the recycle bin.
    pub fn is_deleted(&self) -> bool {
        self.deleted.is_some()
    }

    /// Whether Exchange masters its addresses: it is licensed and has mail.
    pub fn has_mailbox(&self) -> bool {
        !self.licenses.is_empty() && self.primary_address().is_some()
    }
}

/// Personal data: the object id only.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("id", &self.id).finish_non_exhaustive()
    }
}

/// `userType`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// One of the tenant's own people.
    #[default]
    Member,
    /// Invited from elsewhere.
    Guest,
}

/// `onPremisesSyncEnabled`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// The cloud: never synced.
    #[default]
    Cloud,
    /// Entra Connect or Cloud Sync, now.
    Synced,
    /// Was synced once, the cloud masters it now.
    FormerlySynced,
}

/// What is known about the tenant as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether one collection was read; none excludes another")]
pub struct Tenant {
    /// The directory (tenant) id.
    pub id: TenantId,
    /// Domains, lower-case name to state.
    pub domains: BTreeMap<String, Domain>,
    /// Directory roles by holder (users; members of a role-holding group stand for themselves). `None`: could not be
    /// read, and nobody is taken for unprivileged.
    pub roles: Option<BTreeMap<ObjectId, Vec<String>>>,
    /// Directory roles that an account may activate, by account. `None`: could not be read although the tenant has a plan
    /// with eligible roles, and no account is taken for one without. Empty where the tenant has no such plan.
    #[serde(default)]
    pub eligible: Option<BTreeMap<ObjectId, Vec<String>>>,
    /// Whether every live user was read.
    pub users_complete: bool,
    /// Whether every soft-deleted user was read.
    pub deleted_complete: bool,
    /// Whether groups' addresses were read.
    pub groups_complete: bool,
    /// Whether contacts' addresses were read.
    pub contacts_complete: bool,
    /// Tenant-wide directory synchronisation: on, turned off, never.
    pub directory_sync: Option<bool>,
    /// Attributes beside the employee ID by which accounts can be looked up, by the connection whose people can be
    /// too: only these can be shown to be unique.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub proving: BTreeMap<ConnectionId, Vec<Attr>>,
    /// The tenant's licences; `None`: not read, as no rule asks for it or permissions withhold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skus: Option<Vec<Sku>>,
    /// The groups that a connection's rules name. One that is not listed was not looked for, or could not be.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named_groups: BTreeMap<ConnectionId, Vec<NamedGroup>>,
}

impl Tenant {
    /// Whether the people of a connection, and all accounts, can be looked up by an attribute that may prove identity.
    pub fn can_look_up(&self, connection: &ConnectionId, attr: Attr) -> bool {
        attr == Attr::EmployeeId || self.proving.get(connection).is_some_and(|attrs| attrs.contains(&attr))
    }

    /// The domain of a UPN or address, when the tenant owns it and has verified it.
    pub fn verified_domain_of(&self, upn: &str) -> Option<&Domain> {
        let (_, domain) = upn.rsplit_once('@')?;
        let found = if domain.bytes().any(|b| b.is_ascii_uppercase()) {
            self.domains.get(&domain.to_lowercase())
        } else {
            self.domains.get(domain)
        };
        found.filter(|domain| domain.verified)
    }

    /// The `*.onmicrosoft.com` domain every tenant starts with.
    pub fn initial_domain(&self) -> Option<&str> {
        self.domains.iter().find(|(_, domain)| domain.initial).map(|(name, _)| name.as_str())
    }
}

/// One domain of the tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Domain {
    /// May be used in UPNs.
    pub verified: bool,
    /// Sign-in happens at another identity provider.
    pub federated: bool,
    /// The tenant's first domain.
    pub initial: bool,
}

/// The initial domain of a tenant that GoDaddy manages: its name is one that GoDaddy gives, and sign-in is still federated
/// to somebody. A tenant that was moved out keeps the name for ever and has managed domains only.
/// <https://learn.microsoft.com/microsoft-365/admin/get-help-with-domains/domains-faq>
pub fn managed_by_godaddy(domains: &BTreeMap<String, Domain>) -> Option<&str> {
    let initial = domains.iter().find(|(_, domain)| domain.initial).map(|(name, _)| name.as_str())?;
    let federated = domains.values().any(|domain| domain.federated);
    (is_named_by_godaddy(initial) && federated).then_some(initial)
}

/// Whether an initial domain has the form that GoDaddy gives: `NETORG1234567.onmicrosoft.com`.
pub fn is_named_by_godaddy(initial: &str) -> bool {
    let label = initial.split('.').next().unwrap_or_default().to_lowercase();
    label.strip_prefix("netorg").is_some_and(|rest| rest.bytes().next().is_some_and(|byte| byte.is_ascii_digit()))
}

/// Something other than a user that holds an address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct AddressHolder {
    /// Its object id.
    pub id: ObjectId,
    /// Group or contact.
    pub kind: HolderKind,
}

/// What kind of object holds an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HolderKind {
    /// A group of any kind.
    Group,
    /// An organisational contact.
    Contact,
}
