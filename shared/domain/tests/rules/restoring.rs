//! What lies in the recycle bin: whose it is, and who gets it back.

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::EvidenceRule;
use hardmatch_domain::link::{LeavingCause, Suspension};
use hardmatch_domain::policy::{AccountDeleted, Switch};

use crate::world::*;

/// A deleted account that had Ada's name and no ID.
fn named_so() -> Account {
    account("ada").id(None).deleted()
}

const APPROVED: &str = "restore: restore_deleted, awaiting_approval | restore | approval";
const PROVISIONED: &str = "create: provision | create id-ada";

#[test]
fn a_name_alone_restores_nobody_without_an_approval() {
    let decision = check(&world().person(person("ada")).account(named_so()), "ada", APPROVED);
    let shown = |rule| decision.evidence.iter().any(|e| e.rule == rule && e.theirs.is_some());
    for rule in [EvidenceRule::Proof, EvidenceRule::Dates, EvidenceRule::Licenses, EvidenceRule::Address] {
        assert!(shown(rule), "an approver sees {rule:?}");
    }
    // An attribute that agrees and that many have agrees with everybody.
    let mut shared =
        world().person(person("ada").set(Attr::EmployeeId, "7")).account(named_so().set(Attr::EmployeeId, "7"));
    check(&shared, "ada", "restore: restore_deleted | restore");
    shared = shared.person(person("bob").set(Attr::EmployeeId, "7")).person(person("eve").set(Attr::EmployeeId, "7"));
    check(&shared, "ada", "restore: restore_deleted, awaiting_approval | restore | approval");
}

#[test]
fn another_persons_deleted_account_stays_where_it_is() {
    let restored = |ours: &[(Attr, &str)], theirs: &[(Attr, &str)]| {
        let person = ours.iter().fold(person("ada"), |person, (attr, value)| person.set(*attr, value));
        let account = theirs.iter().fold(named_so(), |account, (attr, value)| account.set(*attr, value));
        world().person(person).account(account)
    };
    let given = |name| (Attr::GivenName, name);
    let employee = |id| (Attr::EmployeeId, id);
    check(&restored(&[given("Ada")], &[given("Jane")]), "ada", PROVISIONED);
    check(&restored(&[given("Ada")], &[(Attr::DisplayName, "Jane Smith")]), "ada", PROVISIONED);
    check(&restored(&[given("Ada")], &[(Attr::DisplayName, "Smith, Jane")]), "ada", PROVISIONED);
    check(&restored(&[given("Ada"), employee("7")], &[given("Jane"), employee("7")]), "ada", PROVISIONED);
    check(&restored(&[employee("7")], &[employee("8")]), "ada", PROVISIONED);
    // Two ways to write one name are no contradiction.
    for theirs in ["ada", "ADA", "Ada Maria", "A.", "\u{e1}da"] {
        check(&restored(&[given("Ada")], &[given(theirs)]), "ada", APPROVED);
    }
    // Nor is a number that lost its zeros; but it proves nothing either.
    check(&restored(&[employee("7")], &[employee("007")]), "ada", APPROVED);
}

#[test]
fn nobody_who_is_leaving_is_restored() {
    let disabled = || person("ada").enabled(Some(false)).set(Attr::EmployeeId, "7");
    let by_name = || named_so().set(Attr::EmployeeId, "7");
    let by_id = || account("ada").deleted();
    let quiet = |world: &World, expected: &str| assert!(check(world, "ada", expected).is_converged());
    quiet(&world().person(disabled()).account(by_name()), "none: disabled_not_provisioned");
    quiet(&world().person(disabled()).account(by_id()), "none: not_restored");
    let created = |account: Account| world().person(disabled()).account(account);
    let even_disabled = |world: World| world.policy(|p| p.lifecycle.create_disabled = true);
    quiet(&even_disabled(created(by_name())), "none: not_restored");
    quiet(&even_disabled(created(by_id())), "none: not_restored");
    let expired = || world().person(person("ada").expired()).policy(|p| p.lifecycle.password_expired = suspend(0));
    quiet(&expired().account(by_id()), "none: not_restored");
    quiet(&expired().account(by_name()), "none: not_restored");
    // Linked: what we deleted, or what policy would bring back.
    for policy in [AccountDeleted::Report, AccountDeleted::Restore, AccountDeleted::Recreate] {
        let mut linked = linked("ada").policy(|p| p.lifecycle.account_deleted = policy);
        linked.people[0] = disabled();
        linked.accounts[0] = by_id();
        if policy == AccountDeleted::Report {
            let ours = Suspension { at: NOW - DAY, cause: LeavingCause::Disabled };
            linked.links[0] = link("ada").ledger(|ledger| ledger.deleted = Some(ours));
        }
        quiet(&linked, "none: not_restored");
    }
    // Active again.
    check(
        &world().person(person("ada").set(Attr::EmployeeId, "7")).account(by_name()),
        "ada",
        "restore: restore_deleted | restore",
    );
}

#[test]
fn our_own_deletion_purged_ends_in_a_new_account() {
    let mut world = linked("ada");
    world.accounts.clear();
    let ours = Suspension { at: NOW - 40 * DAY, cause: LeavingCause::Absent };
    world.links[0] = link("ada").ledger(|ledger| {
        ledger.deleted = Some(ours);
        ledger.suspended = Some(ours);
        ledger.confirmed_gone = Some(NOW - DAY);
    });
    let decision = check(&world, "ada", "create: provision | create id-ada");
    let dates = decision.evidence.iter().find(|e| e.rule == EvidenceRule::Dates).and_then(|e| e.theirs.clone());
    assert!(dates.is_some_and(|dates| dates.contains("deleted by us")));
    // Somebody else's deletion is reported; between two looks nothing is believed.
    let mut theirs = world;
    theirs.links[0].ledger.deleted = None;
    check(&theirs, "ada", "none: account_deleted");
    theirs.links[0].ledger.deleted = Some(ours);
    theirs.links[0].ledger.confirmed_gone = None;
    check(&theirs, "ada", "none: account_unseen");
}

#[test]
fn restoring_can_be_switched_off() {
    let world = world().person(person("ada")).account(named_so()).policy(|p| p.actions.restore = Switch::Off);
    check(&world, "ada", "none: action_off");
}
