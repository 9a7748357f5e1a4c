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
    let whole = world.facts();
    let record = world.people.iter().find(|record| record.person.key.as_str() == key).expect("a known key");
    let mut facts = PartialFacts::default();
    let mut round = 0;
    loop {
        match attempt(record, &facts, &world.context()) {
            Ok(decision) => return (decision, round),
            Err(wants) => wants.into_iter().for_each(|want| load(&whole, &mut facts, want)),
        }
        round += 1;
        assert!(round < 100, "it never ends");
    }
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
