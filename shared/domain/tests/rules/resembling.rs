//! Newcomers who look like somebody who is gone: one person under a new key, or two of one name.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::person::{PersonRecord, SourceStatus};
use hardmatch_domain::policy::Switch;

use crate::world::*;

/// Ada, gone for so many days, her account and link; and a newcomer.
fn gone_for(days: i64, newcomer: PersonRecord) -> World {
    world()
        .person(newcomer)
        .person(person("ada").standing(SourceStatus::Absent(NOW - days * DAY)))
        .account(account("ada"))
        .link(link("ada"))
}

/// Somebody of other names, unless they are set.
fn newcomer() -> PersonRecord {
    person("new").login("new@new.contoso.com").primary("new@new.contoso.com")
}

const SUSPENDED: &str = "suspend: source_absent | suspend Absent | removal from 0";
const CREATED: &str = "create: provision | create id-new";

#[test]
fn the_same_identity_holds_both() {
    let by_name = gone_for(1, newcomer().login("ada@contoso.com"));
    let by_address = gone_for(1, newcomer().primary("ada@contoso.com"));
    for world in [by_name, by_address] {
        check(&world, "new", "none: maybe_rekeyed");
        let leaver = check(&world, "ada", "none: maybe_rekeyed");
        assert_eq!(leaver.reasons[0].detail.as_deref(), Some("resembled by new (new)"));
    }
}

#[test]
fn a_number_that_lost_its_zeros_blocks_nobody_and_creates_nobody() {
    for (before, now) in [("0012", "12"), ("12", "0012"), ("e12", "E 12")] {
        let mut world = gone_for(1, newcomer().set(Attr::EmployeeId, now));
        world.people[1] = world.people[1].clone().set(Attr::EmployeeId, before);
        world.accounts[0] = account("ada").set(Attr::EmployeeId, before);
        check(&world, "new", "none: maybe_rekeyed");
        check(&world, "ada", "none: maybe_rekeyed");
        // The sign-in name is the same, too: the account is found, and is not somebody else's.
        world.people[0] = world.people[0].clone().login("ada@contoso.com").primary("ada@contoso.com");
        check(&world, "new", "none: maybe_rekeyed");
        check(&world, "ada", "none: maybe_rekeyed");
    }
}

#[test]
fn a_hold_of_more_than_a_week_alarms() {
    check(&gone_for(7, newcomer().login("ada@contoso.com")), "ada", "none: maybe_rekeyed");
    let overdue = check(&gone_for(8, newcomer().login("ada@contoso.com")), "ada", "none: rekey_overdue");
    assert!(!overdue.is_converged());
    check(&gone_for(90, newcomer().login("ada@contoso.com")), "ada", "none: rekey_overdue");
}

#[test]
fn where_independent_attributes_differ_the_leaver_is_blocked_on_time() {
    let mut world = gone_for(1, newcomer().login("ada@contoso.com").set(Attr::EmployeeId, "8"));
    world.people[1] = world.people[1].clone().set(Attr::EmployeeId, "7");
    world.accounts[0] = account("ada").set(Attr::EmployeeId, "7");
    check(&world, "new", "none: recycled_identity");
    check(&world, "ada", SUSPENDED);
    // A newcomer who gets no account keeps nobody's open either.
    check(&gone_for(1, newcomer().login("ada@contoso.com").enabled(Some(false))), "ada", SUSPENDED);
}

#[test]
fn a_namesake_holds_the_newcomer_and_the_deletion_only() {
    let john = |record: PersonRecord| {
        record.set(Attr::GivenName, "John").set(Attr::Surname, "Smith").set(Attr::DisplayName, "John Smith")
    };
    let by_name = |days| {
        let mut world = gone_for(days, john(newcomer()));
        world.people[1] = john(world.people[1].clone());
        world
    };
    let by_local_part = |days| gone_for(days, newcomer().primary("ada@new.contoso.com"));
    let worlds: [&dyn Fn(i64) -> World; 2] = [&by_name, &by_local_part];
    for world in worlds {
        check(&world(1), "new", "none: namesake");
        check(&world(1), "ada", SUSPENDED);
        let mut blocked = world(1).policy(|p| {
            p.lifecycle.absent = [suspend(0), delete(0)].concat();
            p.actions.delete = Switch::On;
        });
        blocked.accounts[0].enabled = Some(false);
        check(&blocked, "ada", "none: namesake");
        // After two weeks they are two people.
        check(&world(15), "new", CREATED);
        // Two numbers say so at once.
        let mut numbered = world(1);
        numbered.people[0] = numbered.people[0].clone().set(Attr::EmployeeId, "8");
        numbered.people[1] = numbered.people[1].clone().set(Attr::EmployeeId, "7");
        check(&numbered, "new", CREATED);
        check(&numbered, "ada", SUSPENDED);
    }
}

#[test]
fn an_unlinked_account_with_the_number_but_for_zeros_holds_the_create() {
    let theirs = account("x").id(None).set(Attr::EmployeeId, "0012");
    let world = world().person(person("ada").set(Attr::EmployeeId, "12")).account(theirs);
    check(&world, "ada", "none: possible_duplicate");
}
