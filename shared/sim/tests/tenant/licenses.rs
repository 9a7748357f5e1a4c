//! Licences.

use std::time::Duration;

use hardmatch_sim::{Plan, Seed, SeedSku};
use serde_json::{Value, json};

use crate::desk::{Desk, rows};

const E3: &str = "00000000-0000-4000-8000-0000000000e3";
const ADDON: &str = "00000000-0000-4000-8000-0000000000ad";
const RIVAL: &str = "00000000-0000-4000-8000-0000000000e1";

fn plan(id: &str, name: &str, excludes: &[&str], needs: &[&str]) -> Plan {
    let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
    Plan {
        service_plan_id: id.into(),
        service_plan_name: name.into(),
        excludes: owned(excludes),
        depends_on: owned(needs),
        applies_to: "User".into(),
    }
}

fn sku(id: &str, name: &str, enabled: i64, plans: Vec<Plan>) -> SeedSku {
    SeedSku {
        sku_id: id.into(),
        sku_part_number: name.into(),
        enabled,
        warning: 0,
        consumed: 0,
        applies_to: "User".into(),
        capability_status: "Enabled".into(),
        plans,
    }
}

fn seed() -> Seed {
    let mut seed = Seed::contoso();
    let exchange = || plan("00000000-0000-4000-8000-000000000001", "EXCHANGE_S_ENTERPRISE", &[], &[]);
    seed.skus = vec![
        sku(E3, "SPE_E3", 2, vec![exchange()]),
        sku(
            ADDON,
            "ADDON",
            5,
            vec![plan("00000000-0000-4000-8000-000000000002", "ADDON", &[], &["EXCHANGE_S_ENTERPRISE"])],
        ),
        sku(
            RIVAL,
            "SPE_E1",
            5,
            vec![plan("00000000-0000-4000-8000-000000000003", "EXCHANGE_S_STANDARD", &["EXCHANGE_S_ENTERPRISE"], &[])],
        ),
    ];
    seed.user(json!({ "userPrincipalName": "ada@contoso.com", "usageLocation": "DE" }))
        .user(json!({ "userPrincipalName": "bob@contoso.com" }))
        .user(json!({ "userPrincipalName": "g@contoso.com", "usageLocation": "DE", "groupLicenses": [{ "sku": "SPE_E3", "group": "00000000-0000-4000-8000-00000000000a" }] }))
        .user(json!({ "userPrincipalName": "z@contoso.com", "usageLocation": "DE" }))
}

fn add(sku: &str) -> Value {
    json!({ "addLicenses": [{ "skuId": sku, "disabledPlans": [] }], "removeLicenses": [] })
}

fn remove(sku: &str) -> Value {
    json!({ "addLicenses": [], "removeLicenses": [sku] })
}

#[tokio::test]
async fn seats_locations_and_plans() {
    let desk = Desk::open(seed()).await;
    let assign =
        async |user: &str, body: Value| desk.post(&format!("/users/{user}@contoso.com/assignLicense"), body).await;
    assign("bob", add(E3)).await.refused(
        400,
        "Request_BadRequest",
        "License assignment cannot be done for user with invalid usage location.",
    );
    assign("ada", add(ADDON)).await.refused(400, "Request_BadRequest", "depends on the service plan");
    assign("ada", add(E3)).await.ok(200);
    assign("z", add(E3)).await.refused(
        400,
        "Request_BadRequest",
        &format!("Subscription with SKU {E3} does not have any available licenses."),
    );
    assign("ada", add(RIVAL)).await.refused(400, "Request_BadRequest", "mutually exclusive");
    assign("ada", add("00000000-0000-4000-8000-00000000ffff")).await.refused(
        400,
        "Request_BadRequest",
        "does not correspond to a valid company License",
    );
    assign("g", remove(E3)).await.refused(400, "Request_BadRequest", "inherited from a group membership");
    assign("ada", json!({ "addLicenses": [{ "skuId": RIVAL }], "removeLicenses": [E3] })).await.ok(200);
    assign("z", add(E3)).await.ok(200);
    let skus = desk.get("/subscribedSkus").await.ok(200);
    assert_eq!((&rows(&skus)[0]["consumedUnits"], &rows(&skus)[0]["prepaidUnits"]["enabled"]), (&json!(2), &json!(2)));
    let user = desk.get("/users/g@contoso.com?$select=assignedLicenses,licenseAssignmentStates").await.ok(200);
    assert_eq!(user["licenseAssignmentStates"][0]["assignedByGroup"], "00000000-0000-4000-8000-00000000000a");
    assert_eq!(rows(&desk.get("/users/z@contoso.com/licenseDetails").await.ok(200))[0]["skuPartNumber"], "SPE_E3");
}

#[tokio::test]
async fn a_mailbox_changes_who_masters_addresses() {
    let desk = Desk::open(seed()).await;
    desk.post("/users/ada@contoso.com/assignLicense", add(E3)).await.ok(200);
    let user = || desk.world().user(desk.world().users()[0]["id"].as_str().unwrap()).unwrap();
    assert_eq!(user()["proxyAddresses"], json!(["SMTP:ada@contoso.com", "smtp:ada@contoso.onmicrosoft.com"]));
    desk.patch("/users/ada@contoso.com", json!({ "mail": "x@contoso.com" })).await.refused(
        400,
        "Request_BadRequest",
        "external service",
    );
    desk.patch("/users/ada@contoso.com", json!({ "userPrincipalName": "ada.l@contoso.com" })).await.ok(204);
    assert_eq!(user()["mail"], "ada.l@contoso.com");
    assert_eq!(user()["proxyAddresses"][0], "SMTP:ada.l@contoso.com");
    assert_eq!(user()["proxyAddresses"][1], "smtp:ada@contoso.com");
}

#[tokio::test]
async fn what_a_group_gives_outlives_what_was_given_directly() {
    let desk = Desk::open(seed()).await;
    let assign = async |body: Value| desk.post("/users/g@contoso.com/assignLicense", body).await;
    let licenses = async || {
        let user = desk.get("/users/g@contoso.com?$select=assignedLicenses,licenseAssignmentStates").await.ok(200);
        let count = |name: &str| user[name].as_array().unwrap().len();
        (count("assignedLicenses"), count("licenseAssignmentStates"))
    };
    assert_eq!(licenses().await, (1, 1));
    assign(add(E3)).await.ok(200);
    assert_eq!(licenses().await, (1, 2));
    let skus = desk.get("/subscribedSkus").await.ok(200);
    assert_eq!(rows(&skus)[0]["consumedUnits"], 1, "one person takes one seat, however often it was given");
    assign(remove(E3)).await.ok(200);
    assert_eq!(licenses().await, (1, 1));
    assign(remove(E3)).await.refused(400, "Request_BadRequest", "inherited from a group membership");
}

#[tokio::test]
async fn plans_are_switched_off_by_giving_the_license_again() {
    let desk = Desk::open(seed()).await;
    let assign = async |body: Value| desk.post("/users/ada@contoso.com/assignLicense", body).await;
    assign(add(E3)).await.ok(200);
    let plan = "00000000-0000-4000-8000-000000000001";
    let less = |plan: &str| json!({ "addLicenses": [{ "skuId": E3, "disabledPlans": [plan] }], "removeLicenses": [] });
    assign(less(plan)).await.ok(200);
    let user = desk.get("/users/ada@contoso.com?$select=assignedLicenses,assignedPlans").await.ok(200);
    assert_eq!(user["assignedLicenses"], json!([{ "skuId": E3, "disabledPlans": [plan] }]));
    assert_eq!(user["assignedPlans"], json!([]));
    assert!(desk.world().violations().is_empty());
    assign(less("00000000-0000-4000-8000-000000000002")).await.refused(400, "Request_BadRequest", "not part of");
    assert_eq!(desk.world().take_violations().len(), 1);
}

#[tokio::test]
async fn both_lists_are_required_and_one_must_say_something() {
    let desk = Desk::open(seed()).await;
    let assign = async |body: Value| desk.post("/users/ada@contoso.com/assignLicense", body).await;
    let missing = "The missing parameters are: addLicenses.";
    assign(json!({ "removeLicenses": [E3] })).await.refused(400, "Request_BadRequest", missing);
    let nothing = json!({ "addLicenses": [], "removeLicenses": [] });
    assign(nothing).await.refused(400, "Request_BadRequest", "No license changes provided");
    assign(remove(E3)).await.refused(400, "Request_BadRequest", "User does not have a corresponding license.");
    assert_eq!(desk.world().take_violations().len(), 2, "what is not there any more is nobody's mistake");
}

#[tokio::test]
async fn a_location_that_was_just_set_is_not_known_everywhere() {
    let desk = Desk::open(seed().with(|o| o.lag.rules_ms = 3_000)).await;
    let assign = async |user: &str| desk.post(&format!("/users/{user}@contoso.com/assignLicense"), add(RIVAL)).await;
    desk.patch("/users/bob@contoso.com", json!({ "usageLocation": "DE" })).await.ok(204);
    assign("bob").await.refused(400, "Request_BadRequest", "invalid usage location");
    assign("ada").await.ok(200);
    desk.pass(Duration::from_secs(3));
    assign("bob").await.ok(200);
    desk.world().configure(|o| o.lag.rules_ms = 600_000);
    let id = desk.create("newer@contoso.com", json!({ "usageLocation": "DE" })).await;
    desk.post(&format!("/users/{id}/assignLicense"), add(RIVAL)).await.ok(200);
}

#[tokio::test]
async fn subscriptions_say_what_is_asked_for() {
    let mut seed = seed();
    seed.skus[0].plans.push(Plan {
        applies_to: "Company".into(),
        ..plan("00000000-0000-4000-8000-000000000009", "COMPANY", &[], &[])
    });
    let desk = Desk::open(seed).await;
    let skus = desk.get("/subscribedSkus?$select=skuId,servicePlans").await.ok(200);
    let of: Vec<&str> =
        rows(&skus)[0]["servicePlans"].as_array().unwrap().iter().map(|p| p["appliesTo"].as_str().unwrap()).collect();
    assert_eq!(of, ["User", "Company"]);
    assert!(rows(&skus)[0].get("consumedUnits").is_none());
    desk.get("/subscribedSkus?$select=seats").await.refused(501, "NotImplemented", "seats");
    desk.get("/subscribedSkus?$filter=skuId%20eq%20'x'").await.refused(400, "Request_UnsupportedQuery", "$filter");
    assert_eq!(desk.world().take_violations().len(), 2);
}
