//! Histories of days and weeks, which follow from how the service behaves.

use std::time::Duration;

use hardmatch_sim::{Fault, FaultRule};
use hardmatch_tests::{Seen, Trial};
use serde_json::json;

/// Six people are created while answers to it are lost.
async fn lost_answers(fault: FaultRule) {
    let mut trial = Trial::staff(6).await;
    let plan = trial.plan().await;
    trial.world.tenant.inject(fault);
    let mut nights = vec![trial.apply(&plan).await];
    trial.world.tenant.clear_faults();
    nights.push(trial.sleep().await);
    assert_eq!(trial.live().len(), 6, "{nights:#?}");
    for account in trial.live() {
        let known = trial
            .world
            .passwords
            .all()
            .iter()
            .any(|(upn, password)| upn == account.upn() && trial.world.tenant.opens(account.id(), password));
        let told = nights.iter().any(|night| night.tells_both(account.upn(), "password"));
        assert!(known || told, "{}: {nights:#?}", account.upn());
    }
    // Without a fault it is delivered as ever.
    trial.world.people.hire("p7");
    trial.sleep().await;
    let id = trial.account("p7@contoso.com").id().to_owned();
    let delivered = trial.world.passwords.all();
    let mine: Vec<_> = delivered.iter().filter(|(upn, _)| upn == "p7@contoso.com").collect();
    assert!(mine.len() == 1 && trial.world.tenant.opens(&id, &mine[0].1), "{} deliveries", mine.len());
    trial.quiet_night().await;
}

#[tokio::test]
async fn c12_a_lost_answer_to_each_creation_loses_no_password() {
    lost_answers(FaultRule::new("POST /users", Fault::DroppedAfter).times(6)).await;
}

/// An administrator makes an account with Nora's number between the plan and its application.
async fn made_by_hand(upn: &str) {
    let mut trial = Trial::staff(4).await;
    trial.first_night().await;
    trial.world.people.hire("n.neu").hire("otto");
    trial.world.pass_days(1);
    let plan = trial.plan().await;
    let number = trial.world.people.get("n.neu", "employeeID").to_owned();
    let made = json!({ "userPrincipalName": upn, "mail": upn, "displayName": "Nora Neu", "employeeId": number });
    trial.world.tenant.add_user(made).expect("an account");
    trial.world.pass(Duration::from_hours(1));
    let mut nights = vec![trial.apply(&plan).await];
    let holders =
        |trial: &Trial| trial.live().into_iter().filter(|account: &Seen| account.text("employeeId") == number).count();
    assert_eq!(holders(&trial), 1, "{nights:#?}");
    nights.push(trial.sleep().await);
    assert_eq!(holders(&trial), 1, "{nights:#?}");
    assert!(nights.iter().any(|night| night.tells("n.neu@contoso.com")), "{nights:#?}");
    assert!(trial.account("otto@contoso.com").enabled());
}

#[tokio::test]
async fn ct_a_number_given_by_hand_before_apply_is_seen() {
    made_by_hand("nora@contoso.com").await;
}
