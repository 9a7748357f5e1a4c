//! The properties of users, groups and contacts: type, limit, who may write them.
//! After <https://learn.microsoft.com/graph/api/resources/user> and the v1.0 schema.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::extensions;

/// The kinds of directory object the simulation keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    User,
    Group,
    Contact,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::User, Self::Group, Self::Contact];

    /// The name in error texts.
    pub(crate) fn resource(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
            Self::Contact => "Contact",
        }
    }

    pub(crate) fn set(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Group => "groups",
            Self::Contact => "contacts",
        }
    }

    pub(crate) fn odata(self) -> &'static str {
        match self {
            Self::User => "#microsoft.graph.user",
            Self::Group => "#microsoft.graph.group",
            Self::Contact => "#microsoft.graph.orgContact",
        }
    }

    pub(crate) fn props(self) -> &'static [Prop] {
        match self {
            Self::User => USER,
            Self::Group => GROUP,
            Self::Contact => CONTACT,
        }
    }

    pub(crate) fn find(self, name: &str) -> Option<u8> {
        static TABLES: OnceLock<[HashMap<&'static str, u8>; 3]> = OnceLock::new();
        let tables = TABLES.get_or_init(|| {
            let named = |kind: Self| (0u8..).zip(kind.props()).filter(|(_, p)| p.shape != Shape::Directory);
            Self::ALL.map(|kind| named(kind).map(|(i, p)| (p.name, i)).collect::<HashMap<_, _>>())
        });
        let known = tables[self as usize].get(name).copied();
        known.or_else(|| if self == Self::User { Some(at::DIRECTORY + extensions::find(name)?) } else { None })
    }

    /// The name of a property.
    pub(crate) fn name_of(self, prop: u8) -> &'static str {
        let about = &self.props()[usize::from(prop)];
        match about.shape {
            Shape::Directory => registered(prop).map_or(about.name, |known| known.name.as_str()),
            _ => about.name,
        }
    }

    /// The properties returned when nothing is selected.
    pub(crate) fn defaults(self) -> u128 {
        (0u32..).zip(self.props()).filter(|(_, p)| p.default).fold(0, |mask, (i, _)| mask | (1 << i))
    }
}

/// The directory extension that is registered for a property.
pub(crate) fn registered(prop: u8) -> Option<&'static extensions::SeedExtension> {
    extensions::registered(prop.checked_sub(at::DIRECTORY)?)
}

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Text of at most so many characters; 0 is no documented limit.
    Text(usize),
    Bool,
    /// At most so many texts of at most so many characters.
    Texts(usize, usize),
    Date,
    /// `employeeOrgData`.
    OrgData,
    /// `onPremisesExtensionAttributes`.
    Extensions,
    /// A directory extension: the place of one that may be registered.
    Directory,
    Password,
    /// Read-only structure, kept as the seed gave it.
    Opaque,
    /// A relationship that can be selected in delta.
    Relation,
}

/// Who may write a property, app-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Write,
    /// Changing it is a sensitive action (<https://learn.microsoft.com/graph/api/resources/users>).
    Sensitive,
    Read,
    /// Read-only in v1.0; beta can set and clear it on cloud-only users
    /// (<https://learn.microsoft.com/entra/identity/hybrid/connect/tshoot-clear-on-premises-attributes>).
    BetaWrite,
    /// Beta only, for reading as well.
    BetaOnly,
    /// Kept outside the directory: 501 on the collection.
    Foreign,
    /// Application permissions cannot write it (<https://learn.microsoft.com/graph/api/user-update>).
    NotAppOnly,
}

/// One property.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prop {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) access: Access,
    pub(crate) default: bool,
}

const fn p(name: &'static str, shape: Shape, access: Access) -> Prop {
    Prop { name, shape, access, default: false }
}

/// In the default set.
const fn d(name: &'static str, shape: Shape, access: Access) -> Prop {
    Prop { name, shape, access, default: true }
}

use Access::{BetaOnly, BetaWrite, Foreign, NotAppOnly, Read, Sensitive, Write};
use Shape::{Bool, Date, Directory, Extensions, Opaque, OrgData, Password, Relation, Text, Texts};

/// Positions that the rules name.
pub(crate) mod at {
    pub(crate) const ID: u8 = 0;
    pub(crate) const UPN: u8 = 1;
    pub(crate) const DISPLAY_NAME: u8 = 2;
    pub(crate) const MAIL: u8 = 3;
    pub(crate) const PROXY_ADDRESSES: u8 = 4;
    pub(crate) const MAIL_NICKNAME: u8 = 5;
    pub(crate) const SYNC_ENABLED: u8 = 6;
    pub(crate) const DELETED: u8 = 7;
    pub(crate) const CREATED: u8 = 8;
    // Users only from here on.
    pub(crate) const IMMUTABLE_ID: u8 = 9;
    pub(crate) const ACCOUNT_ENABLED: u8 = 10;
    pub(crate) const USAGE_LOCATION: u8 = 11;
    pub(crate) const PASSWORD_PROFILE: u8 = 12;
    pub(crate) const EMPLOYEE_ID: u8 = 13;
    pub(crate) const USER_TYPE: u8 = 14;
    pub(crate) const ASSIGNED_LICENSES: u8 = 15;
    pub(crate) const LICENSE_STATES: u8 = 16;
    pub(crate) const MANAGER: u8 = 17;
    pub(crate) const EXTENSIONS: u8 = 18;
    pub(crate) const SESSIONS_VALID_FROM: u8 = 19;
    pub(crate) const SID: u8 = 20;
    pub(crate) const ASSIGNED_PLANS: u8 = 21;
    pub(crate) const MOBILE_PHONE: u8 = 22;
    pub(crate) const BUSINESS_PHONES: u8 = 23;
    pub(crate) const OTHER_MAILS: u8 = 24;
    pub(crate) const IDENTITIES: u8 = 25;
    pub(crate) const LEAVE_DATE: u8 = 26;
    pub(crate) const PASSWORD_POLICIES: u8 = 27;
    /// The first directory extension.
    pub(crate) const DIRECTORY: u8 = 80;
    // Groups only.
    pub(crate) const GROUP_TYPES: u8 = 9;
    pub(crate) const MAIL_ENABLED: u8 = 10;
    pub(crate) const SECURITY_ENABLED: u8 = 11;
    pub(crate) const ROLE_ASSIGNABLE: u8 = 12;
    pub(crate) const MEMBERS: u8 = 13;
    pub(crate) const OWNERS: u8 = 14;
    pub(crate) const UNIQUE_NAME: u8 = 15;
}

const OF_EVERY_USER: &[Prop] = &[
    d("id", Text(0), Read),
    d("userPrincipalName", Text(113), Sensitive),
    d("displayName", Text(256), Write),
    d("mail", Text(0), Write),
    p("proxyAddresses", Texts(0, 0), Read),
    p("mailNickname", Text(64), Write),
    p("onPremisesSyncEnabled", Bool, Read),
    p("deletedDateTime", Date, Read),
    p("createdDateTime", Date, Read),
    p("onPremisesImmutableId", Text(0), Sensitive),
    p("accountEnabled", Bool, Sensitive),
    p("usageLocation", Text(2), Write),
    p("passwordProfile", Password, Sensitive),
    p("employeeId", Text(16), Write),
    p("userType", Text(0), Write),
    p("assignedLicenses", Opaque, Read),
    p("licenseAssignmentStates", Opaque, Read),
    p("manager", Relation, Read),
    p("onPremisesExtensionAttributes", Extensions, Write),
    p("signInSessionsValidFromDateTime", Date, Read),
    p("onPremisesSecurityIdentifier", Text(0), BetaWrite),
    p("assignedPlans", Opaque, Read),
    d("mobilePhone", Text(64), Sensitive),
    d("businessPhones", Texts(1, 64), Sensitive),
    p("otherMails", Texts(250, 250), Sensitive),
    p("identities", Opaque, Write),
    p("employeeLeaveDateTime", Date, Write),
    p("passwordPolicies", Text(0), Write),
    d("givenName", Text(64), Write),
    d("surname", Text(64), Write),
    d("jobTitle", Text(128), Write),
    d("officeLocation", Text(128), Write),
    d("preferredLanguage", Text(0), Write),
    p("department", Text(64), Write),
    p("companyName", Text(64), Write),
    p("employeeType", Text(0), Write),
    p("employeeHireDate", Date, NotAppOnly),
    p("employeeOrgData", OrgData, Write),
    p("city", Text(128), Write),
    p("state", Text(128), Write),
    p("country", Text(128), Write),
    p("postalCode", Text(40), Write),
    p("streetAddress", Text(1024), Write),
    p("faxNumber", Text(0), Write),
    p("imAddresses", Texts(0, 0), Read),
    p("showInAddressList", Bool, Write),
    p("ageGroup", Text(0), Write),
    p("consentProvidedForMinor", Text(0), Write),
    p("legalAgeGroupClassification", Text(0), Read),
    p("onPremisesLastSyncDateTime", Date, Read),
    p("onPremisesProvisioningErrors", Opaque, Read),
    p("onPremisesDistinguishedName", Text(0), BetaWrite),
    p("onPremisesDomainName", Text(0), BetaWrite),
    p("onPremisesSamAccountName", Text(0), BetaWrite),
    p("onPremisesUserPrincipalName", Text(0), BetaWrite),
    p("onPremisesObjectIdentifier", Text(0), BetaOnly),
    p("provisionedPlans", Opaque, Read),
    p("creationType", Text(0), Read),
    p("externalUserState", Text(0), Read),
    p("externalUserStateChangeDateTime", Date, Read),
    p("securityIdentifier", Text(0), Read),
    p("lastPasswordChangeDateTime", Date, Read),
    p("serviceProvisioningErrors", Opaque, Read),
    p("isResourceAccount", Bool, Read),
    p("isManagementRestricted", Bool, Read),
    p("aboutMe", Text(0), Foreign),
    p("birthday", Date, Foreign),
    p("hireDate", Date, Foreign),
    p("interests", Opaque, Foreign),
    p("mySite", Text(0), Foreign),
    p("pastProjects", Opaque, Foreign),
    p("preferredName", Text(0), Foreign),
    p("responsibilities", Opaque, Foreign),
    p("schools", Opaque, Foreign),
    p("skills", Opaque, Foreign),
    p("mailboxSettings", Opaque, Foreign),
    p("signInActivity", Opaque, Foreign),
    p("print", Opaque, Foreign),
    p("deviceEnrollmentLimit", Opaque, Foreign),
    p("cloudLicensing", Opaque, Foreign),
];

/// Behind the properties that every user has, a place for each directory extension that may be registered.
const USER: &[Prop] = &{
    let mut all = [p("", Directory, Write); OF_EVERY_USER.len() + extensions::MOST as usize];
    let (own, _) = all.split_at_mut(OF_EVERY_USER.len());
    own.copy_from_slice(OF_EVERY_USER);
    all
};

const _: () = assert!(OF_EVERY_USER.len() == at::DIRECTORY as usize && USER.len() < 128);

static GROUP: &[Prop] = &[
    d("id", Text(0), Read),
    p("userPrincipalName", Text(0), Read),
    d("displayName", Text(256), Write),
    d("mail", Text(0), Read),
    d("proxyAddresses", Texts(0, 0), Read),
    d("mailNickname", Text(64), Write),
    d("onPremisesSyncEnabled", Bool, Read),
    d("deletedDateTime", Date, Read),
    d("createdDateTime", Date, Read),
    d("groupTypes", Texts(0, 0), Write),
    d("mailEnabled", Bool, Write),
    d("securityEnabled", Bool, Write),
    d("isAssignableToRole", Bool, Write),
    p("members", Relation, Read),
    p("owners", Relation, Read),
    p("uniqueName", Text(128), Write),
    d("description", Text(1024), Write),
    d("visibility", Text(0), Write),
    d("membershipRule", Text(0), Write),
    d("membershipRuleProcessingState", Text(0), Write),
    p("assignedLicenses", Opaque, Read),
    p("onPremisesLastSyncDateTime", Date, Read),
    p("onPremisesProvisioningErrors", Opaque, Read),
    p("onPremisesSecurityIdentifier", Text(0), Read),
    p("securityIdentifier", Text(0), Read),
    p("renewedDateTime", Date, Read),
];

static CONTACT: &[Prop] = &[
    d("id", Text(0), Read),
    p("userPrincipalName", Text(0), Read),
    d("displayName", Text(0), Read),
    d("mail", Text(0), Read),
    d("proxyAddresses", Texts(0, 0), Read),
    d("mailNickname", Text(0), Read),
    d("onPremisesSyncEnabled", Bool, Read),
    d("deletedDateTime", Date, Read),
    p("createdDateTime", Date, Read),
    d("givenName", Text(0), Read),
    d("surname", Text(0), Read),
    d("jobTitle", Text(0), Read),
    d("department", Text(0), Read),
    d("companyName", Text(0), Read),
    d("phones", Opaque, Read),
    d("addresses", Opaque, Read),
    d("onPremisesLastSyncDateTime", Date, Read),
    d("onPremisesProvisioningErrors", Opaque, Read),
];

/// Properties of a user by name, and whether an application may write them in v1.0 of the API.
pub fn user_properties() -> impl Iterator<Item = (&'static str, bool)> {
    OF_EVERY_USER.iter().map(|prop| (prop.name, matches!(prop.access, Access::Write | Access::Sensitive)))
}
