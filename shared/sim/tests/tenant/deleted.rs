//! Soft deletion, restore, purge.

use std::time::Duration;

use hardmatch_sim::{Reaction, Seed};
use serde_json::json;

use crate::desk::{Desk, new_user, rows, with_user};

const LIST: &str = "/directory/deletedItems/microsoft.graph.user";

#[tokio::test]
async fn deleting_mangles_the_name_and_frees_it() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({ "onPremisesImmutableId": "AAAA" }))).await;
    let id = desk.id("ada@contoso.com");
    desk.delete(&format!("/users/{id}")).await.ok(204);
    desk.get(&format!("/users/{id}")).await.refused(404, "Request_ResourceNotFound", &id);
    let body =
        desk.get(&format!("{LIST}?$select=id,userPrincipalName,onPremisesImmutableId,deletedDateTime")).await.ok(200);
    let row = &rows(&body)[0];
    assert_eq!(row["userPrincipalName"], json!(format!("{}ada@contoso.com", id.replace('-', ""))));
    assert_eq!(row["onPremisesImmutableId"], "AAAA");
    assert_eq!(row["deletedDateTime"], "2026-01-15T12:00:00Z");
    let new = desk.create("ada@contoso.com", json!({})).await;
    assert_ne!(new, id);
}

#[tokio::test]
async fn the_list_needs_its_type_cast() {
    let desk = Desk::open(Seed::contoso()).await;
    assert_eq!(desk.get("/directory/deletedItems").await.status, 400);
    assert_eq!(desk.world().take_violations().len(), 1);
}

#[tokio::test]
async fn a_deleted_holder_reserves_its_id_unless_switched_off() {
    let desk = Desk::open(with_user("ada@contoso.com", json!({ "onPremisesImmutableId": "AAAA" }))).await;
    let holder = format!("User_{}", desk.id("ada@contoso.com"));
    desk.delete("/users/ada@contoso.com").await.ok(204);
    let user = new_user("bob@contoso.com", json!({ "onPremisesImmutableId": "AAAA" }));
    desk.post("/users", user.clone()).await.conflicts("onPremisesImmutableId", &holder);
    desk.world().configure(|o| o.deleted_immutable_ids_reserved = false);
    desk.post("/users", user).await.ok(201);
}

#[tokio::test]
async fn restore_conflicts_and_its_two_ways_out() {
    let seed = with_user(
        "ada@contoso.com",
        json!({ "mail": "ada@contoso.com", "proxyAddresses": ["SMTP:ada@contoso.com", "smtp:al@contoso.com"] }),
    );
    let desk = Desk::open(seed).await;
    let id = desk.id("ada@contoso.com");
    desk.delete(&format!("/users/{id}")).await.ok(204);
    let other = format!("User_{}", desk.create("ada@contoso.com", json!({ "mail": "al@contoso.com" })).await);
    let restore = format!("/directory/deletedItems/{id}/restore");
    desk.post(&restore, json!({})).await.conflicts("userPrincipalName", &other);
    let named = json!({ "newUserPrincipalName": "ada2@contoso.com" });
    desk.post(&restore, named).await.conflicts("proxyAddresses", &other);
    let both = json!({ "newUserPrincipalName": "ada2@contoso.com", "autoReconcileProxyConflict": true });
    let body = desk.post(&restore, both).await.ok(200);
    assert_eq!(body["userPrincipalName"], "ada2@contoso.com");
    assert_eq!(desk.world().user(&id).unwrap()["proxyAddresses"], json!(["SMTP:ada@contoso.com"]));
    desk.post(&restore, json!({})).await.refused(404, "Request_ResourceNotFound", "");
}

#[tokio::test]
async fn purge_is_for_good_and_comes_by_itself_after_thirty_days() {
    let desk =
        Desk::open(with_user("a@contoso.com", json!({})).user(json!({ "userPrincipalName": "b@contoso.com" }))).await;
    let (a, b) = (desk.id("a@contoso.com"), desk.id("b@contoso.com"));
    let item = |id: &str| format!("/directory/deletedItems/{id}");
    desk.delete(&item(&a)).await.refused(404, "Request_ResourceNotFound", "");
    desk.delete("/users/a@contoso.com").await.ok(204);
    desk.delete("/users/b@contoso.com").await.ok(204);
    desk.world().configure(|o| o.purge_app_only = Reaction::Refuse);
    desk.delete(&item(&a)).await.refused(403, "Authorization_RequestDenied", "");
    desk.world().configure(|o| o.purge_app_only = Reaction::Accept);
    desk.delete(&item(&a)).await.ok(204);
    desk.get(&item(&a)).await.refused(404, "Request_ResourceNotFound", "");
    desk.get(&item(&b)).await.ok(200);
    desk.pass(Duration::from_secs(30 * 86_400));
    let mut desk = desk;
    desk.sign_in().await;
    desk.get(&item(&b)).await.refused(404, "Request_ResourceNotFound", "");
    assert!(desk.world().users().is_empty());
}

#[tokio::test]
async fn a_group_cannot_be_purged_app_only() {
    let seed = Seed::contoso().group(json!({ "displayName": "G", "mailNickname": "g" }));
    let desk = Desk::open(seed).await;
    let id = desk.world().groups()[0]["id"].as_str().unwrap().to_owned();
    desk.delete(&format!("/groups/{id}")).await.ok(204);
    desk.delete(&format!("/directory/deletedItems/{id}")).await.refused(403, "Authorization_RequestDenied", "");
}
