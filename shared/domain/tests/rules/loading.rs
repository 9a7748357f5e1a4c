//! A partial view gives the same decision as the whole, once everything it asks is loaded, and none before.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::Decision;
use hardmatch_domain::decide::attempt;
use hardmatch_domain::facts::Facts;
use hardmatch_domain::facts::memory::MemoryFacts;
use hardmatch_domain::facts::partial::{MissingFact, PartialFacts};
use hardmatch_domain::person::SourceStatus;

use crate::world::*;

/// Loads what is asked until nothing is; also how many rounds it took.
pub(crate) fn by_pieces(world: &World, key: &str) -> (Decision, usize) {
    let (decision, rounds) = rounds(world, key);
    (decision, rounds.len())
}

/// What each round asked for.
fn rounds(world: &World, key: &str) -> (Decision, Vec<Vec<MissingFact>>) {
    let whole = world.facts();
    let record = world.people.iter().find(|record| record.person.key.as_str() == key).expect("a known key");
    let mut facts = PartialFacts::default();
    let mut rounds = Vec::new();
    loop {
        match attempt(record, &facts, &world.context()) {
            Ok(decision) => return (decision, rounds),
            Err(wants) => {
                for want in &wants {
                    load(&whole, &mut facts, want.clone());
                }
                rounds.push(wants);
            }
        }
        assert!(rounds.len() < 100, "it never ends");
    }
}

/// Whether a fact is found by a value that somebody holds, which costs a query of its own, and not under its key.
fn is_by_value(want: &MissingFact) -> bool {
    match want {
        MissingFact::Accounts(..) | MissingFact::People(..) | MissingFact::AddressHolders(_) => true,
        MissingFact::Account(_) | MissingFact::Person(_) | MissingFact::Link(_) | MissingFact::LinkTo(_) => false,
    }
}

#[test]
fn a_linked_person_with_the_names_of_their_account_is_looked_up_by_no_value() {
    let changed = person("ada").set(Attr::EmployeeId, "7").set(Attr::JobTitle, "Lead");
    let world = world().person(changed).account(account("ada").set(Attr::EmployeeId, "7")).link(link("ada"));
    let (decision, asked) = rounds(&world, "ada");
    assert!(decision.change.is_some(), "the title is written");
    assert!(!asked.iter().flatten().any(is_by_value), "{asked:?}");
    let renamed = world.person(person("bob").login("new@contoso.com")).account(account("bob")).link(link("bob"));
    let (_, asked) = rounds(&renamed, "bob");
    assert!(asked.iter().flatten().any(is_by_value), "a new name may be somebody's: {asked:?}");
}

#[test]
fn nothing_is_looked_up_by_value_before_the_link_is_known() {
    let world = world().person(person("ada")).account(account("ada")).link(link("ada")).person(person("new"));
    for key in ["ada", "new"] {
        let (_, asked) = rounds(&world, key);
        assert!(matches!(asked[0][..], [MissingFact::Link(_)]), "{key}: {asked:?}");
    }
    assert!(rounds(&world, "new").1.iter().flatten().any(is_by_value));
}

fn load(whole: &MemoryFacts, facts: &mut PartialFacts, want: MissingFact) {
    match want {
        MissingFact::Accounts(by, value) => facts.put_accounts(by, &value, whole.accounts(by, &value)),
        MissingFact::Account(id) => facts.put_account(id.clone(), whole.account(&id).cloned()),
        MissingFact::AddressHolders(address) => facts.put_address_holders(&address, whole.address_holders(&address)),
        MissingFact::People(by, value) => facts.put_people(by, &value, whole.people(by, &value)),
        MissingFact::Person(who) => facts.put_person(who.clone(), whole.person(&who).cloned()),
        MissingFact::Link(who) => facts.put_link(who.clone(), whole.link(&who).cloned()),
        MissingFact::LinkTo(id) => facts.put_link_to(id.clone(), whole.link_to(&id).cloned()),
    }
}

#[test]
fn the_same_decision_by_pieces() {
    let world = linked("ada")
        .person(person("new").set(Attr::EmployeeId, "7").manager("ada"))
        .person(person("soft"))
        .account(account("soft").id(None))
        .person(person("gone").standing(SourceStatus::Absent(NOW)))
        .account(account("gone"))
        .link(link("gone"));
    for key in ["ada", "new", "soft", "gone"] {
        let (decision, rounds) = by_pieces(&world, key);
        assert_eq!(decision, world.decide(key), "{key}");
        assert!(rounds > 0 && rounds < 8, "{key}: {rounds}");
    }
    // A linked person costs two rounds: the link, then the account.
    assert!(by_pieces(&world, "ada").1 <= 3);
}
