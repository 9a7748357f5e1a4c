//! Which permissions the connection's features need, compared with what was granted. Pure.
//! <https://learn.microsoft.com/graph/permissions-reference>

use hardmatch_domain::policy::{AccountDeleted, LeavingAction, SoftDeleted, Stage, Switch};
use hardmatch_policy::Config;
use hardmatch_report::{Check, CheckState};

use super::{check, good};

const AREA: &str = "permissions";

/// A permission and what hangs on it.
struct Need {
    /// The least that does.
    least: &'static str,
    /// What does as well.
    also: &'static [&'static str],
    /// What we do with it.
    purpose: &'static str,
    /// What happens without it.
    without: &'static str,
    grade: Grade,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grade {
    /// No run without it.
    Required,
    /// The run goes on, and holds or misses something.
    Optional,
}

const READ_USERS: Need = Need {
    least: "User.Read.All",
    also: &["User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
    purpose: "reading accounts and the recycle bin",
    without: "nobody can be decided",
    grade: Grade::Required,
};
const READ_DOMAINS: Need = Need {
    least: "Domain.Read.All",
    also: &["Domain.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
    purpose: "knowing which domains are verified and which are federated",
    without: "nobody can be decided",
    grade: Grade::Required,
};
const READ_ORGANIZATION: Need = Need {
    least: "Organization.Read.All",
    also: &["Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
    purpose: "seeing whether Entra Connect synchronises the tenant",
    without: "the state of directory synchronisation stays unknown",
    grade: Grade::Optional,
};
const READ_ROLES: Need = Need {
    least: "RoleManagement.Read.Directory",
    also: &["RoleManagement.ReadWrite.Directory", "Directory.Read.All", "Directory.ReadWrite.All"],
    purpose: "knowing who holds directory roles",
    without: "nobody is taken for unprivileged: takeovers, renames, phone numbers, blocking and deleting are held",
    grade: Grade::Optional,
};
const READ_GROUPS: Need = Need {
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
};
const READ_CONTACTS: Need = Need {
    least: "OrgContact.Read.All",
    also: &["Directory.Read.All", "Directory.ReadWrite.All"],
    purpose: "knowing the addresses that contacts hold",
    without: "an address that a contact holds shows only when the write is refused",
    grade: Grade::Optional,
};
const READ_LICENSES: Need = Need {
    least: "LicenseAssignment.Read.All",
    also: &[
        "LicenseAssignment.ReadWrite.All",
        "Organization.Read.All",
        "Organization.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    ],
    purpose: "counting seats, for this check only",
    without: "seats are not counted",
    grade: Grade::Optional,
};
const WRITE_USERS: Need = Need {
    least: "User.ReadWrite.All",
    also: &[],
    purpose: "creating accounts, writing attributes and immutable IDs, blocking and allowing sign-in",
    without: "every write is refused; plans work",
    grade: Grade::Required,
};
const DELETE_USERS: Need = Need {
    least: "User.DeleteRestore.All",
    also: &["User.ReadWrite.All"],
    purpose: "deleting and restoring accounts",
    without: "deletions and restorations are refused",
    grade: Grade::Required,
};
const PURGE_USERS: Need = Need {
    least: "User.DeleteRestore.All",
    also: &[],
    purpose: "purging accounts from the recycle bin",
    without: "purges are refused",
    grade: Grade::Optional,
};
const REVOKE_SESSIONS: Need = Need {
    least: "User.RevokeSessions.All",
    also: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
    purpose: "signing leavers out everywhere (lifecycle.revoke_sessions)",
    without: "leavers stay signed in until their tokens end",
    grade: Grade::Required,
};

/// Granted, never needed, and dangerous in wrong hands: an application that holds one can raise its own rights or
/// write far beyond people.
const TOO_MUCH: [&str; 5] = [
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "Directory.ReadWrite.All",
    "RoleManagement.ReadWrite.Directory",
    "UserAuthenticationMethod.ReadWrite.All",
];

/// What the file's features need, least privilege.
fn needs(config: &Config) -> Vec<Need> {
    let mut needs =
        vec![READ_USERS, READ_DOMAINS, READ_ORGANIZATION, READ_ROLES, READ_GROUPS, READ_CONTACTS, READ_LICENSES];
    let actions = &config.actions;
    let writes = [
        actions.create,
        actions.update,
        actions.takeover,
        actions.rename,
        actions.enable,
        actions.suspend,
        actions.repair,
        actions.merge,
    ];
    if writes.iter().any(|switch| *switch != Switch::Off) {
        needs.push(WRITE_USERS);
    }
    let lifecycle = &config.lifecycle;
    let stages = [&lifecycle.absent, &lifecycle.left_scope, &lifecycle.disabled, &lifecycle.password_expired];
    let deletes = stages.iter().any(|stages| stages.iter().any(is_delete)) && actions.delete != Switch::Off;
    let restores = (config.matching.soft_deleted == SoftDeleted::Restore
        || lifecycle.account_deleted == AccountDeleted::Restore)
        && actions.restore != Switch::Off;
    if deletes || restores {
        needs.push(DELETE_USERS);
    }
    let purges = config.matching.soft_deleted == SoftDeleted::Purge
        || lifecycle.account_deleted == AccountDeleted::Recreate
        || config.matching.merge_synced;
    if purges && actions.purge != Switch::Off {
        needs.push(PURGE_USERS);
    }
    if lifecycle.revoke_sessions && actions.suspend != Switch::Off {
        needs.push(REVOKE_SESSIONS);
    }
    needs
}

fn is_delete(stage: &Stage) -> bool {
    stage.action == LeavingAction::Delete
}

/// Granted against needed: one line for what is there, one for each that is missing or too much.
pub(super) fn judge(granted: &[String], config: &Config) -> Vec<Check> {
    let has = |name: &str| granted.iter().any(|have| have == name);
    let mut checks = Vec::new();
    let mut covered = Vec::new();
    for need in needs(config) {
        let by = std::iter::once(&need.least).chain(need.also).find(|name| has(name));
        match (by, need.grade) {
            (Some(by), _) => covered.push(*by),
            (None, Grade::Required) => checks.push(check(
                AREA,
                CheckState::Fail,
                format!("{} is missing: {}. Without it {}.", need.least, need.purpose, need.without),
                format!("Add the application permission {} in Entra and give admin consent.", need.least),
            )),
            (None, Grade::Optional) => checks.push(check(
                AREA,
                CheckState::Warn,
                format!("{} (optional) is missing: {}. Without it {}.", need.least, need.purpose, need.without),
                format!("Add the application permission {} in Entra and give admin consent.", need.least),
            )),
        }
    }
    covered.sort_unstable();
    covered.dedup();
    if !covered.is_empty() {
        checks.insert(0, good(AREA, format!("Granted and used: {}.", covered.join(", "))));
    }
    let too_much: Vec<&str> = TOO_MUCH.into_iter().filter(|name| has(name)).collect();
    if !too_much.is_empty() {
        checks.push(check(
            AREA,
            CheckState::Warn,
            format!("Granted and never needed: {}.", too_much.join(", ")),
            "Remove them from the application: whoever has its secret has these rights.",
        ));
    }
    checks
}

/// The permissions of a first set-up, each with its purpose, for `init`.
pub(crate) fn permission_lines() -> Vec<String> {
    [READ_USERS, READ_DOMAINS, READ_ORGANIZATION, READ_ROLES, READ_GROUPS, READ_CONTACTS, WRITE_USERS]
        .iter()
        .map(|need| {
            let optional = if need.grade == Grade::Optional { " (optional)" } else { "" };
            format!("{:<30} {}{optional}", need.least, need.purpose)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(more: &str) -> Config {
        let text = format!(
            "schema = 1\nconnection = \"lab\"\n[tenant]\nid = \"lab.onmicrosoft.com\"\ncloud = \"simulated\"\n[source]\nkind = \"csv\"\nlocation = \"people.csv\"\n[state]\npath = \"lab.db\"\n{more}"
        );
        Config::load(&text, "test", Path::new(".")).unwrap()
    }

    /// The states and the permissions they name.
    fn found(granted: &[&str], more: &str) -> Vec<(CheckState, String)> {
        let granted: Vec<String> = granted.iter().map(|name| (*name).to_owned()).collect();
        judge(&granted, &config(more))
            .into_iter()
            .map(|check| (check.state, check.finding.split([' ', ':']).next().unwrap_or_default().to_owned()))
            .collect()
    }

    const LEAST: [&str; 8] = [
        "Domain.Read.All",
        "GroupMember.Read.All",
        "LicenseAssignment.Read.All",
        "OrgContact.Read.All",
        "Organization.Read.All",
        "RoleManagement.Read.Directory",
        "User.Read.All",
        "User.ReadWrite.All",
    ];

    #[test]
    fn least_privilege_is_enough_and_says_so() {
        assert_eq!(found(&LEAST, ""), [(CheckState::Ok, "Granted".to_owned())]);
    }

    #[test]
    fn c1_a_missing_write_permission_is_named_and_fails() {
        let granted: Vec<&str> = LEAST.into_iter().filter(|name| *name != "User.ReadWrite.All").collect();
        let missing: Vec<_> = found(&granted, "").into_iter().filter(|(state, _)| *state == CheckState::Fail).collect();
        assert_eq!(
            missing,
            [
                (CheckState::Fail, "User.ReadWrite.All".to_owned()),
                (CheckState::Fail, "User.DeleteRestore.All".to_owned())
            ]
        );
    }

    #[test]
    fn what_is_only_held_without_is_a_warning() {
        let granted = ["User.ReadWrite.All", "Domain.Read.All"];
        let states = found(&granted, "");
        assert!(states.iter().all(|(state, _)| *state != CheckState::Fail), "{states:?}");
        for optional in
            ["GroupMember.Read.All", "OrgContact.Read.All", "RoleManagement.Read.Directory", "Organization.Read.All"]
        {
            assert!(states.contains(&(CheckState::Warn, optional.to_owned())), "{optional}");
        }
    }

    #[test]
    fn features_widen_the_union_and_switches_narrow_it() {
        let purge = found(&LEAST, "[match]\nsoft_deleted = \"purge\"\n");
        assert!(purge.contains(&(CheckState::Warn, "User.DeleteRestore.All".to_owned())), "{purge:?}");
        let read_only: Vec<&str> = LEAST.into_iter().filter(|name| *name != "User.ReadWrite.All").collect();
        let off = ["create", "update", "takeover", "rename", "enable", "suspend", "restore", "repair", "merge"];
        let off: Vec<String> = off.iter().map(|action| format!("{action} = \"off\"")).collect();
        let states = found(&read_only, &format!("[actions]\n{}", off.join("\n")));
        assert!(states.iter().all(|(state, _)| *state == CheckState::Ok), "{states:?}");
    }

    #[test]
    fn one_broad_permission_covers_much_and_is_too_much() {
        let states = found(&["Directory.ReadWrite.All", "User.ReadWrite.All"], "");
        assert_eq!(states, [(CheckState::Ok, "Granted".to_owned()), (CheckState::Warn, "Granted".to_owned())]);
    }
}
