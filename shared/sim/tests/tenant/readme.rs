//! The documented formats work as written.

use hardmatch_sim::{Seed, Sim, TenantFaults};
use serde_json::{Value, json};

/// The JSON blocks of the README, in order.
fn blocks() -> Vec<Value> {
    let text = include_str!("../../README.md");
    text.split("```json\n").skip(1).map(|b| serde_json::from_str(b.split("```").next().unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn the_documented_seed_starts() {
    let seed = Seed::from_json(&blocks()[0].to_string()).unwrap();
    let running = Sim::new(seed).start_local().await.unwrap();
    let world = running.world();
    assert_eq!(world.live_users(), 3);
    let ada = world.user("ada@contoso.com").unwrap();
    assert_eq!(ada["manager"], world.user("boss@contoso.com").unwrap()["id"]);
    assert_eq!(ada["assignedLicenses"][0]["skuId"], "05e9a617-0261-4cee-bb44-138d3ef5d965");
    assert_eq!(world.user("old@contoso.com").unwrap()["deleted"], json!(true));
}

#[test]
fn the_documented_faults_are_read() {
    let faults: TenantFaults = serde_json::from_value(blocks()[1].clone()).unwrap();
    assert_eq!(faults.rules.len(), 5);
}
