//! Groups, members, owners, contacts.

use hardmatch_sim::{Reaction, Seed};
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
        "Cannot Create a mail-enabled security groups",
    );
    // Who may appoint members of such a group may give roles away.
    desk.post("/groups", group(json!({ "isAssignableToRole": true }))).await.refused(
        403,
        "Authorization_RequestDenied",
        "",
    );
}

#[tokio::test]
async fn removing_a_stranger_is_refused_in_one_of_two_ways() {
    let seed = with_user("ada@contoso.com", json!({})).group(json!({ "displayName": "G", "mailNickname": "g" }));
    let desk = Desk::open(seed).await;
    let group = desk.world().groups()[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/groups/{group}/members/{}/$ref", desk.id("ada@contoso.com"));
    desk.delete(&path).await.refused(404, "Request_ResourceNotFound", "");
    desk.world().configure(|o| o.removing_a_stranger_is_400 = true);
    desk.delete(&path).await.refused(400, "Request_BadRequest", "removed object references do not exist");
    let log = desk.world().requests();
    let last = log.last().unwrap();
    assert_eq!((last.target.as_deref(), last.second.as_deref()), (Some(&*group), Some(&*desk.id("ada@contoso.com"))));
}

#[tokio::test]
async fn groups_are_found_by_their_name() {
    let seed = Seed::contoso()
        .group(json!({ "displayName": "People of O'Brien", "mailNickname": "a" }))
        .group(json!({ "displayName": "people of o'brien", "mailNickname": "b", "groupTypes": ["Unified"], "mailEnabled": true, "securityEnabled": false }))
        .group(json!({ "displayName": "People", "mailNickname": "c" }));
    let desk = Desk::open(seed).await;
    let select = "id,displayName,groupTypes,mailEnabled,securityEnabled,onPremisesSyncEnabled,isAssignableToRole";
    let found = async |filter: &str| desk.get(&format!("/groups?$select={select}&$filter={filter}")).await.ok(200);
    let body = found("displayName%20eq%20'People%20of%20O''Brien'").await;
    assert_eq!(rows(&body).len(), 2, "upper and lower case do not count");
    assert_eq!(rows(&body)[1]["groupTypes"], json!(["Unified"]));
    assert_eq!(rows(&found("startsWith(displayName,'people')").await).len(), 3);
    desk.get(&format!("/groups?$filter=displayName%20eq%20'{}'", "x".repeat(121))).await.refused(
        400,
        "Request_UnsupportedQuery",
        "120",
    );
}

#[tokio::test]
async fn members_come_in_pages_of_all_kinds() {
    let mut seed = Seed::contoso();
    let mut members = Vec::new();
    for n in 0..5 {
        members.push(format!("u{n}@contoso.com"));
        seed = seed.user(json!({ "userPrincipalName": members[n] }));
    }
    let inner = "00000000-0000-4000-8000-00000000000a";
    members.push(inner.to_owned());
    let seed = seed
        .group(json!({ "id": inner, "displayName": "Inner", "mailNickname": "inner" }))
        .group(json!({ "displayName": "Outer", "mailNickname": "outer", "members": members }));
    let desk = Desk::open(seed).await;
    let groups = desk.world().groups();
    let outer = groups.iter().find(|group| group["displayName"] == "Outer").unwrap()["id"].as_str().unwrap().to_owned();
    let mut at = format!("/groups/{outer}/members?$select=id&$top=4");
    let mut sizes = Vec::new();
    let mut kinds = Vec::new();
    loop {
        let body = desk.get(&at).await.ok(200);
        sizes.push(rows(&body).len());
        kinds.extend(rows(&body).iter().map(|row| row["@odata.type"].as_str().unwrap().to_owned()));
        match body["@odata.nextLink"].as_str() {
            Some(next) => at = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(sizes, [4, 2]);
    assert_eq!(kinds.iter().filter(|kind| *kind == "#microsoft.graph.group").count(), 1);
    desk.get(&format!("/groups/{outer}/members?$select=id&$top=1000")).await.refused(
        400,
        "Request_BadRequest",
        "page size",
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
    desk.world().configure(|o| o.read_contacts = Reaction::Refuse);
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
