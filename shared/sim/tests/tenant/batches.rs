//! JSON batching.

use hardmatch_sim::{Fault, FaultRule, Place, Seed};
use serde_json::{Value, json};

use crate::desk::{Desk, with_user};

fn part<'a>(body: &'a Value, id: &str) -> &'a Value {
    body["responses"].as_array().unwrap().iter().find(|r| r["id"] == json!(id)).unwrap()
}

fn json_type() -> Value {
    json!({ "Content-Type": "application/json" })
}

#[tokio::test]
async fn parts_answer_for_themselves_in_any_order() {
    let mut seed = Seed::contoso();
    for i in 0..20 {
        seed = seed.user(json!({ "userPrincipalName": format!("u{i}@contoso.com") }));
    }
    let desk = Desk::open(seed).await;
    let requests: Vec<Value> = (0..20)
        .map(|i| match i % 2 {
            0 => json!({ "id": i.to_string(), "method": "GET", "url": format!("users/u{i}@contoso.com?$select=id") }),
            _ => json!({ "id": i.to_string(), "method": "PATCH", "url": format!("/users/u{i}@contoso.com"),
                "headers": json_type(), "body": { "jobTitle": "x" } }),
        })
        .collect();
    let body = desk.batch(json!(requests)).await.ok(200);
    assert_eq!(part(&body, "0")["status"], 200);
    assert_eq!(part(&body, "0")["body"]["id"], json!(desk.id("u0@contoso.com")));
    assert_eq!(part(&body, "1")["status"], 204);
    assert!(part(&body, "1").get("body").is_none());
    let order: Vec<&str> = body["responses"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
    assert_ne!(order, (0..20).map(|i| i.to_string()).collect::<Vec<_>>());
    let counters = desk.world().take_counters();
    assert_eq!(counters.batches, [20]);
    assert_eq!(counters.round_trips, 1);
    assert_eq!(counters.requests["PATCH /users/{id}"], 10);
    assert_eq!(counters.writes, 10);
}

#[tokio::test]
async fn malformed_envelopes_run_nothing() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({}))).await;
    let patch = |id: &str| json!({ "id": id, "method": "PATCH", "url": "/users/ada@contoso.com", "headers": json_type(), "body": { "jobTitle": "x" } });
    let get = |id: &str| json!({ "id": id, "method": "GET", "url": "/users/ada@contoso.com" });
    let bare = "Write request id : 1 does not contain Content-Type header or body.";
    let cases = [
        (
            json!([patch("2"), { "id": "1", "method": "POST", "url": "/users/ada@contoso.com/revokeSignInSessions", "headers": json_type() }]),
            bare,
        ),
        (
            json!([patch("2"), { "id": "1", "method": "POST", "url": "/users/ada@contoso.com/revokeSignInSessions", "body": {} }]),
            bare,
        ),
        (json!([patch("a"), patch("A")]), "unique"),
        (json!((0..21).map(|i| get(&i.to_string())).collect::<Vec<_>>()), "20"),
        (json!([]), "Invalid batch"),
        (json!([patch("2"), { "id": "1", "method": "GET", "url": "/users", "dependsOn": ["9"] }]), "Dependencies"),
        (json!([patch("2"), { "id": "1", "method": "GET", "url": "/v1.0/users" }]), "relative"),
        (
            json!([patch("2"), { "id": "1", "method": "DELETE", "url": "/users/x", "body": {} }]),
            "must not contain a body",
        ),
    ];
    for (requests, message) in cases {
        desk.batch(requests.clone()).await.refused(400, "BadRequest", message);
        assert_eq!(desk.world().take_violations().len(), 1, "{requests}");
    }
    assert!(desk.world().user("ada@contoso.com").unwrap().get("jobTitle").is_none());
    let empty = json!([{ "id": "1", "method": "POST", "url": "/users/ada@contoso.com/revokeSignInSessions", "headers": json_type(), "body": {} }]);
    assert_eq!(part(&desk.batch(empty).await.ok(200), "1")["status"], 200);
}

#[tokio::test]
async fn a_failed_predecessor_is_424() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({}))).await;
    let body = desk
        .batch(json!([
            { "id": "1", "method": "GET", "url": "/users/nobody@contoso.com" },
            { "id": "2", "dependsOn": ["1"], "method": "DELETE", "url": "/users/ada@contoso.com" },
            { "id": "3", "dependsOn": ["2"], "method": "GET", "url": "/users/ada@contoso.com" },
        ]))
        .await
        .ok(200);
    assert_eq!(part(&body, "1")["status"], 404);
    assert_eq!(part(&body, "2")["status"], 424);
    assert_eq!(part(&body, "3")["status"], 424);
    assert_eq!(desk.world().live_users(), 1);
}

#[tokio::test]
async fn faults_strike_inside_a_batch() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({}))).await;
    let patch = |id: &str, title: &str| json!({ "id": id, "method": "PATCH", "url": "/users/ada@contoso.com", "headers": json_type(), "body": { "jobTitle": title } });
    desk.world().inject(
        FaultRule::once("PATCH /users/{id}", Fault::Throttled { retry_after: Some("7".into()) }).only(Place::Inner),
    );
    let body = desk.batch(json!([patch("1", "x")])).await.ok(200);
    assert_eq!(part(&body, "1")["status"], 429);
    assert_eq!(part(&body, "1")["headers"]["Retry-After"], "7");
    assert_eq!(desk.world().counters().throttled, 1);
    desk.batch(json!([patch("1", "y")])).await.ok(200);
    assert_eq!(desk.world().counters().early_calls, 1);
    desk.world().inject(FaultRule::once("PATCH /users/{id}", Fault::DroppedAfter));
    let body = desk.batch(json!([patch("1", "z")])).await.ok(200);
    assert_eq!(part(&body, "1")["status"], 504);
    assert_eq!(desk.world().user("ada@contoso.com").unwrap()["jobTitle"], "z");
}
