//! `hardmatch.toml` as types: every value present, defaults filled in, nothing left to check. No TOML, no CEL.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::group::GroupKind;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::policy::{
    Actions, FlowManager, FlowWhen, Guard, Lifecycle, OnConflict, SoftDeleted, SoftRule, WhenEmpty,
};
use hardmatch_domain::write_back::WriteBackRule;
use jiff::Timestamp;

use crate::days::DayRule;
use crate::expression::Compiled;
use crate::places::{SecretRef, TokenRef};
use crate::schedule::Schedule;
use crate::sources::{Location, SourceSettings};

/// The version of the file's form that this version reads.
pub const SCHEMA: i64 = 1;

/// One connection's file, read and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// `schema`: always [`SCHEMA`].
    pub schema: i64,
    /// `connection`: its name, unique in the installation.
    pub connection: ConnectionId,
    /// `[tenant]`: the Microsoft 365 tenant that is written to.
    pub tenant: TenantSettings,
    /// `[source]`: the directory that is read.
    pub source: SourceSettings,
    /// `[scope] include`: who is ours to manage; `None` means everybody in the source.
    pub scope: Option<Arc<Compiled>>,
    /// `[anchor]`: where immutable IDs come from.
    pub anchor: AnchorSettings,
    /// `[write_back]`: what the directory is given where it has no value, by the attribute's name.
    pub write_back: Vec<WriteBackRule>,
    /// `[match]`: how people are joined to accounts they already have.
    pub matching: Matching,
    /// `[attributes]`: what differs from the default flow, in attribute order.
    pub attributes: BTreeMap<Attr, Override>,
    /// `attributes.manager`.
    pub manager: FlowManager,
    /// `[lifecycle]`: what happens to leavers.
    pub lifecycle: Lifecycle,
    /// `lifecycle.starts`: when the first day begins.
    pub starts: Option<Arc<DayRule>>,
    /// `lifecycle.ends`: when the last day is over.
    pub ends: Option<Arc<DayRule>>,
    /// `[actions]`: what is done, what waits for approval, what is only reported.
    pub actions: Actions,
    /// `[guard]`: limits on removals.
    pub guard: Guard,
    /// `[[license]]`: who is given which licence, in order.
    pub licenses: Vec<LicenseTable>,
    /// `[[group]]`: who is a member of which group.
    pub groups: Vec<GroupTable>,
    /// `[schedule]`: when the connection is synced by itself; `None`: as the stack or the machine has it.
    pub schedule: Option<Schedule>,
    /// `[state] path`: the file that holds state when hardmatch runs by itself. On AWS the table takes its place.
    pub state_path: PathBuf,
    /// `[passwords]`: where initial passwords go.
    pub passwords: Passwords,
}

/// `[tenant]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantSettings {
    /// Directory id (lower case) or one of the tenant's domain names (lower case), as the token endpoint takes it.
    pub id: String,
    /// Where it is.
    pub cloud: Cloud,
    /// How we sign in. Only a simulated tenant needs none.
    pub auth: Option<Auth>,
    /// After how many days all users are read, and not only what changed.
    pub full_listing_days: u32,
}

/// `tenant.cloud`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cloud {
    /// Worldwide, GCC included.
    Global,
    /// US Government L4 (GCC High).
    UsGov,
    /// US Government L5 (DoD).
    UsGovDod,
    /// Operated by 21Vianet.
    China,
    /// Anywhere else: a proxy, an emulator.
    Custom(Endpoints),
    /// A simulated tenant, started with this run.
    Simulated {
        /// What it starts with; `None` starts it empty.
        seed: Option<PathBuf>,
    },
}

impl Cloud {
    /// The address in the Entra admin center that a user's object id is put behind; `None` for clouds that have no such
    /// place. <https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>
    pub fn portal(&self) -> Option<&'static str> {
        match self {
            Cloud::Global => Some(
                "https://entra.microsoft.com/#view/Microsoft_AAD_UsersAndTenants/UserProfileMenuBlade/~/overview/userId/",
            ),
            Cloud::UsGov | Cloud::UsGovDod => Some(
                "https://entra.microsoft.us/#view/Microsoft_AAD_UsersAndTenants/UserProfileMenuBlade/~/overview/userId/",
            ),
            Cloud::China => Some(
                "https://entra.microsoftonline.cn/#view/Microsoft_AAD_UsersAndTenants/UserProfileMenuBlade/~/overview/userId/",
            ),
            Cloud::Custom(_) | Cloud::Simulated { .. } => None,
        }
    }

    /// The login authority and the Graph root; `None` for a simulated tenant, whose address is known once it runs.
    /// <https://learn.microsoft.com/graph/deployments>
    pub fn endpoints(&self) -> Option<Endpoints> {
        let fixed = |login: &str, graph: &str| Some(Endpoints { login: login.to_owned(), graph: graph.to_owned() });
        match self {
            Cloud::Global => fixed("https://login.microsoftonline.com", "https://graph.microsoft.com"),
            Cloud::UsGov => fixed("https://login.microsoftonline.us", "https://graph.microsoft.us"),
            Cloud::UsGovDod => fixed("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
            Cloud::China => {
                fixed("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn")
            }
            Cloud::Custom(endpoints) => Some(endpoints.clone()),
            Cloud::Simulated { .. } => None,
        }
    }

    /// The audience of another provider's token, unless the file says otherwise.
    /// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations>
    pub fn token_exchange_audience(&self) -> &'static str {
        match self {
            Cloud::UsGov | Cloud::UsGovDod => "api://AzureADTokenExchangeUSGov",
            Cloud::China => "api://AzureADTokenExchangeChina",
            Cloud::Global | Cloud::Custom(_) | Cloud::Simulated { .. } => "api://AzureADTokenExchange",
        }
    }
}

/// The two hosts of a cloud, as URLs without a trailing slash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoints {
    /// The login authority; `/{tenant}/oauth2/v2.0/token` follows.
    pub login: String,
    /// The Graph root; `/v1.0/…` follows.
    pub graph: String,
}

/// `[tenant.auth]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Auth {
    /// The application (client) id, lower case.
    pub client_id: String,
    /// How the application proves itself.
    pub method: Method,
}

/// `tenant.auth.method`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Method {
    /// A client secret.
    Secret(ClientSecret),
    /// A certificate whose key signs an assertion for each token request.
    Certificate(ClientCertificate),
    /// No secret: another identity provider vouches for us.
    Federated {
        /// The audience that the app registration's federated credential names.
        audience: String,
        /// Where the provider's token comes from on a machine of one's own; `None`: the platform's own identity.
        token: Option<TokenRef>,
    },
    /// An administrator signs in; we act with the permissions that were delegated to us.
    Delegated {
        /// What the application proves beside the administrator's sign-in.
        client: ClientProof,
        /// Where the browser comes back to, letter by letter as it is registered; `None`: the stack knows.
        redirect: Option<String>,
    },
}

/// A client secret: where it is kept, and when it ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientSecret {
    /// Where it is kept.
    pub place: SecretRef,
    /// `secret_expires`: the first moment (UTC) of the day it ends, as noted when it was made. The identity platform tells
    /// nobody.
    pub expires: Option<Timestamp>,
}

/// A certificate with its private key, as PEM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientCertificate {
    /// Where the certificate is kept, and the key unless `key` says otherwise.
    pub certificate: SecretRef,
    /// Where the key is kept apart.
    pub key: Option<SecretRef>,
}

/// What an application proves beside an administrator's sign-in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientProof {
    /// A client secret.
    Secret(ClientSecret),
    /// A certificate.
    Certificate(ClientCertificate),
    /// Nothing: registered as a public client.
    Public,
}

/// `[anchor]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnchorSettings {
    /// Source attributes, in order. One element means exactly that one.
    pub from: Vec<String>,
    /// When the tenant's and the source's IDs differ.
    pub on_conflict: OnConflict,
}

/// `[match]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matching {
    /// Soft match rules, in order; none switches soft match off.
    pub soft: Vec<SoftRule>,
    /// Independent attributes that can prove identity.
    pub prove: Vec<Attr>,
    /// What to do with a soft-deleted account of the person.
    pub soft_deleted: SoftDeleted,
    /// Synced duplicates have been taken out of Entra Connect's scope and may be deleted.
    pub merge_synced: bool,
}

/// One entry of `[attributes]`.
#[derive(Clone, Debug)]
pub struct Override {
    /// The expression; `None` keeps the source's attribute of the same name.
    pub from: Option<Arc<Compiled>>,
    /// When it is written.
    pub flow: FlowWhen,
    /// What an empty value means.
    pub when_empty: WhenEmpty,
}

/// One `[[license]]`.
#[derive(Clone, Debug)]
pub struct LicenseTable {
    /// Part number or id of the licence.
    pub sku: String,
    /// `disabled_plans`: names or ids of service plans that stay off.
    pub without: Vec<String>,
    /// Who has it.
    pub when: Arc<Compiled>,
}

/// One `[[group]]`.
#[derive(Clone, Debug)]
pub struct GroupTable {
    /// Display name.
    pub name: String,
    /// Which kind.
    pub kind: GroupKind,
    /// Who is a member.
    pub when: Arc<Compiled>,
}

impl LicenseTable {
    /// Whether both are about one licence, as far as the file shows: a part number and an id may mean the same.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        self.sku.eq_ignore_ascii_case(&other.sku)
    }
}

impl GroupTable {
    /// Whether both are about one group: upper and lower case do not count.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        self.name.to_lowercase() == other.name.to_lowercase()
    }
}

/// `[passwords] deliver_to`: where the random initial passwords of accounts in managed domains go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Passwords {
    /// Nowhere: an administrator resets the password, or the person uses self-service reset.
    Discard,
    /// Appended to a file that only its owner can read (mode 0600).
    File(PathBuf),
}

impl Config {
    /// The source attributes that expressions read (`person.source['costCentre']`) and that `[write_back]` fills, sorted, each
    /// once in the spelling first seen: a reader keeps these and no others. Anchors are kept in any case.
    pub fn source_attributes(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let read = self.expressions().flat_map(Compiled::source_attributes);
        let is_anchor = |name: &str| self.anchor.from.iter().any(|from| from.eq_ignore_ascii_case(name));
        let filled = self.write_back.iter().map(|rule| &*rule.attribute).filter(|name| !is_anchor(name));
        for name in read.chain(filled) {
            if !names.iter().any(|have| have.eq_ignore_ascii_case(name)) {
                names.push(name.to_owned());
            }
        }
        if let Location::Several(several) = &self.source.location {
            for name in several.joined_by() {
                if !names.iter().any(|have| have.eq_ignore_ascii_case(name)) {
                    names.push(name.to_owned());
                }
            }
        }
        names.sort();
        names
    }

    /// The sources of the connection with their names, in their order; a single source has no name.
    pub fn sources(&self) -> Vec<(Option<&str>, &SourceSettings)> {
        match &self.source.location {
            Location::Several(several) => {
                several.parts.iter().map(|part| (Some(part.name.as_str()), &part.settings)).collect()
            }
            _ => vec![(None, &self.source)],
        }
    }

    /// GUIDs that expressions which read groups name, as they are written there: those of groups.
    pub fn group_ids(&self) -> Vec<Box<str>> {
        let mut ids: Vec<Box<str>> = Vec::new();
        for compiled in self.expressions().filter(|compiled| compiled.reads_groups()) {
            for id in guids_in(compiled.written()) {
                if !ids.iter().any(|have| **have == *id) {
                    ids.push(id.into());
                }
            }
        }
        ids
    }

    /// Whether an expression reads the groups of a person.
    pub fn reads_groups(&self) -> bool {
        self.expressions().any(Compiled::reads_groups)
    }

    fn expressions(&self) -> impl Iterator<Item = &Compiled> {
        let flows = self.attributes.values().filter_map(|mapping| mapping.from.as_ref());
        let licenses = self.licenses.iter().map(|rule| &rule.when);
        let groups = self.groups.iter().map(|rule| &rule.when);
        let days = self.starts.iter().chain(&self.ends).map(|day| day.expression());
        self.scope.iter().chain(flows).chain(licenses).chain(groups).chain(days).map(|compiled| &**compiled)
    }
}

/// The GUIDs in a text, in their usual form.
fn guids_in(text: &str) -> impl Iterator<Item = &str> {
    const LENGTH: usize = 36;
    let inner = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    text.split(move |c: char| !c.is_ascii() || !inner(c as u8))
        .filter(|part| part.len() == LENGTH && hardmatch_domain::ids::Guid::parse(part).is_some())
}
