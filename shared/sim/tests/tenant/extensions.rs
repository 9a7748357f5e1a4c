//! Directory extensions.

use hardmatch_sim::{Seed, SeedExtension};
use serde_json::json;

use crate::desk::{Desk, rows};

const BADGE: &str = "extension_b7d8e648520f41d3b9c0fdeb91768a0a_badge";
const FLAG: &str = "extension_b7d8e648520f41d3b9c0fdeb91768a0a_flag";
const NOBODYS: &str = "extension_b7d8e648520f41d3b9c0fdeb91768a0a_nobodys";

fn seed() -> Seed {
    let mut seed = Seed::contoso();
    let flag = SeedExtension { data_type: "Boolean".to_owned(), ..SeedExtension::text(FLAG) };
    seed.extensions = vec![SeedExtension::text(BADGE), flag];
    seed.user(json!({ "userPrincipalName": "ada@contoso.com", BADGE: "7", FLAG: true }))
        .user(json!({ "userPrincipalName": "bob@contoso.com" }))
}

#[tokio::test]
async fn a_registered_extension_is_selected_written_and_cleared() {
    let desk = Desk::open(seed()).await;
    let ada = desk.get(&format!("/users/ada@contoso.com?$select=id,{BADGE}")).await.ok(200);
    assert_eq!((&ada[BADGE], ada.get(FLAG)), (&json!("7"), None), "{ada}");
    let bob = desk.get(&format!("/users/bob@contoso.com?$select=id,{BADGE}")).await.ok(200);
    assert_eq!(bob.get(BADGE), None, "one without a value is not shown: {bob}");
    desk.patch("/users/bob@contoso.com", json!({ BADGE: "8", FLAG: false })).await.ok(204);
    desk.patch("/users/ada@contoso.com", json!({ BADGE: null })).await.ok(204);
    let all = desk.get(&format!("/users?$select=userPrincipalName,{BADGE},{FLAG}")).await.ok(200);
    let of = |upn: &str| rows(&all).iter().find(|user| user["userPrincipalName"] == upn).unwrap().clone();
    assert_eq!((of("bob@contoso.com")[BADGE].clone(), of("ada@contoso.com").get(BADGE).cloned()), (json!("8"), None));
    for wrong in [json!(""), json!("x".repeat(257)), json!(7)] {
        desk.patch("/users/bob@contoso.com", json!({ BADGE: wrong })).await.refused(400, "Request_BadRequest", "value");
    }
    desk.patch("/users/bob@contoso.com", json!({ FLAG: "true" })).await.refused(400, "Request_BadRequest", "value");
}

#[tokio::test]
async fn an_extension_that_nobody_registered_is_refused() {
    let desk = Desk::open(seed()).await;
    for path in [format!("/users?$select=id,{NOBODYS}"), format!("/users/delta?$select=id,{NOBODYS}")] {
        desk.get(&path).await.refused(400, "BadRequest", NOBODYS);
    }
    let body = json!({ NOBODYS: "x" });
    desk.patch("/users/bob@contoso.com", body).await.refused(400, "Request_BadRequest", "not available");
    assert!(desk.running.world().violations().is_empty(), "a story may try it");
}
