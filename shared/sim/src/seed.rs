//! What a tenant starts from. The format is described, with an example, in the crate's README.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::SimError;
use crate::extensions::SeedExtension;
use crate::faults::TenantFaults;
use crate::options::SimOptions;
use crate::registration::App;

/// A tenant in JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Seed {
    /// Id and name.
    pub tenant: SeedTenant,
    /// `GET /organization`.
    #[serde(default)]
    pub organization: SeedOrganization,
    /// At least the initial domain.
    pub domains: Vec<SeedDomain>,
    /// The applications that may ask for tokens.
    #[serde(default)]
    pub apps: Vec<App>,
    /// Subscriptions.
    #[serde(default)]
    pub skus: Vec<SeedSku>,
    /// Directory extensions that applications registered.
    #[serde(default)]
    pub extensions: Vec<SeedExtension>,
    /// Names of custom directory roles.
    #[serde(default)]
    pub custom_roles: Vec<String>,
    /// Users: Graph's property names, and `manager`, `roles`, `licenses`, `groupLicenses`, `exchangeMastered`,
    /// `wasSynced`, `restricted`, `password`.
    #[serde(default)]
    pub users: Vec<Map<String, Value>>,
    /// Groups: Graph's property names, and `members`, `owners`, `roles`.
    #[serde(default)]
    pub groups: Vec<Map<String, Value>>,
    /// Organizational contacts: Graph's property names.
    #[serde(default)]
    pub contacts: Vec<Map<String, Value>>,
    /// The switches.
    #[serde(default)]
    pub options: SimOptions,
    /// What goes wrong.
    #[serde(default)]
    pub faults: TenantFaults,
}

/// Identity of the tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SeedTenant {
    /// A GUID.
    pub id: String,
    /// Shown in `/organization`.
    #[serde(default = "contoso")]
    pub display_name: String,
}

fn contoso() -> String {
    "Contoso".to_owned()
}

/// Company-wide facts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct SeedOrganization {
    /// True: sync is on; false: it was; null: it never was.
    pub on_premises_sync_enabled: Option<bool>,
    /// When sync last ran.
    pub on_premises_last_sync_date_time: Option<String>,
    /// Two letters.
    pub country_letter_code: Option<String>,
    /// Two letters.
    pub default_usage_location: Option<String>,
    /// Sync is being turned off: every object that was synced still refuses
    /// (<https://learn.microsoft.com/powershell/module/microsoft.entra.directorymanagement/set-entradirsyncenabled>).
    pub dirsync_transition: bool,
}

/// How users of a domain sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DomainType {
    /// Passwords in the cloud.
    #[default]
    Managed,
    /// Another identity provider.
    Federated,
}

/// A domain of the tenant.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not a mode")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SeedDomain {
    /// `contoso.com`.
    pub name: String,
    /// Managed or federated.
    #[serde(default, rename = "type")]
    pub kind: DomainType,
    /// Only a verified domain may stand in a UPN.
    #[serde(default = "yes")]
    pub verified: bool,
    /// The tenant's first domain, `….onmicrosoft.com`.
    #[serde(default)]
    pub initial: bool,
    /// The domain of new users in the admin centre.
    #[serde(default)]
    pub default: bool,
    /// Who federates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_uri: Option<String>,
    /// Sign-in address of the federation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passive_sign_in_uri: Option<String>,
    /// Federated, yet its configuration cannot be read (a half-created federation).
    #[serde(default)]
    pub half_federated: bool,
}

impl SeedDomain {
    /// A verified domain.
    pub fn new(name: &str, kind: DomainType) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            verified: true,
            initial: name.ends_with(".onmicrosoft.com"),
            default: false,
            issuer_uri: None,
            passive_sign_in_uri: None,
            half_federated: false,
        }
    }
}

fn yes() -> bool {
    true
}

/// A subscription.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SeedSku {
    /// A GUID.
    pub sku_id: String,
    /// `ENTERPRISEPACK`.
    pub sku_part_number: String,
    /// Seats.
    #[serde(default)]
    pub enabled: i64,
    /// Seats in their grace period.
    #[serde(default)]
    pub warning: i64,
    /// Seats taken by accounts the seed does not list.
    #[serde(default)]
    pub consumed: i64,
    /// `User` or `Company`.
    #[serde(default = "user")]
    pub applies_to: String,
    /// `Enabled`, `Warning`, `Suspended`, `Deleted`, `LockedOut`.
    #[serde(default = "enabled")]
    pub capability_status: String,
    /// Service plans.
    #[serde(default)]
    pub plans: Vec<Plan>,
}

fn user() -> String {
    "User".to_owned()
}

fn enabled() -> String {
    "Enabled".to_owned()
}

/// A service plan of a SKU.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Plan {
    /// A GUID.
    pub service_plan_id: String,
    /// A name beginning with `EXCHANGE_S` brings a mailbox.
    pub service_plan_name: String,
    /// Names of plans it cannot be together with.
    #[serde(default)]
    pub excludes: Vec<String>,
    /// Names of plans it needs.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// `User`, or `Company`: nobody's in particular, so it cannot be switched off for a person.
    #[serde(default = "user")]
    pub applies_to: String,
}

/// The client id of the app in [`Seed::contoso`].
pub const CONTOSO_CLIENT_ID: &str = "00000001-0000-4000-8000-00000000c11e";
/// Its secret.
pub const CONTOSO_SECRET: &str = "simulated-secret";
/// The tenant id of [`Seed::contoso`].
pub const CONTOSO_TENANT_ID: &str = "00000001-0000-4000-8000-0000000c0de0";

/// The permissions of the full-lifecycle tier.
pub const FULL_LIFECYCLE: &[&str] = &[
    "User.Read.All",
    "GroupMember.Read.All",
    "OrgContact.Read.All",
    "Organization.Read.All",
    "Domain.Read.All",
    "LicenseAssignment.Read.All",
    "RoleManagement.Read.Directory",
    "User.ReadWrite.All",
    "LicenseAssignment.ReadWrite.All",
    "GroupMember.ReadWrite.All",
    "User.DeleteRestore.All",
    "User.RevokeSessions.All",
    "Group.ReadWrite.All",
];

impl Seed {
    /// Reads a seed; the error names line and column.
    pub fn from_json(text: &str) -> Result<Self, SimError> {
        serde_json::from_str(text).map_err(|e| SimError::Seed(e.to_string()))
    }

    /// An empty tenant for tests: `contoso.com` (managed, default), `fed.contoso.com` (federated),
    /// `unverified.contoso.com`, `contoso.onmicrosoft.com` (initial), and one app with [`FULL_LIFECYCLE`].
    /// Quotas are as documented; nothing goes wrong.
    pub fn contoso() -> Self {
        let mut default = SeedDomain::new("contoso.com", DomainType::Managed);
        default.default = true;
        let mut federated = SeedDomain::new("fed.contoso.com", DomainType::Federated);
        federated.issuer_uri = Some("http://fs.contoso.com/adfs/services/trust".to_owned());
        federated.passive_sign_in_uri = Some("https://fs.contoso.com/adfs/ls/".to_owned());
        let mut unverified = SeedDomain::new("unverified.contoso.com", DomainType::Managed);
        unverified.verified = false;
        Self {
            tenant: SeedTenant { id: CONTOSO_TENANT_ID.to_owned(), display_name: contoso() },
            organization: SeedOrganization::default(),
            domains: vec![
                default,
                federated,
                unverified,
                SeedDomain::new("contoso.onmicrosoft.com", DomainType::Managed),
            ],
            apps: vec![App::new(CONTOSO_CLIENT_ID, CONTOSO_SECRET, FULL_LIFECYCLE)],
            skus: Vec::new(),
            extensions: Vec::new(),
            custom_roles: Vec::new(),
            users: Vec::new(),
            groups: Vec::new(),
            contacts: Vec::new(),
            options: SimOptions::default(),
            faults: TenantFaults::default(),
        }
    }

    /// Adds a user given as a JSON object; anything else is ignored.
    #[must_use]
    pub fn user(mut self, user: Value) -> Self {
        self.users.extend(object(user));
        self
    }

    /// Adds a group.
    #[must_use]
    pub fn group(mut self, group: Value) -> Self {
        self.groups.extend(object(group));
        self
    }

    /// Adds a contact.
    #[must_use]
    pub fn contact(mut self, contact: Value) -> Self {
        self.contacts.extend(object(contact));
        self
    }

    /// Changes the switches.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut SimOptions)) -> Self {
        change(&mut self.options);
        self
    }
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map),
        _ => None,
    }
}
