//! Joining people to accounts that are already there, and leaving alone what is not theirs.

use std::time::Duration;

use hardmatch_domain::change::Action;
use hardmatch_ports::run::{OutcomeKind, Status};
use hardmatch_sim::{Answer, Seed};
use hardmatch_tests::{World, guid, immutable_id};
use serde_json::json;

/// The account of the n-th person as a cloud team would have made it by hand.
fn by_hand(name: &str) -> serde_json::Value {
    json!({ "userPrincipalName": format!("{name}@contoso.com"), "mail": format!("{name}@contoso.com"), "displayName": name })
}

#[tokio::test]
async fn d1_fifty_accounts_that_were_there_before_are_adopted_and_none_is_created() {
    let mut seed = Seed::contoso();
    for number in 0..50 {
        let mut account = by_hand(&format!("p{number:02}"));
        // Half of them were anchored by whoever was there before us.
        if number % 2 == 0 {
            account["onPremisesImmutableId"] = json!(immutable_id(&guid(number + 1)));
        }
        seed = seed.user(account);
    }
    let mut world = World::with(seed, "").await;
    for number in 0..50 {
        world.people.hire(&format!("p{number:02}"));
    }
    let planned = world.plan().await;
    assert_eq!(planned.planned(Action::Create), 0);
    assert_eq!((planned.planned(Action::Takeover), planned.planned(Action::Link)), (25, 25));
    let ran = world.apply(&planned.hash()).await;
    assert_eq!((ran.count(OutcomeKind::Done), world.accounts().len()), (50, 50));
    for number in 0..50 {
        let account = world.account(&format!("p{number:02}@contoso.com"));
        assert_eq!(account.immutable_id(), Some(immutable_id(&guid(number + 1)).as_str()));
        assert_eq!(account.text("jobTitle"), "Engineer");
    }
    assert_eq!(world.sync().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn k3_another_anchor_on_the_account_is_a_conflict_and_nothing_is_created() {
    let mut account = by_hand("ada");
    account["onPremisesImmutableId"] = json!(immutable_id(&guid(99)));
    let mut world = World::with(Seed::contoso().user(account), "").await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: anchor_conflict");
    assert!(ran.writes.is_empty());
    assert_eq!(world.accounts().len(), 1);
}

#[tokio::test]
async fn d5_an_address_of_somebody_elses_account_is_refused_with_both_ids() {
    let mut world = World::with(Seed::contoso().user(by_hand("other")), "").await;
    // The account at this address is anchored to bea, who is in the source too.
    world.people.hire("ada").hire("bea");
    world.people.rename("ada", "other@contoso.com");
    world.tenant.set_user("other@contoso.com", json!({ "onPremisesImmutableId": immutable_id(&guid(2)) })).unwrap();
    let ran = world.plan().await;
    assert_eq!(ran.decided("other@contoso.com"), "none: address_taken");
    let row = ran.row("other@contoso.com").unwrap();
    let holder = world.account("other@contoso.com");
    assert!(
        row.decision.evidence.iter().any(|seen| seen.account.as_ref().is_some_and(|id| id.as_str() == holder.id()))
    );
    assert!(row.decision.evidence.iter().any(|seen| seen.theirs.as_deref() == holder.immutable_id()));
}

#[tokio::test]
async fn o4_accounts_that_entra_connect_masters_are_never_written() {
    let mut linked = by_hand("ada");
    linked["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    linked["onPremisesSyncEnabled"] = json!(true);
    let mut soft = by_hand("bea");
    soft["onPremisesSyncEnabled"] = json!(true);
    let mut world = World::with(Seed::contoso().user(linked).user(soft), "").await;
    world.people.hire("ada").hire("bea").hire("cleo");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: mastered_elsewhere");
    assert_eq!(ran.decided("bea@contoso.com"), "none: mastered_elsewhere");
    assert_eq!(ran.calls(), ["POST /users 201"], "cleo alone");
    // Somebody whose account becomes synced later: leaving does nothing either.
    world.tenant.set_user("cleo@contoso.com", json!({ "onPremisesSyncEnabled": true })).unwrap();
    world.people.remove("cleo");
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!(ran.decided("cleo@contoso.com"), "none: mastered_elsewhere");
    assert!(ran.writes.is_empty() && world.account("cleo@contoso.com").enabled());
}

/// An account whose anchor somebody changed to nobody's, under a policy.
async fn drifted(policy: &str, anchor: serde_json::Value) -> (World, hardmatch_tests::Ran) {
    let mut world = World::with(Seed::contoso(), policy).await;
    world.people.hire("ada");
    world.settle_by_hash().await;
    world.pass_days(1);
    world.tenant.set_user("ada@contoso.com", json!({ "onPremisesImmutableId": anchor })).expect("the account is there");
    let ran = world.sync().await;
    (world, ran)
}

#[tokio::test]
async fn o26_stop_reports_a_changed_anchor_and_writes_nothing() {
    let (world, ran) = drifted("", json!(immutable_id(&guid(77)))).await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: anchor_drift");
    assert!(ran.writes.is_empty());
    assert_eq!(world.account("ada@contoso.com").immutable_id(), Some(immutable_id(&guid(77)).as_str()));
}

#[tokio::test]
async fn o26_tenant_wins_learns_the_anchor() {
    let (mut world, ran) = drifted("[anchor]\non_conflict = \"tenant-wins\"", json!(immutable_id(&guid(77)))).await;
    assert!(ran.decided("ada@contoso.com").contains("anchor_learned"), "{}", ran.decided("ada@contoso.com"));
    assert!(ran.writes.is_empty());
    // From then on the account is theirs as it is.
    world.people.set("ada", "title", "Lead");
    world.sync().await;
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.text("jobTitle"), ada.immutable_id()), ("Lead", Some(immutable_id(&guid(77)).as_str())));
}

#[tokio::test]
async fn o26_source_wins_sets_a_cleared_anchor_again_when_it_is_approved() {
    let policy = "[anchor]\non_conflict = \"source-wins\"";
    let (mut world, ran) = drifted(policy, serde_json::Value::Null).await;
    assert!(ran.writes.is_empty(), "{:?}", ran.calls());
    assert!(ran.outcome("ada@contoso.com").starts_with("held"), "{}", ran.outcome("ada@contoso.com"));
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.outcome("ada@contoso.com"), "done", "{}", ran.decided("ada@contoso.com"));
    assert_eq!(world.account("ada@contoso.com").immutable_id(), Some(immutable_id(&guid(1)).as_str()));
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
    let mut deleted = by_hand("ada");
    deleted["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    deleted["deletedDateTime"] = json!("2026-01-10T08:00:00Z");
    let mut world = World::with(Seed::contoso().user(deleted), "").await;
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
    let mut deleted = by_hand("ada");
    deleted["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    deleted["deletedDateTime"] = json!("2026-01-10T08:00:00Z");
    let mut world = World::with(Seed::contoso().user(deleted), "[match]\nsoft_deleted = \"refuse\"").await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: deleted_holder");
    assert!(ran.writes.is_empty());
}

#[tokio::test]
async fn c_9_a_rehire_under_a_new_anchor_is_held_for_a_repair_and_not_created_twice() {
    let mut world = World::with(Seed::contoso(), "[match]\nprove = [\"employeeId\"]").await;
    world.people.hire("ada").hire("bea").hire("cleo");
    world.settle_by_hash().await;
    // Ada leaves and is hired again: a new GUID, the same employee number.
    world.people.remove("ada");
    world.pass_days(1);
    world.sync().await;
    assert!(!world.account("ada@contoso.com").enabled());
    world.pass_days(10);
    world.people.hire("ada").set("ada", "employeeID", "E0001");
    let ran = world.sync().await;
    assert!(ran.decided("ada@contoso.com").contains("rehire"), "{}", ran.decided("ada@contoso.com"));
    assert_eq!(world.accounts().len(), 3);
    assert!(ran.calls().iter().all(|call| !call.starts_with("POST /users ")), "{:?}", ran.calls());
}

#[tokio::test]
async fn admins_keep_name_anchor_and_sign_in() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea");
    world.settle_by_hash().await;
    world.tenant.grant_role("ada@contoso.com", "User Administrator").unwrap();
    world.people.set("ada", "title", "Admin").rename("ada", "ada.new@contoso.com");
    let ran = world.sync().await;
    assert!(ran.decided("ada.new@contoso.com").contains("privileged"), "{}", ran.decided("ada.new@contoso.com"));
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.text("jobTitle"), ada.upn()), ("Admin", "ada@contoso.com"), "ordinary attributes are written");
    // A leaver with a role is an alarm, not a rule.
    world.people.remove("ada");
    let ran = world.sync().await;
    assert!(ran.decided("ada.new@contoso.com").contains("privileged_leaver"));
    assert!(ran.writes.is_empty() && world.account("ada@contoso.com").enabled());
    assert_eq!(ran.status(), Some(Status::Attention));
}

#[tokio::test]
async fn an_administrator_is_never_taken_over() {
    let mut admin = by_hand("ada");
    admin["roles"] = json!(["Global Administrator"]);
    let mut world = World::with(Seed::contoso().user(admin), "").await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: privileged");
    assert!(ran.writes.is_empty());
}

#[tokio::test]
async fn when_roles_cannot_be_read_nobody_is_taken_for_unprivileged() {
    let seed = Seed::contoso().user(by_hand("ada")).with(|options| options.read_roles = Answer::Refuse);
    let mut world = World::with(seed, "").await;
    world.people.hire("ada").hire("bea");
    let ran = world.settle_by_hash().await;
    assert!(ran.decided("ada@contoso.com").contains("roles_unknown"), "{}", ran.decided("ada@contoso.com"));
    assert_eq!(ran.outcome("bea@contoso.com"), "done", "whoever is created needs no role to be known");
    assert_eq!(world.account("ada@contoso.com").immutable_id(), None);
    // Nobody is blocked without knowing either.
    world.people.remove("bea");
    let ran = world.sync().await;
    assert!(ran.decided("bea@contoso.com").contains("roles_unknown"));
    assert!(ran.writes.is_empty());
    // Read again, it goes on by itself.
    world.tenant.configure(|options| options.read_roles = Answer::Accept);
    world.sync().await;
    assert_eq!(world.account("ada@contoso.com").immutable_id(), Some(immutable_id(&guid(1)).as_str()));
    assert!(!world.account("bea@contoso.com").enabled());
}

#[tokio::test]
async fn an_address_of_a_group_is_refused_by_name_whether_groups_can_be_read_or_not() {
    for readable in [true, false] {
        let group = json!({ "displayName": "Ada's list", "mailNickname": "ada", "mail": "ada@contoso.com", "mailEnabled": true });
        let mut seed = Seed::contoso().group(group);
        if !readable {
            seed.apps[0].roles.retain(|role| !role.starts_with("Group"));
        }
        let mut world = World::with(seed, "").await;
        world.people.hire("ada").hire("bea");
        let ran = world.settle_by_hash().await;
        assert_eq!(ran.outcome("bea@contoso.com"), "done");
        let told = format!("{} {}", ran.decided("ada@contoso.com"), ran.outcome("ada@contoso.com"));
        let code = if readable { "address_held_by_group" } else { "address_in_use" };
        assert!(told.contains(code), "readable: {readable}: {told}");
        assert_eq!(world.accounts().len(), 1);
    }
}

#[tokio::test]
async fn a_guest_who_holds_the_address_is_left_alone() {
    let mut guest = by_hand("ada");
    guest["userType"] = json!("Guest");
    let mut world = World::with(Seed::contoso().user(guest), "").await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: address_held_by_guest");
    assert!(ran.writes.is_empty());
}

#[tokio::test]
async fn two_people_who_claim_one_account_are_both_refused() {
    let mut world = World::with(Seed::contoso().user(by_hand("ada")), "").await;
    world.people.hire("ada").hire("ida").rename("ida", "ada@contoso.com");
    let ran = world.settle_by_hash().await;
    assert!(ran.rows.iter().all(|row| row.decision.reasons[0].code.as_str() == "contested"), "{:?}", ran.rows);
    assert!(ran.writes.is_empty());
}

#[tokio::test]
async fn c_9_an_approved_rehire_gets_the_old_account_and_all_that_is_new_about_them() {
    let mut world = World::with(Seed::contoso(), "[match]\nprove = [\"employeeId\"]").await;
    world.people.hire("ada").hire("bea").hire("cleo");
    world.settle_by_hash().await;
    let id = world.account("ada@contoso.com").id().to_owned();
    world.people.remove("ada");
    world.pass_days(1);
    world.sync().await;
    world.pass_days(10);
    world.people.hire("ada").set("ada", "employeeID", "E0001").set("ada", "title", "Director");
    world.settle_by_hash().await;
    world.pass_days(1);
    world.sync().await;
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.id(), ada.enabled()), (id.as_str(), true));
    assert_eq!(ada.immutable_id(), Some(immutable_id(&guid(4)).as_str()));
    assert_eq!(ada.text("jobTitle"), "Director", "what the repair left undone is done by the next run");
    world.pass_days(1);
    assert!(world.sync().await.writes.is_empty());
    assert_eq!(world.accounts().len(), 3);
}

#[tokio::test]
async fn an_administrators_account_in_the_recycle_bin_is_left_there_when_the_tenant_says_so() {
    let mut deleted = by_hand("ada");
    deleted["deletedDateTime"] = json!("2026-01-10T08:00:00Z");
    let mut world = World::with(Seed::contoso().user(deleted), "").await;
    world.tenant.grant_role("ada@contoso.com", "Global Administrator").unwrap();
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    // Graph lists the roles of live accounts only, so it is Graph that refuses.
    assert_eq!(ran.outcome("ada@contoso.com"), "refused: permission_missing");
    assert_eq!(ran.writes.len(), 1, "and nothing that rests on the restore is tried");
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.deleted(), ada.immutable_id()), (true, None));
}
