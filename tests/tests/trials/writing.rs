//! What is written, and what is known to be refused before anything is.

use std::time::Duration;

use hardmatch_sim::{Fault, FaultRule, Place};
use hardmatch_tests::{Trial, guid, immutable_id};
use serde_json::{Value, json};

fn user(upn: &str, more: &Value) -> Value {
    let mut user = json!({ "userPrincipalName": upn, "displayName": upn, "accountEnabled": true });
    for (name, value) in more.as_object().into_iter().flatten() {
        user[name] = value.clone();
    }
    user
}

/// Writes of users that name a property.
fn attempts(calls: &[hardmatch_sim::SeenRequest], property: &str) -> usize {
    let names =
        |call: &&hardmatch_sim::SeenRequest| call.body.as_ref().is_some_and(|body| body.get(property).is_some());
    calls.iter().filter(names).count()
}

#[tokio::test]
async fn t01_a_country_that_is_none_costs_nobody_their_account() {
    let mut trial = Trial::given("01-country-uk").await;
    let night = trial.first_night().await;
    assert!(night.tells_both("ada.lane@", "usageLocation") || night.tells("usageLocation"), "{night:?}");
    let ada = trial.account("ada.lane@contoso.example");
    let ben = trial.account("ben.kerr@contoso.example");
    assert_eq!((ada.text("department"), ben.text("department")), ("Ops", "Sales"), "{night:?}");
    assert!(ben.immutable_id().is_some(), "he is joined");
    for account in [&ada, &ben] {
        assert!(matches!(account.text("usageLocation"), "" | "GB"));
    }
    let again: usize = [trial.sleep().await, trial.sleep().await].iter().map(|night| night.writes().len()).sum();
    assert!(again <= 2, "one more attempt for each");
    trial.quiet_night().await;
}

#[tokio::test]
async fn c3_a_delta_that_names_what_changed_leaves_the_rest_as_it_was() {
    let boss = json!({ "users": [user("boss@contoso.com", &json!({ "mail": "boss@contoso.com" }))] });
    let setup = Trial::staff(7).tenant(&boss).seed(|seed| seed.with(|options| options.delta.changed_only = true));
    let mut trial = setup.await;
    trial.first_night().await;
    trial.quiet_night().await;
    trial.world.tenant.set_user("p1@contoso.com", json!({ "faxNumber": "+44 1" })).unwrap();
    trial.world.tenant.set_user("boss@contoso.com", json!({ "jobTitle": "Boss" })).unwrap();
    let night = trial.quiet_night().await;
    assert!(night.told.is_empty(), "{night:?}");
    trial.world.people.hire("newcomer").set("newcomer", "mail", "boss@contoso.com");
    let night = trial.sleep().await;
    let joined = trial.live().iter().any(|account| account.immutable_id() == Some(&immutable_id(&guid(8))));
    assert!(joined || night.tells("newcomer@"), "{night:?}");
    assert_eq!(trial.live().len(), 8, "no account is added");
}

#[tokio::test]
async fn c12_a_lost_answer_to_a_creation_loses_no_password() {
    let mut trial = Trial::staff(6).await;
    let lost = FaultRule::once("POST /$batch", Fault::DroppedAfter).only(Place::Outer);
    let plan = trial.plan().await;
    trial.world.tenant.inject(lost);
    let night = trial.apply(&plan).await;
    assert_eq!(trial.live().len(), 6);
    let delivered: Vec<String> = trial.world.passwords.all().into_iter().map(|(upn, _)| upn).collect();
    for (upn, password) in trial.world.passwords.all() {
        assert!(trial.world.tenant.opens(&upn, &password), "{upn}: it is the password that was sent");
    }
    for number in 1..=6 {
        let upn = format!("p{number}@contoso.com");
        let times = delivered.iter().filter(|to| **to == upn).count();
        assert!(times == 1 || (times == 0 && night.tells_both(&upn, "password_unknown")), "{upn}: {night:?}");
    }
    // A creation without a fault is delivered as ever.
    trial.world.people.hire("late");
    let night = trial.sleep().await;
    assert_eq!(trial.world.passwords.all().last().map(|(upn, _)| upn.as_str()), Some("late@contoso.com"));
    assert!(!night.tells("password_unknown"), "{night:?}");
}

const ADA: &str = "99999999-2222-4333-8444-000000000001";

/// One person whose account is a member of a group to which roles can be assigned, with a phone in the source.
async fn protected() -> Trial {
    let ada = user(
        "p1@contoso.com",
        &json!({ "id": ADA, "onPremisesImmutableId": immutable_id(&guid(1)), "mail": "p1@contoso.com" }),
    );
    let guarded = json!({
        "id": "99999999-2222-4333-8444-000000000002", "displayName": "Operators", "mailNickname": "operators",
        "mailEnabled": false, "securityEnabled": true, "isAssignableToRole": true, "members": [ADA],
    });
    let setup = Trial::staff(1).tenant(&json!({ "users": [ada] })).seed(|seed| seed.group(guarded));
    let mut trial = setup.await;
    trial.world.people.columns.push("mobile".to_owned());
    trial.world.people.set("p1", "mobile", "+44 7");
    trial
}

#[tokio::test]
async fn c13_a_phone_that_is_forbidden_does_not_keep_the_rest() {
    let mut trial = protected().await;
    let first = trial.first_night().await;
    let night = trial.sleep().await;
    let account = trial.account("p1@contoso.com");
    assert_eq!((account.text("jobTitle"), account.text("department")), ("Engineer", "Research"), "{first:?}");
    assert_eq!(account.text("mobilePhone"), "");
    assert!(first.tells("mobilePhone") || night.tells("mobilePhone"), "{first:?}\n{night:?}");
    let mut asked = 0;
    for _ in 0..4 {
        let night = trial.sleep().await;
        assert!(night.tells("p1@contoso.com") && night.exit == 3, "{night:?}");
        asked += attempts(night.writes(), "mobilePhone");
    }
    assert!(asked <= 1, "{asked} times in four nights");
}

#[tokio::test]
async fn ct_an_account_made_by_hand_between_plan_and_apply_is_not_made_twice() {
    for (wait, name) in
        [(Duration::from_hours(1), "an hour"), (Duration::from_mins(5), "minutes"), (Duration::from_hours(30), "a day")]
    {
        let mut trial = Trial::staff(4).await;
        trial.first_night().await;
        trial.quiet_night().await;
        trial.world.people.hire("nora").hire("otto");
        let number = trial.world.people.get("nora", "employeeID").to_owned();
        let plan = trial.plan().await;
        trial.world.tenant.add_user(user("n.neu@contoso.com", &json!({ "employeeId": number }))).unwrap();
        trial.world.pass(wait);
        let night = trial.apply(&plan).await;
        let next = trial.sleep().await;
        let hers = trial.live().iter().filter(|account| account.text("employeeId") == number).count();
        assert_eq!(hers, 1, "{name}: {night:?}");
        assert!(night.tells("nora@") || next.tells("nora@"), "{name}: {next:?}");
        assert!(trial.find("otto@contoso.com").is_some(), "{name}: the others go on");
    }
}

#[tokio::test]
async fn a_refusal_that_is_remembered_is_sent_again_when_an_operator_asks() {
    let mut trial = protected().await;
    trial.first_night().await;
    // Our own write changed the account, so the next night asks once more.
    trial.sleep().await;
    for (retry, asked) in [(false, 0), (true, 1), (true, 1), (false, 0)] {
        trial.world.retry = retry;
        let night = trial.sleep().await;
        assert_eq!(attempts(night.writes(), "mobilePhone"), asked, "retry {retry}: {night:?}");
        assert!(night.exit == 3 && night.tells("mobilePhone"), "{night:?}");
    }
}

#[tokio::test]
async fn everybody_who_is_taken_over_has_their_manager_after_one_plan() {
    const STAFF: usize = 200;
    let users: Vec<Value> = (1..=STAFF)
        .map(|number| user(&format!("p{number}@contoso.com"), &json!({ "mail": format!("p{number}@contoso.com") })))
        .collect();
    let mut trial = Trial::staff(STAFF).tenant(&json!({ "users": users })).await;
    // Chains of every length, against the order of the file too: four report to each, and every tenth to the last one.
    let boss = |number: usize| if number % 10 == 7 { STAFF } else { (number + 2) / 4 };
    for number in (2..STAFF).chain([STAFF]) {
        let upn = format!("p{}@contoso.com", if number == STAFF { 1 } else { boss(number) });
        trial.world.people.set(&format!("p{number}"), "manager", &upn);
    }
    let night = trial.first_night().await;
    let without: Vec<usize> = (2..=STAFF)
        .filter(|number| {
            let manager = trial.account(&format!("p{}@contoso.com", if *number == STAFF { 1 } else { boss(*number) }));
            trial.account(&format!("p{number}@contoso.com")).text("manager") != manager.id()
        })
        .collect();
    assert!(without.is_empty(), "{} of {STAFF} have no manager: {without:?}, {:?}", without.len(), night.told);
    assert_eq!(trial.quiet_night().await.exit, 0);
}
