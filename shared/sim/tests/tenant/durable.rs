//! Durable state, and size.

use hardmatch_sim::{Seed, Sim};
use serde_json::json;

use crate::desk::{Desk, rows, with_user};

/// The link below the version root: the port changes with each start.
fn token_of(link: &str) -> String {
    link.split_once("/v1.0").unwrap().1.to_owned()
}

async fn open(directory: &std::path::Path) -> Desk {
    let mut desk = Desk::open(Seed::contoso()).await;
    let clock = hardmatch_sim::SimClock::Manual(desk.clock.clone());
    let seed = with_user("ada@contoso.com", json!({ "jobTitle": "seeded" }));
    desk.running = Sim::new(seed).clock(clock).state(directory).start_local().await.unwrap();
    desk.sign_in().await;
    desk
}

#[tokio::test]
async fn a_killed_tenant_comes_back_and_delta_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (link, bob) = {
        let desk = open(directory.path()).await;
        desk.patch("/users/ada@contoso.com", json!({ "jobTitle": "changed" })).await.ok(204);
        let (_, link) = desk.round("/users/delta?$select=id,jobTitle").await;
        let bob = desk.create("bob@contoso.com", json!({})).await;
        desk.delete("/users/ada@contoso.com").await.ok(204);
        desk.world().grant_role(&bob, "Global Reader").unwrap();
        (link, bob)
        // Dropped without a stop: as good as killed.
    };
    let desk = open(directory.path()).await;
    let ada = desk.world().user("ada@contoso.com").unwrap();
    assert_eq!((&ada["jobTitle"], &ada["deleted"]), (&json!("changed"), &json!(true)));
    assert_eq!(desk.world().user(&bob).unwrap()["roles"], json!(["Global Reader"]));
    let (changes, link) = desk.round(&token_of(&link)).await;
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[1]["@removed"]["reason"], "changed");
    // The same seed deals no id twice.
    assert_ne!(desk.create("eve@contoso.com", json!({})).await, bob);
    let (_, link) = desk.round(&token_of(&link)).await;
    drop(desk);
    let desk = open(directory.path()).await;
    assert!(desk.round(&token_of(&link)).await.0.is_empty());
}

#[tokio::test]
async fn a_large_tenant_is_listed_page_by_page() {
    let mut seed = Seed::contoso();
    for i in 0..20_000 {
        seed = seed.user(json!({ "userPrincipalName": format!("u{i}@contoso.com"), "onPremisesImmutableId": format!("id{i}"), "mail": format!("u{i}@contoso.com") }));
    }
    let desk = Desk::open(seed).await;
    let mut path = "/users?$select=id,userPrincipalName&$top=999".to_owned();
    let mut seen = 0;
    loop {
        let body = desk.get(&path).await.ok(200);
        seen += rows(&body).len();
        match body["@odata.nextLink"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, 20_000);
    let got = desk.get("/users?$filter=onPremisesImmutableId%20eq%20'id19999'").await;
    assert_eq!(got.ids().len(), 1);
}
