//! The permissions that the file's features need, compared with what was granted, as lines for an operator.

use std::collections::BTreeSet;

use hardmatch_policy::Config;
use hardmatch_policy::permission::{self, Feature, Grade, Need};
use hardmatch_ports::{Check, CheckState};
use serde_json::{Value, json};

use crate::{check, good};

const AREA: &str = "permissions";

/// Granted against needed: one line for what is there, one for each that is missing or too much.
pub fn judge(granted: &[String], config: &Config) -> Vec<Check> {
    let granted: BTreeSet<String> = granted.iter().cloned().collect();
    let judged = permission::judge(&permission::needs(&config.features()), &granted);
    let mut checks = Vec::new();
    let covered: BTreeSet<&str> = judged.covered.iter().map(|(_, by)| *by).collect();
    if !covered.is_empty() {
        let covered: Vec<&str> = covered.into_iter().collect();
        checks.push(good(AREA, format!("Granted and used: {}.", covered.join(", "))));
    }
    checks.extend(judged.missing.iter().map(missing));
    if !judged.too_much.is_empty() {
        checks.push(check(
            AREA,
            CheckState::Warn,
            format!("Granted and never needed: {}.", judged.too_much.join(", ")),
            "Remove them from the application: everybody who has its secret has these rights.",
        ));
    }
    checks
}

fn missing(need: &Need) -> Check {
    let (state, optional) = match need.grade {
        Grade::Required => (CheckState::Fail, ""),
        Grade::Optional => (CheckState::Warn, " (optional)"),
    };
    check(
        AREA,
        state,
        format!("{}{optional} is missing: {}. Without it {}.", need.least, need.purpose, need.without),
        format!("Add the application permission {} in Entra and give admin consent.", need.least),
    )
}

/// What each enabled feature of a configuration needs, and why, for `doctor --permissions`: a heading a feature, and at
/// the end what is to be granted in all.
pub fn by_feature(config: &Config) -> Vec<String> {
    let needs = permission::needs(&config.features());
    let mut lines = Vec::new();
    let mut feature = None;
    for need in &needs {
        if feature != Some(need.feature) {
            feature = Some(need.feature);
            lines.push(format!("{}:", need.feature.title()));
        }
        let carried = permission::covering(&needs, need).map(|by| format!("; {by} includes it")).unwrap_or_default();
        lines.push(format!("  {} ({}{carried})", need.least, grade(need)));
        lines.push(format!("    For {}. Without it {}.", need.purpose, need.without));
    }
    let asked: Vec<&str> = permission::asked(&needs).iter().map(|need| need.least).collect();
    lines.push(format!("Grant in all: {}.", asked.join(", ")));
    lines
}

/// [`by_feature`] for programs.
pub fn document(config: &Config) -> Value {
    let needs = permission::needs(&config.features());
    let one = |need: &Need| {
        json!({
            "feature": need.feature.title(),
            "permission": need.least,
            "also": need.also,
            "grade": grade(need),
            "purpose": need.purpose,
            "without": need.without,
            "included_in": permission::covering(&needs, need),
        })
    };
    let grant: Vec<&str> = permission::asked(&needs).iter().map(|need| need.least).collect();
    json!({ "v": 1, "connection": config.connection, "needs": needs.iter().map(one).collect::<Vec<_>>(), "grant": grant })
}

fn grade(need: &Need) -> &'static str {
    match need.grade {
        Grade::Required => "required",
        Grade::Optional => "optional",
    }
}

/// The permissions of a first set-up, each with its purpose, for `init`.
pub fn permission_lines() -> Vec<String> {
    permission::asked(&permission::needs(&BTreeSet::from([Feature::Read, Feature::Write])))
        .iter()
        .map(|need| {
            let optional = if need.grade == Grade::Optional { " (optional)" } else { "" };
            format!("{:<30} {}{optional}", need.least, need.purpose)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
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

    /// Least privilege for reading and writing.
    fn least() -> Vec<&'static str> {
        let needs = permission::needs(&[Feature::Read, Feature::Write].into());
        permission::asked(&needs).iter().map(|need| need.least).collect()
    }

    /// Least privilege for reading alone.
    fn read_only() -> Vec<&'static str> {
        least().into_iter().map(|name| if name == "User.ReadWrite.All" { "User.Read.All" } else { name }).collect()
    }

    /// The tables of `docs/tenant.md`: what a first set-up grants, and what each feature needs.
    fn tables() -> [(&'static str, String); 2] {
        let optional = |need: &Need| if need.grade == Grade::Optional { " (optional)" } else { "" };
        let mut first = "| Permission | For | Without it |\n|---|---|---|\n".to_owned();
        for need in permission::asked(&permission::needs(&[Feature::Read, Feature::Write].into())) {
            let (least, mark) = (need.least, optional(&need));
            writeln!(first, "| `{least}`{mark} | {} | {} |", need.purpose, need.without).unwrap();
        }
        let mut features =
            "| Feature | Least permission | These do, too | For | Without it |\n|---|---|---|---|---|\n".to_owned();
        for need in permission::needs(&Feature::ALL.into()) {
            let title = need.feature.title();
            let also: Vec<String> = need.also.iter().map(|name| format!("`{name}`")).collect();
            let (least, mark, also) = (need.least, optional(&need), also.join(", "));
            writeln!(features, "| {title} | `{least}`{mark} | {also} | {} | {} |", need.purpose, need.without).unwrap();
        }
        [("first set-up", first), ("features", features)]
    }

    /// After a change of the permissions: `UPDATE_DOCS=1 cargo test -p hardmatch-checkup tables`.
    #[test]
    fn tables_of_permissions_in_the_documentation_are_those_of_the_code() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tenant.md");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut wanted = text.clone();
        for (name, table) in tables() {
            let mark = format!("<!-- permissions: {name} -->\n");
            let (before, after) = wanted.split_once(&mark).unwrap_or_else(|| panic!("{mark} is missing"));
            let old: usize =
                after.split_inclusive('\n').skip(1).take_while(|line| line.starts_with('|')).map(str::len).sum();
            let rest = if old == 0 { after } else { &after[1 + old..] };
            wanted = format!("{before}{mark}\n{table}{rest}");
        }
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        assert!(text == wanted, "docs/tenant.md has other permissions than the code");
    }

    #[test]
    fn least_privilege_is_enough_and_says_so() {
        assert_eq!(found(&least(), ""), [(CheckState::Ok, "Granted".to_owned())]);
    }

    #[test]
    fn c1_a_missing_write_permission_is_named_and_fails() {
        let missing: Vec<_> =
            found(&read_only(), "").into_iter().filter(|(state, _)| *state == CheckState::Fail).collect();
        assert_eq!(missing, [(CheckState::Fail, "User.ReadWrite.All".to_owned())]);
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
        let purge = found(&least(), "[match]\nsoft_deleted = \"purge\"\n");
        assert!(purge.contains(&(CheckState::Warn, "User.DeleteRestore.All".to_owned())), "{purge:?}");
        let off = ["create", "update", "takeover", "rename", "enable", "suspend", "restore", "repair", "merge"];
        let off: Vec<String> = off.iter().map(|action| format!("{action} = \"off\"")).collect();
        let states = found(&read_only(), &format!("[actions]\n{}", off.join("\n")));
        assert!(states.iter().all(|(state, _)| *state == CheckState::Ok), "{states:?}");
    }

    #[test]
    fn license_and_group_rules_need_permissions_of_their_own() {
        let rules = "[[license]]\nsku = \"SPE_E3\"\nwhen = \"true\"\n[[group]]\nname = \"Sales\"\nkind = \"security\"\nwhen = \"true\"\n";
        let least = least();
        let states = found(&least, rules);
        // The permission to write users includes giving them licences.
        assert!(!states.iter().any(|(_, name)| name.starts_with("LicenseAssignment")), "{states:?}");
        assert!(states.contains(&(CheckState::Fail, "GroupMember.ReadWrite.All".to_owned())), "{states:?}");
        assert!(states.contains(&(CheckState::Warn, "Group.Create".to_owned())), "{states:?}");
        let blind: Vec<&str> = least
            .iter()
            .copied()
            .filter(|name| !["LicenseAssignment.Read.All", "Organization.Read.All"].contains(name))
            .collect();
        // Seats are counted and licences named with the right to read the organisation; a rule makes it required.
        let reads = |more: &str| {
            let of_reading = found(&blind, more).into_iter().filter(|(_, name)| name == "Organization.Read.All");
            of_reading.map(|(state, _)| state).collect::<Vec<_>>()
        };
        assert_eq!((reads(""), reads(rules)), (vec![CheckState::Warn], vec![CheckState::Fail]));
        let off = format!("{rules}[actions]\nlicense = \"off\"\nmembership = \"off\"\n");
        assert_eq!(reads(&off), [CheckState::Warn]);
        assert!(found(&least, &off).iter().all(|(_, name)| !name.starts_with("Group")), "nothing is written");
    }

    #[test]
    fn one_broad_permission_covers_much_and_is_too_much() {
        let states = found(&["Directory.ReadWrite.All", "User.ReadWrite.All"], "");
        assert_eq!(states, [(CheckState::Ok, "Granted".to_owned()), (CheckState::Warn, "Granted".to_owned())]);
    }
}
