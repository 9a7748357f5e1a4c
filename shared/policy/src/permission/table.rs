//! What each feature needs, permission by permission.

use super::{CREATES_GROUPS, Feature, Grade, Need};

pub(super) const READ: [Need; 7] = [
    Need {
        feature: Feature::Read,
        least: "User.Read.All",
        also: &["User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
        purpose: "reading accounts and the recycle bin",
        without: "nobody can be decided",
        grade: Grade::Required,
    },
    Need {
        feature: Feature::Read,
        least: "Domain.Read.All",
        also: &["Domain.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
        purpose: "knowing which domains are verified and which are federated",
        without: "nobody can be decided",
        grade: Grade::Required,
    },
    Need {
        feature: Feature::Read,
        least: "Organization.Read.All",
        also: &["Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
        purpose: "seeing whether Entra Connect synchronises the tenant",
        without: "the state of directory synchronisation stays unknown",
        grade: Grade::Optional,
    },
    Need {
        feature: Feature::Read,
        least: "RoleManagement.Read.Directory",
        also: &["RoleManagement.ReadWrite.Directory", "Directory.Read.All", "Directory.ReadWrite.All"],
        purpose: "knowing who holds directory roles",
        without: "nobody is taken for unprivileged: takeovers, restorations, renames, phone numbers, blocking and deleting are held",
        grade: Grade::Optional,
    },
    Need {
        feature: Feature::Read,
        least: "GroupMember.Read.All",
        also: &[
            "GroupMember.ReadWrite.All",
            "Group.Read.All",
            "Group.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
        purpose: "knowing the addresses that groups hold",
        without: "an address that a group holds shows only when the write is refused",
        grade: Grade::Optional,
    },
    Need {
        feature: Feature::Read,
        least: "OrgContact.Read.All",
        also: &["Directory.Read.All", "Directory.ReadWrite.All"],
        purpose: "knowing the addresses that contacts hold",
        without: "an address that a contact holds shows only when the write is refused",
        grade: Grade::Optional,
    },
    Need {
        feature: Feature::Read,
        least: "LicenseAssignment.Read.All",
        also: &READS_LICENSES,
        purpose: "counting seats of licences when the set-up is checked",
        without: "seats are not counted",
        grade: Grade::Optional,
    },
];

/// What reads the tenant's licences, but for the least that does.
const READS_LICENSES: [&str; 5] = [
    "LicenseAssignment.ReadWrite.All",
    "Organization.Read.All",
    "Organization.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];

pub(super) const WRITE: [Need; 1] = [Need {
    feature: Feature::Write,
    least: "User.ReadWrite.All",
    also: &[],
    purpose: "reading and creating accounts, writing attributes and immutable IDs, blocking and allowing sign-in",
    without: "every write is refused; plans work",
    grade: Grade::Required,
}];

/// Narrower than writing all of an account: it neither creates nor renames nor sets an ID or a manager.
/// <https://learn.microsoft.com/graph/api/user-update#permissions>
pub(super) const UPDATE: [Need; 1] = [Need {
    feature: Feature::Update,
    least: "User.ReadUpdate.All",
    also: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
    purpose: "writing attributes of accounts that are there",
    without: "every update is refused; plans work",
    grade: Grade::Required,
}];

/// <https://learn.microsoft.com/graph/api/user-update#permissions>
pub(super) const SIGN_IN: [Need; 1] = [Need {
    feature: Feature::SignIn,
    least: "User.EnableDisableAccount.All",
    also: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
    purpose: "blocking and allowing sign-in",
    without: "nobody's sign-in is blocked or allowed",
    grade: Grade::Required,
}];

pub(super) const DELETE_RESTORE: [Need; 1] = [Need {
    feature: Feature::DeleteRestore,
    least: "User.DeleteRestore.All",
    also: &["User.ReadWrite.All"],
    purpose: "deleting and restoring accounts",
    without: "deletions and restorations are refused",
    grade: Grade::Required,
}];

pub(super) const PURGE: [Need; 1] = [Need {
    feature: Feature::Purge,
    least: "User.DeleteRestore.All",
    also: &[],
    purpose: "purging accounts from the recycle bin",
    without: "purges are refused",
    grade: Grade::Optional,
}];

pub(super) const REVOKE_SESSIONS: [Need; 1] = [Need {
    feature: Feature::RevokeSessions,
    least: "User.RevokeSessions.All",
    also: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
    purpose: "signing leavers out everywhere (lifecycle.revoke_sessions)",
    without: "leavers stay signed in until their tokens end",
    grade: Grade::Required,
}];

/// <https://learn.microsoft.com/graph/api/user-assignlicense>
pub(super) const LICENSES: [Need; 2] = [
    Need {
        feature: Feature::Licenses,
        least: "LicenseAssignment.Read.All",
        also: &READS_LICENSES,
        purpose: "knowing which licences the tenant has and how many seats are free",
        without: "no licence rule is followed",
        grade: Grade::Required,
    },
    Need {
        feature: Feature::Licenses,
        least: "LicenseAssignment.ReadWrite.All",
        also: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
        purpose: "giving and taking licences by rule ([[license]])",
        without: "licences are neither given nor taken",
        grade: Grade::Required,
    },
];

/// <https://learn.microsoft.com/graph/api/group-post-members>,
/// <https://learn.microsoft.com/graph/api/group-post-groups>
pub(super) const GROUPS: [Need; 2] = [
    Need {
        feature: Feature::Groups,
        least: "GroupMember.ReadWrite.All",
        also: &["Group.ReadWrite.All", "Directory.ReadWrite.All"],
        purpose: "adding people to groups by rule and taking them out ([[group]])",
        without: "nobody joins or leaves a group",
        grade: Grade::Required,
    },
    Need {
        feature: Feature::Groups,
        least: CREATES_GROUPS,
        also: &["Group.ReadWrite.All", "Directory.ReadWrite.All"],
        purpose: "making a group that a rule names and that is not there yet",
        without: "such a group stays without members until somebody makes it",
        grade: Grade::Optional,
    },
];
