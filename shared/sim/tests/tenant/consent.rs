//! Admin consent: the page, the answers, and what tokens are worth before and after.

use std::time::Duration;

use hardmatch_sim::{BeforeConsent, CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID, Consent, Seed};
use serde_json::{Value, json};

use crate::desk::{Desk, Got};
use crate::door::{ADMIN, Back, CALLBACK, HELPER, PLAIN, claims, people};

const SCOPE: &str = "https://graph.microsoft.com/.default";

/// Nobody has consented yet.
fn new_here() -> Seed {
    let mut seed = people().with(|o| o.before_consent = BeforeConsent::NoRoles);
    seed.apps[0].consent = Consent::Missing;
    seed.apps[0].roles = vec!["User.Read.All".into(), "Domain.Read.All".into()];
    seed
}

async fn app_token(desk: &Desk) -> Got {
    let form = [
        ("client_id", CONTOSO_CLIENT_ID),
        ("client_secret", CONTOSO_SECRET),
        ("scope", SCOPE),
        ("grant_type", "client_credentials"),
    ];
    desk.token_request(CONTOSO_TENANT_ID, &form).await
}

async fn roles(desk: &Desk) -> Value {
    claims(&app_token(desk).await.ok(200)["access_token"])["roles"].clone()
}

async fn ask(desk: &Desk, tenant: &str, changes: &[(&str, &str)], answer: &[(&str, &str)]) -> Got {
    let mut query =
        vec![("client_id", CONTOSO_CLIENT_ID), ("scope", SCOPE), ("redirect_uri", CALLBACK), ("state", "s t/1")];
    for (name, value) in changes {
        query.retain(|(n, _)| n != name);
        query.push((*name, *value));
    }
    query.retain(|(_, v)| !v.is_empty());
    desk.visit(&format!("/{tenant}"), &query, answer).await
}

fn v2() -> String {
    format!("{CONTOSO_TENANT_ID}/v2.0/adminconsent")
}

#[tokio::test]
async fn an_administrator_consents_and_roles_appear() {
    let desk = Desk::open(new_here()).await;
    assert_eq!(roles(&desk).await, json!(null));
    let got = ask(&desk, &v2(), &[], &[]).await;
    let page = got.page(200, "Permissions requested");
    assert!(page.contains("Domain.Read.All (application)") && page.contains("User.ReadWrite.All (delegated)"));
    // A user administrator may not consent for everybody.
    assert!(page.contains(ADMIN) && !page.contains(HELPER));
    let back = Back::of(&ask(&desk, &v2(), &[], &[("account", ADMIN), ("choice", "accept")]).await);
    assert_eq!(back.to, CALLBACK);
    assert_eq!(back.says["admin_consent"], "True");
    assert_eq!(back.says["tenant"], CONTOSO_TENANT_ID);
    assert_eq!(back.says["state"], "s t/1");
    assert!(back.says["scope"].starts_with("https://graph.microsoft.com/User.Read.All https://graph.microsoft.com/"));
    assert_eq!(roles(&desk).await, json!(["User.Read.All", "Domain.Read.All"]));
}

#[tokio::test]
async fn refusals_say_admin_consent_too() {
    let desk = Desk::open(new_here()).await;
    let declined = Back::of(&ask(&desk, &v2(), &[], &[("choice", "decline")]).await);
    assert_eq!(declined.says["admin_consent"], "True");
    declined.refused("consent_required", 65004);
    for who in [HELPER, PLAIN] {
        let back = Back::of(&ask(&desk, &v2(), &[], &[("account", who), ("choice", "accept")]).await);
        back.refused("access_denied", 90094);
    }
    Back::of(&ask(&desk, &v2(), &[("scope", "")], &[]).await).refused("invalid_request", 900144);
    Back::of(&ask(&desk, &v2(), &[("scope", "https://other.example/.default")], &[]).await)
        .refused("invalid_resource", 500011);
    assert_eq!(roles(&desk).await, json!(null), "nothing was granted");
    ask(&desk, &v2(), &[("redirect_uri", "https://evil.example/")], &[]).await.page(400, "AADSTS50011: ");
    ask(&desk, &v2(), &[("client_id", "x")], &[]).await.page(400, "AADSTS700016: ");
    ask(&desk, "common/v2.0/adminconsent", &[], &[]).await.page(400, "AADSTS90130: ");
    ask(&desk, "nobody.example/v2.0/adminconsent", &[], &[]).await.page(400, "AADSTS90002: ");
    ask(&desk, "organizations/v2.0/adminconsent", &[], &[]).await.page(200, "Permissions requested");
    assert!(desk.world().violations().is_empty());
    assert_eq!(ask(&desk, &v2(), &[("prompt", "x")], &[]).await.status, 501);
}

#[tokio::test]
async fn the_older_path_has_its_own_words() {
    let desk = Desk::open(new_here()).await;
    let path = format!("{CONTOSO_TENANT_ID}/adminconsent");
    let back = Back::of(&ask(&desk, &path, &[("scope", "")], &[("choice", "decline")]).await);
    assert_eq!(back.says["error"], "permission_denied");
    assert_eq!(back.says["error_description"], "The admin canceled the request");
    let back = Back::of(&ask(&desk, &path, &[("scope", "")], &[("account", ADMIN), ("choice", "accept")]).await);
    assert!(!back.says.contains_key("scope") && back.says["tenant"] == CONTOSO_TENANT_ID);
    assert!(roles(&desk).await.is_array());
}

#[tokio::test]
async fn before_consent_the_app_may_be_unknown_and_consent_takes_its_time() {
    let mut desk = Desk::open(new_here()).await;
    desk.world().configure(|o| {
        o.before_consent = BeforeConsent::NotFound;
        o.consent_delay_seconds = 30;
    });
    app_token(&desk).await.denied(700016);
    ask(&desk, &v2(), &[], &[("account", ADMIN), ("choice", "accept")]).await;
    app_token(&desk).await.denied(700016);
    desk.pass(Duration::from_secs(29));
    app_token(&desk).await.denied(700016);
    desk.pass(Duration::from_secs(1));
    assert!(roles(&desk).await.is_array());
    // Withdrawn: no new token, and the old one works until it ends.
    desk.sign_in().await;
    desk.world().withdraw_consent(CONTOSO_CLIENT_ID).unwrap();
    app_token(&desk).await.denied(700016);
    desk.get("/users").await.ok(200);
}

#[tokio::test]
async fn some_permissions_may_be_left_out() {
    let mut seed = new_here();
    seed.apps[0].withheld = vec!["Domain.Read.All".into()];
    let mut desk = Desk::open(seed).await;
    let back = Back::of(&ask(&desk, &v2(), &[], &[("account", ADMIN), ("choice", "accept")]).await);
    assert!(!back.says["scope"].contains("Domain.Read.All"));
    assert_eq!(roles(&desk).await, json!(["User.Read.All"]));
    desk.sign_in().await;
    desk.get("/users").await.ok(200);
    desk.get("/domains").await.refused(403, "Authorization_RequestDenied", "");
    // Delegated ones as well.
    let code = desk.code_for(ADMIN, &[("scope", "Domain.Read.All")]).await;
    desk.redeem(&code, &[]).await.denied(65001);
}

#[tokio::test]
async fn signing_in_asks_for_consent_where_there_is_none() {
    let desk = Desk::open(new_here()).await;
    Back::of(&desk.authorize(&[], &[("account", PLAIN)]).await).refused("access_denied", 90094);
    desk.authorize(&[], &[("account", ADMIN)]).await.page(200, "Permissions requested");
    let accept = [("account", ADMIN), ("choice", "accept")];
    let back = Back::of(&desk.authorize(&[], &accept).await);
    desk.redeem(back.code(), &[]).await.ok(200);
    // Now it is there for everybody.
    desk.tokens_for(PLAIN).await;
}
