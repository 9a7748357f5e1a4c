//! Nobody becomes an administrator because of what a source says: roles, held or eligible, and what a link keeps.

use hardmatch_domain::person::SourceStatus;

use crate::world::*;

/// A first hard match, a soft match, a deleted account with the ID, and a re-hire: every way to an account without a link.
fn ways_in() -> [(World, &'static str); 4] {
    let new = || world().person(person("ada"));
    let employee = hardmatch_domain::attribute::Attr::EmployeeId;
    let rehire = world()
        .person(person("new").login("ada2@contoso.com").primary("ada2@contoso.com").set(employee, "7"))
        .person(person("ada").set(employee, "7").standing(SourceStatus::Absent(NOW - 90 * DAY)))
        .account(account("ada").set(employee, "7"))
        .link(link("ada"));
    [
        (new().account(account("ada")), "ada"),
        (new().account(account("ada").id(None)), "ada"),
        (new().account(account("ada").deleted()), "ada"),
        (rehire, "new"),
    ]
}

#[test]
fn a_first_match_onto_a_role_holder_is_refused() {
    for (world, key) in ways_in() {
        let decision = world.role("a-ada").decide(key);
        assert_eq!((decision.action.name(), decision.reasons[0].code.as_str()), ("none", "privileged"));
    }
}

#[test]
fn a_first_match_onto_an_eligible_account_is_refused() {
    for (world, key) in ways_in() {
        let decision = world.eligible("a-ada").decide(key);
        assert_eq!((decision.action.name(), decision.reasons[0].code.as_str()), ("none", "privileged"));
    }
}

#[test]
fn unknown_roles_make_nobody_unprivileged() {
    let unread: [fn(&mut hardmatch_domain::account::Tenant); 2] = [|t| t.roles = None, |t| t.eligible = None];
    for set in unread {
        for (world, key) in ways_in() {
            let decision = world.tenant(set).decide(key);
            assert_eq!((decision.action.name(), decision.reasons[0].code.as_str()), ("none", "roles_unknown"));
        }
    }
}

#[test]
fn a_standing_link_goes_on_whatever_roles_there_are() {
    let titled = |world: World| {
        let mut world = world;
        world.people[0] = person("ada").set(hardmatch_domain::attribute::Attr::JobTitle, "Countess");
        world
    };
    let expected = "update: attributes_differ | set jobTitle=Countess";
    check(&titled(linked("ada").role("a-ada")), "ada", expected);
    check(&titled(linked("ada").eligible("a-ada")), "ada", expected);
    check(&titled(linked("ada").tenant(|t| (t.roles, t.eligible) = (None, None))), "ada", expected);
    // Somebody who may activate a role is a leaver like everybody else.
    let mut leaver = linked("ada").eligible("a-ada");
    leaver.people[0].standing = SourceStatus::Absent(NOW);
    check(&leaver, "ada", "suspend: source_absent | suspend Absent | removal from 0");
    // A new key with the anchor of somebody who is gone continues their link.
    let continued = world()
        .person(person("new").anchors(&["id-ada"]).login("ada@contoso.com").primary("ada@contoso.com"))
        .person(person("ada").standing(SourceStatus::Absent(NOW - DAY)))
        .account(account("ada"))
        .link(link("ada"))
        .role("a-ada");
    assert_eq!(continued.decide("new").reasons[0].code.as_str(), "hard_matched");
}
