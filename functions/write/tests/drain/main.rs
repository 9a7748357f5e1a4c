//! Draining a lane on the embedded table, with a tenant that answers as it is told.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod fixture;
mod joining;
mod message;
mod tenant;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::OutcomeKind;
use hardmatch_ports::tenant::{Answer, RefusalKind};

use fixture::{Fixture, block, create, licenses, no, rename, update};

#[tokio::test]
async fn a_creation_is_linked_delivered_and_ended() {
    let mut fixture = Fixture::new().await;
    let ada = fixture.decide("ada", vec![create("ada")], None).await;
    fixture.answers([fixture.made("a1")]);
    fixture.drain().await.unwrap();
    let outcome = fixture.outcome(ada).await;
    assert_eq!((outcome.result, outcome.account.unwrap().as_str().to_owned()), (OutcomeKind::Done, "a1".to_owned()));
    assert_eq!(fixture.delivered(), ["ada@x.example"]);
    assert_eq!(fixture.linked("ada").await.as_deref(), Some("a1"));
    assert_eq!(fixture.asked(), ["create"]);
}

#[tokio::test]
async fn a_lost_answer_is_looked_for_and_its_password_is_delivered() {
    let mut fixture = Fixture::new().await;
    let ada = fixture.decide("ada", vec![create("ada")], None).await;
    fixture.answers([Answer::Unknown("lost".to_owned()), fixture.made("a1")]);
    fixture.drain().await.unwrap();
    assert_eq!(fixture.asked(), ["create", "find"]);
    assert_eq!((fixture.outcome(ada).await.said().len(), fixture.delivered()), (0, vec!["ada@x.example".to_owned()]));
}

#[tokio::test]
async fn an_account_that_an_earlier_process_made_has_a_password_nobody_knows() {
    let mut fixture = Fixture::new().await;
    let ada = fixture.decide("ada", vec![create("ada")], None).await;
    fixture.left_in_flight(ada).await;
    fixture.answers([fixture.made("a1")]);
    fixture.drain().await.unwrap();
    let outcome = fixture.outcome(ada).await;
    assert_eq!(outcome.reason.unwrap().code, Code::PasswordUnknown);
    assert!(fixture.delivered().is_empty() && outcome.result == OutcomeKind::Done);
    // Not seen at first, and sent again: it may be either one.
    let bea = fixture.decide("bea", vec![create("bea")], None).await;
    fixture.left_in_flight(bea).await;
    fixture.answers([Answer::NotFound, no(RefusalKind::Conflict, None), fixture.made("b1")]);
    fixture.drain().await.unwrap();
    assert_eq!(fixture.outcome(bea).await.reason.unwrap().code, Code::PasswordUnknown);
    assert!(fixture.delivered().is_empty());
}

#[tokio::test]
async fn passwords_that_cannot_be_handed_over_are_told_of_each_person_and_end_the_draining() {
    let mut fixture = Fixture::new().await;
    let people = [
        fixture.decide("ada", vec![create("ada")], None).await,
        fixture.decide("bea", vec![create("bea")], None).await,
    ];
    fixture.sink_fails();
    fixture.answers([fixture.made("a1"), fixture.made("b1")]);
    let error = fixture.drain().await.unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
    for who in people {
        let outcome = fixture.outcome(who).await;
        assert_eq!((outcome.result, outcome.reason.unwrap().code), (OutcomeKind::Done, Code::PasswordUnknown));
    }
}

#[tokio::test]
async fn values_that_are_refused_are_found_named_and_remembered() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    let step = update(&[(Attr::JobTitle, "Lead"), (Attr::UsageLocation, "UK"), (Attr::City, "Rome")]);
    let ada = fixture.decide("ada", vec![step], Some("a1")).await;
    fixture.answers([no(RefusalKind::InvalidValue, Some("usageLocation")), Answer::Done(None)]);
    fixture.drain().await.unwrap();
    let outcome = fixture.outcome(ada).await;
    assert_eq!(outcome.result, OutcomeKind::Refused);
    let said = outcome.said()[0].clone();
    assert!(said.code == Code::InvalidValue && said.detail.unwrap().starts_with("usageLocation: "));
    assert_eq!(fixture.asked(), ["update usageLocation jobTitle city", "update jobTitle city"].map(tenant::sorted));
    assert_eq!(fixture.value("a1", Attr::City).await.as_deref(), Some("Rome"));
    assert_eq!(fixture.value("a1", Attr::UsageLocation).await, None);
    assert_eq!(fixture.store.refused(&fixture::contoso(), ada).await.unwrap().unwrap().parts.len(), 1);
}

#[tokio::test]
async fn who_was_marked_since_the_decision_is_not_written() {
    let mut fixture = Fixture::new().await;
    let ada = fixture.decide("ada", vec![create("ada")], None).await;
    let bea = fixture.decide("bea", vec![create("bea")], None).await;
    fixture.mark(ada).await;
    fixture.answers([fixture.made("b1")]);
    fixture.drain().await.unwrap();
    assert_eq!(fixture.outcome(ada).await.result, OutcomeKind::FactsMoved);
    assert_eq!((fixture.outcome(bea).await.result, fixture.asked()), (OutcomeKind::Done, vec!["create".to_owned()]));
}

#[tokio::test]
async fn removals_rest_on_the_facts_that_our_own_steps_left() {
    for moved in [false, true] {
        let mut fixture = Fixture::new().await;
        fixture.linked_account("ada", "a1").await;
        let ada = fixture.decide_removal("ada", vec![update(&[(Attr::City, "Rome")]), block()], 1, "a1").await;
        fixture.answers([Answer::Done(None)]);
        fixture.drain().await.unwrap();
        fixture.release(ada).await;
        if moved {
            fixture.observe("a1", Attr::JobTitle, "by hand").await;
        }
        fixture.answers([fixture.account_as_it_is("a1").await, Answer::Done(None)]);
        fixture.drain().await.unwrap();
        let (result, asked) = (fixture.outcome(ada).await.result, fixture.asked());
        if moved {
            assert_eq!((result, asked), (OutcomeKind::FactsMoved, vec!["update city".to_owned()]));
        } else {
            assert_eq!(result, OutcomeKind::Done);
            assert_eq!(asked, ["update city", "read", "enabled false"]);
        }
    }
}

#[tokio::test]
async fn a_rename_is_looked_at_again_after_an_hour() {
    for (hours, looks) in [(0, false), (2, true)] {
        let mut fixture = Fixture::new().await;
        fixture.linked_account("ada", "a1").await;
        let ada = fixture.decide("ada", vec![rename("a1@x.example", "adah@x.example")], Some("a1")).await;
        fixture.pass_hours(hours);
        let read = fixture.account_as_it_is("a1").await;
        if looks {
            fixture.answers([read, Answer::Done(None)]);
        } else {
            fixture.answers([Answer::Done(None)]);
        }
        fixture.drain().await.unwrap();
        let asked: &[&str] = if looks { &["read", "update userPrincipalName"] } else { &["update userPrincipalName"] };
        assert_eq!(
            (fixture.outcome(ada).await.result, fixture.asked()),
            (OutcomeKind::Done, asked.iter().map(|s| (*s).to_owned()).collect())
        );
    }
}

#[tokio::test]
async fn a_license_that_builds_on_another_is_given_after_it() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    let ada = fixture.decide("ada", vec![licenses(&["addon", "base", "visio"])], Some("a1")).await;
    fixture.answers([
        no(RefusalKind::NoSeats, None),
        no(RefusalKind::LicenseConflict, None),
        Answer::Done(None),
        no(RefusalKind::NoSeats, None),
        Answer::Done(None),
    ]);
    fixture.drain().await.unwrap();
    assert_eq!(fixture.asked(), ["give addon base visio", "give addon", "give base", "give visio", "give addon"]);
    let outcome = fixture.outcome(ada).await;
    assert_eq!(outcome.said().iter().map(|reason| reason.code).collect::<Vec<_>>(), [Code::NoSeats]);
}

#[tokio::test]
async fn licenses_that_exclude_one_another_are_not_tried_for_ever() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    let ada = fixture.decide("ada", vec![licenses(&["one", "two"])], Some("a1")).await;
    let conflict = || no(RefusalKind::LicenseConflict, None);
    fixture.answers(std::iter::repeat_with(conflict).take(5));
    fixture.drain().await.unwrap();
    assert_eq!(fixture.outcome(ada).await.said().len(), 2, "each for its own reason");
    assert_eq!(fixture.asked().len(), 5);
}
