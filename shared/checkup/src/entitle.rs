//! Licence and group rules held against what the tenant has, judged. Pure: no I/O.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::group::{FoundGroup, Group, GroupKind, GroupLock};
use hardmatch_domain::ids::Guid;
use hardmatch_domain::policy::{FlowWhen, Switch};
use hardmatch_policy::{Config, nearest};
use hardmatch_ports::tenant::{ServicePlan, Sku};
use hardmatch_ports::{Check, CheckState};

use crate::{check, good};

const LICENSES: &str = "licence rules";
const GROUPS: &str = "group rules";
/// Part numbers and plans that are named one by one.
const NAMED: usize = 20;

/// What the admin centre calls the licences that most tenants have, folded, and their part numbers.
/// <https://learn.microsoft.com/entra/identity/users/licensing-service-plan-reference>
const DISPLAYED: &[(&str, &str)] = &[
    ("office365e1", "STANDARDPACK"),
    ("office365e3", "ENTERPRISEPACK"),
    ("office365e5", "ENTERPRISEPREMIUM"),
    ("office365f3", "DESKLESSPACK"),
    ("microsoft365e3", "SPE_E3"),
    ("microsoft365e5", "SPE_E5"),
    ("microsoft365f1", "M365_F1"),
    ("microsoft365f3", "SPE_F1"),
    ("microsoft365businessbasic", "O365_BUSINESS_ESSENTIALS"),
    ("microsoft365businessstandard", "O365_BUSINESS_PREMIUM"),
    ("microsoft365businesspremium", "SPB"),
    ("exchangeonlineplan1", "EXCHANGESTANDARD"),
    ("exchangeonlineplan2", "EXCHANGEENTERPRISE"),
    ("microsoftentraidp1", "AAD_PREMIUM"),
    ("microsoftentraidp2", "AAD_PREMIUM_P2"),
    ("enterprisemobilitysecuritye3", "EMS"),
    ("enterprisemobilitysecuritye5", "EMSPREMIUM"),
    ("powerbipro", "POWER_BI_PRO"),
];

/// Each licence and plan that rules name is one that the tenant has; otherwise the rule gives nobody anything.
pub(crate) fn licenses(config: &Config, skus: &[Sku]) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut found: Vec<&Sku> = Vec::new();
    for rule in &config.licenses {
        let Some(sku) = skus.iter().find(|sku| is(&rule.sku, &sku.part_number, &sku.id)) else {
            checks.push(unknown(&rule.sku, skus));
            continue;
        };
        if !found.iter().any(|have| have.id == sku.id) {
            found.push(sku);
        }
        let strange =
            rule.without.iter().filter(|plan| !sku.plans.iter().any(|known| is(plan, &known.name, &known.id)));
        checks.extend(strange.map(|plan| unknown_plan(plan, sku)));
    }
    checks.dedup();
    if !found.is_empty() {
        let seats = |sku: &&Sku| format!("{} {} of {}", sku.part_number, sku.free(), sku.seats.max(0));
        let seats: Vec<String> = found.iter().map(seats).collect();
        checks.push(good(LICENSES, format!("Free seats of what the rules name: {}.", seats.join(", "))));
    }
    checks.extend(usage_location(config));
    checks
}

fn is(written: &str, name: &str, id: &str) -> bool {
    written.eq_ignore_ascii_case(name) || written.eq_ignore_ascii_case(id)
}

fn unknown(wanted: &str, skus: &[Sku]) -> Check {
    let parts: Vec<&str> = skus.iter().map(|sku| sku.part_number.as_str()).collect();
    let has = if parts.is_empty() { "none".to_owned() } else { listed(&parts) };
    let cure = match meant(wanted, &parts) {
        Some(part) => format!("Write sku = \"{part}\": rules name the part number, not what the admin centre shows."),
        None => match displayed(wanted) {
            Some(part) => format!(
                "{wanted} is what the admin centre shows; its part number is {part}, which the tenant has not bought. Buy it, or name another."
            ),
            None => "Name one of those by its part number, or buy it first.".to_owned(),
        },
    };
    check(
        LICENSES,
        CheckState::Fail,
        format!(
            "A rule names {wanted}, and the tenant has no such licence, so the rule gives nobody anything. It has: {has}."
        ),
        cure,
    )
}

fn unknown_plan(plan: &str, sku: &Sku) -> Check {
    let names: Vec<&str> = sku.plans.iter().map(|ServicePlan { name, .. }| name.as_str()).collect();
    let cure = match meant(plan, &names) {
        Some(name) => format!("Write \"{name}\" in disabled_plans."),
        None if names.is_empty() => {
            "Remove it from disabled_plans: this licence has no plans to switch off.".to_owned()
        }
        None => format!("Name one of these: {}.", listed(&names)),
    };
    check(
        LICENSES,
        CheckState::Fail,
        format!(
            "A rule switches {plan} off, and {} has no such plan, so the rule gives nobody anything.",
            sku.part_number
        ),
        cure,
    )
}

/// The one of the tenant's that was most likely meant.
fn meant<'a>(wanted: &str, known: &[&'a str]) -> Option<&'a str> {
    let has = |part: &str| known.iter().copied().find(|name| name.eq_ignore_ascii_case(part));
    let wanted_fold = fold(wanted);
    displayed(wanted).and_then(has).or_else(|| nearest(wanted, known.iter().copied())).or_else(|| {
        // `E3` for `SPE_E3`: only where one alone has it.
        let mut holding =
            known.iter().copied().filter(|name| !wanted_fold.is_empty() && fold(name).contains(&wanted_fold));
        holding.next().filter(|_| holding.next().is_none())
    })
}

/// The part number of a name that the admin centre shows.
fn displayed(name: &str) -> Option<&'static str> {
    let folded = fold(name);
    let of = |known: &str| DISPLAYED.iter().find(|(shown, _)| *shown == known).map(|(_, part)| *part);
    of(&folded).or_else(|| of(&format!("microsoft365{folded}"))).or_else(|| of(&format!("microsoft{folded}")))
}

fn fold(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn listed(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// Nobody is licensed without a country. <https://learn.microsoft.com/graph/api/user-assignlicense>
fn usage_location(config: &Config) -> Option<Check> {
    if config.licenses.is_empty() {
        return None;
    }
    let written = config.attributes.get(&Attr::UsageLocation).is_none_or(|mapping| mapping.flow != FlowWhen::Never);
    let warn = |finding: &str, cure: &str| Some(check(LICENSES, CheckState::Warn, finding, cure));
    if !written {
        return warn(
            "usageLocation is never written, and Microsoft 365 gives nobody a licence without one: only accounts that have a country in the tenant are licensed.",
            "Let usageLocation flow: remove flow = \"never\", or map it to a country of two letters.",
        );
    }
    if config.actions.update == Switch::Off {
        return warn(
            "Attributes are not written (actions.update = \"off\"), usageLocation among them: accounts that have no country in the tenant are given no licence.",
            "Set the country in the tenant, or actions.update to \"on\".",
        );
    }
    None
}

/// One group that rules name, and every group of the tenant with that name.
pub(crate) fn group(name: &str, kind: GroupKind, named: &[Group]) -> Check {
    let warn = |finding: String, cure: String| check(GROUPS, CheckState::Warn, finding, cure);
    match FoundGroup::among(named, kind) {
        FoundGroup::Missing if Guid::parse(name).is_some() => warn(
            format!("There is no group of the id {name}, so nobody is made a member."),
            "Correct `name` of the [[group]], or write the display name of a group that is to be made.".to_owned(),
        ),
        FoundGroup::Missing => good(
            GROUPS,
            format!("There is no group {name} yet: it is made, a {} group, with its first member.", kind.name()),
        ),
        FoundGroup::Found { id, .. } => good(GROUPS, format!("{name} is the {} group {id}.", kind.name())),
        FoundGroup::Several => warn(
            format!(
                "Several {} groups are called {name}: nobody is made a member of any (ambiguous_group).",
                kind.name()
            ),
            "Rename all but the one that is meant.".to_owned(),
        ),
        FoundGroup::OtherKind => {
            let has = named.iter().find_map(|group| group.kind);
            let cure = match has {
                Some(has) => format!("Write kind = \"{}\" in the rule, or name another group.", has.name()),
                None => "Name another group: distribution lists and mail-enabled security groups belong to Exchange."
                    .to_owned(),
            };
            warn(
                format!("{name} is not a {} group, so nobody is made a member (unsupported_group_type).", kind.name()),
                cure,
            )
        }
        FoundGroup::Locked { lock } => {
            let (why, cure) = match lock {
                GroupLock::Dynamic => {
                    ("a rule of the tenant decides who is a member", "Remove the rule here, or that of the tenant.")
                }
                GroupLock::Synced => {
                    ("Entra Connect masters it", "Write its members on-premises, or name another group.")
                }
                GroupLock::RoleAssignable => {
                    ("its members hold directory roles", "Name another group: no rule makes administrators.")
                }
            };
            warn(format!("{name}: {why}, so nobody is made a member (unsupported_group_type)."), cure.to_owned())
        }
    }
}

/// Groups that are looked for one by one; more are looked for when a run begins.
pub(crate) const GROUPS_LOOKED_FOR: usize = 20;

/// Of so many groups only some were looked for.
pub(crate) fn more_groups(all: usize) -> Option<Check> {
    let more = all.checked_sub(GROUPS_LOOKED_FOR).filter(|more| *more > 0)?;
    Some(good(GROUPS, format!("{more} more groups are looked for by their names when a run begins.")))
}

/// What could not be found out about groups.
pub(crate) fn groups_unread(finding: impl Into<String>) -> Check {
    check(GROUPS, CheckState::Unknown, finding, "")
}

/// The groups that rules name, each once.
pub(crate) fn wanted_groups(config: &Config) -> Vec<(&str, GroupKind)> {
    let mut wanted: Vec<(&str, GroupKind)> = Vec::new();
    for rule in &config.groups {
        if !wanted.iter().any(|(name, _)| *name == rule.name) {
            wanted.push((&rule.name, rule.kind));
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use hardmatch_domain::ids::ObjectId;

    use super::*;

    fn config(more: &str) -> Config {
        let text = format!(
            "schema = 1\nconnection = \"lab\"\n[tenant]\nid = \"lab.onmicrosoft.com\"\ncloud = \"simulated\"\n[source]\nkind = \"csv\"\nlocation = \"people.csv\"\n{more}"
        );
        Config::load(&text, "test", Path::new(".")).unwrap()
    }

    fn rule(sku: &str, more: &str) -> String {
        format!("[[license]]\nsku = \"{sku}\"\n{more}\nwhen = \"person.department != ''\"\n")
    }

    fn sku(part_number: &str, used: i64) -> Sku {
        let plan = |name: &str| ServicePlan { id: format!("id-{name}"), name: name.to_owned() };
        let plans = vec![plan("EXCHANGE_S_ENTERPRISE"), plan("SWAY")];
        Sku { id: format!("id-{part_number}"), part_number: part_number.to_owned(), seats: 25, used, plans }
    }

    fn tenant() -> Vec<Sku> {
        vec![sku("SPE_E3", 13), sku("ENTERPRISEPACK", 25), sku("O365_BUSINESS_PREMIUM", 0), sku("EXCHANGESTANDARD", 1)]
    }

    #[test]
    fn o20_a_rule_of_an_unknown_license_fails_and_names_the_nearest() {
        for (written, cure) in [
            ("E3", "Write sku = \"SPE_E3\""),
            ("Microsoft 365 E3", "Write sku = \"SPE_E3\""),
            ("Office 365 E3", "Write sku = \"ENTERPRISEPACK\""),
            ("SPE-E3", "Write sku = \"SPE_E3\""),
            ("ENTERPRISPACK", "Write sku = \"ENTERPRISEPACK\""),
            ("Business Standard", "Write sku = \"O365_BUSINESS_PREMIUM\""),
            ("Exchange Online (Plan 1)", "Write sku = \"EXCHANGESTANDARD\""),
            ("Microsoft 365 E5", "its part number is SPE_E5, which the tenant has not bought"),
            ("Whatever", "Name one of those"),
        ] {
            let checks = licenses(&config(&rule(written, "")), &tenant());
            assert_eq!(checks.len(), 1, "{written}");
            assert_eq!(checks[0].state, CheckState::Fail);
            assert!(checks[0].finding.contains("SPE_E3, ENTERPRISEPACK, O365"), "{}", checks[0].finding);
            assert!(checks[0].cure.contains(cure), "{written}: {}", checks[0].cure);
        }
    }

    #[test]
    fn o36_plans_are_held_against_those_of_their_license() {
        let found = |more: &str| licenses(&config(&rule("spe_e3", more)), &tenant());
        let good = found("disabled_plans = [\"sway\", \"id-SWAY\"]");
        assert_eq!(good.len(), 1);
        assert_eq!(good[0].finding, "Free seats of what the rules name: SPE_E3 12 of 25.");
        let bad = found("disabled_plans = [\"SWAI\", \"TEAMS1\"]");
        assert_eq!(bad.iter().filter(|check| check.state == CheckState::Fail).count(), 2);
        assert_eq!(bad[0].cure, "Write \"SWAY\" in disabled_plans.");
        assert!(bad[1].cure.contains("EXCHANGE_S_ENTERPRISE, SWAY"), "{}", bad[1].cure);
    }

    #[test]
    fn a_country_that_is_never_written_is_a_warning_for_licenses_only() {
        let never = "[attributes]\nusageLocation = { flow = \"never\" }\n";
        let off = "[actions]\nupdate = \"off\"\n";
        for more in [never, off] {
            let checks = licenses(&config(&format!("{more}{}", rule("SPE_E3", ""))), &tenant());
            assert_eq!(checks.iter().filter(|check| check.state == CheckState::Warn).count(), 1, "{more}");
            assert_eq!(licenses(&config(more), &tenant()), []);
        }
    }

    fn named(kind: Option<GroupKind>, locked: Option<GroupLock>) -> Group {
        Group { id: ObjectId::new("g"), name: "Sales".into(), kind, locked }
    }

    #[test]
    fn o31_what_a_groups_name_stands_for_is_said() {
        let security = Some(GroupKind::Security);
        for (groups, state, words) in [
            (vec![], CheckState::Ok, "made, a security group, with its first member"),
            (vec![named(security, None)], CheckState::Ok, "Sales is the security group g"),
            (vec![named(security, None), named(security, None)], CheckState::Warn, "ambiguous_group"),
            (vec![named(Some(GroupKind::Microsoft365), None)], CheckState::Warn, "not a security group"),
            (vec![named(None, None)], CheckState::Warn, "not a security group"),
            (vec![named(security, Some(GroupLock::Dynamic))], CheckState::Warn, "a rule of the tenant"),
            (vec![named(security, Some(GroupLock::Synced))], CheckState::Warn, "Entra Connect"),
            (vec![named(security, Some(GroupLock::RoleAssignable))], CheckState::Warn, "directory roles"),
        ] {
            let check = group("Sales", GroupKind::Security, &groups);
            assert_eq!((check.state, check.finding.contains(words)), (state, true), "{}", check.finding);
            assert_eq!(check.cure.is_empty(), state == CheckState::Ok, "{}", check.finding);
        }
        let other = group("Sales", GroupKind::Security, &[named(Some(GroupKind::Microsoft365), None)]);
        assert!(other.cure.contains("kind = \"microsoft365\""), "{}", other.cure);
    }

    #[test]
    fn a_group_of_several_rules_is_looked_for_once() {
        let rule =
            |name: &str, city: &str| format!("[[group]]\nname = \"{name}\"\nwhen = \"person.city == '{city}'\"\n");
        let config = config(&[rule("Sales", "Oslo"), rule("Sales", "Bergen"), rule("Staff", "Oslo")].concat());
        assert_eq!(wanted_groups(&config), [("Sales", GroupKind::Security), ("Staff", GroupKind::Security)]);
        assert!(more_groups(GROUPS_LOOKED_FOR).is_none() && more_groups(GROUPS_LOOKED_FOR + 3).is_some());
    }
}
