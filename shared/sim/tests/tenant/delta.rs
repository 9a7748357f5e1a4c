//! Delta and its traps.

use std::time::Duration;

use hardmatch_sim::Seed;
use serde_json::{Value, json};

use crate::desk::{Desk, rows, send, with_user};

const SELECT: &str = "/users/delta?$select=id,userPrincipalName,jobTitle,onPremisesImmutableId";

fn three() -> Seed {
    with_user("a@contoso.com", json!({ "jobTitle": "x" }))
        .user(json!({ "userPrincipalName": "b@contoso.com" }))
        .user(json!({ "userPrincipalName": "c@contoso.com" }))
}

#[tokio::test]
async fn the_first_round_shows_what_is_set_and_later_rounds_what_changed() {
    let desk = Desk::open(three()).await;
    let (all, link) = desk.round(SELECT).await;
    assert_eq!(all.len(), 3);
    assert_eq!(all[0]["jobTitle"], "x");
    // Never set: absent. Not selected: absent.
    assert!(all[1].get("jobTitle").is_none() && all[0].get("displayName").is_none());
    let (none, link) = desk.round(&link).await;
    assert!(none.is_empty());

    desk.patch("/users/a@contoso.com", json!({ "jobTitle": null })).await.ok(204);
    desk.patch("/users/b@contoso.com", json!({ "department": "untracked" })).await.ok(204);
    let new = desk.create("d@contoso.com", json!({})).await;
    let (b, c) = (desk.id("b@contoso.com"), desk.id("c@contoso.com"));
    desk.delete(&format!("/users/{b}")).await.ok(204);
    desk.delete(&format!("/users/{c}")).await.ok(204);
    desk.delete(&format!("/directory/deletedItems/{c}")).await.ok(204);
    let (changes, link) = desk.round(&link).await;
    let find = |id: &str| changes.iter().find(|r| r["id"] == json!(id)).cloned().unwrap_or_default();
    assert_eq!(changes.len(), 4, "{changes:?}");
    let a = find(&desk.id("a@contoso.com"));
    assert_eq!(a.get("jobTitle"), Some(&Value::Null));
    assert_eq!(a["userPrincipalName"], "a@contoso.com");
    assert_eq!(find(&new)["userPrincipalName"], "d@contoso.com");
    assert_eq!(find(&b)["@removed"]["reason"], "changed");
    assert_eq!(find(&c)["@removed"]["reason"], "deleted");

    desk.post(&format!("/directory/deletedItems/{b}/restore"), json!({})).await.ok(200);
    let (changes, _) = desk.round(&link).await;
    assert_eq!(changes, [json!({ "id": b, "userPrincipalName": "b@contoso.com" })]);
}

#[tokio::test]
async fn latest_starts_empty_and_misses_nothing_after() {
    let desk = Desk::open(three()).await;
    let (none, link) = desk.round("/users/delta?$deltatoken=latest&$select=id,jobTitle").await;
    assert!(none.is_empty());
    desk.patch("/users/b@contoso.com", json!({ "jobTitle": "y" })).await.ok(204);
    let (changes, _) = desk.round(&link).await;
    assert_eq!(changes, [json!({ "id": desk.id("b@contoso.com"), "jobTitle": "y" })]);
}

#[tokio::test]
async fn minimal_answers_show_only_what_changed() {
    let desk = Desk::open(three()).await;
    let (_, link) = desk.round(SELECT).await;
    desk.patch("/users/a@contoso.com", json!({ "jobTitle": "z" })).await.ok(204);
    let got = desk.get_with(&link, ("Prefer", "return=minimal")).await;
    assert_eq!(got.header("preference-applied"), Some("return=minimal"));
    assert_eq!(got.body["value"], json!([{ "id": desk.id("a@contoso.com"), "jobTitle": "z" }]));
}

#[tokio::test]
async fn tokens_live_seven_days() {
    let mut desk = Desk::open(three()).await;
    let (_, link) = desk.round(SELECT).await;
    desk.pass(Duration::from_secs(7 * 86_400 - 1));
    desk.sign_in().await;
    let (_, fresh) = desk.round(&link).await;
    desk.pass(Duration::from_secs(2));
    desk.get(&link).await.refused(400, "syncStateNotFound", "The sync state generation is not found");
    desk.get(&fresh).await.ok(200);
}

#[tokio::test]
async fn a_reset_is_410_and_its_location_lacks_the_selection() {
    let desk = Desk::open(three()).await;
    let (_, link) = desk.round(SELECT).await;
    desk.world().reset_delta();
    let got = desk.get(&link).await;
    got.refused(410, "resyncRequired", "");
    let location = got.header("location").unwrap();
    assert!(location.ends_with("/v1.0/users/delta?$deltatoken="), "{location}");
    let (all, _) = desk.round(location).await;
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|r| r.get("onPremisesImmutableId").is_none() && r.get("displayName").is_some()));
}

#[tokio::test]
async fn options_that_delta_does_not_know_are_refused() {
    let desk = Desk::open(three()).await;
    for query in ["$expand=manager", "$orderby=displayName", "$filter=jobTitle%20eq%20'x'"] {
        assert_eq!(desk.get(&format!("/users/delta?{query}")).await.status, 400, "{query}");
    }
    let (_, link) = desk.round("/users/delta?$top=1").await;
    assert_eq!(desk.get(&format!("{link}&$select=id")).await.status, 400);
    assert_eq!(desk.world().take_violations().len(), 4);
    let filter = format!("/users/delta?$select=id&$filter=id%20eq%20'{}'", desk.id("b@contoso.com"));
    let (only, link) = desk.round(&filter).await;
    assert_eq!(only.len(), 1);
    desk.world().set_user("a@contoso.com", json!({ "displayName": "A" })).unwrap();
    assert!(desk.round(&link).await.0.is_empty());
}

#[tokio::test]
async fn managers_are_tracked_when_selected() {
    let desk = Desk::open(three()).await;
    let (_, link) = desk.round("/users/delta?$select=id,manager").await;
    desk.world().set_user("a@contoso.com", json!({ "manager": "b@contoso.com" })).unwrap();
    let (changes, link) = desk.round(&link).await;
    assert_eq!(changes[0]["manager@delta"][0]["id"], json!(desk.id("b@contoso.com")));
    desk.world().set_user("a@contoso.com", json!({ "manager": null })).unwrap();
    let (changes, _) = desk.round(&link).await;
    let gone = json!([{ "@odata.type": "#microsoft.graph.user", "id": desk.id("b@contoso.com"), "@removed": { "reason": "deleted" } }]);
    assert_eq!(changes[0]["manager@delta"], gone);
}

#[tokio::test]
async fn traps_hide_nothing() {
    let mut seed = Seed::contoso().with(|o| {
        o.delta_page_size = 10;
        o.delta.empty_pages = 0.3;
        o.delta.duplicates = 0.5;
        o.delta.replays = 1.0;
    });
    for i in 0..95 {
        seed = seed.user(json!({ "userPrincipalName": format!("u{i}@contoso.com") }));
    }
    let desk = Desk::open(seed).await;
    let mut path = SELECT.to_owned();
    let mut seen = Vec::new();
    let mut empty = 0;
    let link = loop {
        let body = desk.get(&path).await.ok(200);
        empty += usize::from(rows(&body).is_empty());
        seen.extend(rows(&body).iter().map(|r| r["id"].as_str().unwrap().to_owned()));
        match body["@odata.nextLink"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break body["@odata.deltaLink"].as_str().unwrap().to_owned(),
        }
    };
    let total = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 95);
    assert!(total > 95 && empty > 0, "{total} rows, {empty} empty pages");
    desk.patch("/users/u1@contoso.com", json!({ "jobTitle": "x" })).await.ok(204);
    let (first, link) = desk.round(&link).await;
    let (again, _) = desk.round(&link).await;
    assert_eq!((first.len(), again.len()), (1, 1), "a round may repeat what was told");
}

#[tokio::test]
async fn groups_tell_their_members() {
    let seed = three().group(json!({ "displayName": "G", "mailNickname": "g", "members": ["a@contoso.com"] }));
    let desk = Desk::open(seed).await;
    let (all, _) = desk.round("/groups/delta?$select=displayName,members").await;
    assert_eq!(all[0]["members@delta"][0]["id"], json!(desk.id("a@contoso.com")));
}

#[tokio::test]
async fn client_ids_are_echoed() {
    let desk = Desk::open(three()).await;
    let got = desk.get_with("/users/delta", ("client-request-id", "11111111-2222-4333-8444-555555555555")).await;
    assert_eq!(got.header("client-request-id"), Some("11111111-2222-4333-8444-555555555555"));
    assert!(got.header("request-id").is_some() && got.header("date").is_some());
    let got =
        send(desk.request(reqwest::Method::GET, "/users/nobody@contoso.com").header("client-request-id", "abc")).await;
    let inner = &got.body["error"]["innerError"];
    assert_eq!(inner["client-request-id"], "abc");
    assert_eq!(inner["request-id"].as_str(), got.header("request-id"));
    assert_eq!(inner["date"], "2026-01-15T12:00:00");
}
