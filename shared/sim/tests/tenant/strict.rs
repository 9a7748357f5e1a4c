//! What Graph would not know is not answered.

use hardmatch_sim::{Seed, Sim, SimError};
use reqwest::Method;
use serde_json::json;

use crate::desk::{Desk, send};

#[tokio::test]
async fn unknown_calls_are_501_and_recorded() {
    let desk = Desk::open(Seed::contoso()).await;
    let base = desk.running.url();
    let requests = [
        desk.request(Method::GET, "/me"),
        desk.request(Method::PUT, "/users/x"),
        desk.request(Method::GET, "/users?$selct=id"),
        desk.request(Method::GET, "/users?api-version=1.6"),
        desk.request(Method::GET, "/users").header("x-custom", "1"),
        desk.request(Method::GET, &format!("{base}/contoso.com/users")),
        desk.request(Method::POST, "/directory/deletedItems/00000000-0000-4000-8000-000000000001/restore")
            .json(&json!({ "force": true })),
    ];
    for request in requests {
        let got = send(request).await;
        got.refused(501, "NotImplemented", "does not know");
    }
    let violations = desk.world().take_violations();
    assert_eq!(violations.len(), 7, "{violations:?}");
    assert!(violations[0].contains("GET /v1.0/me"));
}

#[tokio::test]
async fn requests_are_logged_without_passwords() {
    let desk = Desk::open(Seed::contoso()).await;
    desk.create("ada@contoso.com", json!({ "jobTitle": "x" })).await;
    let log = desk.world().take_requests();
    assert_eq!((log[0].method.as_str(), log[0].route.as_str(), log[0].status), ("POST", "/users", 201));
    assert_eq!(log[0].body.as_ref().unwrap()["passwordProfile"], "(left out)");
    assert!(desk.world().requests().is_empty());
}

#[tokio::test]
async fn only_loopback_listens() {
    let refused = Sim::new(Seed::contoso()).start("0.0.0.0:0".parse().unwrap()).await;
    assert!(matches!(refused, Err(SimError::NotLoopback(_))));
}

#[tokio::test]
async fn wrong_seeds_are_explained() {
    let user = |user| Seed::contoso().user(user);
    for (seed, text) in [
        (user(json!({ "displayName": "x" })), "users[0]: no userPrincipalName"),
        (
            user(json!({ "userPrincipalName": "a@contoso.com", "departmnt": "x" })),
            "users[0]: unknown property 'departmnt'",
        ),
        (user(json!({ "userPrincipalName": "a@contoso.com", "manager": "b@contoso.com" })), "'b@contoso.com'"),
        (user(json!({ "userPrincipalName": "a@contoso.com", "roles": ["King"] })), "unknown role 'King'"),
        (user(json!({ "userPrincipalName": "a@contoso.com", "licenses": ["E9"] })), "no sku 'E9'"),
    ] {
        let error = Sim::new(seed).start_local().await.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    assert!(Seed::from_json("{ \"tenat\": {} }").unwrap_err().to_string().contains("tenat"));
}

#[tokio::test]
async fn stopping_frees_the_port() {
    let desk = Desk::open(Seed::contoso()).await;
    let addr = desk.running.addr();
    desk.running.stop().await;
    let again = Sim::new(Seed::contoso()).start(addr).await.unwrap();
    assert_eq!(again.addr(), addr);
}
