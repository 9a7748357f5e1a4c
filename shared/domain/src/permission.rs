//! Which permissions of Microsoft Graph the features of a policy need, why, and what was granted of them. The one place
//! that knows; whoever asks for consent and whoever checks it read it here.
//! <https://learn.microsoft.com/graph/permissions-reference>

use std::collections::BTreeSet;

/// A part of what hardmatch does that needs permissions of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Feature {
    /// Reading the tenant: nothing can be decided without.
    Read,
    /// Creating accounts and writing them.
    Write,
    /// Deleting accounts and bringing them back.
    DeleteRestore,
    /// Deleting for good.
    Purge,
    /// Signing leavers out.
    RevokeSessions,
}

impl Feature {
    /// Everything that there is.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::DeleteRestore, Self::Purge, Self::RevokeSessions];

    /// Its name on a page.
    pub fn title(self) -> &'static str {
        match self {
            Self::Read => "Reading the tenant",
            Self::Write => "Writing accounts",
            Self::DeleteRestore => "Deleting and restoring accounts",
            Self::Purge => "Purging accounts",
            Self::RevokeSessions => "Signing leavers out",
        }
    }

    fn needs(self) -> &'static [Need] {
        match self {
            Self::Read => &READ,
            Self::Write => &WRITE,
            Self::DeleteRestore => &DELETE_RESTORE,
            Self::Purge => &PURGE,
            Self::RevokeSessions => &REVOKE_SESSIONS,
        }
    }
}

/// A permission and what hangs on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Need {
    /// Who needs it.
    pub feature: Feature,
    /// The least that does.
    pub least: &'static str,
    /// What does as well.
    pub also: &'static [&'static str],
    /// What we do with it.
    pub purpose: &'static str,
    /// What happens without it.
    pub without: &'static str,
    /// Whether it can be done without.
    pub grade: Grade,
}

/// Whether work can go on without a permission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grade {
    /// No run without it.
    Required,
    /// The run goes on, and holds or misses something.
    Optional,
}

const READ: [Need; 7] = [
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
        without: "nobody is taken for unprivileged: takeovers, renames, phone numbers, blocking and deleting are held",
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
        also: &[
            "LicenseAssignment.ReadWrite.All",
            "Organization.Read.All",
            "Organization.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
        purpose: "counting seats of licences when the set-up is checked",
        without: "seats are not counted",
        grade: Grade::Optional,
    },
];

const WRITE: [Need; 1] = [Need {
    feature: Feature::Write,
    least: "User.ReadWrite.All",
    also: &[],
    purpose: "creating accounts, writing attributes and immutable IDs, blocking and allowing sign-in",
    without: "every write is refused; plans work",
    grade: Grade::Required,
}];

const DELETE_RESTORE: [Need; 1] = [Need {
    feature: Feature::DeleteRestore,
    least: "User.DeleteRestore.All",
    also: &["User.ReadWrite.All"],
    purpose: "deleting and restoring accounts",
    without: "deletions and restorations are refused",
    grade: Grade::Required,
}];

const PURGE: [Need; 1] = [Need {
    feature: Feature::Purge,
    least: "User.DeleteRestore.All",
    also: &[],
    purpose: "purging accounts from the recycle bin",
    without: "purges are refused",
    grade: Grade::Optional,
}];

const REVOKE_SESSIONS: [Need; 1] = [Need {
    feature: Feature::RevokeSessions,
    least: "User.RevokeSessions.All",
    also: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
    purpose: "signing leavers out everywhere (lifecycle.revoke_sessions)",
    without: "leavers stay signed in until their tokens end",
    grade: Grade::Required,
}];

/// Granted, never needed, and dangerous in wrong hands: an application that holds one can raise its own rights or
/// write far beyond people.
const TOO_MUCH: [&str; 5] = [
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "Directory.ReadWrite.All",
    "RoleManagement.ReadWrite.Directory",
    "UserAuthenticationMethod.ReadWrite.All",
];

/// What a signed-in administrator's token carries besides: they open nothing of the tenant's.
/// <https://learn.microsoft.com/entra/identity-platform/scopes-oidc>
const SIGN_IN: [&str; 5] = ["email", "offline_access", "openid", "profile", "User.Read"];

/// What features need, least privilege, in the order of the features.
pub fn needs(features: &BTreeSet<Feature>) -> Vec<Need> {
    features.iter().flat_map(|feature| feature.needs()).copied().collect()
}

/// The permissions to ask for: the least of each need, once.
pub fn least(needs: &[Need]) -> BTreeSet<String> {
    needs.iter().map(|need| need.least.to_owned()).collect()
}

/// Granted against needed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Judged {
    /// What is there, and by which granted permission.
    pub covered: Vec<(Need, &'static str)>,
    /// What is not.
    pub missing: Vec<Need>,
    /// Granted and dangerous, though it may cover a need: less would do.
    pub too_much: Vec<&'static str>,
    /// Granted and used for nothing.
    pub unused: Vec<String>,
}

impl Judged {
    /// Whether nothing is missing that no run can do without.
    pub fn is_enough(&self) -> bool {
        self.missing.iter().all(|need| need.grade == Grade::Optional)
    }
}

/// Compares what was granted with what is needed.
pub fn judge(needs: &[Need], granted: &BTreeSet<String>) -> Judged {
    let mut judged = Judged::default();
    for need in needs {
        match std::iter::once(&need.least).chain(need.also).find(|name| granted.contains(**name)) {
            Some(by) => judged.covered.push((*need, by)),
            None => judged.missing.push(*need),
        }
    }
    judged.too_much = TOO_MUCH.into_iter().filter(|name| granted.contains(*name)).collect();
    judged.unused = granted
        .iter()
        .filter(|name| !SIGN_IN.contains(&name.as_str()) && !TOO_MUCH.contains(&name.as_str()))
        .filter(|name| !judged.covered.iter().any(|(_, by)| by == name))
        .cloned()
        .collect();
    judged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(features: &[Feature], granted: &[&str]) -> Judged {
        let granted = granted.iter().map(|name| (*name).to_owned()).collect();
        judge(&needs(&features.iter().copied().collect()), &granted)
    }

    fn names(needs: &[Need]) -> Vec<&str> {
        needs.iter().map(|need| need.least).collect()
    }

    #[test]
    fn o14_permissions_asked_for_are_the_union_of_the_features() {
        let features = [Feature::Read, Feature::DeleteRestore, Feature::Purge].into();
        let least = least(&needs(&features));
        assert_eq!(least.len(), 8, "{least:?}");
        assert!(least.contains("User.DeleteRestore.All"));
        assert!(!least.contains("User.ReadWrite.All"), "nobody asked for writing");
    }

    #[test]
    fn these_are_granted_at_a_first_set_up() {
        let asked = least(&needs(&[Feature::Read, Feature::Write].into()));
        let expected = [
            "Domain.Read.All",
            "GroupMember.Read.All",
            "LicenseAssignment.Read.All",
            "OrgContact.Read.All",
            "Organization.Read.All",
            "RoleManagement.Read.Directory",
            "User.Read.All",
            "User.ReadWrite.All",
        ];
        assert!(asked.iter().eq(expected.iter()), "{asked:?}");
    }

    #[test]
    fn every_need_says_whose_it_is() {
        for feature in Feature::ALL {
            assert!(feature.needs().iter().all(|need| need.feature == feature && !need.also.contains(&need.least)));
        }
    }

    #[test]
    fn a_broader_permission_covers_and_the_least_is_preferred() {
        let covered = |granted: &[&str]| judged(&[Feature::RevokeSessions], granted).covered[0].1;
        assert_eq!(covered(&["User.ReadWrite.All"]), "User.ReadWrite.All");
        assert_eq!(covered(&["User.ReadWrite.All", "User.RevokeSessions.All"]), "User.RevokeSessions.All");
    }

    #[test]
    fn what_is_missing_is_told_apart_by_grade() {
        let reads = judged(&[Feature::Read], &["User.Read.All", "Domain.Read.All"]);
        assert!(reads.is_enough(), "{:?}", names(&reads.missing));
        assert_eq!(reads.missing.len(), 5);
        assert!(!judged(&[Feature::Write], &["User.Read.All"]).is_enough());
    }

    #[test]
    fn what_nobody_uses_and_what_is_dangerous_are_told() {
        let found = judged(
            &[Feature::Write],
            &["User.ReadWrite.All", "Mail.Read", "openid", "User.Read", "Application.ReadWrite.All"],
        );
        assert_eq!(found.unused, ["Mail.Read"]);
        assert_eq!(found.too_much, ["Application.ReadWrite.All"]);
    }
}
