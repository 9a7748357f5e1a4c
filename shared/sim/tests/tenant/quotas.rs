//! Throttling.

use std::time::Duration;

use hardmatch_sim::Seed;
use serde_json::json;

use crate::desk::{Desk, with_user};

fn small() -> Seed {
    with_user("ada@contoso.com", json!({})).with(|o| {
        o.throttle.writes = 10;
        o.throttle.writes_seconds = 10;
    })
}

#[tokio::test]
async fn writes_run_dry_and_refill() {
    let desk = Desk::open(small()).await;
    let write = async |i: usize| desk.patch("/users/ada@contoso.com", json!({ "jobTitle": format!("{i}") })).await;
    for i in 0..10 {
        let got = write(i).await;
        assert_eq!(got.status, 204);
        assert_eq!(got.header("x-ms-resource-unit"), Some("1"));
        assert_eq!(got.header("x-ms-throttle-limit-percentage").is_some(), i >= 8, "{i}");
    }
    let got = write(10).await;
    got.refused(429, "TooManyRequests", "");
    // One second for this write, and one for the refused one, which was charged as well.
    assert_eq!(got.header("retry-after"), Some("2"));
    assert_eq!(got.header("x-ms-throttle-information"), Some("WriteLimitExceeded"));
    assert!(got.header("x-ms-throttle-scope").unwrap().starts_with("Tenant_Application/Write/"));
    assert_eq!(write(11).await.header("retry-after"), Some("3"));
    assert_eq!(desk.world().counters().early_calls, 1);
    desk.get("/users").await.ok(200);
    assert_eq!(desk.world().counters().early_calls, 1, "reads were not told to wait");
    desk.pass(Duration::from_secs(4));
    assert_eq!(write(12).await.status, 204);
    let counters = desk.world().counters();
    assert_eq!((counters.throttled, counters.writes, counters.writes_applied), (2, 13, 11));
}

#[tokio::test]
async fn each_part_of_a_batch_costs() {
    let desk = Desk::open(small()).await;
    let requests: Vec<_> = (0..12)
        .map(|i| {
            json!({ "id": i.to_string(), "method": "PATCH", "url": "/users/ada@contoso.com",
            "headers": { "Content-Type": "application/json" }, "body": { "jobTitle": format!("{i}") } })
        })
        .collect();
    let body = desk.batch(json!(requests)).await.ok(200);
    let statuses: Vec<u64> =
        body["responses"].as_array().unwrap().iter().map(|r| r["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses.iter().filter(|s| **s == 429).count(), 2);
    let refused = body["responses"].as_array().unwrap().iter().find(|r| r["status"] == 429).unwrap();
    assert!(refused["headers"]["Retry-After"].is_string());
    assert_eq!(desk.world().counters().early_calls, 0);
}

#[tokio::test]
async fn resource_units_follow_the_table() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({})).with(|o| o.throttle.units = 10)).await;
    for (path, units) in
        [("/users", "2"), ("/users?$select=id", "1"), ("/users?$top=10&$expand=manager", "2"), ("/subscribedSkus", "3")]
    {
        assert_eq!(desk.get(path).await.header("x-ms-resource-unit"), Some(units), "{path}");
    }
    desk.get("/users").await.ok(200);
    let got = desk.get("/users").await;
    got.refused(429, "TooManyRequests", "");
    assert_eq!(got.header("x-ms-throttle-information"), Some("ResourceUnitLimitExceeded"));
    desk.pass(Duration::from_secs(10));
    desk.get("/users").await.ok(200);
}
