//! Creating and updating users.

use hardmatch_sim::{Reaction, Seed};
use serde_json::{Value, json};

use crate::desk::{Desk, new_user, with_user};

#[tokio::test]
async fn a_created_user_is_there() {
    let desk = Desk::open(with_user("boss@contoso.com", json!({}))).await;
    let boss = desk.id("boss@contoso.com");
    let bind = format!("https://graph.microsoft.com/v1.0/users/{boss}");
    let more = json!({ "onPremisesImmutableId": "Z0UjAauJ780BI0VniavN7w==", "mail": "ada@contoso.com", "usageLocation": "US",
        "businessPhones": ["1"], "onPremisesExtensionAttributes": { "extensionAttribute1": "x" }, "manager@odata.bind": bind });
    let got = desk.post("/users", new_user("ada@contoso.com", more)).await;
    assert!(got.header("location").is_some());
    let body = got.ok(201);
    assert!(body["@odata.context"].as_str().unwrap().ends_with("$metadata#users/$entity"));
    let user = desk.world().user("ada@contoso.com").unwrap();
    assert_eq!(user["onPremisesImmutableId"], "Z0UjAauJ780BI0VniavN7w==");
    assert_eq!(user["proxyAddresses"], json!(["SMTP:ada@contoso.com"]));
    assert_eq!(user["manager"], json!(boss));
    assert!(desk.world().violations().is_empty());
}

#[tokio::test]
async fn refusals_of_create() {
    let desk = Desk::open(Seed::contoso().with(|o| o.manager_bind_on_create = Reaction::Refuse)).await;
    let without = |name: &str| {
        let mut user = new_user("ada@contoso.com", json!({}));
        user.as_object_mut().unwrap().remove(name);
        user
    };
    for name in ["accountEnabled", "displayName", "mailNickname", "userPrincipalName"] {
        let message = format!("A value is required for property '{name}' of resource 'User'.");
        desk.post("/users", without(name)).await.refused(400, "Request_BadRequest", &message);
    }
    desk.post("/users", without("passwordProfile")).await.refused(400, "Request_BadRequest", "'password'");
    let cases = [
        ("ada@nowhere.example", json!({}), "The domain portion of the userPrincipalName property is invalid."),
        ("ada@unverified.contoso.com", json!({}), "The domain portion of the userPrincipalName"),
        ("ad a@contoso.com", json!({}), "Property userPrincipalName is invalid."),
        ("ada.@contoso.com", json!({}), "Property userPrincipalName is invalid."),
        ("åda@contoso.com", json!({}), "Property userPrincipalName is invalid."),
        ("ada@fed.contoso.com", json!({}), "One or more properties contains invalid values."),
        (
            "ada@contoso.com",
            json!({ "usageLocation": "XX" }),
            "Invalid value specified for property 'usageLocation' of resource 'User'.",
        ),
        ("ada@contoso.com", json!({ "department": "x".repeat(65) }), "'department'"),
        ("ada@contoso.com", json!({ "businessPhones": ["1", "2"] }), "'businessPhones'"),
        ("ada@contoso.com", json!({ "mailNickname": "a b" }), "'mailNickname'"),
        ("ada@contoso.com", json!({ "mail": null }), "'mail'"),
        ("ada@contoso.com", json!({ "jobTitle": "" }), "'jobTitle'"),
        ("ada@contoso.com", json!({ "onPremisesImmutableId": "a_b" }), "'onPremisesImmutableId'"),
        ("ada@contoso.com", json!({ "passwordProfile": { "password": "aaaaaaaa" } }), "password complexity"),
        (
            "ada@contoso.com",
            json!({ "manager@odata.bind": "https://graph.microsoft.com/v1.0/users/00000000-0000-4000-8000-000000000001" }),
            "manager",
        ),
    ];
    for (upn, more, message) in cases {
        desk.post("/users", new_user(upn, more)).await.refused(400, "Request_BadRequest", message);
    }
    assert_eq!(desk.world().live_users(), 0);
    assert!(desk.world().violations().is_empty());
}

#[tokio::test]
async fn what_graph_would_not_know_is_a_violation() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({}))).await;
    for (body, status) in [
        (json!({ "departmnt": "x" }), 400),
        (json!({ "proxyAddresses": ["smtp:a@contoso.com"] }), 400),
        (json!({ "accountEnabled": "yes" }), 400),
        (json!({ "onPremisesSyncEnabled": null }), 400),
        (json!({ "onPremisesObjectIdentifier": null }), 400),
        (json!({ "employeeHireDate": "2026-01-01T00:00:00Z" }), 403),
        (json!({ "skills": ["x"] }), 403),
        (json!({ "passwordProfile": { "pass": "x" } }), 400),
    ] {
        assert_eq!(desk.patch("/users/ada@contoso.com", body.clone()).await.status, status, "{body}");
        assert_eq!(desk.world().take_violations().len(), 1, "{body}");
    }
}

#[tokio::test]
async fn uniqueness_names_the_other_holder() {
    let seed = with_user("ada@contoso.com", json!({ "onPremisesImmutableId": "AAAA", "mail": "ada@contoso.com" }))
        .group(json!({ "displayName": "Sales", "mailNickname": "sales", "mail": "sales@contoso.com", "mailEnabled": true, "groupTypes": ["Unified"] }))
        .contact(json!({ "displayName": "Eve", "mail": "eve@contoso.com" }));
    let desk = Desk::open(seed).await;
    let ada = format!("User_{}", desk.id("ada@contoso.com"));
    let dump = desk.world().dump();
    let group = format!("Group_{}", dump["groups"][0]["id"].as_str().unwrap());
    let contact = format!("Contact_{}", dump["contacts"][0]["id"].as_str().unwrap());
    desk.post("/users", new_user("ADA@contoso.com", json!({}))).await.conflicts("userPrincipalName", &ada);
    desk.post("/users", new_user("b@contoso.com", json!({ "onPremisesImmutableId": "AAAA" })))
        .await
        .conflicts("onPremisesImmutableId", &ada);
    desk.post("/users", new_user("b@contoso.com", json!({ "mail": "ada@contoso.com" })))
        .await
        .conflicts("proxyAddresses", &ada);
    desk.post("/users", new_user("b@contoso.com", json!({ "mail": "sales@contoso.com" })))
        .await
        .conflicts("proxyAddresses", &group);
    desk.post("/users", new_user("b@contoso.com", json!({ "mail": "eve@contoso.com" })))
        .await
        .conflicts("proxyAddresses", &contact);
    // A UPN that is somebody's address conflicts as an address.
    desk.post("/users", new_user("eve@contoso.com", json!({}))).await.conflicts("proxyAddresses", &contact);
    // Immutable IDs are compared byte by byte.
    desk.create("b@contoso.com", json!({ "onPremisesImmutableId": "aaaa" })).await;
    let got = desk.patch("/users/b@contoso.com", json!({ "onPremisesImmutableId": "AAAA" })).await;
    got.conflicts("onPremisesImmutableId", &ada);
    desk.world().configure(|o| o.conflict_is_409 = true);
    let got = desk.patch("/users/b@contoso.com", json!({ "onPremisesImmutableId": "AAAA" })).await;
    got.refused(409, "Request_MultipleObjectsWithSameKeyValue", "conflicting object");
}

#[tokio::test]
async fn a_latent_address_conflict_refuses_any_update() {
    let seed = with_user("a@contoso.com", json!({ "proxyAddresses": ["smtp:x@contoso.com"] }))
        .user(json!({ "userPrincipalName": "b@contoso.com", "proxyAddresses": ["smtp:x@contoso.com"] }));
    let desk = Desk::open(seed).await;
    let b = format!("User_{}", desk.id("b@contoso.com"));
    desk.patch("/users/a@contoso.com", json!({ "usageLocation": "DE" })).await.conflicts("proxyAddresses", &b);
    desk.world().configure(|o| o.latent_address_conflicts = false);
    desk.patch("/users/a@contoso.com", json!({ "usageLocation": "DE" })).await.ok(204);
}

#[tokio::test]
async fn updates_set_clear_and_refuse_to_clear() {
    let desk = Desk::open(with_user(
        "ada@contoso.com",
        json!({ "jobTitle": "x", "onPremisesImmutableId": "AAAA", "usageLocation": "DE" }),
    ))
    .await;
    desk.patch("/users/ada@contoso.com", json!({ "jobTitle": null, "onPremisesImmutableId": null, "city": "Bern" }))
        .await
        .ok(204);
    let user = desk.world().user("ada@contoso.com").unwrap();
    assert_eq!(
        (&user["jobTitle"], &user["onPremisesImmutableId"], &user["city"]),
        (&Value::Null, &Value::Null, &json!("Bern"))
    );
    for name in ["displayName", "usageLocation", "mail", "accountEnabled"] {
        desk.patch("/users/ada@contoso.com", json!({ name: null })).await.refused(400, "Request_BadRequest", name);
    }
    desk.patch("/users/ada@contoso.com", json!({ "employeeOrgData": { "division": "D" } })).await.ok(204);
    assert_eq!(
        desk.world().user("ada@contoso.com").unwrap()["employeeOrgData"],
        json!({ "division": "D", "costCenter": null })
    );
}

#[tokio::test]
async fn mail_becomes_the_primary_address() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({ "mail": "ada@contoso.com" }))).await;
    desk.patch("/users/ada@contoso.com", json!({ "mail": "al@contoso.com" })).await.ok(204);
    let user = desk.world().user("ada@contoso.com").unwrap();
    assert_eq!(user["proxyAddresses"], json!(["SMTP:al@contoso.com", "smtp:ada@contoso.com"]));
}

#[tokio::test]
async fn d7_synced_and_exchange_mastered_users_refuse() {
    let seed = with_user("sync@contoso.com", json!({ "onPremisesSyncEnabled": true, "onPremisesImmutableId": "AAAA" }))
        .user(json!({ "userPrincipalName": "once@contoso.com", "onPremisesSyncEnabled": false, "wasSynced": true }))
        .user(json!({ "userPrincipalName": "exch@contoso.com", "exchangeMastered": true, "mail": "exch@contoso.com" }));
    let desk = Desk::open(seed).await;
    let mastered = "Unable to update the specified properties for on-premises mastered Directory Sync objects";
    for body in [json!({ "onPremisesImmutableId": "BBBB" }), json!({ "usageLocation": "DE", "jobTitle": "x" })] {
        desk.patch("/users/sync@contoso.com", body).await.refused(400, "Request_BadRequest", mastered);
    }
    desk.patch("/users/sync@contoso.com", json!({ "usageLocation": "DE" })).await.ok(204);
    desk.patch("/users/sync@contoso.com", json!({ "accountEnabled": false })).await.ok(204);
    desk.post("/users/sync@contoso.com/revokeSignInSessions", json!({})).await.ok(200);
    let external = "objects that have originated within an external service";
    let body = json!({ "onPremisesExtensionAttributes": { "extensionAttribute1": "x" } });
    desk.patch("/users/once@contoso.com", body).await.refused(400, "Request_BadRequest", external);
    desk.patch("/users/once@contoso.com", json!({ "onPremisesImmutableId": "CCCC" })).await.ok(204);
    desk.patch("/users/exch@contoso.com", json!({ "mail": "new@contoso.com" })).await.refused(
        400,
        "Request_BadRequest",
        external,
    );
    desk.delete("/users/sync@contoso.com").await.ok(204);
}

#[tokio::test]
async fn managers_are_set_and_removed_by_reference() {
    let desk =
        Desk::open(with_user("boss@contoso.com", json!({})).user(json!({ "userPrincipalName": "ada@contoso.com" })))
            .await;
    let boss = desk.id("boss@contoso.com");
    let body = json!({ "@odata.id": format!("{}/v1.0/users/{boss}", desk.running.url()) });
    desk.put("/users/ada@contoso.com/manager/$ref", body).await.ok(204);
    assert_eq!(desk.get("/users/ada@contoso.com/manager").await.ok(200)["id"], json!(boss));
    let unknown = json!({ "@odata.id": "https://graph.microsoft.com/v1.0/users/00000000-0000-4000-8000-000000000001" });
    desk.put("/users/ada@contoso.com/manager/$ref", unknown).await.refused(404, "Request_ResourceNotFound", "");
    desk.delete("/users/ada@contoso.com/manager/$ref").await.ok(204);
    desk.delete("/users/ada@contoso.com/manager/$ref").await.refused(404, "Request_ResourceNotFound", "");
}

#[tokio::test]
async fn the_quota_of_objects_is_403() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({})).with(|o| o.object_quota = 1)).await;
    desk.post("/users", new_user("b@contoso.com", json!({}))).await.refused(403, "Directory_QuotaExceeded", "quota");
}
