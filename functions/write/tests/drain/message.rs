//! A message in, its answer out: what the handler does with the lane for each kind of answer of the tenant.

use std::time::Duration;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::OutcomeKind;
use hardmatch_ports::tenant::{Answer, Later, LaterCause, RefusalKind};
use hardmatch_store::changes::ChangeState;
use hardmatch_write::After;

use crate::fixture::{Fixture, block, create, no, update};

fn city() -> hardmatch_domain::change::Step {
    update(&[(Attr::City, "Rome")])
}

fn later(cause: LaterCause, seconds: u64) -> Answer {
    Answer::Later(Later { after: Duration::from_secs(seconds), cause, request_id: String::new() })
}

#[tokio::test]
async fn a_message_whose_lane_is_done_is_used_up_and_advances_the_run() {
    let mut lab = Fixture::new().await;
    lab.linked_account("ada", "a1").await;
    let ada = lab.decide("ada", vec![city()], Some("a1")).await;
    lab.answers([Answer::Done(None)]);
    assert_eq!(lab.answer().await.unwrap(), After::Done);
    assert_eq!(lab.outcome(ada).await.result, OutcomeKind::Done);
    assert_eq!(lab.value("a1", Attr::City).await.as_deref(), Some("Rome"));
    assert_eq!((lab.messages(), lab.noted().await), (vec!["advance".to_owned()], 0));
    // A second delivery of the message finds nothing to do.
    assert_eq!(lab.answer().await.unwrap(), After::Done);
    assert_eq!(lab.asked().len(), 1);
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
        let mut lab = Fixture::new().await;
        lab.linked_account("ada", "a1").await;
        lab.linked_account("bea", "b1").await;
        let ada = lab.decide("ada", vec![city()], Some("a1")).await;
        let bea = lab.decide("bea", vec![city()], Some("b1")).await;
        lab.answers([no(kind, None), Answer::Done(None)]);
        assert_eq!(lab.answer().await.unwrap(), After::Done, "{kind:?}");
        let refused = lab.outcome(ada).await;
        assert_eq!((refused.result, refused.reason.unwrap().code), (OutcomeKind::Refused, code), "{kind:?}");
        assert_eq!(lab.outcome(bea).await.result, OutcomeKind::Done, "{kind:?}");
        assert_eq!(lab.value("a1", Attr::City).await, None, "{kind:?}");
        assert!(lab.store.refused(&crate::fixture::contoso(), ada).await.unwrap().is_some(), "{kind:?} is remembered");
    }
}

#[tokio::test]
async fn refused_credentials_end_the_draining_and_no_change() {
    let mut lab = Fixture::new().await;
    lab.linked_account("ada", "a1").await;
    let ada = lab.decide("ada", vec![city()], Some("a1")).await;
    lab.answers([no(RefusalKind::Credentials, None)]);
    assert_eq!(lab.answer().await.unwrap(), After::Done, "the message is used up");
    assert_eq!(lab.state(ada).await, Some((ChangeState::Ready, 0)), "what was not written stays ready");
    assert_eq!(lab.messages(), ["advance"], "the run is told");
}

#[tokio::test]
async fn a_throttled_lane_is_asked_again_when_the_tenant_said_and_counts_no_attempt() {
    let mut lab = Fixture::new().await;
    lab.linked_account("ada", "a1").await;
    let ada = lab.decide("ada", vec![city()], Some("a1")).await;
    lab.answers([later(LaterCause::Throttled, 120)]);
    let After::Again(wait) = lab.answer().await.unwrap() else { panic!("not used up") };
    assert!(wait > Duration::from_secs(119) && wait <= Duration::from_secs(121), "{wait:?}");
    assert_eq!(lab.state(ada).await, Some((ChangeState::Ready, 0)));
    // Another message before that time sends nothing.
    assert!(matches!(lab.answer().await.unwrap(), After::Again(_)));
    assert_eq!(lab.asked().len(), 1);
    lab.pass_seconds(121);
    lab.answers([Answer::Done(None)]);
    assert_eq!(lab.answer().await.unwrap(), After::Done);
    assert_eq!(lab.outcome(ada).await.result, OutcomeKind::Done);
}

#[tokio::test]
async fn a_service_that_is_unavailable_delays_its_own_person_alone() {
    let mut lab = Fixture::new().await;
    lab.linked_account("ada", "a1").await;
    lab.linked_account("bea", "b1").await;
    let ada = lab.decide("ada", vec![city()], Some("a1")).await;
    let bea = lab.decide("bea", vec![city()], Some("b1")).await;
    lab.answers([later(LaterCause::Unavailable, 60), Answer::Done(None)]);
    assert!(matches!(lab.answer().await.unwrap(), After::Again(_)));
    assert_eq!(lab.outcome(bea).await.result, OutcomeKind::Done);
    assert_eq!(lab.state(ada).await, Some((ChangeState::Ready, 0)));
    lab.pass_seconds(61);
    lab.answers([Answer::Done(None)]);
    assert_eq!(lab.answer().await.unwrap(), After::Done);
    assert_eq!(lab.outcome(ada).await.result, OutcomeKind::Done);
}

#[tokio::test]
async fn a_lost_answer_is_looked_for_before_the_step_is_repeated() {
    for (arrived, asked) in [(true, vec!["update city", "read"]), (false, vec!["update city", "read", "update city"])] {
        let mut lab = Fixture::new().await;
        lab.linked_account("ada", "a1").await;
        let ada = lab.decide("ada", vec![city()], Some("a1")).await;
        let found =
            if arrived { lab.account_with("a1", Attr::City, "Rome").await } else { lab.account_as_it_is("a1").await };
        lab.answers([Answer::Unknown("the connection broke".to_owned()), found]);
        if !arrived {
            lab.answers([Answer::Done(None)]);
        }
        assert_eq!(lab.answer().await.unwrap(), After::Done);
        assert_eq!(
            (lab.asked(), lab.outcome(ada).await.result),
            (asked.into_iter().map(str::to_owned).collect(), OutcomeKind::Done)
        );
    }
}

#[tokio::test]
async fn a_step_that_a_killed_writer_left_in_flight_is_looked_for_first() {
    let mut lab = Fixture::new().await;
    lab.linked_account("ada", "a1").await;
    let ada = lab.decide("ada", vec![city()], Some("a1")).await;
    lab.killed_after_noting(ada).await;
    let found = lab.account_with("a1", Attr::City, "Rome").await;
    lab.answers([found]);
    assert_eq!(lab.answer().await.unwrap(), After::Done);
    assert_eq!((lab.asked(), lab.outcome(ada).await.result), (vec!["read".to_owned()], OutcomeKind::Done));
    assert_eq!(lab.noted().await, 0, "what is known is no longer noted");
}

#[tokio::test]
async fn people_are_noted_before_their_step_is_sent() {
    let mut lab = Fixture::new().await;
    lab.linked_account("ada", "a1").await;
    let ada = lab.decide("ada", vec![city()], Some("a1")).await;
    lab.answers([Answer::Done(None)]);
    lab.answer().await.unwrap();
    assert_eq!(lab.noted_when_asked(), [vec![ada]], "a writer that is killed leaves word of it");
}

#[tokio::test]
async fn a_lane_of_another_writer_is_left_to_it() {
    let mut lab = Fixture::new().await;
    lab.linked_account("ada", "a1").await;
    let ada = lab.decide("ada", vec![city()], Some("a1")).await;
    lab.another_writer_for(20).await;
    let After::Again(wait) = lab.answer().await.unwrap() else { panic!("not used up") };
    assert!(wait <= Duration::from_secs(20), "{wait:?}");
    assert!(lab.asked().is_empty() && lab.messages().is_empty(), "nothing was sent");
    lab.pass_seconds(21);
    lab.answers([Answer::Done(None)]);
    assert_eq!(lab.answer().await.unwrap(), After::Done);
    assert_eq!(lab.outcome(ada).await.result, OutcomeKind::Done);
}

#[tokio::test]
async fn a_paused_connection_is_written_after_it_is_resumed() {
    let mut lab = Fixture::new().await;
    lab.linked_account("ada", "a1").await;
    let ada = lab.decide("ada", vec![city()], Some("a1")).await;
    lab.pause(true).await;
    assert_eq!(lab.answer().await.unwrap(), After::Again(Duration::from_mins(1)));
    assert!(lab.asked().is_empty() && lab.state(ada).await == Some((ChangeState::Ready, 0)));
    lab.pause(false).await;
    lab.answers([Answer::Done(None)]);
    assert_eq!(lab.answer().await.unwrap(), After::Done);
    assert_eq!(lab.outcome(ada).await.result, OutcomeKind::Done);
}

#[tokio::test]
async fn facts_that_moved_since_the_decision_are_decided_again() {
    let mut lab = Fixture::new().await;
    lab.linked_account("ada", "a1").await;
    let ada = lab.decide("ada", vec![city()], Some("a1")).await;
    lab.observe("a1", Attr::JobTitle, "by hand").await;
    assert_eq!(lab.answer().await.unwrap(), After::Done);
    assert_eq!((lab.outcome(ada).await.result, lab.asked().len()), (OutcomeKind::FactsMoved, 0));
    assert_eq!(lab.value("a1", Attr::JobTitle).await.as_deref(), Some("by hand"));
}

#[tokio::test]
async fn an_account_that_the_tenant_shows_otherwise_is_not_blocked() {
    let mut lab = Fixture::new().await;
    lab.linked_account("ada", "a1").await;
    let ada = lab.decide_removal("ada", vec![block()], 0, "a1").await;
    lab.answer().await.unwrap();
    lab.release(ada).await;
    let renamed = lab.account_with("a1", Attr::UserPrincipalName, "other@x.example").await;
    lab.answers([renamed]);
    assert_eq!(lab.answer().await.unwrap(), After::Done);
    assert_eq!((lab.asked(), lab.outcome(ada).await.result), (vec!["read".to_owned()], OutcomeKind::FactsMoved));
}

#[tokio::test]
async fn an_observation_during_the_call_is_kept_beside_what_was_written() {
    let mut lab = Fixture::new().await;
    lab.linked_account("ada", "a1").await;
    let ada = lab.decide("ada", vec![city()], Some("a1")).await;
    lab.answers([Answer::Done(None)]);
    lab.observe_during_call("a1", Attr::JobTitle, "by hand");
    assert_eq!(lab.answer().await.unwrap(), After::Done);
    assert_eq!(lab.outcome(ada).await.result, OutcomeKind::Done);
    assert_eq!(lab.value("a1", Attr::City).await.as_deref(), Some("Rome"));
    assert_eq!(lab.value("a1", Attr::JobTitle).await.as_deref(), Some("by hand"));
}

#[tokio::test]
async fn a_change_that_cannot_be_read_is_an_error_that_loses_nothing() {
    let mut lab = Fixture::new().await;
    let ada = lab.decide("ada", vec![create("ada")], None).await;
    let bea = lab.decide("bea", vec![create("bea")], None).await;
    let mended = lab.damage(ada).await;
    let error = lab.answer().await.unwrap_err().to_string();
    assert!(error.contains("cannot be read") && error.contains("restore it from a copy"), "{error}");
    assert!(lab.asked().is_empty(), "the message goes to the dead letters, and nothing was sent");
    lab.write(mended).await;
    lab.answers([lab.made("a1"), lab.made("b1")]);
    assert_eq!(lab.answer().await.unwrap(), After::Done);
    assert_eq!([lab.outcome(ada).await.result, lab.outcome(bea).await.result], [OutcomeKind::Done; 2]);
}
