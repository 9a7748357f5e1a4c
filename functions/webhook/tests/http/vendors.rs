//! What identity providers really send.

use serde_json::{Value, json};

use crate::support::{Lab, SCIM, filter, operations};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

async fn patched(lab: &Lab, id: &str, list: Value) -> Value {
    lab.users("PATCH", &format!("/{id}"), Some(&operations(&list))).await.is(200).json()
}

/// Twelve requests, as Okta's public test of a SCIM 2.0 server makes them.
/// <https://developer.okta.com/docs/guides/scim-provisioning-integration-prepare/main/>
#[tokio::test]
async fn oktas_twelve_requests_are_answered_as_it_expects() {
    let lab = Lab::new().await;
    let first = lab.ada().await;
    let list = lab.users("GET", "?count=1&startIndex=1", None).await.is(200).json();
    assert!(list["totalResults"].is_u64() && list["itemsPerPage"].is_u64() && list["startIndex"].is_u64());
    assert_eq!(list["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
    let user = &list["Resources"][0];
    for name in ["id", "name", "userName", "active", "emails"] {
        assert!(user.get(name).is_some(), "{name}");
    }
    lab.users("GET", &format!("/{first}"), None).await.is(200);
    let none = lab.users("GET", &filter("userName eq \"abcdefgh@atko.com\""), None).await.is(200).json();
    assert_eq!(none["totalResults"], 0);
    let unknown = lab.users("GET", "/010101001010101011001010101011", None).await.is(404).json();
    assert!(unknown["detail"].is_string());
    let runscope = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Runscope300@atko.com",
        "name": { "givenName": "Runscope", "familyName": "Okta" },
        "emails": [{ "primary": true, "value": "Runscope300@atko.com", "type": "work" }],
        "displayName": "Runscope Okta", "locale": "en-US", "externalId": "00uruns", "groups": [], "active": true,
    });
    let absent = lab.users("GET", &filter("userName eq \"Runscope300@atko.com\""), None).await.is(200).json();
    assert_eq!(absent["totalResults"], 0);
    let made = lab.users("POST", "", Some(&runscope)).await.is(201);
    let id = made.id();
    assert_eq!(lab.users("GET", &format!("/{id}"), None).await.is(200).json()["userName"], runscope["userName"]);
    lab.users("POST", "", Some(&runscope)).await.is(409);
    let capitals = lab.users("GET", &filter("userName eq \"RUNSCOPE300@ATKO.COM\""), None).await.is(200).json();
    assert_eq!(capitals["totalResults"], 1);
    lab.groups("GET", "?startIndex=1&count=100", None).await.is(200);
    let path = format!("{SCIM}/Users?startIndex=1&count=1");
    let stranger = lab.send("GET", &path, &[("authorization", "SSWS wrong")], "").await.is(401).json();
    assert_eq!(stranger["status"], "401");
    lab.users("GET", "/00919288221112222", None).await.is(404);
}

#[tokio::test]
async fn okta_disables_without_a_path_and_updates_with_put() {
    let lab = Lab::new().await;
    let id = lab.ada().await;
    let off = patched(&lab, &id, json!([{ "op": "replace", "value": { "active": false } }])).await;
    assert_eq!(off["active"], false);
    let found = lab.users("GET", &filter("userName eq \"ada@contoso.com\""), None).await.json();
    assert_eq!(found["Resources"][0]["active"], false, "who is disabled is found");
    let mut whole = off;
    whole["title"] = json!("Countess");
    whole["active"] = json!(true);
    assert_eq!(lab.users("PUT", &format!("/{id}"), Some(&whole)).await.is(200).json()["title"], "Countess");
    let group = lab.groups("POST", "", Some(&json!({ "displayName": "Staff", "members": [] }))).await.is(201).id();
    let join = operations(&json!([{ "op": "add", "path": "members", "value": [{ "value": id, "display": "ada" }] }]));
    lab.groups("PATCH", &format!("/{group}"), Some(&join)).await.is(200);
    let leave = operations(&json!([{ "op": "remove", "path": format!("members[value eq \"{id}\"]") }]));
    let told = lab.groups("PATCH", &format!("/{group}"), Some(&leave)).await.is(200).json();
    assert!(told.get("members").is_none());
    let rename = operations(&json!([{ "op": "replace", "value": { "id": group, "displayName": "Crew" } }]));
    lab.groups("PATCH", &format!("/{group}"), Some(&rename)).await.is(200);
}

#[tokio::test]
async fn entra_writes_texts_for_booleans_and_makes_elements_by_their_path() {
    let lab = Lab::new().await;
    let id = lab.ada().await;
    let told = patched(
        &lab,
        &id,
        json!([
            { "op": "Replace", "path": "active", "value": "False" },
            { "op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+44 2" },
            { "op": "Add", "path": "emails[type eq \"home\"].value", "value": "ada@home.example" },
            { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "al@contoso.com" },
            { "op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "Engines" },
            { "op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "E9" },
            { "op": "Replace", "path": "name.familyName", "value": "King" },
            { "op": "Add", "value": { "title": "Countess", "name.givenName": "Augusta",
                format!("{ENTERPRISE}:employeeNumber"): "0007", "addresses[type eq \"work\"].locality": "London" } },
        ]),
    )
    .await;
    assert_eq!(told["active"], false);
    assert_eq!(told["phoneNumbers"], json!([{ "type": "mobile", "value": "+44 2" }]));
    assert_eq!(told["emails"][0]["value"], "al@contoso.com");
    assert_eq!(told["emails"][1], json!({ "type": "home", "value": "ada@home.example" }));
    assert_eq!(told[ENTERPRISE]["department"], "Engines");
    assert_eq!(told[ENTERPRISE]["manager"]["value"], "E9");
    assert_eq!(told[ENTERPRISE]["employeeNumber"], "0007");
    assert_eq!(told["name"], json!({ "givenName": "Augusta", "familyName": "King" }));
    assert_eq!(told["addresses"], json!([{ "type": "work", "locality": "London" }]));
    let found = lab.users("GET", &filter("emails[type eq \"work\"].value eq \"AL@contoso.com\""), None).await.json();
    assert_eq!(found["totalResults"], 1);
}

#[tokio::test]
async fn entra_removes_the_listed_members_alone_and_sends_foreign_schemas() {
    let lab = Lab::new().await;
    let ada = lab.ada().await;
    let bea = lab.users("POST", "", Some(&json!({ "userName": "b@contoso.com", "roles": [], "meta": {} }))).await.id();
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group",
                    "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "8aa1", "displayName": "Staff", "members": [], "meta": { "resourceType": "Group" },
    });
    let id = lab.groups("POST", "", Some(&group)).await.is(201).id();
    let at = format!("/{id}");
    for member in [&ada, &bea] {
        let add =
            operations(&json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": member }] }]));
        lab.groups("PATCH", &at, Some(&add)).await.is(200);
    }
    let leave = operations(&json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": ada }] }]));
    let told = lab.groups("PATCH", &at, Some(&leave)).await.is(200).json();
    assert_eq!(told["members"].as_array().unwrap().len(), 1);
    assert_eq!(told["members"][0]["value"], json!(bea));
    let found = lab
        .groups("GET", &format!("{}&excludedAttributes=members", filter("displayName eq \"Staff\"")), None)
        .await
        .json();
    assert_eq!((&found["totalResults"], found["Resources"][0].get("members")), (&json!(1), None));
}

#[tokio::test]
async fn onelogin_reads_plain_json_and_others_try_the_connection() {
    let lab = Lab::new().await;
    let bearer = format!("Bearer {}", lab.token);
    let headers = [("authorization", bearer.as_str()), ("accept", "application/json")];
    let path = format!("{SCIM}/Users{}", filter("userName eq \"doesnotexist\""));
    let answer = lab.send("GET", &path, &headers, "").await.is(200);
    assert_eq!(answer.header("content-type"), "application/json");
    // JumpCloud makes and deletes a user and a group.
    let id = lab.users("POST", "", Some(&json!({ "userName": "test@jumpcloud.example", "active": true }))).await.id();
    let group = lab.groups("POST", "", Some(&json!({ "displayName": "jc-test", "members": [{ "value": id }] }))).await;
    lab.users("DELETE", &format!("/{id}"), None).await.is(204);
    lab.groups("DELETE", &format!("/{}", group.is(201).id()), None).await.is(204);
    // CyberArk looks at one user and at the announcements.
    lab.users("GET", "?count=1", None).await.is(200);
    lab.ask("GET", &format!("{SCIM}/ResourceTypes/User"), None).await.is(200);
}

#[tokio::test]
async fn a_patch_is_all_or_nothing_and_says_what_is_wrong() {
    let lab = Lab::new().await;
    let id = lab.ada().await;
    let at = format!("/{id}");
    let before = lab.users("GET", &at, None).await.json();
    for (wrong, kind) in [
        (json!({ "op": "replace", "path": "phoneNumbers[type eq \"fax\"].value", "value": "1" }), "noTarget"),
        (json!({ "op": "remove" }), "noTarget"),
        (json!({ "op": "remove", "path": "userName" }), "invalidValue"),
        (json!({ "op": "replace", "path": "id", "value": "x" }), "mutability"),
        (json!({ "op": "replace", "path": "groups", "value": [] }), "mutability"),
        (json!({ "op": "replace", "path": "shoeSize", "value": "44" }), "invalidPath"),
        (json!({ "op": "replace", "path": "emails[", "value": "x" }), "invalidPath"),
        (json!({ "op": "replace", "path": "active", "value": "perhaps" }), "invalidValue"),
        (json!({ "op": "move", "path": "title" }), "invalidSyntax"),
        (json!({ "op": "add", "path": "title" }), "invalidValue"),
    ] {
        let list = json!([{ "op": "add", "path": "title", "value": "Countess" }, wrong]);
        let refused = lab.users("PATCH", &at, Some(&operations(&list))).await.is(400).json();
        assert_eq!(refused["scimType"], kind, "{list}");
        assert_eq!(lab.users("GET", &at, None).await.json(), before, "{list}");
    }
    // A password is taken and forgotten, wherever it stands.
    for list in [
        json!([{ "op": "replace", "path": "password", "value": "not-to-be-kept-2" }]),
        json!([{ "op": "replace", "value": { "password": "not-to-be-kept-2" } }]),
    ] {
        let told = lab.users("PATCH", &at, Some(&operations(&list))).await.is(200);
        assert!(!told.text.contains("not-to-be-kept"));
    }
}

#[tokio::test]
async fn one_value_is_primary_and_an_added_value_is_there_once() {
    let lab = Lab::new().await;
    let id = lab.ada().await;
    let more = json!([{ "op": "add", "path": "emails", "value": [{ "value": "a@x.example", "type": "other", "primary": true }] }]);
    for _ in 0..2 {
        let told = patched(&lab, &id, more.clone()).await;
        let emails = told["emails"].as_array().unwrap();
        assert_eq!(emails.len(), 2);
        assert_eq!((&emails[0]["primary"], &emails[1]["primary"]), (&json!(false), &json!(true)));
    }
    let gone = patched(&lab, &id, json!([{ "op": "remove", "path": "emails[type eq \"other\"]" }])).await;
    assert_eq!(gone["emails"].as_array().unwrap().len(), 1);
    let none = patched(&lab, &id, json!([{ "op": "remove", "path": "emails" }])).await;
    assert!(none.get("emails").is_none());
}
