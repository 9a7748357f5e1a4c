//! Licences and memberships: what rules give, what they take, and what is never taken.

use std::sync::Arc;

use hardmatch_domain::attribute::{Attr, Texts};
use hardmatch_domain::change::{EvidenceRule, Step};
use hardmatch_domain::group::{FoundGroup, Group, GroupKind, GroupLock, NamedGroup, Nickname, nickname};
use hardmatch_domain::license::{ServicePlan, Sku};
use hardmatch_domain::link::{LeavingCause, LicenseGrant};
use hardmatch_domain::person::{Person, SourceStatus};
use hardmatch_domain::policy::{GroupRule, LeavingAction, LicenseRule, Policy, Rule, RuleError, Stage, Switch};

use crate::world::*;

/// True for people in the group; fails for `Broken` people.
#[derive(Debug)]
struct In(&'static str);

impl Rule for In {
    fn test(&self, person: &Person) -> Result<bool, RuleError> {
        if person.groups.contains("Broken") {
            return Err(RuleError("no such overload".into()));
        }
        Ok(person.groups.contains(self.0))
    }

    fn text(&self) -> &str {
        self.0
    }
}

fn sku(name: &str) -> Sku {
    let plans = ["EXCHANGE", "TEAMS"].map(|plan| ServicePlan { id: format!("id-{plan}"), name: plan.to_owned() });
    Sku { id: format!("sku-{name}"), part_number: name.to_owned(), seats: 10, used: 0, plans: plans.into() }
}

fn license(policy: &mut Policy, sku: &str, without: &[&str], group: &'static str) {
    let without = without.iter().map(|plan| (*plan).into()).collect();
    policy.licenses.push(LicenseRule { sku: sku.into(), without, when: Arc::new(In(group)) });
}

fn known(name: &str) -> NamedGroup {
    named(name, FoundGroup::Found { id: format!("g-{name}").as_str().into(), members: 10, digest: "".into() })
}

/// Staff have E3, guests of the house E1; Sales are in the group Sales. Ada is linked, in the given groups, with the
/// given licences and memberships, of which those marked `!` are ours.
fn ada(groups: &[&str], licenses: &[&str], memberships: &[&str]) -> World {
    let bare = |name: &str| name.trim_end_matches('!').to_owned();
    let ours = |names: &[&str], prefix: &str| -> Vec<String> {
        names.iter().filter(|name| name.ends_with('!')).map(|name| format!("{prefix}{}", bare(name))).collect()
    };
    let all = |names: &[&str], prefix: &str| -> Texts {
        let names: Vec<String> = names.iter().map(|name| format!("{prefix}{}", bare(name))).collect();
        names.iter().map(String::as_str).collect()
    };
    let mut account = account("ada").set(Attr::UsageLocation, "SE");
    account.licenses = all(licenses, "sku-");
    account.memberships = all(memberships, "g-");
    let link = link("ada").ledger(|ledger| {
        ledger.licenses = ours(licenses, "sku-")
            .iter()
            .map(|sku| LicenseGrant { sku: sku.as_str().into(), without: Texts::default() })
            .collect();
        ledger.memberships = ours(memberships, "g-").iter().map(String::as_str).collect();
    });
    let person = person("ada").groups(groups).set(Attr::UsageLocation, "SE");
    world().person(person).account(account).link(link).policy(rules).tenant(|tenant| {
        tenant.skus = Some(vec![sku("E1"), sku("E3")]);
        tenant.named_groups.insert("hr".into(), vec![known("Sales")]);
    })
}

fn rules(policy: &mut Policy) {
    license(policy, "E3", &[], "Staff");
    license(policy, "E1", &[], "Guests");
    policy.groups.push(GroupRule { name: "Sales".into(), kind: GroupKind::Security, when: Arc::new(In("Sales")) });
}

#[test]
fn o34_everybody_in_the_group_has_the_license() {
    check(&ada(&["Staff"], &[], &[]), "ada", "license: license_rule | licences +E3");
    check(&ada(&["Staff"], &["E3"], &[]), "ada", "none: converged");
    check(&ada(&[], &[], &[]), "ada", "none: converged");
    let decision = check(
        &ada(&["Staff", "Sales"], &[], &[]),
        "ada",
        "license: license_rule, group_rule | licences +E3 + join Sales",
    );
    let by =
        |rule| decision.evidence.iter().find(|evidence| evidence.rule == rule).and_then(|found| found.ours.clone());
    assert_eq!(by(EvidenceRule::Licenses).as_deref(), Some("E3 by Staff"), "the rule that decided is shown");
    assert_eq!(by(EvidenceRule::Groups).as_deref(), Some("Sales by Sales"));
}

#[test]
fn a_new_account_is_licensed_after_it_is_made() {
    let mut world = ada(&["Staff", "Sales"], &[], &[]);
    world.accounts.clear();
    world.links.clear();
    check(&world, "ada", "create: provision, license_rule, group_rule | create id-ada + licences +E3 + join Sales");
}

#[test]
fn only_what_we_gave_is_taken() {
    check(&ada(&[], &["E3"], &["Sales"]), "ada", "none: converged");
    check(&ada(&[], &["E3!"], &[]), "ada", "license: license_rule | licences -E3 | removal from 0");
    check(&ada(&[], &[], &["Sales!"]), "ada", "membership: group_rule | leave Sales | removal from 0");
    let decision = ada(&[], &["E3!"], &["Sales!"]).decide("ada");
    let removals = decision.change.expect("a change").removals;
    assert_eq!((removals.licenses, removals.memberships, removals.total()), (1, 1, 2), "the guard counts both");
}

#[test]
fn what_no_rule_names_is_left_alone() {
    let world = ada(&[], &["E3!"], &["Sales!"]).policy(|p| (p.licenses.clear(), p.groups.clear()).0);
    check(&world, "ada", "none: converged");
}

#[test]
fn one_license_instead_of_another_is_one_call_at_the_gate() {
    check(&ada(&["Guests"], &["E3!"], &[]), "ada", "license: license_rule | licences +E1 -E3 | removal from 0");
    check(&ada(&["Guests"], &["E3"], &[]), "ada", "license: license_rule | licences +E1");
}

#[test]
fn o36_plans_that_stay_off_are_part_of_the_license() {
    let mut world = ada(&["Staff"], &["E3!"], &[]).policy(|p| p.licenses.clear());
    license(&mut world.policy, "E3", &["teams"], "Staff");
    let decision = check(&world, "ada", "license: license_rule | licences +E3");
    let Step::SetLicenses { give, .. } = &decision.change.expect("a change").steps[0] else { panic!("licences") };
    assert_eq!(give[0].without, Texts::new(["id-TEAMS"]), "named by the tenant's id, whatever the case");
    world.links[0].ledger.licenses[0].without = Texts::new(["id-TEAMS"]);
    check(&world, "ada", "none: converged");
    // Somebody else's licence keeps its plans.
    world.links[0].ledger.licenses.clear();
    check(&world, "ada", "none: converged");
}

#[test]
fn o37_the_first_rule_that_fits_says_which_plans() {
    let mut world = ada(&["Boss", "Staff"], &[], &[]).policy(|p| p.licenses.clear());
    license(&mut world.policy, "E3", &["TEAMS"], "Boss");
    license(&mut world.policy, "E3", &[], "Staff");
    let decision = world.decide("ada");
    let Step::SetLicenses { give, .. } = &decision.change.expect("a change").steps[0] else { panic!("licences") };
    assert_eq!(give.len(), 1);
    assert_eq!(give[0].without, Texts::new(["id-TEAMS"]));
}

#[test]
fn an_expression_that_fails_takes_nothing_from_anybody() {
    let mut world = ada(&["Broken"], &["E3!"], &["Sales!"]);
    world.accounts[0] = world.accounts[0].clone().set(Attr::JobTitle, "Boss");
    world.people[0] = world.people[0].clone().set(Attr::JobTitle, "");
    check(&world, "ada", "none: unknown, unknown, unknown");
    // One rule that fails guards what another would take.
    world.policy.licenses.clear();
    world.policy.groups.clear();
    license(&mut world.policy, "E1", &[], "Guests");
    world.people[0] = person("ada").groups(&["Broken"]);
    world.policy.groups.push(GroupRule { name: "Sales".into(), kind: GroupKind::Security, when: Arc::new(Never) });
    check(&world, "ada", "none: unknown");
}

#[derive(Debug)]
struct Never;

impl Rule for Never {
    fn test(&self, _: &Person) -> Result<bool, RuleError> {
        Ok(false)
    }

    fn text(&self) -> &'static str {
        "false"
    }
}

#[test]
fn c37_no_license_without_a_usage_location() {
    let mut world = ada(&["Staff"], &[], &[]);
    world.accounts[0] = account("ada").unlicensed();
    check(&world, "ada", "license: license_rule, attributes_differ | set usageLocation=SE + licences +E3");
    world.people[0] = person("ada").groups(&["Staff"]);
    check(&world, "ada", "none: usage_location_missing");
    world.accounts.clear();
    world.links.clear();
    check(&world, "ada", "create: provision, usage_location_missing | create id-ada");
}

#[test]
fn what_was_not_read_or_does_not_exist_is_said() {
    check(&ada(&["Staff"], &["E3!"], &[]).tenant(|t| t.skus = None), "ada", "none: incomplete");
    check(&ada(&["Staff"], &[], &[]).tenant(|t| t.skus = Some(vec![sku("E1")])), "ada", "none: license_unknown");
    check(&ada(&["Sales"], &[], &[]).tenant(|t| t.named_groups.clear()), "ada", "none: incomplete");
    let mut world = ada(&["Staff"], &[], &[]).policy(|p| p.licenses.clear());
    license(&mut world.policy, "E3", &["NO_SUCH_PLAN"], "Staff");
    check(&world, "ada", "none: license_unknown");
    // A misspelt plan takes nothing from whom the rule fits.
    let mut world = ada(&["Staff"], &["E3!"], &[]).policy(|p| p.licenses.clear());
    license(&mut world.policy, "E3", &["NO_SUCH_PLAN"], "Staff");
    check(&world, "ada", "none: license_unknown");
}

#[test]
fn o8_groups_that_are_not_ours_to_write() {
    let with = |group| {
        ada(&["Sales"], &[], &[]).tenant(|t| _ = t.named_groups.insert("hr".into(), vec![named("Sales", group)]))
    };
    check(&with(FoundGroup::OtherKind), "ada", "none: unsupported_group_type");
    check(&with(FoundGroup::Locked { lock: GroupLock::Dynamic }), "ada", "none: unsupported_group_type");
    check(&with(FoundGroup::Several), "ada", "none: ambiguous_group");
    check(&with(FoundGroup::Missing), "ada", "membership: group_rule | join Sales (new)");
}

#[test]
fn a_name_stands_for_the_one_group_of_the_kind() {
    let group = |id: &str, kind, locked| Group { id: id.into(), name: "Sales".into(), kind, locked };
    let among = |groups: &[Group]| FoundGroup::among(groups, GroupKind::Security);
    let security = group("a", Some(GroupKind::Security), None);
    let unified = group("b", Some(GroupKind::Microsoft365), None);
    assert_eq!(among(&[]), FoundGroup::Missing);
    assert!(matches!(among(&[security.clone(), unified.clone()]), FoundGroup::Found { id, .. } if id.as_str() == "a"));
    assert_eq!(among(&[unified]), FoundGroup::OtherKind);
    assert_eq!(among(&[group("c", None, None)]), FoundGroup::OtherKind, "distribution lists belong to Exchange");
    assert_eq!(among(&[security.clone(), security]), FoundGroup::Several);
    let role = group("d", Some(GroupKind::Security), Some(GroupLock::RoleAssignable));
    assert_eq!(among(&[role]), FoundGroup::Locked { lock: GroupLock::RoleAssignable });
}

#[test]
fn nicknames_are_what_every_tenant_takes() {
    assert_eq!(nickname("Sales & Marketing", Nickname::Plain), "salesmarketing");
    assert_eq!(nickname("Försäljning", Nickname::Plain), "frsljning");
    assert_eq!(nickname("売上", Nickname::Plain), "group");
    let unique = nickname("売上", Nickname::Unique);
    assert!(unique.starts_with("group-") && unique != nickname("売", Nickname::Unique), "{unique}");
    assert!(nickname(&"a".repeat(300), Nickname::Unique).len() <= 64);
}

fn stage(action: LeavingAction, days: i64) -> Stage {
    Stage { action, after_seconds: days * DAY }
}

/// Ada left so many days ago.
fn leaver(days: i64, stages: Vec<Stage>) -> World {
    let mut world = ada(&["Staff"], &["E3!", "E1"], &["Sales!"]).policy(|p| p.lifecycle.absent = stages);
    world.people[0].standing = SourceStatus::Absent(NOW - days * DAY);
    world
}

#[test]
fn o19_each_stage_of_leaving_on_its_clock() {
    let mut world = leaver(0, ladder(7 * DAY));
    check(&world, "ada", "suspend: source_absent, in_grace | suspend Absent | removal from 0");
    world.accounts[0].enabled = Some(false);
    check(&world, "ada", "none: in_grace");
    world.now = NOW + 7 * DAY;
    check(&world, "ada", "license: source_absent, in_grace | licences -E3 + leave Sales | removal from 0");
    world.links[0].ledger.licenses.clear();
    world.links[0].ledger.memberships = Texts::default();
    check(&world, "ada", "none: in_grace");
    world.now = NOW + 30 * DAY;
    check(&world, "ada", "delete: source_absent, awaiting_approval | delete Absent | approval, removal from 0");
}

#[test]
fn licenses_go_with_the_blocking_or_after_it_and_never_before() {
    let both = ladder(0);
    check(
        &leaver(0, both),
        "ada",
        "suspend: source_absent, in_grace | suspend Absent + licences -E3 + leave Sales | removal from 0",
    );
    let late = vec![stage(LeavingAction::Suspend, 7), stage(LeavingAction::RemoveLicenses, 7)];
    check(&leaver(0, late), "ada", "none: in_grace");
    let alone = vec![stage(LeavingAction::RemoveLicenses, 0)];
    check(&leaver(0, alone), "ada", "license: source_absent | licences -E3 + leave Sales | removal from 0");
    let world = leaver(0, ladder(0)).role("a-ada");
    check(&world, "ada", "none: privileged_leaver, in_grace");
}

#[test]
fn a_deleted_account_loses_its_licenses_with_it() {
    let mut world = leaver(40, ladder(7 * DAY));
    world.accounts[0].enabled = Some(false);
    check(&world, "ada", "delete: source_absent, awaiting_approval | delete Absent | approval, removal from 0");
}

#[test]
fn a_return_gives_back_what_the_rules_give() {
    let mut world = ada(&["Staff", "Sales"], &[], &[]);
    world.accounts[0].enabled = Some(false);
    world.links[0] = link("ada").suspended();
    check(&world, "ada", "enable: returned, license_rule, group_rule | enable + licences +E3 + join Sales");
}

#[test]
fn who_comes_back_from_the_recycle_bin_is_looked_at_again() {
    let mut world = ada(&["Staff"], &[], &[]);
    world.accounts[0] = world.accounts[0].clone().deleted();
    world.links[0] = link("ada").ledger(|ledger| {
        ledger.deleted = Some(hardmatch_domain::link::Suspension { at: NOW - DAY, cause: LeavingCause::Absent });
    });
    check(&world, "ada", "restore: returned, in_progress | restore + link");
    world.people[0] = person("ada").groups(&["Others"]);
    check(&world, "ada", "restore: returned | restore + link");
    world.links[0].ledger.memberships = Texts::new(["g-Sales"]);
    check(&world, "ada", "restore: returned, in_progress | restore + link");
}

#[test]
fn who_is_leaving_is_given_nothing_and_keeps_what_they_have_until_it_is_due() {
    let mut world = ada(&["Staff", "Sales"], &["E1!"], &[]);
    world.people[0] = world.people[0].clone().enabled(Some(false));
    check(&world, "ada", "suspend: source_disabled | suspend Disabled | removal from 0");
    world.policy.lifecycle.create_disabled = true;
    world.accounts.clear();
    world.links.clear();
    check(&world, "ada", "create: provision | create id-ada blocked");
    // Policy ignores it: then the rules speak.
    world.policy.lifecycle.disabled.clear();
    check(
        &world,
        "ada",
        "create: provision, license_rule, group_rule | create id-ada blocked + licences +E3 + join Sales",
    );
}

#[test]
fn what_somebody_else_undid_is_ours_no_more() {
    let world = ada(&[], &["E3!", "E1!"], &["Sales!"]);
    let mut ledger = world.links[0].ledger.clone();
    let mut account = world.accounts[0].clone();
    ledger.disown(&account);
    assert_eq!(ledger, world.links[0].ledger, "nobody undid anything");
    account.licenses = Texts::new(["sku-E1"]);
    account.memberships = Texts::default();
    ledger.disown(&account);
    assert_eq!(ledger.licenses.len(), 1);
    assert!(ledger.memberships.is_empty());
    let deleted = account.clone().deleted();
    let before = ledger.clone();
    ledger.disown(&deleted);
    assert_eq!(ledger, before, "the recycle bin says nothing of licences");
}

#[test]
fn switches_hold_for_licenses_and_memberships() {
    let world = |set: fn(&mut Policy)| ada(&["Staff", "Sales"], &[], &[]).policy(set);
    check(&world(|p| p.actions.license = Switch::Off), "ada", "membership: group_rule, action_off | join Sales");
    check(&world(|p| p.actions.membership = Switch::Off), "ada", "license: license_rule, action_off | licences +E3");
    let approve = world(|p| p.actions.license = Switch::Approve);
    check(
        &approve,
        "ada",
        "license: license_rule, group_rule, awaiting_approval | licences +E3 + join Sales | approval",
    );
}

#[test]
fn another_connections_groups_say_nothing() {
    let world = ada(&["Sales"], &[], &[]).tenant(|tenant| {
        let ours = tenant.named_groups.remove(&"hr".into()).unwrap_or_default();
        tenant.named_groups.insert("other".into(), ours);
    });
    check(&world, "ada", "none: incomplete");
}

#[test]
fn an_absent_persons_cause_is_remembered_until_the_last_stage() {
    let decision = leaver(3, ladder(7 * DAY)).decide("ada");
    assert_eq!(decision.leaving, Some((LeavingCause::Absent, NOW - 3 * DAY)));
    assert_eq!(decision.look_again_at, Some(NOW + 4 * DAY));
}
