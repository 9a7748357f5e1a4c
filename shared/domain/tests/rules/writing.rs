//! What is written to an account that is the person's: attributes, sign-in name, manager; and what a new one gets.

use std::sync::Arc;

use hardmatch_domain::account::Authority;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::Step;
use hardmatch_domain::person::{Manager, SourceStatus};
use hardmatch_domain::policy::{FlowFrom, FlowWhen, Mapping, Policy, Switch, WhenEmpty};

use crate::world::*;

/// A linked person of whom the account differs as told.
fn differing(set: &[(Attr, &str)], have: &[(Attr, &str)]) -> World {
    let mut world = linked("ada");
    for (attr, value) in set {
        world.people[0] = world.people[0].clone().set(*attr, value);
    }
    for (attr, value) in have {
        world.accounts[0] = world.accounts[0].clone().set(*attr, value);
    }
    world
}

fn mapping(policy: &mut Policy, attr: Attr) -> &mut Mapping {
    policy.flow.iter_mut().find(|mapping| mapping.to == attr).expect("mapped")
}

#[test]
fn only_what_differs_is_written() {
    let title = differing(&[(Attr::JobTitle, "Countess"), (Attr::Department, "Sums")], &[(Attr::Department, "Sums")]);
    check(&title, "ada", "update: attributes_differ | set jobTitle=Countess");
    // A source that lacks the attribute says nothing about it.
    check(&differing(&[], &[(Attr::City, "London"), (Attr::JobTitle, "x")]), "ada", "none: converged");
    // Upper and lower case matter, except in countries.
    check(
        &differing(&[(Attr::GivenName, "ADA")], &[(Attr::GivenName, "Ada")]),
        "ada",
        "update: attributes_differ | set givenName=ADA",
    );
    check(&differing(&[(Attr::UsageLocation, "gb")], &[(Attr::UsageLocation, "GB")]), "ada", "none: converged");
}

#[test]
fn d2_drift_is_written_again_and_said_so() {
    let mut world = differing(&[(Attr::JobTitle, "Countess")], &[(Attr::JobTitle, "Lady")]);
    world.links[0].ledger.written = world.people[0].person.attributes.clone();
    check(&world, "ada", "update: drift | set jobTitle=Countess");
}

#[test]
fn empty_values_clear_or_keep_by_policy() {
    let empty = || differing(&[(Attr::JobTitle, "")], &[(Attr::JobTitle, "Lady")]);
    let decision = check(&empty(), "ada", "update: attributes_differ | set jobTitle= | removal from 0");
    assert_eq!(decision.change.unwrap().removals.blanks, 1);
    let keep = empty().policy(|p| mapping(p, Attr::JobTitle).when_empty = WhenEmpty::Keep);
    check(&keep, "ada", "none: converged");
    // Nothing to clear.
    check(&differing(&[(Attr::JobTitle, "")], &[]), "ada", "none: converged");
    // These keep a value for ever.
    let kept = differing(&[(Attr::UsageLocation, ""), (Attr::DisplayName, "")], &[(Attr::UsageLocation, "GB")]);
    check(&kept, "ada", "none: converged");
    // The rest does not wait for the gate.
    let mixed = differing(&[(Attr::JobTitle, ""), (Attr::GivenName, "Ada")], &[(Attr::JobTitle, "Lady")]);
    check(
        &mixed,
        "ada",
        "update: attributes_differ, attributes_differ | set givenName=Ada + set jobTitle= | removal from 1",
    );
}

#[test]
fn initial_and_never() {
    let flow = |world: World, when| world.policy(|p| mapping(p, Attr::JobTitle).when = when);
    let later = || differing(&[(Attr::JobTitle, "Countess")], &[(Attr::JobTitle, "Lady")]);
    check(&flow(later(), FlowWhen::Initial), "ada", "none: converged");
    check(&flow(later(), FlowWhen::Never), "ada", "none: converged");
    let first = |have| {
        let mut world = differing(&[(Attr::JobTitle, "Countess")], have);
        world.links.clear();
        flow(world, FlowWhen::Initial)
    };
    check(&first(&[]), "ada", "link: hard_matched, attributes_differ | link + set jobTitle=Countess");
    check(&first(&[(Attr::JobTitle, "Lady")]), "ada", "link: hard_matched | link");
}

#[test]
fn invalid_values_are_left_out_and_named() {
    let long = "x".repeat(129);
    let world = differing(&[(Attr::JobTitle, &long), (Attr::GivenName, "Ada")], &[]);
    let decision = check(&world, "ada", "update: attributes_differ, invalid_value | set givenName=Ada");
    assert_eq!(decision.reasons[1].detail.as_deref(), Some("jobTitle is too long"));
    // A required one refuses the rest.
    let nickname = differing(&[(Attr::MailNickname, "a b"), (Attr::GivenName, "Ada")], &[]);
    check(&nickname, "ada", "none: invalid_value");
    let upn = differing(&[(Attr::UserPrincipalName, "a b@contoso.com"), (Attr::GivenName, "Ada")], &[]);
    check(&upn, "ada", "none: invalid_value");
}

#[test]
fn expressions_flow_and_fail_closed() {
    let mapped =
        |world: World| world.policy(|p| mapping(p, Attr::JobTitle).from = FlowFrom::Expression(Arc::new(Bracketed)));
    let world = differing(&[(Attr::JobTitle, "Countess")], &[]);
    check(&mapped(world), "ada", "update: attributes_differ | set jobTitle=(Countess)");
    let mut broken = differing(&[(Attr::Department, ""), (Attr::GivenName, "Ada")], &[(Attr::Department, "Sums")]);
    broken.people[0] = broken.people[0].clone().groups(&["Broken"]).enabled(Some(false));
    check(&mapped(broken), "ada", "none: unknown");
}

#[test]
fn a_create_carries_everything() {
    let new = person("ada")
        .without(Attr::MailNickname)
        .without(Attr::DisplayName)
        .set(Attr::GivenName, "Ada")
        .set(Attr::Surname, "Lovelace")
        .set(Attr::JobTitle, &"x".repeat(200))
        .set(Attr::Department, "")
        .set(Attr::UsageLocation, "GB");
    let decision = check(&world().person(new), "ada", "create: provision, invalid_value | create id-ada");
    let Step::Create { attributes, .. } = &decision.change.unwrap().steps[0] else { panic!("a create") };
    let got: Vec<_> = attributes.iter().map(|(attr, value)| format!("{attr}={value}")).collect();
    assert_eq!(
        got,
        [
            "userPrincipalName=ada@contoso.com",
            "mailNickname=ada",
            "displayName=Ada Lovelace",
            "givenName=Ada",
            "surname=Lovelace",
            "usageLocation=GB"
        ]
    );
}

#[test]
fn a_create_needs_its_values() {
    let check_new = |record, expected| check(&world().person(record), "ada", expected);
    check_new(person("ada").without(Attr::UserPrincipalName), "none: missing_value");
    check_new(person("ada").without(Attr::DisplayName), "none: missing_value");
    check_new(person("ada").login("ada@unverified.com"), "none: domain_not_verified");
    check_new(person("ada").login("ada@nowhere.com"), "none: domain_not_verified");
    check_new(person("ada").login("ädä@contoso.com"), "none: invalid_value");
    check_new(person("ada").set(Attr::DisplayName, &"x".repeat(257)), "none: invalid_value");
}

#[test]
fn c38_a_new_sign_in_name_is_a_rename() {
    let renamed = |upn: &str| {
        let mut world = linked("ada");
        world.people[0] = person("ada").login(upn);
        world
    };
    check(&renamed("al@contoso.com"), "ada", "rename: rename | rename ada@contoso.com to al@contoso.com");
    check(&renamed("ADA@contoso.com"), "ada", "none: converged");
    check(&renamed("ada@unverified.com"), "ada", "none: domain_not_verified");
    let off = renamed("al@contoso.com").policy(|p| p.actions.rename = Switch::Off);
    check(&off, "ada", "none: action_off");
    let approve = renamed("al@contoso.com").policy(|p| p.actions.rename = Switch::Approve);
    check(&approve, "ada", "rename: rename, awaiting_approval | rename ada@contoso.com to al@contoso.com | approval");
    check(&renamed("al@contoso.com").role("a-ada"), "ada", "none: privileged");
    check(&renamed("al@contoso.com").tenant(|t| t.roles = None), "ada", "none: roles_unknown");
    // The address is left as it is: Exchange masters it.
    let mut mail = linked("ada");
    mail.people[0] = person("ada").primary("al@contoso.com");
    assert!(check(&mail, "ada", "none: mail_mastered_elsewhere").is_converged());
}

#[test]
fn d13_renames_to_and_from_federated_domains_are_repairs() {
    let renamed = |upn: &str| {
        let mut world = linked("ada").federate("fed.com").federate("fed2.com");
        world.people[0] = person("ada").login(upn).set(Attr::GivenName, "Ada");
        world
    };
    // What needs nobody's word does not wait for a repair that does.
    check(&renamed("ada@fed.com"), "ada", "update: attributes_differ, repair_needed | set givenName=Ada");
    let alone = |from: &str, to: &str| {
        let mut world = linked("ada").federate("fed.com").federate("fed2.com");
        world.accounts[0] = account("ada").login(from);
        world.people[0] = person("ada").login(to);
        world
    };
    let temporary = "hardmatch-repair-28f39273fc05@contoso.onmicrosoft.com";
    let between = format!("a-ada: ada@fed.com → {temporary}, a-ada: {temporary} → ada@fed2.com");
    for (from, to, calls) in [
        ("ada@contoso.com", "ada@fed.com", "a-ada: ada@contoso.com → ada@fed.com"),
        ("ada@fed.com", "ada@contoso.com", "a-ada: ada@fed.com → ada@contoso.com"),
        ("ada@fed.com", "ada@fed2.com", &between),
    ] {
        let expected = format!("repair: rename, awaiting_approval | repair sign-in-name ({calls}) | approval");
        check(&alone(from, to), "ada", &expected);
    }
    check(&alone("ada@fed.com", "al@fed.com"), "ada", "rename: rename | rename ada@fed.com to al@fed.com");
}

#[test]
fn names_given_up_in_the_same_plan_are_waited_for() {
    // bob moves to bob2, ada takes bob.
    let mut chain = linked("ada");
    chain.people[0] = person("ada").login("bob@contoso.com");
    let chain = chain.person(person("bob").login("bob2@contoso.com")).account(account("bob")).link(link("bob"));
    check(&chain, "ada", "rename: rename, waits_for_release | rename ada@contoso.com to bob@contoso.com | after bob");
    check(&chain, "bob", "rename: rename | rename bob@contoso.com to bob2@contoso.com");
    // Before a first run has made links it is alike: the immutable IDs say whose the accounts are.
    let mut newcomer = chain;
    let links = std::mem::take(&mut newcomer.links);
    check(
        &newcomer,
        "ada",
        "rename: rename, hard_matched, waits_for_release | link + rename ada@contoso.com to bob@contoso.com | after bob",
    );
    newcomer.links = links;
    // A newcomer takes ada.
    newcomer.people.push(person("new").login("ada@contoso.com").primary("new@contoso.com"));
    check(&newcomer, "new", "create: provision, waits_for_release | create id-new | after ada");
    // bob stays: in use. bob is gone: his name is not free before he is deleted.
    newcomer.people[1] = person("bob");
    check(&newcomer, "ada", "none: address_in_use");
    newcomer.people[1] = person("bob").standing(SourceStatus::Absent(0));
    check(&newcomer, "ada", "none: address_in_use");
    check(&newcomer, "new", "none: address_in_use");
}

#[test]
fn a_swap_of_names_is_a_repair() {
    let world = world()
        .person(person("ada").login("bob@contoso.com"))
        .person(person("bob").login("ada@contoso.com"))
        .account(account("ada"))
        .account(account("bob"))
        .link(link("ada"))
        .link(link("bob"));
    // The smallest key exchanges the names of both.
    let calls = "a-ada: ada@contoso.com → hardmatch-repair-28f39273fc05@contoso.onmicrosoft.com, a-bob: bob@contoso.com → ada@contoso.com, a-ada: hardmatch-repair-28f39273fc05@contoso.onmicrosoft.com → bob@contoso.com";
    let expected = format!("repair: rename, awaiting_approval | repair sign-in-name ({calls}) | approval");
    check(&world, "ada", &expected);
    check(&world, "bob", "none: waits_for_release");
}

#[test]
fn long_chains_end() {
    let mut world = world();
    for n in 0..40 {
        world = world
            .person(person(&format!("p{n:02}")).login(&format!("p{:02}@contoso.com", n + 1)))
            .account(account(&format!("p{n:02}")))
            .link(link(&format!("p{n:02}")));
    }
    check(&world, "p00", "none: address_in_use");
    check(&world, "p20", "rename: rename, waits_for_release | rename p20@contoso.com to p21@contoso.com | after p21");
}

#[test]
fn a_temporary_name_tells_of_a_repair_that_was_not_finished() {
    let world = linked("ada");
    let accounts = vec![account("ada").login("hardmatch-repair-1@contoso.com").proxies(&[])];
    let world = World { accounts, ..world };
    check(&world, "ada", "rename: rename, repair_needed | rename hardmatch-repair-1@contoso.com to ada@contoso.com");
}

#[test]
fn two_linked_people_want_one_name() {
    let world = world()
        .person(person("ada").login("x@contoso.com"))
        .person(person("bob").login("x@contoso.com"))
        .account(account("ada"))
        .account(account("bob"))
        .link(link("ada"))
        .link(link("bob"));
    check(&world, "ada", "none: contested");
}

#[test]
fn phones_of_role_holders_are_left_out() {
    let phones = differing(&[(Attr::MobilePhone, "+46 1"), (Attr::JobTitle, "Countess")], &[]);
    check(&phones.role("a-ada"), "ada", "update: attributes_differ, privileged | set jobTitle=Countess");
    let blank = differing(&[(Attr::BusinessPhones, "")], &[(Attr::BusinessPhones, "+46 1")]);
    check(&blank.role("a-ada"), "ada", "none: privileged");
}

#[test]
fn what_graph_may_refuse_is_written_apart() {
    let mut world = differing(&[(Attr::ExtensionAttribute1, "x"), (Attr::GivenName, "Ada")], &[]).policy(|p| {
        p.flow.push(Mapping {
            to: Attr::ExtensionAttribute1,
            from: FlowFrom::Same,
            when: FlowWhen::Always,
            when_empty: WhenEmpty::Keep,
        });
    });
    check(&world, "ada", "update: attributes_differ | set givenName=Ada extensionAttribute1=x");
    world.accounts[0].authority = Authority::FormerlySynced;
    check(
        &world,
        "ada",
        "update: attributes_differ, attributes_differ | set givenName=Ada + set extensionAttribute1=x",
    );
}

#[test]
fn managers_by_link() {
    let managed = |manager: Option<&str>| {
        let mut world = linked("ada").person(person("bob")).account(account("bob")).link(link("bob"));
        world.people[0] = person("ada").manager("bob");
        if let Some(manager) = manager {
            world.accounts[0] = account("ada").manager(manager);
        }
        world
    };
    check(&managed(None), "ada", "update: manager_differs | manager a-bob");
    check(&managed(Some("a-x")), "ada", "update: manager_differs | manager a-bob");
    check(&managed(Some("a-bob")), "ada", "none: converged");
    let never = managed(None).policy(|p| p.manager.when = FlowWhen::Never);
    check(&never, "ada", "none: converged");
    // No manager at the source: cleared, as a removal, or kept.
    let mut nobody = managed(Some("a-bob"));
    nobody.people[0].person.manager = Some(Manager::Nobody);
    check(&nobody, "ada", "update: manager_differs | manager none | removal from 0");
    nobody.policy.manager.when_empty = WhenEmpty::Keep;
    check(&nobody, "ada", "none: converged");
}

#[test]
fn a_manager_entered_already_is_not_written_while_the_links_are_new() {
    let world = world().person(person("ada").manager("bob")).person(person("bob"));
    let world = world.account(account("ada").manager("a-bob")).account(account("bob"));
    check(&world, "ada", "link: hard_matched | link");
    let mut other = world;
    other.accounts[0] = account("ada").manager("a-x");
    check(&other, "ada", "link: hard_matched, manager_differs | link + manager person bob | after bob");
}

#[test]
fn managers_outside_scope_are_left_as_they_are() {
    let outside = |manager: Manager| {
        let mut world = linked("ada").person(person("bob").standing(SourceStatus::Refused));
        world.people[0].person.manager = Some(manager);
        world.accounts[0] = account("ada").manager("a-x");
        world
    };
    for manager in [
        Manager::Unknown("Somebody".into()),
        Manager::Person("nobody".into()),
        Manager::Person("bob".into()),
        Manager::Person("ada".into()),
    ] {
        assert!(check(&outside(manager), "ada", "none: reference_out_of_scope").is_converged());
    }
}

#[test]
fn managers_are_created_before_their_reports() {
    let world = world().person(person("ada").manager("bob")).person(person("bob").manager("eve")).person(person("eve"));
    let depth = |key: &str, expected: &str| check(&world, key, expected).change.unwrap().depth;
    assert_eq!(depth("eve", "create: provision | create id-eve"), 0);
    assert_eq!(depth("bob", "create: provision | create id-bob under person eve | after eve"), 1);
    assert_eq!(depth("ada", "create: provision | create id-ada under person bob | after bob"), 2);
}

#[test]
fn nobody_waits_in_a_circle() {
    let world = world()
        .person(person("ada").manager("bob"))
        .person(person("bob").manager("eve"))
        .person(person("eve").manager("ada"));
    // The smallest key goes first, and the manager is set when everybody is there.
    check(&world, "ada", "create: provision, waits_for_manager | create id-ada + manager person bob");
    check(&world, "bob", "create: provision | create id-bob under person eve | after eve");
    check(&world, "eve", "create: provision | create id-eve under person ada | after ada");
    // A newcomer below a circle waits for none of it.
    let below = world.person(person("zoe").manager("bob"));
    check(&below, "zoe", "create: provision, waits_for_manager | create id-zoe");
}

#[test]
fn names_and_managers_do_not_wait_for_each_other() {
    // ada gives up her name and shall get new as manager; new shall get ada's name.
    let mut world = linked("ada").person(person("new").login("ada@contoso.com").primary("new@contoso.com"));
    world.people[0] = person("ada").login("al@contoso.com").manager("new");
    check(
        &world,
        "ada",
        "rename: rename, manager_differs | rename ada@contoso.com to al@contoso.com + manager person new",
    );
    check(&world, "new", "create: provision, waits_for_release | create id-new | after ada");
}
