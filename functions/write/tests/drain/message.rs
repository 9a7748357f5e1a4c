//! A message in, its answer out: what the handler does with the lane for each kind of answer of the tenant.

use std::time::Duration;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::OutcomeKind;
use hardmatch_ports::tenant::{Answer, Later, LaterCause, RefusalKind};
use hardmatch_store::changes::ChangeState;
use hardmatch_write::After;

use crate::fixture::{Fixture, block, contoso, create, no, update};

fn city() -> hardmatch_domain::change::Step {
    update(&[(Attr::City, "Rome")])
}

fn later(cause: LaterCause, seconds: u64) -> Answer {
    Answer::Later(Later { after: Duration::from_secs(seconds), cause, request_id: String::new() })
}

#[tokio::test]
async fn a_message_whose_lane_is_done_is_used_up_and_advances_the_run() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    let ada = fixture.decide("ada", vec![city()], Some("a1")).await;
    fixture.answers([Answer::Done(None)]);
    assert_eq!(fixture.answer().await.unwrap(), After::Done);
    assert_eq!(fixture.outcome(ada).await.result, OutcomeKind::Done);
    assert_eq!(fixture.value("a1", Attr::City).await.as_deref(), Some("Rome"));
    assert_eq!((fixture.messages(), fixture.noted().await), (vec!["advance".to_owned()], 0));
    // A second delivery of the message finds nothing to do.
    assert_eq!(fixture.answer().await.unwrap(), After::Done);
    assert_eq!(fixture.asked().len(), 1);
}

#[tokio::test]
async fn every_kind_of_refusal_ends_its_change_and_no_other() {
    for (kind, code) in [
        (RefusalKind::Conflict, Code::AddressInUse),
        (RefusalKind::InvalidValue, Code::InvalidValue),
        (RefusalKind::DomainNotVerified, Code::DomainNotVerified),
        (RefusalKind::Federated, Code::InvalidValue),
        (RefusalKind::Mastered, Code::MasteredElsewhere),
        (RefusalKind::ExternalMaster, Code::MailMasteredElsewhere),
        (RefusalKind::Forbidden, Code::PermissionMissing),
        (RefusalKind::Password, Code::TenantRefused),
        (RefusalKind::ManagerBind, Code::TenantRefused),
        (RefusalKind::Quota, Code::TenantRefused),
        (RefusalKind::NoSeats, Code::NoSeats),
        (RefusalKind::LicenseConflict, Code::LicenseConflict),
        (RefusalKind::UsageLocation, Code::UsageLocationMissing),
        (RefusalKind::LicenseInherited, Code::LicenseInherited),
        (RefusalKind::GroupType, Code::UnsupportedGroupType),
        (RefusalKind::Other, Code::TenantRefused),
    ] {
        let mut fixture = Fixture::new().await;
        fixture.linked_account("ada", "a1").await;
        fixture.linked_account("bea", "b1").await;
        let ada = fixture.decide("ada", vec![city()], Some("a1")).await;
        let bea = fixture.decide("bea", vec![city()], Some("b1")).await;
        fixture.answers([no(kind, None), Answer::Done(None)]);
        assert_eq!(fixture.answer().await.unwrap(), After::Done, "{kind:?}");
        let refused = fixture.outcome(ada).await;
        assert_eq!((refused.result, refused.reason.unwrap().code), (OutcomeKind::Refused, code), "{kind:?}");
        assert_eq!(fixture.outcome(bea).await.result, OutcomeKind::Done, "{kind:?}");
        assert_eq!(fixture.value("a1", Attr::City).await, None, "{kind:?}");
        assert!(
            fixture.store.refused(&crate::fixture::contoso(), ada).await.unwrap().is_some(),
            "{kind:?} is remembered"
        );
    }
}

#[tokio::test]
async fn refused_credentials_end_the_draining_and_no_change() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    let ada = fixture.decide("ada", vec![city()], Some("a1")).await;
    fixture.answers([no(RefusalKind::Credentials, None)]);
    assert_eq!(fixture.answer().await.unwrap(), After::Done, "the message is used up");
    assert_eq!(fixture.state(ada).await, Some((ChangeState::Ready, 0)), "what was not written stays ready");
    assert_eq!(fixture.messages(), ["advance"], "the run is told");
}

#[tokio::test]
async fn a_throttled_lane_is_asked_again_when_the_tenant_said_and_counts_no_attempt() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    let ada = fixture.decide("ada", vec![city()], Some("a1")).await;
    fixture.answers([later(LaterCause::Throttled, 120)]);
    let After::Again(wait) = fixture.answer().await.unwrap() else { panic!("not used up") };
    assert!(wait > Duration::from_secs(119) && wait <= Duration::from_secs(121), "{wait:?}");
    assert_eq!(fixture.state(ada).await, Some((ChangeState::Ready, 0)));
    // Another message before that time sends nothing.
    assert!(matches!(fixture.answer().await.unwrap(), After::Again(_)));
    assert_eq!(fixture.asked().len(), 1);
    fixture.pass_seconds(121);
    fixture.answers([Answer::Done(None)]);
    assert_eq!(fixture.answer().await.unwrap(), After::Done);
    assert_eq!(fixture.outcome(ada).await.result, OutcomeKind::Done);
}

#[tokio::test]
async fn a_service_that_is_unavailable_delays_its_own_person_alone() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    fixture.linked_account("bea", "b1").await;
    let ada = fixture.decide("ada", vec![city()], Some("a1")).await;
    let bea = fixture.decide("bea", vec![city()], Some("b1")).await;
    fixture.answers([later(LaterCause::Unavailable, 60), Answer::Done(None)]);
    assert!(matches!(fixture.answer().await.unwrap(), After::Again(_)));
    assert_eq!(fixture.outcome(bea).await.result, OutcomeKind::Done);
    assert_eq!(fixture.state(ada).await, Some((ChangeState::Ready, 0)));
    fixture.pass_seconds(61);
    fixture.answers([Answer::Done(None)]);
    assert_eq!(fixture.answer().await.unwrap(), After::Done);
    assert_eq!(fixture.outcome(ada).await.result, OutcomeKind::Done);
}

#[tokio::test]
async fn a_lost_answer_is_looked_for_before_the_step_is_repeated() {
    for (arrived, asked) in [(true, vec!["update city", "read"]), (false, vec!["update city", "read", "update city"])] {
        let mut fixture = Fixture::new().await;
        fixture.linked_account("ada", "a1").await;
        let ada = fixture.decide("ada", vec![city()], Some("a1")).await;
        let found = if arrived {
            fixture.account_with("a1", Attr::City, "Rome").await
        } else {
            fixture.account_as_it_is("a1").await
        };
        fixture.answers([Answer::Unknown("the connection broke".to_owned()), found]);
        if !arrived {
            fixture.answers([Answer::Done(None)]);
        }
        assert_eq!(fixture.answer().await.unwrap(), After::Done);
        assert_eq!(
            (fixture.asked(), fixture.outcome(ada).await.result),
            (asked.into_iter().map(str::to_owned).collect(), OutcomeKind::Done)
        );
    }
}

#[tokio::test]
async fn a_step_that_a_killed_writer_left_in_flight_is_looked_for_first() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    let ada = fixture.decide("ada", vec![city()], Some("a1")).await;
    fixture.killed_after_noting(ada).await;
    let found = fixture.account_with("a1", Attr::City, "Rome").await;
    fixture.answers([found]);
    assert_eq!(fixture.answer().await.unwrap(), After::Done);
    assert_eq!((fixture.asked(), fixture.outcome(ada).await.result), (vec!["read".to_owned()], OutcomeKind::Done));
    assert_eq!(fixture.noted().await, 0, "what is known is no longer noted");
}

#[tokio::test]
async fn people_are_noted_before_their_step_is_sent() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    let ada = fixture.decide("ada", vec![city()], Some("a1")).await;
    fixture.answers([Answer::Done(None)]);
    fixture.answer().await.unwrap();
    assert_eq!(fixture.noted_when_asked(), [vec![ada]], "a writer that is killed leaves word of it");
}

#[tokio::test]
async fn a_lane_of_another_writer_is_left_to_it() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    let ada = fixture.decide("ada", vec![city()], Some("a1")).await;
    fixture.another_writer_for(20).await;
    let After::Again(wait) = fixture.answer().await.unwrap() else { panic!("not used up") };
    assert!(wait <= Duration::from_secs(20), "{wait:?}");
    assert!(fixture.asked().is_empty() && fixture.messages().is_empty(), "nothing was sent");
    fixture.pass_seconds(21);
    fixture.answers([Answer::Done(None)]);
    assert_eq!(fixture.answer().await.unwrap(), After::Done);
    assert_eq!(fixture.outcome(ada).await.result, OutcomeKind::Done);
}

#[tokio::test]
async fn a_paused_connection_is_written_after_it_is_resumed() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    let ada = fixture.decide("ada", vec![city()], Some("a1")).await;
    fixture.pause(true).await;
    assert_eq!(fixture.answer().await.unwrap(), After::Again(Duration::from_mins(1)));
    assert!(fixture.asked().is_empty() && fixture.state(ada).await == Some((ChangeState::Ready, 0)));
    fixture.pause(false).await;
    fixture.answers([Answer::Done(None)]);
    assert_eq!(fixture.answer().await.unwrap(), After::Done);
    assert_eq!(fixture.outcome(ada).await.result, OutcomeKind::Done);
}

#[tokio::test]
async fn facts_that_moved_since_the_decision_are_decided_again() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    let ada = fixture.decide("ada", vec![city()], Some("a1")).await;
    fixture.observe("a1", Attr::JobTitle, "by hand").await;
    assert_eq!(fixture.answer().await.unwrap(), After::Done);
    assert_eq!((fixture.outcome(ada).await.result, fixture.asked().len()), (OutcomeKind::FactsMoved, 0));
    assert_eq!(fixture.value("a1", Attr::JobTitle).await.as_deref(), Some("by hand"));
}

#[tokio::test]
async fn an_account_that_the_tenant_shows_otherwise_is_not_blocked() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    let ada = fixture.decide_removal("ada", vec![block()], 0, "a1").await;
    fixture.answer().await.unwrap();
    fixture.release(ada).await;
    let renamed = fixture.account_with("a1", Attr::UserPrincipalName, "other@x.example").await;
    fixture.answers([renamed]);
    assert_eq!(fixture.answer().await.unwrap(), After::Done);
    assert_eq!(
        (fixture.asked(), fixture.outcome(ada).await.result),
        (vec!["read".to_owned()], OutcomeKind::FactsMoved)
    );
}

#[tokio::test]
async fn an_observation_during_the_call_is_kept_beside_what_was_written() {
    let mut fixture = Fixture::new().await;
    fixture.linked_account("ada", "a1").await;
    let ada = fixture.decide("ada", vec![city()], Some("a1")).await;
    fixture.answers([Answer::Done(None)]);
    fixture.observe_during_call("a1", Attr::JobTitle, "by hand");
    assert_eq!(fixture.answer().await.unwrap(), After::Done);
    assert_eq!(fixture.outcome(ada).await.result, OutcomeKind::Done);
    assert_eq!(fixture.value("a1", Attr::City).await.as_deref(), Some("Rome"));
    assert_eq!(fixture.value("a1", Attr::JobTitle).await.as_deref(), Some("by hand"));
}

#[tokio::test]
async fn a_change_that_cannot_be_read_stops_nobody_else() {
    let mut fixture = Fixture::new().await;
    let ada = fixture.decide("ada", vec![create("ada")], None).await;
    let bea = fixture.decide("bea", vec![create("bea")], None).await;
    fixture.damage(ada).await;
    fixture.answers([fixture.made("b1")]);
    assert_eq!(fixture.answer().await.unwrap(), After::Done);
    assert_eq!((fixture.asked(), fixture.outcome(bea).await.result), (vec!["create".to_owned()], OutcomeKind::Done));
    let lasts = fixture.store.last_changes(&contoso(), &[ada]).await.unwrap();
    assert!(lasts[&ada].unreadable, "the next decision takes its place");
}
