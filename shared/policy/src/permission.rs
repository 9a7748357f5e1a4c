//! Which permissions of Microsoft Graph the features of a policy need, why, and what was granted of them. The one place
//! that knows; the code that asks for consent and the code that checks it read it here.
//! <https://learn.microsoft.com/graph/permissions-reference>

mod table;

use std::collections::BTreeSet;

/// A part of what hardmatch does that needs permissions of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Feature {
    /// Reading the tenant: nothing can be decided without.
    Read,
    /// Creating accounts and writing them.
    Write,
    /// Writing attributes of accounts that are there, and nothing else of them.
    Update,
    /// Blocking and allowing sign-in.
    SignIn,
    /// Deleting accounts and bringing them back.
    DeleteRestore,
    /// Deleting for good.
    Purge,
    /// Signing leavers out.
    RevokeSessions,
    /// Giving and taking licences.
    Licenses,
    /// Adding people to groups and taking them out.
    Groups,
}

impl Feature {
    /// Everything that there is.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Write,
        Self::Update,
        Self::SignIn,
        Self::DeleteRestore,
        Self::Purge,
        Self::RevokeSessions,
        Self::Licenses,
        Self::Groups,
    ];

    /// Its name on a page.
    pub fn title(self) -> &'static str {
        match self {
            Self::Read => "Reading the tenant",
            Self::Write => "Creating and writing accounts",
            Self::Update => "Updating accounts",
            Self::SignIn => "Blocking and allowing sign-in",
            Self::DeleteRestore => "Deleting and restoring accounts",
            Self::Purge => "Purging accounts",
            Self::RevokeSessions => "Signing leavers out",
            Self::Licenses => "Giving licences",
            Self::Groups => "Filling groups",
        }
    }

    fn needs(self) -> &'static [Need] {
        match self {
            Self::Read => &table::READ,
            Self::Write => &table::WRITE,
            Self::Update => &table::UPDATE,
            Self::SignIn => &table::SIGN_IN,
            Self::DeleteRestore => &table::DELETE_RESTORE,
            Self::Purge => &table::PURGE,
            Self::RevokeSessions => &table::REVOKE_SESSIONS,
            Self::Licenses => &table::LICENSES,
            Self::Groups => &table::GROUPS,
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

/// Exists for applications only; somebody who signs in would need far more for the same.
const CREATES_GROUPS: &str = "Group.Create";

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
    let mut needs: Vec<Need> = features.iter().flat_map(|feature| feature.needs()).copied().collect();
    let required: Vec<Need> = needs.iter().filter(|need| need.grade == Grade::Required).copied().collect();
    // What one feature cannot do without is not said again as what another would like.
    needs.retain(|need| {
        need.grade == Grade::Required
            || !required.iter().any(|other| (other.least, other.also) == (need.least, need.also))
    });
    needs
}

/// The needs whose permissions are asked for: each permission once, and none whose right another of them carries. Who may
/// write accounts may read them; asking for both would grant one for nothing. A permission is required when anything that
/// it carries is.
pub fn asked(needs: &[Need]) -> Vec<Need> {
    let mut asked: Vec<Need> = Vec::with_capacity(needs.len());
    for need in needs {
        ask_for(&mut asked, needs, need);
    }
    asked
}

/// Enters the permission that a need is met by.
fn ask_for(asked: &mut Vec<Need>, needs: &[Need], need: &Need) {
    let name = covering(needs, need).unwrap_or(need.least);
    match asked.iter_mut().find(|other| other.least == name) {
        Some(other) if need.grade == Grade::Required => other.grade = Grade::Required,
        Some(_) => {}
        None => {
            let by = needs.iter().find(|other| other.least == name).unwrap_or(need);
            asked.push(Need { grade: need.grade, ..*by });
        }
    }
}

/// The permission that is asked for anyhow and that carries a need's right.
pub fn covering(needs: &[Need], need: &Need) -> Option<&'static str> {
    // What is not asked for itself, because another permission carries it, carries nothing.
    let carries = |other: &&Need| need.also.contains(&other.least) && covering(needs, other).is_none();
    needs.iter().find(carries).map(|other| other.least)
}

/// The permissions to ask for when an administrator signs in. A permission that only applications can have would make
/// the whole sign-in fail; what it is needed for is then granted by hand or missed.
pub fn least(needs: &[Need]) -> BTreeSet<String> {
    asked(needs).iter().filter(|need| need.least != CREATES_GROUPS).map(|need| need.least.to_owned()).collect()
}

/// Granted against needed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Judged {
    /// What is there, and by which granted permission.
    pub covered: Vec<(Need, &'static str)>,
    /// What is not, by the permission that is asked for.
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
        if let Some(by) = std::iter::once(&need.least).chain(need.also).find(|name| granted.contains(**name)) {
            judged.covered.push((*need, by));
            continue;
        }
        ask_for(&mut judged.missing, needs, need);
        // The right to read is named beside the one that carries it, because plans need no more.
        let reads = need.feature == Feature::Read && need.grade == Grade::Required;
        if reads && judged.missing.iter().all(|other| other.least != need.least) {
            judged.missing.push(*need);
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
        assert_eq!(least.len(), 7, "{least:?}");
        assert!(least.contains("User.DeleteRestore.All"));
        assert!(!least.contains("User.ReadWrite.All"), "nobody asked for writing");
    }

    #[test]
    fn these_are_granted_at_a_first_set_up() {
        let asked = least(&needs(&[Feature::Read, Feature::Write].into()));
        let expected = [
            "Domain.Read.All",
            "GroupMember.Read.All",
            "OrgContact.Read.All",
            "Organization.Read.All",
            "RoleManagement.Read.Directory",
            "User.ReadWrite.All",
        ];
        assert!(asked.iter().eq(expected.iter()), "{asked:?}");
    }

    #[test]
    fn no_permission_is_asked_for_whose_right_another_carries() {
        let all = needs(&Feature::ALL.into());
        let names: Vec<&str> = asked(&all).iter().map(|need| need.least).collect();
        let expected = [
            "Domain.Read.All",
            "Organization.Read.All",
            "RoleManagement.Read.Directory",
            "OrgContact.Read.All",
            "User.ReadWrite.All",
            "User.DeleteRestore.All",
            "GroupMember.ReadWrite.All",
            "Group.Create",
        ];
        assert_eq!(names.iter().copied().collect::<BTreeSet<_>>(), expected.into());
        // A set that is asked for leaves nothing missing and nothing unused.
        let granted = names.iter().map(|name| (*name).to_owned()).collect();
        let judged = judge(&all, &granted);
        assert_eq!((judged.missing, judged.unused), (vec![], Vec::<String>::new()));
        // Licence rules hang on reading the organisation then, which is optional without them.
        let grade = |features: &[Feature]| {
            let needs = needs(&features.iter().copied().collect());
            asked(&needs).into_iter().find(|need| need.least == "Organization.Read.All").map(|need| need.grade)
        };
        assert_eq!(grade(&[Feature::Read]), Some(Grade::Optional));
        assert_eq!(grade(&[Feature::Read, Feature::Licenses]), Some(Grade::Required));
        assert!(!judge(&all, &["User.ReadWrite.All", "Domain.Read.All"].map(str::to_owned).into()).is_enough());
        // Narrower ones where they suffice.
        let narrow = needs(&[Feature::Read, Feature::Update, Feature::SignIn].into());
        let narrow: Vec<&str> = asked(&narrow).iter().map(|need| need.least).collect();
        assert!(narrow.contains(&"User.ReadUpdate.All") && narrow.contains(&"User.EnableDisableAccount.All"));
        assert!(narrow.contains(&"User.Read.All") && !narrow.contains(&"User.ReadWrite.All"), "{narrow:?}");
    }

    #[test]
    fn who_signs_in_is_not_asked_for_what_only_applications_can_have() {
        let needs = needs(&[Feature::Licenses, Feature::Groups].into());
        assert!(names(&needs).contains(&"Group.Create"));
        let asked = ["GroupMember.ReadWrite.All", "LicenseAssignment.ReadWrite.All"];
        assert!(least(&needs).iter().eq(asked.iter()), "{:?}", least(&needs));
    }

    #[test]
    fn license_rules_make_reading_licenses_required_and_it_is_said_once() {
        let of = |features: &[Feature]| {
            let needs = needs(&features.iter().copied().collect());
            needs
                .into_iter()
                .filter(|need| need.least == "LicenseAssignment.Read.All")
                .map(|need| need.grade)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&[Feature::Read]), [Grade::Optional]);
        assert_eq!(of(&[Feature::Read, Feature::Licenses]), [Grade::Required]);
        // Different permissions do for the two, so both are said.
        let both = needs(&[Feature::DeleteRestore, Feature::Purge].into());
        assert_eq!(names(&both), ["User.DeleteRestore.All", "User.DeleteRestore.All"]);
    }

    #[test]
    fn groups_can_be_filled_without_the_right_to_make_them() {
        let filled = judged(&[Feature::Groups], &["GroupMember.ReadWrite.All"]);
        assert!(filled.is_enough());
        assert_eq!(names(&filled.missing), ["Group.Create"]);
        assert!(!judged(&[Feature::Groups], &["GroupMember.Read.All", "Group.Create"]).is_enough());
        assert!(judged(&[Feature::Groups], &["Group.ReadWrite.All"]).missing.is_empty());
        assert!(judged(&[Feature::Licenses], &["LicenseAssignment.ReadWrite.All"]).missing.is_empty());
        assert!(!judged(&[Feature::Licenses], &["LicenseAssignment.Read.All"]).is_enough());
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
        assert_eq!(reads.missing.len(), 4, "who may read the organisation may count licences");
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
