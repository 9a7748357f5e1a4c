use hardmatch_domain::ids::ConnectionId;
use serde_json::json;

use crate::support::{Lab, SCIM, ada, filter, operations};

#[tokio::test]
async fn a_person_is_stored_wanted_and_answered_without_the_password() {
    let lab = Lab::new().await;
    let answer = lab.users("POST", "", Some(&ada())).await.is(201);
    let told = answer.json();
    assert_eq!(answer.header("location"), told["meta"]["location"]);
    assert_eq!(answer.header("etag"), told["meta"]["version"]);
    assert_eq!(answer.header("content-type"), "application/scim+json");
    assert_eq!(told["userName"], "Ada@contoso.com");
    assert_eq!(told["active"], true);
    assert!(told.get("password").is_none());
    assert_eq!(lab.wanted().await, ["E1"], "keyed by the external id");
    assert_eq!(lab.notified.take().len(), 1);
    let pid = lab.store.secret().pid(&"E1".into());
    let stored = lab.store.pushed_person(&ConnectionId::new("lab"), pid).await.unwrap().unwrap();
    assert!(!serde_json::to_string(&stored.value).unwrap().contains("not-to-be-kept"));
    let read = lab.users("GET", &format!("/{}", answer.id()), None).await.is(200);
    assert_eq!(read.json(), told);
}

#[tokio::test]
async fn names_and_external_ids_are_unique_without_regard_to_case_where_the_standard_says_so() {
    let lab = Lab::new().await;
    lab.ada().await;
    let again = lab.users("POST", "", Some(&json!({ "userName": "aDA@CONTOSO.com" }))).await.is(409);
    assert_eq!((&again.json()["scimType"], &again.json()["status"]), (&json!("uniqueness"), &json!("409")));
    lab.users("POST", "", Some(&json!({ "userName": "b@contoso.com", "externalId": "E1" }))).await.is(409);
    lab.users("POST", "", Some(&json!({ "userName": "b@contoso.com", "externalId": "e1" }))).await.is(201);
    let bea = lab.users("GET", &filter("userName eq \"B@CONTOSO.COM\""), None).await.json();
    assert_eq!(bea["totalResults"], 1);
    let id = bea["Resources"][0]["id"].as_str().unwrap();
    let patch = operations(&json!([{ "op": "replace", "path": "userName", "value": "ada@contoso.com" }]));
    lab.users("PATCH", &format!("/{id}"), Some(&patch)).await.is(409);
}

#[tokio::test]
async fn who_is_deleted_leaves_everything_and_comes_back_as_the_same_person() {
    let lab = Lab::new().await;
    let id = lab.ada().await;
    let group = json!({ "displayName": "Staff", "members": [{ "value": id }] });
    let group = lab.groups("POST", "", Some(&group)).await.is(201).id();
    lab.satisfy().await;
    lab.users("DELETE", &format!("/{id}"), None).await.is(204);
    for method in ["GET", "DELETE"] {
        lab.users(method, &format!("/{id}"), None).await.is(404);
    }
    assert_eq!(lab.wanted().await, ["E1"]);
    assert!(lab.groups("GET", &format!("/{group}"), None).await.json().get("members").is_none());
    assert_eq!(lab.users("GET", "", None).await.json()["totalResults"], 0);
    let back = lab.users("POST", "", Some(&ada())).await.is(201);
    assert_ne!(back.id(), id, "an id is never used again");
    lab.satisfy().await;
    lab.users("DELETE", &format!("/{}", back.id()), None).await.is(204);
    assert_eq!(lab.wanted().await, ["E1"], "the same key");
}

#[tokio::test]
async fn a_put_replaces_but_says_nothing_of_sign_in_unless_it_does() {
    let lab = Lab::new().await;
    let id = lab.ada().await;
    let at = format!("/{id}");
    let off = operations(&json!([{ "op": "replace", "value": { "active": false } }]));
    lab.users("PATCH", &at, Some(&off)).await.is(200);
    let put = json!({ "userName": "ada@contoso.com", "id": id, "title": "Countess", "meta": {}, "groups": [] });
    let told = lab.users("PUT", &at, Some(&put)).await.is(200).json();
    assert_eq!((&told["active"], &told["title"]), (&json!(false), &json!("Countess")));
    assert!(told.get("externalId").is_none() && told.get("emails").is_none(), "what is absent is cleared");
    lab.users("PUT", &at, Some(&json!({ "userName": "x@y.z", "id": "another" }))).await.is(400);
    lab.users("PUT", &at, Some(&json!({ "title": "x" }))).await.is(400);
    lab.users("PUT", "/nobody", Some(&put)).await.is(404);
}

#[tokio::test]
async fn versions_hold_changes_back_and_what_changes_nothing_wants_nobody() {
    let lab = Lab::new().await;
    let id = lab.ada().await;
    let path = format!("{SCIM}/Users/{id}");
    let bearer = format!("Bearer {}", lab.token);
    let old = lab.users("GET", &format!("/{id}"), None).await.header("etag").to_owned();
    lab.satisfy().await;
    let title = operations(&json!([{ "op": "add", "path": "title", "value": "Countess" }]));
    lab.users("PATCH", &format!("/{id}"), Some(&title)).await.is(200);
    assert_eq!(lab.wanted().await, ["E1"]);
    lab.satisfy().await;
    let same = lab.users("PATCH", &format!("/{id}"), Some(&title)).await.is(200);
    assert!(lab.wanted().await.is_empty(), "nothing new");
    let with = |name: &'static str, value: &str| [("authorization", bearer.clone()), (name, value.to_owned())];
    for (method, name, value, status) in [
        ("PATCH", "if-match", old.as_str(), 412),
        ("DELETE", "if-match", old.as_str(), 412),
        ("PATCH", "if-match", same.header("etag"), 200),
        ("GET", "if-none-match", same.header("etag"), 304),
        ("GET", "if-none-match", old.as_str(), 200),
        ("DELETE", "if-match", "*", 204),
    ] {
        let headers = with(name, value);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        lab.send(method, &path, &headers, title.to_string()).await.is(status);
    }
}

#[tokio::test]
async fn pages_are_stable_and_count_everybody() {
    let lab = Lab::new().await;
    for n in 0..25 {
        lab.users("POST", "", Some(&json!({ "userName": format!("p{n}@contoso.com") }))).await.is(201);
    }
    let page = async |query: &str| lab.users("GET", query, None).await.is(200).json();
    let mut seen = std::collections::BTreeSet::new();
    for start in [1, 11, 21] {
        let told = page(&format!("?startIndex={start}&count=10")).await;
        assert_eq!((&told["totalResults"], &told["startIndex"]), (&json!(25), &json!(start)));
        seen.extend(told["Resources"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen.len(), 25);
    assert_eq!(page("?count=0").await["Resources"], json!([]));
    assert_eq!(page("?count=-5&startIndex=-1").await["startIndex"], 1);
    assert_eq!(page("?startIndex=99").await["itemsPerPage"], 0);
    assert_eq!(page(&filter("userName sw \"p1\"")).await["totalResults"], 11);
    assert_eq!(page(&filter("userName eq \"nobody\"")).await["totalResults"], 0);
    lab.users("GET", "?count=many", None).await.is(400);
    lab.users("GET", &filter("userName eq"), None).await.is(400);
    let search = json!({ "filter": "userName eq \"p3@contoso.com\"", "attributes": ["userName"] });
    let found = lab.ask("POST", &format!("{SCIM}/Users/.search"), Some(&search)).await.is(200).json();
    let names: Vec<&String> = found["Resources"][0].as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "schemas", "userName"]);
    let everything = lab.ask("POST", &format!("{SCIM}/.search"), Some(&json!({ "count": 1 }))).await.json();
    assert_eq!(everything["totalResults"], 25);
}

#[tokio::test]
async fn attributes_are_told_as_asked() {
    let lab = Lab::new().await;
    let id = lab.ada().await;
    let get = async |query: &str| lab.users("GET", &format!("/{id}?{query}"), None).await.is(200).json();
    assert_eq!(get("attributes=name.givenName").await["name"], json!({ "givenName": "Ada" }));
    assert!(get("excludedAttributes=emails,name.familyName").await.get("emails").is_none());
    assert_eq!(get("excludedAttributes=name.familyName").await["name"], json!({ "givenName": "Ada" }));
    assert_eq!(get("excludedAttributes=id").await["id"], json!(id));
    assert_eq!(get("attributes=nonsense").await.as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_announced_is_read_only_and_filtered_by_nobody() {
    let lab = Lab::new().await;
    for (path, of) in [("ServiceProviderConfig", "patch"), ("ResourceTypes", "Resources"), ("Schemas", "Resources")] {
        let told = lab.ask("GET", &format!("{SCIM}/{path}"), None).await.is(200).json();
        assert!(told.get(of).is_some(), "{told}");
        lab.ask("POST", &format!("{SCIM}/{path}"), Some(&json!({}))).await.is(405);
        lab.ask("GET", &format!("{SCIM}/{path}{}", filter("id eq \"x\"")), None).await.is(403);
    }
    let config = lab.ask("GET", &format!("{SCIM}/ServiceProviderConfig"), None).await.json();
    assert_eq!((&config["sort"]["supported"], &config["pagination"]["cursor"]), (&json!(false), &json!(false)));
    for path in ["ResourceTypes/User", "Schemas/urn:ietf:params:scim:schemas:core:2.0:Group"] {
        lab.ask("GET", &format!("{SCIM}/{path}"), None).await.is(200);
    }
    lab.ask("GET", &format!("{SCIM}/Schemas/urn:nobody"), None).await.is(404);
}

/// Okta tells its administrators the detail of an error; a program reads its status as a text.
#[tokio::test]
async fn errors_have_the_form_of_the_protocol() {
    let lab = Lab::new().await;
    let error = lab.users("GET", "/nobody", None).await.is(404).json();
    assert_eq!(error["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(error["status"], "404");
    assert!(error["detail"].is_string());
    lab.users("DELETE", "", None).await.is(405);
    lab.ask("GET", &format!("{SCIM}/Nothing"), None).await.is(404);
}
