use serde_json::json;

use crate::support::{Lab, filter, operations};

#[tokio::test]
async fn joining_leaving_and_renaming_want_those_concerned() {
    let lab = Lab::new().await;
    let ada = lab.ada().await;
    let bea = lab.users("POST", "", Some(&json!({ "userName": "b@contoso.com", "externalId": "E2" }))).await.id();
    lab.satisfy().await;
    let staff = lab.groups("POST", "", Some(&json!({ "displayName": "Staff", "members": [{ "value": ada }] }))).await;
    let at = format!("/{}", staff.is(201).id());
    assert_eq!(lab.wanted().await, ["E1"]);
    lab.satisfy().await;
    let add = operations(&json!([{ "op": "add", "path": "members", "value": [{ "value": bea }, { "value": ada }] }]));
    let told = lab.groups("PATCH", &at, Some(&add)).await.is(200).json();
    assert_eq!(told["members"].as_array().unwrap().len(), 2);
    assert_eq!(lab.wanted().await, ["E2"], "who is a member already is left alone");
    lab.satisfy().await;
    let rename = operations(&json!([{ "op": "replace", "value": { "id": "x", "displayName": "Crew" } }]));
    lab.groups("PATCH", &at, Some(&rename)).await.is(200);
    assert_eq!(lab.wanted().await, ["E1", "E2"], "rules name groups by their names");
    lab.satisfy().await;
    let user = lab.users("GET", &format!("/{ada}"), None).await.json();
    assert_eq!(user["groups"][0]["display"], "Crew");
    lab.groups("DELETE", &at, None).await.is(204);
    assert_eq!(lab.wanted().await, ["E1", "E2"]);
    lab.groups("GET", &at, None).await.is(404);
}

#[tokio::test]
async fn a_member_who_is_not_there_is_named_and_a_second_group_of_a_name_refused() {
    let lab = Lab::new().await;
    let group = json!({ "displayName": "Staff", "members": [{ "value": "nobody" }] });
    let refused = lab.groups("POST", "", Some(&group)).await.is(400).json();
    assert!(refused["detail"].as_str().unwrap().contains("nobody"), "{refused}");
    lab.groups("POST", "", Some(&json!({ "displayName": "Staff" }))).await.is(201);
    lab.groups("POST", "", Some(&json!({ "displayName": "sTAFF" }))).await.is(409);
    let found = lab.groups("GET", &filter("displayName eq \"STAFF\""), None).await.json();
    assert_eq!(found["totalResults"], 1);
}

#[tokio::test]
async fn members_are_left_out_where_nobody_wants_them() {
    let lab = Lab::new().await;
    let ada = lab.ada().await;
    lab.groups("POST", "", Some(&json!({ "displayName": "Staff", "members": [{ "value": ada }] }))).await.is(201);
    let told = lab.groups("GET", "?excludedAttributes=members", None).await.is(200).json();
    assert!(told["Resources"][0].get("members").is_none());
    let one = lab.groups("GET", &filter(&format!("members.value eq \"{ada}\"")), None).await.json();
    assert_eq!(one["totalResults"], 1);
}
