//! Injected faults.

use hardmatch_sim::{Fault, FaultRule, Seed, TenantFaults};
use reqwest::Method;
use serde_json::json;

use crate::desk::{Desk, new_user, with_user};

fn status(status: u16, applied: bool) -> Fault {
    Fault::Status { status, code: None, message: None, retry_after: None, applied }
}

#[tokio::test]
async fn throttling_comes_with_every_kind_of_retry_after() {
    let desk = Desk::open(Seed::contoso()).await;
    for (given, sent) in [
        (Some("10"), Some("10")),
        (Some("2.128"), Some("2.128")),
        (Some("date:10"), Some("Thu, 15 Jan 2026 12:00:10 GMT")),
        (None, None),
    ] {
        desk.world().inject(FaultRule::once("GET /users", Fault::Throttled { retry_after: given.map(str::to_owned) }));
        let got = desk.get("/users").await;
        got.refused(429, "TooManyRequests", "");
        assert_eq!(got.header("retry-after"), sent);
    }
    desk.get("/users").await.ok(200);
    assert_eq!(desk.world().counters().throttled, 4);
    assert_eq!(desk.world().counters().early_calls, 1, "faults strike before the call is looked at");
}

#[tokio::test]
async fn server_errors_may_or_may_not_have_been_applied() {
    let desk = Desk::open(Seed::contoso()).await;
    desk.world().inject(FaultRule::once("POST /users", status(503, false)));
    let got = desk.post("/users", new_user("ada@contoso.com", json!({}))).await;
    assert_eq!((got.status, &got.body), (503, &json!(null)));
    assert_eq!(desk.world().live_users(), 0);
    desk.world().inject(FaultRule::once("POST /users", status(504, true)));
    assert_eq!(desk.post("/users", new_user("ada@contoso.com", json!({}))).await.status, 504);
    assert_eq!(desk.world().live_users(), 1);
    let with_body = Fault::Status {
        status: 503,
        code: Some("serviceNotAvailable".into()),
        message: None,
        retry_after: Some("3".into()),
        applied: false,
    };
    desk.world().inject(FaultRule::once("* /users*", with_body));
    let got = desk.get("/users").await;
    got.refused(503, "serviceNotAvailable", "");
    assert_eq!(got.header("retry-after"), Some("3"));
}

#[tokio::test]
async fn connections_break_before_and_after_the_work() {
    let desk = Desk::open(Seed::contoso()).await;
    let create = |upn: &str| desk.request(Method::POST, "/users").json(&new_user(upn, json!({}))).send();
    desk.world().inject(FaultRule::once("POST /users", Fault::Dropped));
    assert!(create("a@contoso.com").await.is_err());
    assert_eq!(desk.world().live_users(), 0);
    desk.world().inject(FaultRule::once("POST /users", Fault::DroppedAfter));
    assert!(create("a@contoso.com").await.is_err());
    assert_eq!(desk.world().live_users(), 1);
    assert_eq!(create("b@contoso.com").await.unwrap().status(), 201);
}

#[tokio::test]
async fn bodies_are_cut_tokens_expire_and_reads_go_stale() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({ "jobTitle": "old" }))).await;
    desk.world().inject(FaultRule::once("GET /users", Fault::Truncated));
    let text = desk.request(Method::GET, "/users").send().await.unwrap().text().await.unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_err());
    desk.world().inject(FaultRule::once("GET /users", Fault::TokenExpired));
    desk.get("/users").await.refused(401, "InvalidAuthenticationToken", "expired");
    desk.patch("/users/ada@contoso.com", json!({ "jobTitle": "new" })).await.ok(204);
    desk.world().inject(FaultRule::once("GET /users/{id}", Fault::Stale { ms: 1000 }));
    assert_eq!(desk.get("/users/ada@contoso.com").await.ok(200)["jobTitle"], "old");
    assert_eq!(desk.get("/users/ada@contoso.com").await.ok(200)["jobTitle"], "new");
    desk.world().inject(FaultRule::once("GET /users/delta", Fault::Gone));
    desk.get("/users/delta").await.refused(410, "resyncRequired", "");
}

#[tokio::test]
async fn a_path_strikes_one_object_alone_in_batches_too() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({}))).await;
    let bea = desk.create("bea@contoso.com", json!({})).await;
    let ada = desk.id("ada@contoso.com");
    desk.world().inject(FaultRule::new(&format!("PATCH /users/{ada}"), status(500, false)));
    let change = json!({ "jobTitle": "Lead" });
    for _ in 0..2 {
        assert_eq!(desk.patch(&format!("/users/{ada}"), change.clone()).await.status, 500);
        desk.patch(&format!("/users/{bea}"), change.clone()).await.ok(204);
    }
    desk.get(&format!("/users/{ada}")).await.ok(200);
    let part = |id: &str, user: &str| {
        let headers = json!({ "Content-Type": "application/json" });
        json!({ "id": id, "method": "PATCH", "url": format!("/users/{user}"), "headers": headers, "body": change })
    };
    let answers = desk.batch(json!([part("1", &ada), part("2", &bea)])).await.ok(200);
    let mut answers: Vec<(String, u64)> = answers["responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap().to_owned(), one["status"].as_u64().unwrap()))
        .collect();
    answers.sort();
    assert_eq!(answers, [("1".to_owned(), 500), ("2".to_owned(), 204)]);
}

#[tokio::test]
async fn plans_come_from_json_and_are_seeded() {
    let plan = json!({ "seed": 7, "rules": [
        { "route": "GET /users", "nth": 3, "times": 1, "fault": { "kind": "status", "status": 502 } },
        { "route": "GET /users", "probability": 0.5, "fault": { "kind": "throttled", "retryAfter": "1" } },
        { "fault": { "kind": "latency", "ms": 60000 } },
    ] });
    let run = async || {
        let mut seed = Seed::contoso();
        seed.faults = serde_json::from_value::<TenantFaults>(plan.clone()).unwrap();
        let desk = Desk::open(seed).await;
        let mut seen = Vec::new();
        for _ in 0..20 {
            seen.push(desk.get("/users").await.status);
        }
        seen
    };
    let (one, two) = (run().await, run().await);
    assert_eq!(one, two);
    assert_eq!(one[2], 502);
    assert!(one.contains(&429) && one.contains(&200));
}
