//! Refresh tokens: what keeps them alive and what ends them.

use std::time::Duration;

use hardmatch_sim::{AccessPolicy, App, CONTOSO_CLIENT_ID, Demand, Sim, SimClock};
use serde_json::{Value, json};

use crate::desk::{Desk, Got};
use crate::door::{ADMIN, HELPER, claims, people};

const DAY: u64 = 86_400;

fn token(tokens: &Value) -> String {
    tokens["refresh_token"].as_str().unwrap().to_owned()
}

async fn signed_in() -> (Desk, String) {
    let desk = Desk::open(people()).await;
    let tokens = desk.tokens_for(ADMIN).await;
    (desk, token(&tokens))
}

#[track_caller]
fn ended(got: &Got, code: u32, error: &str) {
    assert_eq!(got.denied(code).body["error"], error);
    assert_eq!(got.status, 400);
}

#[tokio::test]
async fn each_use_gives_a_new_one_and_the_old_lives_on() {
    let (desk, first) = signed_in().await;
    let tokens = desk.refresh(&first, &[]).await.ok(200);
    let second = token(&tokens);
    assert_ne!(first, second);
    assert_eq!(tokens["scope"], "User.ReadWrite.All openid profile");
    assert!(claims(&tokens["id_token"]).get("nonce").is_none());
    desk.refresh(&first, &[]).await.ok(200);
    desk.refresh(&second, &[]).await.ok(200);
}

#[tokio::test]
async fn a_refresh_may_ask_for_what_was_consented() {
    let (desk, first) = signed_in().await;
    let narrow = desk.refresh(&first, &[("scope", "Domain.Read.All")]).await.ok(200);
    assert_eq!(narrow["scope"], "Domain.Read.All");
    assert!(narrow["refresh_token"].is_string() && narrow.get("id_token").is_none());
    desk.refresh(&first, &[("scope", "Directory.ReadWrite.All")]).await.denied(65001);
    desk.refresh(&first, &[("scope", "https://other.example/x")]).await.denied(500011);
}

#[tokio::test]
async fn idleness_ends_it_and_use_does_not() {
    let (desk, first) = signed_in().await;
    desk.pass(Duration::from_secs(60 * DAY));
    let second = token(&desk.refresh(&first, &[]).await.ok(200));
    desk.pass(Duration::from_secs(30 * DAY));
    ended(&desk.refresh(&first, &[]).await, 700082, "invalid_grant");
    desk.refresh(&second, &[]).await.ok(200);
    desk.world().configure(|o| o.refresh_token_days = 1);
    ended(&desk.refresh(&second, &[]).await, 700082, "invalid_grant");
}

#[tokio::test]
async fn revocation_ends_what_there_is_and_a_new_sign_in_helps() {
    let (desk, first) = signed_in().await;
    let helper = token(&desk.tokens_for(HELPER).await);
    let world = desk.world();
    for end in [0, 1, 2] {
        let tokens = token(&desk.tokens_for(ADMIN).await);
        match end {
            0 => world.revoke_sessions(ADMIN).unwrap(),
            1 => world.reset_password(ADMIN).unwrap(),
            _ => drop(desk.post(&format!("/users/{ADMIN}/revokeSignInSessions"), json!({})).await.ok(200)),
        }
        // The clock stands still: it is the order that counts.
        ended(&desk.refresh(&tokens, &[]).await, 50173, "invalid_grant");
        ended(&desk.refresh(&first, &[]).await, 50173, "invalid_grant");
    }
    let tokens = desk.tokens_for(ADMIN).await;
    desk.refresh(&token(&tokens), &[]).await.ok(200);
    desk.refresh(&helper, &[]).await.ok(200);
}

#[tokio::test]
async fn the_person_and_the_app_must_still_be_welcome() {
    let (desk, first) = signed_in().await;
    let world = desk.world();
    for (demand, code, error) in [
        (Demand::Block, 53003, "interaction_required"),
        (Demand::Multifactor, 50076, "interaction_required"),
        (Demand::CompliantDevice, 53000, "interaction_required"),
        (Demand::SignInFrequency, 70043, "invalid_grant"),
    ] {
        world.configure(|o| o.conditional_access = vec![AccessPolicy { principal: ADMIN.into(), demand }]);
        ended(&desk.refresh(&first, &[]).await, code, error);
    }
    world.configure(|o| o.conditional_access.clear());
    world.set_user(ADMIN, json!({ "accountEnabled": false })).unwrap();
    ended(&desk.refresh(&first, &[]).await, 50057, "invalid_grant");
    world.set_user(ADMIN, json!({ "accountEnabled": true })).unwrap();
    world.change_app(CONTOSO_CLIENT_ID, |a| a.disabled = true).unwrap();
    ended(&desk.refresh(&first, &[]).await, 7000112, "unauthorized_client");
    world.change_app(CONTOSO_CLIENT_ID, |a| a.disabled = false).unwrap();
    world.withdraw_consent(CONTOSO_CLIENT_ID).unwrap();
    ended(&desk.refresh(&first, &[]).await, 65001, "consent_required");
    world.grant_consent(CONTOSO_CLIENT_ID).unwrap();
    desk.refresh(&first, &[]).await.ok(200);
    world.delete_user(ADMIN).unwrap();
    ended(&desk.refresh(&first, &[]).await, 50034, "invalid_grant");
}

#[tokio::test]
async fn it_is_bound_to_its_client_and_cannot_be_changed() {
    let mut seed = people();
    let other = "00000001-0000-4000-8000-00000000c11f";
    seed.apps.push(App { scopes: vec!["User.ReadWrite.All".into()], ..App::new(other, "x", &[]) });
    let desk = Desk::open(seed).await;
    let first = token(&desk.tokens_for(ADMIN).await);
    ended(&desk.refresh(&first, &[("client_id", other), ("client_secret", "x")]).await, 70000, "invalid_grant");
    for wrong in ["x", "1.x", &first[..first.len() - 2], &first.replacen("1.", "2.", 1)] {
        ended(&desk.refresh(wrong, &[]).await, 70000, "invalid_grant");
    }
    desk.refresh(&first, &[("client_secret", "")]).await.denied(7000218);
    desk.refresh("", &[]).await.denied(900144);
}

#[tokio::test]
async fn it_outlives_a_restart_and_so_does_its_revocation() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |desk: &mut Desk| {
        let sim = Sim::new(people()).clock(SimClock::Manual(desk.clock.clone())).state(folder.path());
        desk.running = sim.start_local().await.unwrap();
    };
    let mut desk = Desk::open(people()).await;
    start(&mut desk).await;
    let (admin, helper) = (token(&desk.tokens_for(ADMIN).await), token(&desk.tokens_for(HELPER).await));
    desk.pass(Duration::from_secs(60));
    desk.world().revoke_sessions(HELPER).unwrap();
    start(&mut desk).await;
    desk.refresh(&admin, &[]).await.ok(200);
    desk.refresh(&helper, &[]).await.denied(50173);
}
