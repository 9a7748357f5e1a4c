//! Groups, members, owners, contacts.

use hardmatch_sim::{Answer, Seed};
use serde_json::{Value, json};

use crate::desk::{Desk, rows, with_user};

fn group(more: Value) -> Value {
    let mut group =
        json!({ "displayName": "Sales", "mailNickname": "sales", "mailEnabled": false, "securityEnabled": true });
    for (name, value) in more.as_object().into_iter().flatten() {
        group[name] = value.clone();
    }
    group
}

fn reference(id: &str) -> Value {
    json!({ "@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{id}") })
}

#[tokio::test]
async fn members_come_and_go() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({}))).await;
    let ada = desk.id("ada@contoso.com");
    let id = desk.post("/groups", group(json!({}))).await.ok(201)["id"].as_str().unwrap().to_owned();
    let members = format!("/groups/{id}/members");
    desk.post(&format!("{members}/$ref"), reference(&ada)).await.ok(204);
    desk.post(&format!("{members}/$ref"), reference(&ada)).await.refused(
        400,
        "Request_BadRequest",
        "One or more added object references already exist for the following modified properties: 'members'.",
    );
    assert_eq!(desk.get(&format!("{members}?$select=id")).await.ids(), std::slice::from_ref(&ada));
    assert_eq!(desk.get("/users/ada@contoso.com/memberOf").await.ids(), std::slice::from_ref(&id));
    desk.delete(&format!("{members}/{ada}/$ref")).await.ok(204);
    desk.delete(&format!("{members}/{ada}/$ref")).await.refused(404, "Request_ResourceNotFound", "");
    let nobody = "00000000-0000-4000-8000-000000000001";
    desk.post(&format!("{members}/$ref"), reference(nobody)).await.refused(404, "Request_ResourceNotFound", nobody);
}

#[tokio::test]
async fn twenty_binds_are_all_or_nothing() {
    let mut seed = Seed::contoso();
    for i in 0..21 {
        seed = seed.user(json!({ "userPrincipalName": format!("u{i}@contoso.com") }));
    }
    let desk = Desk::open(seed).await;
    let id = desk.post("/groups", group(json!({}))).await.ok(201)["id"].as_str().unwrap().to_owned();
    let bind = |range: std::ops::Range<usize>| {
        let list: Vec<String> = range
            .map(|i| {
                format!("https://graph.microsoft.com/v1.0/directoryObjects/{}", desk.id(&format!("u{i}@contoso.com")))
            })
            .collect();
        json!({ "members@odata.bind": list })
    };
    desk.patch(&format!("/groups/{id}"), bind(0..21)).await.refused(
        400,
        "Request_BadRequest",
        "cannot contain more than 20 link changes",
    );
    desk.patch(&format!("/groups/{id}"), bind(0..20)).await.ok(204);
    desk.patch(&format!("/groups/{id}"), bind(19..21)).await.refused(400, "Request_BadRequest", "already exist");
    assert_eq!(desk.world().groups()[0]["members"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn some_groups_cannot_be_changed_here() {
    let seed = with_user("ada@contoso.com", json!({}))
        .group(json!({ "id": "00000000-0000-4000-8000-00000000000a", "displayName": "DL", "mailNickname": "dl", "mailEnabled": true, "securityEnabled": false }))
        .group(json!({ "id": "00000000-0000-4000-8000-00000000000b", "displayName": "Dyn", "mailNickname": "dyn", "groupTypes": ["DynamicMembership"] }))
        .group(json!({ "id": "00000000-0000-4000-8000-00000000000c", "displayName": "Sync", "mailNickname": "sync", "onPremisesSyncEnabled": true }))
        .group(json!({ "id": "00000000-0000-4000-8000-00000000000d", "displayName": "Role", "mailNickname": "role", "isAssignableToRole": true }));
    let desk = Desk::open(seed).await;
    let ada = desk.id("ada@contoso.com");
    for (key, status, text) in [
        ("a", 400, "mail-enabled security groups"),
        ("b", 403, "Insufficient"),
        ("c", 400, "on-premises mastered"),
        ("d", 403, "Insufficient"),
    ] {
        let got =
            desk.post(&format!("/groups/00000000-0000-4000-8000-00000000000{key}/members/$ref"), reference(&ada)).await;
        assert_eq!(got.status, status, "{}", got.body);
        assert!(got.body["error"]["message"].as_str().unwrap().contains(text));
    }
    desk.post("/groups", group(json!({ "mailEnabled": true }))).await.refused(
        400,
        "Request_BadRequest",
        "mail-enabled",
    );
}

#[tokio::test]
async fn a_unified_group_has_a_unique_nickname_and_keeps_an_owner() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({}))).await;
    let ada = desk.id("ada@contoso.com");
    let owners = json!([format!("https://graph.microsoft.com/v1.0/users/{ada}")]);
    let unified = group(
        json!({ "groupTypes": ["Unified"], "mailEnabled": true, "securityEnabled": false, "owners@odata.bind": owners }),
    );
    let id = desk.post("/groups", unified.clone()).await.ok(201)["id"].as_str().unwrap().to_owned();
    desk.post("/groups", unified).await.conflicts("mailNickname", &format!("Group_{id}"));
    desk.delete(&format!("/groups/{id}/owners/{ada}/$ref")).await.refused(
        400,
        "Request_BadRequest",
        "must have at least one owner",
    );
    let body = desk.get("/groups?$filter=proxyAddresses/any(p:p%20eq%20'smtp:sales@contoso.com')").await.ok(200);
    assert_eq!(rows(&body)[0]["proxyAddresses"], json!(["SMTP:sales@contoso.com"]));
}

#[tokio::test]
async fn deleting_a_member_without_ref_deletes_the_user_and_is_a_violation() {
    let seed = with_user("ada@contoso.com", json!({}))
        .group(json!({ "displayName": "G", "mailNickname": "g", "members": ["ada@contoso.com"] }));
    let desk = Desk::open(seed).await;
    let (group, ada) = (desk.world().groups()[0]["id"].as_str().unwrap().to_owned(), desk.id("ada@contoso.com"));
    desk.delete(&format!("/groups/{group}/members/{ada}")).await.ok(204);
    assert_eq!(desk.world().live_users(), 0);
    assert_eq!(desk.world().take_violations().len(), 1);
}

#[tokio::test]
async fn contacts_are_read_only_and_may_be_refused() {
    let desk = Desk::open(Seed::contoso().contact(json!({ "displayName": "Eve", "mail": "eve@contoso.com" }))).await;
    let body = desk.get("/contacts?$select=id,displayName,mail,proxyAddresses&$top=999").await.ok(200);
    assert_eq!(rows(&body)[0]["proxyAddresses"], json!(["SMTP:eve@contoso.com"]));
    desk.world().configure(|o| o.read_contacts = Answer::Refuse);
    desk.get("/contacts").await.refused(403, "Authorization_RequestDenied", "");
}

#[tokio::test]
async fn ids_of_any_kind_are_resolved() {
    let seed =
        with_user("ada@contoso.com", json!({})).contact(json!({ "displayName": "Eve", "mail": "eve@contoso.com" }));
    let desk = Desk::open(seed).await;
    let eve = desk.world().dump()["contacts"][0]["id"].clone();
    let body = json!({ "ids": [desk.id("ada@contoso.com"), eve, "00000000-0000-4000-8000-000000000001"], "types": ["user", "orgContact"] });
    let body = desk.post("/directoryObjects/getByIds?$select=id,mail", body).await.ok(200);
    let kinds: Vec<&str> = rows(&body).iter().map(|r| r["@odata.type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["#microsoft.graph.user", "#microsoft.graph.orgContact"]);
}
