//! Federated domains and immutable IDs.

use std::time::Duration;

use hardmatch_sim::{DomainType, Reaction, Seed, SeedDomain};
use serde_json::json;

use crate::desk::{Desk, with_user};

const GENERIC: &str = "One or more properties contains invalid values.";

fn federated() -> Seed {
    with_user("ada@fed.contoso.com", json!({ "onPremisesImmutableId": "AAAA" }))
}

#[tokio::test]
async fn k7_the_id_cannot_be_changed_in_a_federated_domain() {
    let desk = Desk::open(federated()).await;
    for value in [json!("BBBB"), json!(null)] {
        let got = desk.patch("/users/ada@fed.contoso.com", json!({ "onPremisesImmutableId": value })).await;
        got.refused(400, "Request_BadRequest", GENERIC);
    }
    // The move away in the same call does not help; the same value is no change.
    let both = json!({ "userPrincipalName": "ada@contoso.onmicrosoft.com", "onPremisesImmutableId": "BBBB" });
    desk.patch("/users/ada@fed.contoso.com", both).await.refused(400, "Request_BadRequest", GENERIC);
    desk.patch("/users/ada@fed.contoso.com", json!({ "onPremisesImmutableId": "AAAA" })).await.ok(204);
    desk.world().configure(|o| o.name_federated_property = true);
    let got = desk.patch("/users/ada@fed.contoso.com", json!({ "onPremisesImmutableId": "BBBB" })).await;
    got.refused(400, "Request_BadRequest", "onPremisesImmutableId");
}

#[tokio::test]
async fn k8_to_k12_the_repair_sequence_works() {
    let desk = Desk::open(federated()).await;
    let user = format!("/users/{}", desk.id("ada@fed.contoso.com"));
    desk.patch(&user, json!({ "userPrincipalName": "ada@contoso.onmicrosoft.com" })).await.ok(204);
    desk.patch(&user, json!({ "onPremisesImmutableId": "BBBB" })).await.ok(204);
    desk.patch(&user, json!({ "userPrincipalName": "ada@fed.contoso.com" })).await.ok(204);
    assert_eq!(desk.world().user("ada@fed.contoso.com").unwrap()["onPremisesImmutableId"], "BBBB");
    // The vendor's script sets the value in the call that moves back.
    desk.patch(&user, json!({ "userPrincipalName": "ada@contoso.onmicrosoft.com" })).await.ok(204);
    let back = json!({ "userPrincipalName": "ada@fed.contoso.com", "onPremisesImmutableId": "CCCC" });
    desk.patch(&user, back).await.ok(204);
}

#[tokio::test]
async fn moving_into_a_federated_domain_needs_an_id() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({}))).await;
    let user = format!("/users/{}", desk.id("ada@contoso.com"));
    let to = json!({ "userPrincipalName": "ada@fed.contoso.com" });
    desk.patch(&user, to.clone()).await.refused(400, "Request_BadRequest", GENERIC);
    let with = json!({ "userPrincipalName": "ada@fed.contoso.com", "onPremisesImmutableId": "AAAA" });
    desk.patch(&user, with).await.ok(204);
}

#[tokio::test]
async fn switches_of_federation() {
    let mut seed = federated().user(json!({ "userPrincipalName": "new@fed.contoso.com" }));
    seed.domains.push(SeedDomain::new("other.example", DomainType::Federated));
    let desk = Desk::open(seed).await;
    let user = format!("/users/{}", desk.id("ada@fed.contoso.com"));
    let new = format!("/users/{}", desk.id("new@fed.contoso.com"));
    let across = json!({ "userPrincipalName": "ada@other.example" });
    desk.patch(&user, across.clone()).await.refused(400, "Request_BadRequest", "userPrincipalName");
    desk.patch(&new, json!({ "onPremisesImmutableId": "NNNN" })).await.refused(400, "Request_BadRequest", GENERIC);
    desk.world().configure(|o| {
        o.federated_to_federated = Reaction::Accept;
        o.first_immutable_id_in_federated_domain = Reaction::Accept;
        o.federated_to_managed_demands_password = true;
    });
    desk.patch(&new, json!({ "onPremisesImmutableId": "NNNN" })).await.ok(204);
    desk.patch(&user, across).await.ok(204);
    let away = json!({ "userPrincipalName": "ada@contoso.onmicrosoft.com" });
    desk.patch(&user, away).await.refused(400, "Request_BadRequest", "password");
}

#[tokio::test]
async fn a_lagging_replica_refuses_just_after_the_move() {
    let desk = Desk::open(federated().with(|o| o.lag.rules_ms = 2_000)).await;
    let user = format!("/users/{}", desk.id("ada@fed.contoso.com"));
    desk.patch(&user, json!({ "userPrincipalName": "ada@contoso.onmicrosoft.com" })).await.ok(204);
    let set = json!({ "onPremisesImmutableId": "BBBB" });
    desk.patch(&user, set.clone()).await.refused(400, "Request_BadRequest", GENERIC);
    desk.pass(Duration::from_secs(3));
    desk.patch(&user, set).await.ok(204);
}

#[tokio::test]
async fn a_stale_uniqueness_cache_names_the_user_itself() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({})).with(|o| o.lag.uniqueness_ms = 2_000)).await;
    let id = desk.id("ada@contoso.com");
    let user = format!("/users/{id}");
    desk.patch(&user, json!({ "userPrincipalName": "ada@contoso.onmicrosoft.com" })).await.ok(204);
    let back = json!({ "userPrincipalName": "ada@contoso.com" });
    desk.patch(&user, back.clone()).await.conflicts("userPrincipalName", &format!("User_{id}"));
    desk.pass(Duration::from_secs(3));
    desk.patch(&user, back).await.ok(204);
}
