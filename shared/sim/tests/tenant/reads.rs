//! Reading users: selection, filters, pages.

use std::time::Duration;

use hardmatch_sim::Seed;
use serde_json::{Value, json};

use crate::desk::{CONTEXT, Desk, rows, with_user};

fn many(n: usize) -> Seed {
    let mut seed = Seed::contoso();
    for i in 0..n {
        seed = seed.user(json!({ "userPrincipalName": format!("u{i:04}@contoso.com"), "employeeId": format!("E{i}") }));
    }
    seed
}

#[tokio::test]
async fn the_default_set_is_small_and_the_rest_must_be_selected() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({ "department": "R&D" }))).await;
    let body = desk.get("/users/ada@contoso.com").await.ok(200);
    let mut names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).filter(|k| *k != CONTEXT).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "businessPhones",
            "displayName",
            "givenName",
            "id",
            "jobTitle",
            "mail",
            "mobilePhone",
            "officeLocation",
            "preferredLanguage",
            "surname",
            "userPrincipalName"
        ]
    );
    let body = desk.get("/users/ada@contoso.com?$select=department,onPremisesSyncEnabled").await.ok(200);
    assert_eq!(body["department"], "R&D");
    assert_eq!(body["onPremisesSyncEnabled"], Value::Null);
    assert!(body.get("displayName").is_none());
}

#[tokio::test]
async fn users_are_found_by_id_by_name_and_by_quoted_name() {
    let desk = Desk::open(with_user("o'neil@contoso.com", json!({}))).await;
    let id = desk.id("o'neil@contoso.com");
    for key in [format!("/users/{id}"), "/users/o'neil@contoso.com".into(), "/users('o''neil@contoso.com')".into()] {
        assert_eq!(desk.get(&key).await.ok(200)["id"], json!(id));
    }
    let missing = "00000000-0000-4000-8000-000000000001";
    desk.get(&format!("/users/{missing}")).await.refused(
        404,
        "Request_ResourceNotFound",
        &format!(
            "Resource '{missing}' does not exist or one of its queried reference-property objects are not present."
        ),
    );
}

#[tokio::test]
async fn pages_follow_each_other_and_their_tokens_expire() {
    let desk = Desk::open(many(250)).await;
    let first = desk.get("/users?$select=id").await.ok(200);
    assert_eq!(rows(&first).len(), 100);
    let mut seen = rows(&first).len();
    let mut next = first["@odata.nextLink"].as_str().map(str::to_owned);
    while let Some(link) = next {
        let page = desk.get(&link).await.ok(200);
        assert!(rows(&page).iter().all(|r| r.as_object().unwrap().len() == 1));
        seen += rows(&page).len();
        next = page["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, 250);
    assert_eq!(rows(&desk.get("/users?$top=999").await.ok(200)).len(), 250);
    desk.get("/users?$top=1000").await.refused(400, "Request_BadRequest", "Invalid page size");
    desk.pass(Duration::from_secs(601));
    desk.get(first["@odata.nextLink"].as_str().unwrap()).await.refused(400, "Directory_ExpiredPageToken", "page token");
}

#[tokio::test]
async fn filters_find_what_they_say() {
    let seed = with_user("ada@contoso.com", json!({
        "onPremisesImmutableId": "Z0UjAauJ780BI0VniavN7w==", "mail": "ada@contoso.com", "employeeId": "7",
        "givenName": "Ada", "proxyAddresses": ["SMTP:ada@contoso.com", "smtp:a.l@contoso.com"], "accountEnabled": false,
    }))
    .user(json!({ "userPrincipalName": "bob@contoso.com", "givenName": "O'Bob" }));
    let desk = Desk::open(seed).await;
    let found = async |filter: &str| {
        let query: String = url_encode(filter);
        desk.get(&format!("/users?$filter={query}&$select=id,userPrincipalName")).await
    };
    for filter in [
        "userPrincipalName eq 'ADA@contoso.com'",
        "userPrincipalName in ('ada@contoso.com','x@contoso.com')",
        "onPremisesImmutableId eq 'Z0UjAauJ780BI0VniavN7w=='",
        "onPremisesImmutableId eq 'z0ujAauJ780BI0VniavN7w=='",
        "proxyAddresses/any(p:p eq 'smtp:A.L@contoso.com')",
        "startsWith(givenName,'ad') and accountEnabled eq false",
        "(employeeId eq '7' or employeeId eq '8') and mail eq 'ada@contoso.com'",
        "startswith(userPrincipalName,'ada')",
    ] {
        let got = found(filter).await;
        assert_eq!(got.ids(), [desk.id("ada@contoso.com")], "{filter}: {}", got.body);
    }
    assert_eq!(found("givenName eq 'O''Bob'").await.ids(), [desk.id("bob@contoso.com")]);
    assert!(found("userPrincipalName eq 'nobody@contoso.com'").await.ids().is_empty());
    for filter in ["endsWith(mail,'contoso.com')", "onPremisesImmutableId ne null", "not (givenName eq 'Ada')"] {
        found(filter).await.refused(400, "Request_UnsupportedQuery", "");
    }
    let sixteen = (0..16).map(|i| format!("employeeId eq '{i}'")).collect::<Vec<_>>().join(" or ");
    found(&sixteen).await.refused(400, "Request_UnsupportedQuery", "Too many child clauses");
    let fifteen = (0..15).map(|i| format!("employeeId eq '{i}'")).collect::<Vec<_>>().join(" or ");
    assert_eq!(found(&fifteen).await.ids().len(), 1);
    found(&format!("employeeId eq '{}'", "x".repeat(121))).await.refused(400, "Request_UnsupportedQuery", "120");
    // A plus that was not encoded is a space.
    assert!(desk.get("/users?$filter=onPremisesImmutableId%20eq%20'a+b=='").await.ids().is_empty());
}

#[tokio::test]
async fn advanced_mode_needs_header_and_count() {
    let desk = Desk::open(
        with_user("ada@contoso.com", json!({ "onPremisesImmutableId": "AA==" }))
            .user(json!({ "userPrincipalName": "bob@contoso.com" })),
    )
    .await;
    let path = "/users?$filter=onPremisesImmutableId%20ne%20null&$count=true";
    let got = desk.get_with(path, ("ConsistencyLevel", "eventual")).await;
    assert_eq!(got.ids(), [desk.id("ada@contoso.com")]);
    assert_eq!(got.body["@odata.count"], 1);
    let count = desk.get_with("/users/$count", ("ConsistencyLevel", "eventual")).await.ok(200);
    assert_eq!(count, json!(2));
}

#[tokio::test]
async fn managers_come_along_when_asked() {
    let seed = with_user("boss@contoso.com", json!({}))
        .user(json!({ "userPrincipalName": "ada@contoso.com", "manager": "boss@contoso.com" }));
    let desk = Desk::open(seed).await;
    let body = desk.get("/users?$select=id&$expand=manager($select=id)").await.ok(200);
    let ada = rows(&body).iter().find(|r| r["id"] == json!(desk.id("ada@contoso.com"))).unwrap();
    assert_eq!(ada["manager"]["id"], json!(desk.id("boss@contoso.com")));
    assert!(rows(&body).iter().any(|r| r.get("manager").is_none()));
    assert_eq!(desk.get("/users/ada@contoso.com/manager").await.ok(200)["@odata.type"], "#microsoft.graph.user");
    desk.get("/users/boss@contoso.com/manager").await.refused(404, "Request_ResourceNotFound", "");
}

#[tokio::test]
async fn properties_outside_the_directory_are_501_on_the_collection() {
    let desk = Desk::open(Seed::contoso()).await;
    desk.get("/users?$select=id,skills").await.refused(501, "NotImplemented", "not yet supported");
    assert_eq!(desk.world().take_violations().len(), 1);
}

fn url_encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
