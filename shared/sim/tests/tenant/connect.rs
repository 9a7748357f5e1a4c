//! Entra Connect beside us: hard match, soft match, and what it may not do.

use hardmatch_sim::{Exported, Seed, SyncError, World};
use serde_json::{Value, json};

use crate::desk::Desk;

const ANCHOR: &str = "Z0UjAauJ780BI0VniavN7w==";
const OTHER: &str = "6SNZnFLe6jOI3n68hjO5zA==";

/// A tenant with synchronization on.
fn synced() -> Seed {
    let mut seed = Seed::contoso();
    seed.organization.on_premises_sync_enabled = Some(true);
    seed
}

#[track_caller]
fn refused(outcome: Exported) -> SyncError {
    let Exported::Refused(error) = outcome else { unreachable!("not refused: {outcome:?}") };
    error
}

fn export(world: &World, anchor: &str, upn: &str, more: Value) -> Exported {
    let mut properties = json!({ "userPrincipalName": upn });
    for (name, value) in more.as_object().unwrap() {
        properties[name] = value.clone();
    }
    world.connect_export(anchor, properties).unwrap()
}

#[tokio::test]
async fn a_new_person_is_provisioned_and_then_updated() {
    let desk = Desk::open(synced()).await;
    let (world, upn) = (desk.world(), "ada@contoso.com");
    let Exported::Provisioned(id) = export(world, ANCHOR, upn, json!({ "jobTitle": "a" })) else { panic!() };
    assert_eq!(export(world, ANCHOR, upn, json!({ "jobTitle": "b" })), Exported::Updated(id));
    let ada = world.user(upn).unwrap();
    assert_eq!(
        (&ada["onPremisesSyncEnabled"], &ada["onPremisesImmutableId"], &ada["jobTitle"]),
        (&json!(true), &json!(ANCHOR), &json!("b"))
    );
    // Now it belongs to on-premises.
    desk.patch(&format!("/users/{upn}"), json!({ "jobTitle": "c" })).await.refused(
        400,
        "Request_BadRequest",
        "on-premises mastered",
    );
    // A suffix nobody verified is replaced.
    export(world, OTHER, "eve@corp.local", json!({}));
    assert!(world.user("eve@contoso.onmicrosoft.com").is_some());
    let cloud_only = Desk::open(Seed::contoso()).await;
    assert_eq!(refused(export(cloud_only.world(), ANCHOR, upn, json!({}))), SyncError::SyncDisabled);
}

#[tokio::test]
async fn our_repaired_anchor_is_found_by_hard_match() {
    let desk = Desk::open(synced().user(json!({ "userPrincipalName": "ada@contoso.com", "jobTitle": "cloud" }))).await;
    let id = desk.id("ada@contoso.com");
    desk.patch("/users/ada@contoso.com", json!({ "onPremisesImmutableId": ANCHOR })).await.ok(204);
    let outcome = export(desk.world(), ANCHOR, "ada.new@contoso.com", json!({ "jobTitle": "on-premises" }));
    assert!(matches!(outcome, Exported::HardMatched(taken) if taken.to_string() == id));
    let ada = desk.world().user("ada.new@contoso.com").unwrap();
    assert_eq!((&ada["id"], &ada["jobTitle"]), (&json!(id), &json!("on-premises")));
    assert_eq!(desk.world().live_users(), 1);
}

#[tokio::test]
async fn a_hard_match_can_be_blocked() {
    let user = |more: Value| {
        let mut user = json!({ "userPrincipalName": "ada@contoso.com", "onPremisesImmutableId": ANCHOR });
        user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        synced().user(user)
    };
    let attempt =
        async |seed: Seed, more: Value| export(Desk::open(seed).await.world(), ANCHOR, "ada@contoso.com", more);
    let flag = user(json!({})).with(|o| o.connect.block_hard_match = true);
    assert_eq!(refused(attempt(flag, json!({})).await), SyncError::InvalidHardMatch);
    let role = || user(json!({ "roles": ["User Administrator"] }));
    assert_eq!(refused(attempt(role(), json!({})).await), SyncError::InvalidHardMatch);
    let before = role().with(|o| o.connect.harden_role_holders = false);
    assert!(matches!(attempt(before, json!({})).await, Exported::HardMatched(_)));
    let marked = || user(json!({ "onPremisesObjectIdentifier": "one" }));
    let brings = json!({ "onPremisesObjectIdentifier": "two" });
    assert_eq!(refused(attempt(marked(), brings.clone()).await), SyncError::InvalidHardMatch);
    let same = json!({ "onPremisesObjectIdentifier": "one" });
    assert!(matches!(attempt(marked(), same).await, Exported::HardMatched(_)));
    let soft = marked().with(|o| o.connect.harden_object_identifier = false);
    assert!(matches!(attempt(soft, brings).await, Exported::HardMatched(_)));
}

#[tokio::test]
async fn name_or_primary_address_meet_softly() {
    let seed = || {
        synced()
            .user(json!({ "userPrincipalName": "ada@contoso.com", "mail": "a@contoso.com" }))
            .user(json!({ "userPrincipalName": "bob@contoso.com", "proxyAddresses": ["SMTP:b@contoso.com", "smtp:b2@contoso.com"] }))
            .user(json!({ "userPrincipalName": "boss@contoso.com", "roles": ["Global Administrator"] }))
            .user(json!({ "userPrincipalName": "cyd@contoso.com", "onPremisesImmutableId": OTHER }))
            .contact(json!({ "displayName": "Eve", "mail": "eve@contoso.com" }))
    };
    let primary = |a: &str| json!({ "proxyAddresses": [format!("SMTP:{a}")] });
    let desk = Desk::open(seed()).await;
    let (world, bob) = (desk.world(), desk.id("bob@contoso.com"));
    assert!(matches!(export(world, ANCHOR, "ADA@contoso.com", json!({})), Exported::SoftMatched(_)));
    let outcome = export(world, "b", "robert@contoso.com", primary("B@contoso.com"));
    assert!(matches!(outcome, Exported::SoftMatched(id) if id.to_string() == bob));
    assert_eq!(refused(export(world, "c", "boss@contoso.com", json!({}))), SyncError::ExistingAdminRoleConflict);
    assert_eq!(
        refused(export(world, "d", "eve@contoso.com", primary("eve@contoso.com"))),
        SyncError::ObjectTypeMismatch
    );
    // A name with another anchor: hidden by the resiliency, or an error.
    let Exported::Quarantined(id, "UserPrincipalName") = export(world, "e", "cyd@contoso.com", json!({})) else {
        panic!()
    };
    let user = world.user(&id.to_string()).unwrap();
    assert!(user["userPrincipalName"].as_str().unwrap().ends_with("@contoso.onmicrosoft.com"));
    assert_eq!(user["onPremisesProvisioningErrors"][0]["propertyCausingError"], "UserPrincipalName");
    world.configure(|o| o.connect.quarantine_duplicates = false);
    assert_eq!(refused(export(world, "f", "cyd@contoso.com", json!({}))), SyncError::InvalidSoftMatch);
    world.configure(|o| o.connect.block_soft_match = true);
    assert_eq!(refused(export(world, "g", "boss@contoso.com", json!({}))), SyncError::AttributeValueMustBeUnique);
    // A secondary address is no match.
    let desk = Desk::open(seed()).await;
    let outcome = export(desk.world(), "b", "robert@contoso.com", primary("b2@contoso.com"));
    assert!(matches!(outcome, Exported::Quarantined(_, "ProxyAddress")), "{outcome:?}");
    desk.world().configure(|o| o.connect.soft_match_on_upn = false);
    let outcome = export(desk.world(), ANCHOR, "ada@contoso.com", json!({}));
    assert!(matches!(outcome, Exported::Quarantined(_, "UserPrincipalName")), "{outcome:?}");
}

#[tokio::test]
async fn a_synced_person_is_not_matched_again() {
    let desk = Desk::open(synced().user(json!({ "userPrincipalName": "bob@contoso.com" }))).await;
    let world = desk.world();
    export(world, ANCHOR, "ada@fed.contoso.com", json!({ "onPremisesObjectIdentifier": "one" }));
    assert_eq!(refused(export(world, ANCHOR, "bob@contoso.com", json!({}))), SyncError::AttributeValueMustBeUnique);
    let brings = json!({ "onPremisesObjectIdentifier": "two" });
    assert_eq!(refused(export(world, ANCHOR, "ada@fed.contoso.com", brings)), SyncError::AttributeUpdateNotAllowed);
    let mut seed = synced();
    seed.domains.push(hardmatch_sim::SeedDomain::new("fed2.contoso.com", hardmatch_sim::DomainType::Federated));
    let desk = Desk::open(seed).await;
    export(desk.world(), ANCHOR, "ada@fed.contoso.com", json!({}));
    assert_eq!(
        refused(export(desk.world(), ANCHOR, "ada@fed2.contoso.com", json!({}))),
        SyncError::FederatedDomainChange
    );
}

#[tokio::test]
async fn leaving_the_scope_is_a_soft_deletion_and_returning_a_restore() {
    let desk =
        Desk::open(synced().user(json!({ "userPrincipalName": "bob@contoso.com", "onPremisesImmutableId": OTHER })))
            .await;
    let world = desk.world();
    let Exported::Provisioned(id) = export(world, ANCHOR, "ada@contoso.com", json!({})) else { panic!() };
    // What is not synced is not Connect's to delete.
    let outcomes = world.connect_remove(&[ANCHOR, OTHER]).unwrap();
    assert_eq!(outcomes, [Exported::Removed(id), Exported::Refused(SyncError::DeletingCloudOnlyObjectNotAllowed)]);
    let ada = world.user("ada@contoso.com").unwrap();
    assert_eq!((&ada["deleted"], &ada["onPremisesSyncEnabled"]), (&json!(true), &json!(false)));
    assert_eq!(export(world, ANCHOR, "ada@contoso.com", json!({})), Exported::HardMatched(id));
    assert_eq!(world.live_users(), 2);
    // Authority moved to the cloud: Connect has nothing to say any more.
    let moving = |a: &mut hardmatch_sim::App| a.roles = vec!["User-OnPremisesSyncBehavior.ReadWrite.All".into()];
    world.change_app(hardmatch_sim::CONTOSO_CLIENT_ID, moving).unwrap();
    let mut desk = desk;
    desk.sign_in().await;
    desk.patch("/users/ada@contoso.com/onPremisesSyncBehavior", json!({ "isCloudManaged": true })).await.ok(204);
    assert_eq!(refused(export(desk.world(), ANCHOR, "ada@contoso.com", json!({}))), SyncError::CloudManaged);
    assert_eq!(
        desk.world().connect_remove(&[ANCHOR]).unwrap(),
        [Exported::Refused(SyncError::DeletingCloudOnlyObjectNotAllowed)]
    );
}

#[tokio::test]
async fn too_many_removals_stop_the_run() {
    let desk = Desk::open(synced().with(|o| o.connect.deletion_threshold = 1)).await;
    let world = desk.world();
    export(world, ANCHOR, "ada@contoso.com", json!({}));
    export(world, OTHER, "bob@contoso.com", json!({}));
    let outcomes = world.connect_remove(&[ANCHOR, OTHER]).unwrap();
    assert!(outcomes.into_iter().all(|o| refused(o) == SyncError::DeletionThreshold));
    assert_eq!(world.live_users(), 2);
    assert!(matches!(world.connect_remove(&[ANCHOR]).unwrap()[0], Exported::Removed(_)));
}
