//! What the tenant refused is not planned again on the same facts.

use hardmatch_domain::account::Tenant;
use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::change::{Action, ChangeId, Decision, Hold, Removals, Revisions, Step};
use hardmatch_domain::license::{License, Sku};
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_domain::refused::{Cure, Refusals, Refused};

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
    Refused::after(before, &change, &whole(cure), now)
}

fn whole(cure: Cure) -> Refusals {
    let reason = Reason::with(Code::TenantRefused, "400");
    Refusals { whole: Some((reason, cure)), parts: Vec::new(), on: Revisions::default() }
}

fn withhold(decision: Decision, refused: Option<&Refused>, now: i64) -> Decision {
    hardmatch_domain::refused::withhold(decision, refused, &tenant(), now)
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
    assert!(elsewhere.next < NOW + 2 * DAY, "another object may give up the value any day: the next night asks");
}

#[test]
fn another_change_and_other_facts_are_another_question() {
    let first = refused(None, Cure::Here, NOW);
    assert!(withhold(decided("Baroness"), Some(&first), NOW).change.is_some());
    let mut moved = decided("Countess");
    moved.change.as_mut().expect("a change").decided_on.policy += 1;
    assert!(withhold(moved.clone(), Some(&first), NOW).change.is_some());
    let afresh = Refused::after(Some(&first), &moved.change.unwrap(), &whole(Cure::Here), NOW);
    assert_eq!(afresh.times, 1);
    assert!(withhold(decided("Countess"), None, NOW).change.is_some());
}

/// Ada's change with these steps, and the removals among them.
fn steps(steps: Vec<Step>, removal_from: Option<usize>) -> Decision {
    let mut decision = decided("Countess");
    let change = decision.change.as_mut().expect("a change");
    change.id = ChangeId::of(&change.person, change.account.as_ref(), &steps);
    change.removal_from = removal_from;
    change.hold = removal_from.map(|_| Hold::Removal);
    change.removals = Removals { licenses: u32::from(removal_from.is_some()), ..Removals::default() };
    change.steps = steps;
    decision
}

fn update(pairs: &[(Attr, &str)]) -> Step {
    let after = Attributes::from_pairs(pairs.iter().copied());
    Step::Update { immutable_id: None, before: Attributes::default(), after }
}

fn licenses(give: &[&str], take: &[&str]) -> Step {
    let all = |names: &[&str]| {
        let one = |sku: &&str| License {
            sku: (*sku).into(),
            part_number: (*sku).into(),
            without: Texts::default(),
            held: false,
            before: hardmatch_domain::attribute::Texts::default(),
        };
        names.iter().map(one).collect()
    };
    Step::SetLicenses { give: all(give), take: all(take) }
}

/// What is remembered of Ada after these steps were refused by themselves.
fn parts(before: Option<&Refused>, refused: Vec<(Step, Cure)>, now: i64) -> Refused {
    let parts = refused.into_iter().map(|(step, cure)| (step, Reason::plain(Code::InvalidValue), cure)).collect();
    let refusals = Refusals { whole: None, parts, on: decided("Countess").change.expect("a change").decided_on };
    Refused::after(before, &decided("Countess").change.expect("a change"), &refusals, now)
}

const UK: (Attr, &str) = (Attr::UsageLocation, "UK");

#[test]
fn a_refused_value_is_left_out_and_the_others_go_on() {
    let remembered = parts(None, vec![(update(&[UK]), Cure::Value)], NOW);
    let wanted = || steps(vec![update(&[UK, (Attr::JobTitle, "Countess")])], None);
    let held = withhold(wanted(), Some(&remembered), NOW + DAY - 1);
    let change = held.change.clone().expect("the title");
    assert_eq!(change.steps, [update(&[(Attr::JobTitle, "Countess")])]);
    assert_ne!(change.id, wanted().change.unwrap().id, "it is another change");
    assert!(held.reasons.iter().any(|reason| reason.code == Code::InvalidValue), "and it is said");
    assert_eq!(held.look_again_at, Some(NOW + DAY));
    // Nothing is left, another value, a day later.
    let nothing = withhold(steps(vec![update(&[UK])], None), Some(&remembered), NOW);
    assert_eq!((nothing.action, nothing.change.is_none()), (Action::None, true));
    let corrected = steps(vec![update(&[(Attr::UsageLocation, "GB")])], None);
    assert_eq!(withhold(corrected.clone(), Some(&remembered), NOW), corrected);
    assert_eq!(withhold(wanted(), Some(&remembered), NOW + DAY), wanted());
    let again = parts(Some(&remembered), vec![(update(&[UK]), Cure::Value)], NOW + DAY);
    assert_ne!(withhold(wanted(), Some(&again), NOW + 8 * DAY - 1), wanted(), "weekly from then on");
}

#[test]
fn a_refused_value_rests_on_itself_and_not_on_other_facts() {
    let remembered = parts(None, vec![(update(&[UK]), Cure::Value)], NOW);
    let mut moved = steps(vec![update(&[UK])], None);
    moved.change.as_mut().expect("a change").decided_on.account += 1;
    assert!(withhold(moved.clone(), Some(&remembered), NOW).change.is_none());
    let by_facts = parts(None, vec![(update(&[UK]), Cure::Here)], NOW);
    assert!(withhold(moved, Some(&by_facts), NOW).change.is_some());
}

#[test]
fn a_license_without_a_seat_waits_until_one_is_shown_free() {
    let remembered = parts(None, vec![(licenses(&["e3"], &[]), Cure::Seat)], NOW);
    let skus = |used| vec![Sku { id: "e3".into(), part_number: "E3".into(), seats: 5, used, plans: Vec::new() }];
    let wanted = || steps(vec![licenses(&["e3", "visio"], &[])], None);
    let at = |used: i64, now: i64| {
        let shown = Tenant { skus: Some(skus(used)), ..tenant() };
        let held = hardmatch_domain::refused::withhold(wanted(), Some(&remembered), &shown, now);
        held.change.expect("visio at least").steps
    };
    for night in 1..7 {
        assert_eq!(at(5, NOW + night * DAY), [licenses(&["visio"], &[])], "night {night}");
    }
    assert_eq!(at(4, NOW + DAY), [licenses(&["e3", "visio"], &[])]);
    assert_eq!(at(4, NOW + HOUR), [licenses(&["visio"], &[])], "it may be somebody's already");
    assert_eq!(at(5, NOW + 7 * DAY), [licenses(&["e3", "visio"], &[])], "the tenant's word may be wrong");
}

#[test]
fn an_exchange_stays_whole_and_is_no_removal_when_it_is_left_out() {
    let exchange = licenses(&["e5"], &["e3"]);
    let remembered = parts(None, vec![(exchange.clone(), Cure::Seat)], NOW);
    let held = withhold(steps(vec![update(&[UK]), exchange.clone()], Some(1)), Some(&remembered), NOW);
    let change = held.change.expect("the value");
    assert_eq!((change.steps, change.removal_from, change.hold), (vec![update(&[UK])], None, None));
    assert!(change.removals.is_none());
    let taking = steps(vec![licenses(&[], &["visio"]), exchange], Some(0));
    let change = withhold(taking, Some(&remembered), NOW).change.expect("visio is taken");
    assert_eq!((change.removal_from, change.removals.licenses), (Some(0), 1));
}
