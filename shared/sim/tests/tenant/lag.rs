//! Replication lag: what is late, and that nothing is lost.

use std::time::Duration;

use hardmatch_sim::Seed;
use serde_json::json;

use crate::desk::{Desk, with_user};

#[tokio::test]
async fn a_new_user_is_unknown_for_a_while() {
    let desk = Desk::open(Seed::contoso().with(|o| {
        o.lag.reads_ms = 2_000;
        o.lag.lists_ms = 4_000;
        o.lag.writes_ms = 2_000;
    }))
    .await;
    let id = desk.create("ada@contoso.com", json!({})).await;
    let user = format!("/users/{id}");
    desk.get(&user).await.refused(404, "Request_ResourceNotFound", &id);
    desk.patch(&user, json!({ "jobTitle": "x" })).await.refused(404, "Request_ResourceNotFound", &id);
    desk.pass(Duration::from_secs(2));
    desk.get(&user).await.ok(200);
    desk.patch(&user, json!({ "jobTitle": "x" })).await.ok(204);
    assert_eq!(desk.get(&user).await.ok(200)["jobTitle"], json!(null));
    let filter = "/users?$filter=userPrincipalName%20eq%20'ada@contoso.com'";
    assert!(desk.get(filter).await.ids().is_empty() && desk.get("/users").await.ids().is_empty());
    desk.pass(Duration::from_secs(2));
    assert_eq!(desk.get(filter).await.ids(), std::slice::from_ref(&id));
    assert_eq!(desk.get(&user).await.ok(200)["jobTitle"], "x");
}

#[tokio::test]
async fn what_a_listing_missed_comes_after_latest() {
    let desk = Desk::open(Seed::contoso().with(|o| o.lag.lists_ms = 10_000)).await;
    let id = desk.create("ada@contoso.com", json!({})).await;
    let (_, link) = desk.round("/users/delta?$deltatoken=latest&$select=id").await;
    assert!(desk.get("/users").await.ids().is_empty());
    let (nothing, link) = desk.round(&link).await;
    assert!(nothing.is_empty(), "delta is no faster than a listing");
    desk.pass(Duration::from_secs(10));
    let (changes, _) = desk.round(&link).await;
    assert_eq!(changes, [json!({ "id": id })]);
}

#[tokio::test]
async fn what_a_first_round_missed_comes_in_the_next() {
    let desk = Desk::open(with_user("a@contoso.com", json!({})).with(|o| o.lag.delta_ms = 5_000)).await;
    let id = desk.create("b@contoso.com", json!({})).await;
    let (all, link) = desk.round("/users/delta?$select=id").await;
    assert_eq!(all.len(), 1);
    desk.pass(Duration::from_secs(5));
    assert_eq!(desk.round(&link).await.0, [json!({ "id": id })]);
}

#[tokio::test]
async fn deletions_are_late_too() {
    let desk = Desk::open(with_user("a@contoso.com", json!({})).with(|o| o.lag.reads_ms = 1_000)).await;
    let id = desk.id("a@contoso.com");
    desk.delete(&format!("/users/{id}")).await.ok(204);
    desk.get(&format!("/users/{id}")).await.ok(200);
    desk.pass(Duration::from_secs(1));
    desk.get(&format!("/users/{id}")).await.refused(404, "Request_ResourceNotFound", "");
}

#[tokio::test]
async fn k12_replicas_disagree_and_then_agree() {
    let desk = Desk::open(with_user("a@contoso.com", json!({ "jobTitle": "old" })).with(|o| {
        o.lag.reads_ms = 8_000;
        o.lag.replicas = 3;
    }))
    .await;
    desk.patch("/users/a@contoso.com", json!({ "jobTitle": "new" })).await.ok(204);
    let mut seen = Vec::new();
    for _ in 0..40 {
        seen.push(desk.get("/users/a@contoso.com").await.ok(200)["jobTitle"].clone());
    }
    assert!(seen.contains(&json!("old")) && seen.contains(&json!("new")));
    desk.pass(Duration::from_secs(8));
    for _ in 0..20 {
        assert_eq!(desk.get("/users/a@contoso.com").await.ok(200)["jobTitle"], "new");
    }
}

#[tokio::test]
async fn each_object_has_its_own_delay() {
    let seed = with_user("slow@contoso.com", json!({ "jobTitle": "old", "lagMs": 5_000 }))
        .user(json!({ "userPrincipalName": "fast@contoso.com", "jobTitle": "old" }));
    let desk = Desk::open(seed).await;
    let (_, link) = desk.round("/users/delta?$select=jobTitle").await;
    desk.patch("/users/slow@contoso.com", json!({ "jobTitle": "new" })).await.ok(204);
    desk.patch("/users/fast@contoso.com", json!({ "jobTitle": "new" })).await.ok(204);
    let title = async |upn: &str| desk.get(&format!("/users/{upn}")).await.ok(200)["jobTitle"].clone();
    assert_eq!((title("slow@contoso.com").await, title("fast@contoso.com").await), (json!("old"), json!("new")));
    let newest = "/users?$filter=jobTitle%20eq%20'new'";
    assert_eq!(desk.get(newest).await.ids(), [desk.id("fast@contoso.com")]);
    // Delta waits rather than skip what nobody could see: `latest` of this moment included.
    let (early, link) = desk.round(&link).await;
    assert!(early.is_empty());
    let (_, latest) = desk.round("/users/delta?$deltatoken=latest&$select=jobTitle").await;
    desk.pass(Duration::from_secs(5));
    assert_eq!(title("slow@contoso.com").await, "new");
    for link in [link, latest] {
        let (rows, _) = desk.round(&link).await;
        let seen: Vec<&str> = rows.iter().map(|r| r["id"].as_str().unwrap()).collect();
        assert_eq!(seen, [desk.id("slow@contoso.com"), desk.id("fast@contoso.com")]);
    }
    desk.world().delay_user("fast@contoso.com", 1_000).unwrap();
    desk.patch("/users/fast@contoso.com", json!({ "jobTitle": "newer" })).await.ok(204);
    assert_eq!(title("fast@contoso.com").await, "new");
}

#[tokio::test]
async fn new_objects_appear_one_after_the_other() {
    let desk = Desk::open(Seed::contoso().with(|o| o.lag.per_object_ms = 60_000)).await;
    for n in 0..12 {
        desk.create(&format!("u{n}@contoso.com"), json!({})).await;
    }
    let mut counts = vec![desk.get("/users").await.ids().len()];
    for _ in 0..6 {
        desk.pass(Duration::from_secs(10));
        counts.push(desk.get("/users").await.ids().len());
    }
    assert_eq!(counts.last(), Some(&12));
    assert!(counts.is_sorted() && counts.iter().any(|n| (2..11).contains(n)), "{counts:?}");
}

#[tokio::test]
async fn a_membership_is_seen_late_by_listings() {
    let seed = with_user("a@contoso.com", json!({})).group(json!({ "displayName": "G", "mailNickname": "g" }));
    let desk = Desk::open(seed.with(|o| o.lag.lists_ms = 4_000)).await;
    let (user, group) = (desk.id("a@contoso.com"), desk.world().groups()[0]["id"].as_str().unwrap().to_owned());
    let members = format!("/groups/{group}/members");
    let reference = json!({ "@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{user}") });
    desk.post(&format!("{members}/$ref"), reference.clone()).await.ok(204);
    assert!(desk.get(&members).await.ids().is_empty());
    desk.post(&format!("{members}/$ref"), reference).await.refused(400, "Request_BadRequest", "already exist");
    desk.pass(Duration::from_secs(4));
    assert_eq!(desk.get(&members).await.ids(), std::slice::from_ref(&user));
    desk.delete(&format!("{members}/{user}/$ref")).await.ok(204);
    assert_eq!(desk.get(&members).await.ids(), [user]);
    desk.pass(Duration::from_secs(4));
    assert!(desk.get(&members).await.ids().is_empty());
}

#[tokio::test]
async fn a_new_group_takes_nobody_at_once() {
    let desk = Desk::open(with_user("a@contoso.com", json!({})).with(|o| o.lag.writes_ms = 2_000)).await;
    let group = json!({ "displayName": "G", "mailNickname": "g", "mailEnabled": false, "securityEnabled": true });
    let id = desk.post("/groups", group).await.ok(201)["id"].as_str().unwrap().to_owned();
    let path = format!("/groups/{id}/members/$ref");
    let user = desk.id("a@contoso.com");
    let reference = json!({ "@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{user}") });
    desk.post(&path, reference.clone()).await.refused(404, "Request_ResourceNotFound", &id);
    desk.pass(Duration::from_secs(2));
    desk.post(&path, reference).await.ok(204);
}
