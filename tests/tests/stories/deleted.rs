//! Accounts that somebody deleted, before us or after, and those that are gone from the recycle bin too.

use std::time::Duration;

use hardmatch_ports::run::Status;
use hardmatch_sim::Seed;
use hardmatch_tests::{World, by_hand, guid, immutable_id};
use serde_json::json;

/// Ada's account, deleted before anything of ours was there.
fn deleted() -> serde_json::Value {
    let mut deleted = by_hand("ada");
    deleted["deletedDateTime"] = json!("2026-01-10T08:00:00Z");
    deleted
}

/// Ada's deleted account, with her immutable ID.
fn hers() -> serde_json::Value {
    let mut deleted = deleted();
    deleted["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    deleted
}

#[tokio::test]
async fn j20_an_account_deleted_in_the_tenant_is_reported_and_not_recreated() {
    let mut world = World::new().await;
    world.people.hire("ada");
    world.settle_by_hash().await;
    world.pass_days(1);
    world.tenant.delete_user("ada@contoso.com").unwrap();
    let ran = world.sync().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: account_deleted");
    assert!(ran.writes.is_empty());
    assert!(world.account("ada@contoso.com").deleted());
    assert_eq!(world.accounts().len(), 1);
}

#[tokio::test]
async fn an_account_deleted_in_the_tenant_is_restored_where_policy_says_so() {
    let mut world = World::with(Seed::contoso(), "[lifecycle]\naccount_deleted = \"restore\"").await;
    world.people.hire("ada");
    world.settle_by_hash().await;
    let id = world.account("ada@contoso.com").id().to_owned();
    world.pass_days(1);
    world.tenant.delete_user("ada@contoso.com").unwrap();
    let ran = world.sync().await;
    assert_eq!(ran.outcome("ada@contoso.com"), "done");
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.id(), ada.deleted()), (id.as_str(), false));
    assert_eq!(world.sync().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn an_account_gone_for_good_is_looked_for_and_never_silently_recreated() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea");
    world.settle_by_hash().await;
    world.pass_days(1);
    world.tenant.purge_user("ada@contoso.com").unwrap();
    let ran = world.sync().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: account_deleted");
    for _ in 0..3 {
        world.pass(Duration::from_hours(12));
        assert!(world.sync().await.writes.is_empty());
    }
    assert_eq!(world.accounts().len(), 1);
}

#[tokio::test]
async fn j22_d25_somebody_deleted_before_us_is_restored_with_the_same_object() {
    let mut world = World::with(Seed::contoso().user(hers()), "").await;
    world.people.hire("ada");
    let id = world.account("ada@contoso.com").id().to_owned();
    let ran = world.settle_by_hash().await;
    assert!(ran.decided("ada@contoso.com").starts_with("restore: "), "{}", ran.decided("ada@contoso.com"));
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.id(), ada.deleted(), ada.upn()), (id.as_str(), false, "ada@contoso.com"));
    assert_eq!(ada.text("jobTitle"), "Engineer");
    assert_eq!((world.accounts().len(), world.sync().await.status()), (1, Some(Status::Converged)));
}

#[tokio::test]
async fn d25_a_deleted_holder_is_refused_where_policy_says_so() {
    let mut world = World::with(Seed::contoso().user(hers()), "[match]\nsoft_deleted = \"refuse\"").await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: deleted_holder");
    assert!(ran.writes.is_empty());
}

#[tokio::test]
async fn j23_waiting_for_a_purge_ends_by_itself_when_the_tenant_has_purged() {
    let mut world = World::with(Seed::contoso().user(hers()), "[match]\nsoft_deleted = \"wait\"").await;
    world.people.hire("ada").hire("bea");
    let gone = world.account("ada@contoso.com").id().to_owned();
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: wait_for_purge");
    // Thirty days in the recycle bin end on 9 February; until then each night finds her waiting and writes nothing.
    for _ in 0..2 {
        world.pass_days(10);
        let ran = world.sync().await;
        assert_eq!((ran.decided("ada@contoso.com").as_str(), ran.writes.len()), ("none: wait_for_purge", 0));
    }
    world.pass_days(10);
    let ran = world.sync().await;
    assert_eq!(ran.decided("ada@contoso.com"), "create: provision");
    let ada = world.account("ada@contoso.com");
    assert!(ada.id() != gone && !ada.deleted());
    assert_eq!(world.sync().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn an_administrators_account_in_the_recycle_bin_is_left_there_when_the_tenant_says_so() {
    let mut world = World::with(Seed::contoso().user(deleted()), "").await;
    world.tenant.grant_role("ada@contoso.com", "Global Administrator").unwrap();
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    // Graph lists the roles of live accounts only, so it is Graph that refuses.
    assert_eq!(ran.outcome("ada@contoso.com"), "refused: permission_missing");
    assert_eq!(ran.writes.len(), 1, "and nothing that rests on the restore is tried");
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.deleted(), ada.immutable_id()), (true, None));
}
