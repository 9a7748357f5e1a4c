//! What the tenant refused is not planned again on the same facts.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::{Action, Decision};
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_domain::refused::{Cure, Refused, withhold};

use crate::world::*;

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

fn decided(title: &str) -> Decision {
    let world = world().person(person("ada").set(Attr::JobTitle, title)).account(account("ada")).link(link_of(
        "ada",
        "a-ada",
        Some("id-ada"),
    ));
    world.decide("ada")
}

fn refused(before: Option<&Refused>, cure: Cure, now: i64) -> Refused {
    let change = decided("Countess").change.expect("a change");
    Refused::after(before, &change, Reason::with(Code::TenantRefused, "400"), cure, now)
}

#[test]
fn the_same_is_asked_after_a_day_and_then_weekly() {
    let first = refused(None, Cure::Here, NOW);
    let held = withhold(decided("Countess"), Some(&first), NOW + DAY - 1);
    assert_eq!((held.action, held.change.is_none()), (Action::None, true));
    assert_eq!((held.reasons[0].code, held.look_again_at), (Code::TenantRefused, Some(NOW + DAY)));
    assert!(!held.is_converged());
    assert!(withhold(decided("Countess"), Some(&first), NOW + DAY).change.is_some());
    let second = refused(Some(&first), Cure::Here, NOW + DAY);
    assert_eq!((second.times, second.next), (2, NOW + 8 * DAY));
    let elsewhere = refused(Some(&first), Cure::Elsewhere, NOW + DAY);
    assert_eq!(elsewhere.next, NOW + 2 * DAY, "another object may give up the value any day");
}

#[test]
fn another_change_and_other_facts_are_another_question() {
    let first = refused(None, Cure::Here, NOW);
    assert!(withhold(decided("Baroness"), Some(&first), NOW).change.is_some());
    let mut moved = decided("Countess");
    moved.change.as_mut().expect("a change").decided_on.policy += 1;
    assert!(withhold(moved.clone(), Some(&first), NOW).change.is_some());
    let afresh =
        Refused::after(Some(&first), &moved.change.unwrap(), Reason::plain(Code::TenantRefused), Cure::Here, NOW);
    assert_eq!(afresh.times, 1);
    assert!(withhold(decided("Countess"), None, NOW).change.is_some());
}
