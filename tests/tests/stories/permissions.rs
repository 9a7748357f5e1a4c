//! Each permission that is asked for is needed: without it one feature fails, and no other.

use std::collections::BTreeSet;

use hardmatch_policy::permission::{self, Feature};
use hardmatch_sim::{CONTOSO_CLIENT_ID, CONTOSO_TENANT_ID, Seed, SeedSku};
use hardmatch_store::TenantKey;
use hardmatch_tests::{World, by_hand, guid, immutable_id};
use serde_json::json;

const STAFF: &str = "11111111-2222-4333-8444-555555555555";

/// Every feature is switched on.
const POLICY: &str = r#"
[attributes]
usageLocation = "'SE'"
[actions]
delete = "on"
[lifecycle]
absent = "delete"
disabled = "suspend"
revoke_sessions = true
[guard]
max_removals_percent = 100
[[license]]
sku = "SPE_E3"
when = "person.department == 'Sales'"
[[group]]
name = "Staff"
kind = "security"
when = "person.department == 'Sales'"
[[group]]
name = "New"
kind = "security"
when = "person.department == 'Marketing'"
"#;

fn seed() -> Seed {
    let mut seed = Seed::contoso();
    seed.organization.on_premises_sync_enabled = Some(true);
    let sku: SeedSku = serde_json::from_value(json!({
        "skuId": "05e9a617-0261-4cee-bb44-138d3ef5d965", "skuPartNumber": "SPE_E3", "enabled": 9,
        "plans": [{ "servicePlanId": "57ff2da0-773e-42df-b2af-ffb7a2317929", "servicePlanName": "TEAMS1" }],
    }))
    .expect("a subscription");
    seed.skus = vec![sku];
    let mut deleted = by_hand("gone");
    deleted["onPremisesImmutableId"] = json!(immutable_id(&guid(4)));
    deleted["deletedDateTime"] = json!("2026-01-05T00:00:00Z");
    seed.user(by_hand("taken"))
        .user(deleted)
        .user(by_hand("boss"))
        .group(json!({
            "id": STAFF, "displayName": "Staff", "mailNickname": "staff", "mailEnabled": false, "securityEnabled": true,
        }))
        .group(json!({
            "displayName": "Team", "mailNickname": "team", "mailEnabled": true, "securityEnabled": false,
            "groupTypes": ["Unified"], "mail": "team@contoso.com",
        }))
        .contact(json!({ "displayName": "Partner", "mail": "partner@contoso.com" }))
}

/// What works with these permissions: three people are made, and the next day everything happens at once.
async fn works(granted: &BTreeSet<&str>) -> BTreeSet<&'static str> {
    let mut world = World::with(seed(), POLICY).await;
    world.people.hire("keep").hire("leaver").hire("blocked");
    let roles = granted.iter().map(|name| (*name).to_owned()).collect();
    world.tenant.change_app(CONTOSO_CLIENT_ID, |app| app.roles = roles).expect("the application");
    let Ok(first) = world.try_plan().await else { return BTreeSet::new() };
    if world.try_apply(&first.hash()).await.is_err() {
        return BTreeSet::new();
    }
    world.pass_days(1);
    // The fourth person has the ID of the account in the recycle bin.
    for name in ["back", "taken", "fresh", "sold", "market", "team", "partner"] {
        world.people.hire(name);
    }
    world.people.rename("back", "returned@contoso.com");
    world.people.set("sold", "department", "Sales").set("market", "department", "Marketing");
    world.people.remove("leaver");
    world.people.set("blocked", "enabled", "false").set("keep", "title", "Director");
    let Ok(planned) = world.try_plan().await else { return BTreeSet::new() };
    let Ok(ran) = world.try_apply(&planned.hash()).await else { return BTreeSet::new() };

    let live = |upn: &str| world.accounts().into_iter().find(|account| !account.deleted() && account.upn() == upn);
    let members = |group: &str| {
        let groups = world.tenant.groups();
        let found =
            groups.iter().find(|one| one["displayName"] == group).and_then(|one| one["members"].as_array().cloned());
        found.map_or(0, |members| members.len())
    };
    let calls = ran.calls();
    let tenant = world.store().await.tenant(&TenantKey::new("simulated", CONTOSO_TENANT_ID)).await.unwrap();
    let checks = [
        ("create", live("fresh@contoso.com").is_some()),
        ("update", live("keep@contoso.com").is_some_and(|account| account.text("jobTitle") == "Director")),
        ("takeover", live("taken@contoso.com").is_some_and(|account| account.immutable_id().is_some())),
        ("block", live("blocked@contoso.com").is_some_and(|account| !account.enabled())),
        ("revoke", calls.iter().any(|call| call.contains("revokeSignInSessions"))),
        ("delete", live("leaver@contoso.com").is_none()),
        ("restore", live("returned@contoso.com").is_some()),
        (
            "license",
            live("sold@contoso.com")
                .is_some_and(|account| !account.0["assignedLicenses"].as_array().is_none_or(Vec::is_empty)),
        ),
        ("member", members("Staff") == 1),
        ("make a group", members("New") == 1),
        ("group address", planned.decided("team@contoso.com") == "none: address_held_by_group"),
        ("contact address", planned.decided("partner@contoso.com") == "none: address_held_by_contact"),
        ("directory sync", tenant.is_some_and(|tenant| tenant.value.tenant.directory_sync == Some(true))),
    ];
    checks.into_iter().filter(|(_, works)| *works).map(|(name, _)| name).collect()
}

#[tokio::test]
async fn each_permission_that_is_asked_for_carries_its_feature_and_no_other() {
    // Purging is tried below.
    let features = Feature::ALL.into_iter().filter(|feature| *feature != Feature::Purge).collect();
    let asked: BTreeSet<&str> =
        permission::asked(&permission::needs(&features)).iter().map(|need| need.least).collect();
    let everything = works(&asked).await;
    let all = [
        "block",
        "contact address",
        "create",
        "delete",
        "directory sync",
        "group address",
        "license",
        "make a group",
        "member",
        "restore",
        "revoke",
        "takeover",
        "update",
    ];
    assert_eq!(everything, all.into(), "with all of them everything works");
    let fails: [(&str, &[&str]); 7] = [
        // Reading people or domains is the ground of all the rest.
        ("User.ReadWrite.All", &all),
        ("Domain.Read.All", &all),
        ("Organization.Read.All", &["directory sync", "license"]),
        ("RoleManagement.Read.Directory", &["takeover", "restore", "block", "revoke", "delete"]),
        ("OrgContact.Read.All", &["contact address"]),
        ("GroupMember.ReadWrite.All", &["member", "make a group", "group address"]),
        ("Group.Create", &["make a group"]),
    ];
    assert_eq!(
        fails.map(|(permission, _)| permission).into_iter().collect::<BTreeSet<_>>(),
        asked,
        "each is looked at"
    );
    for (permission, lost) in fails {
        let rest = asked.iter().copied().filter(|name| *name != permission).collect();
        let left = works(&rest).await;
        let missing: BTreeSet<&str> = everything.difference(&left).copied().collect();
        assert_eq!(missing, lost.iter().copied().collect(), "without {permission}");
    }
}

/// Repairs and purges happen without a further question.
const REPAIRS: &str = r#"
[match]
prove = ["employeeId"]
soft_deleted = "purge"
[anchor]
on_conflict = "source-wins"
[actions]
repair = "on"
purge = "on"
"#;

/// What works of repairs, of the recycle bin and of undoing with these permissions.
async fn mends(granted: &BTreeSet<&str>) -> BTreeSet<&'static str> {
    let mut wrong = by_hand("rita");
    wrong["onPremisesImmutableId"] = json!(immutable_id(&guid(99)));
    wrong["employeeId"] = json!("E0002");
    let mut gone = by_hand("gone");
    gone["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    let mut world = World::with(Seed::contoso().user(wrong).user(gone), REPAIRS).await;
    let old = world.account("gone@contoso.com").id().to_owned();
    world.tenant.delete_user("gone@contoso.com").expect("the account");
    world.people.hire("gone").hire("rita").hire("new");
    let roles = granted.iter().map(|name| (*name).to_owned()).collect();
    world.tenant.change_app(CONTOSO_CLIENT_ID, |app| app.roles = roles).expect("the application");
    let Ok(planned) = world.try_plan().await else { return BTreeSet::new() };
    if world.try_apply(&planned.hash()).await.is_err() {
        return BTreeSet::new();
    }
    world.pass_days(1);
    world.people.set("new", "title", "Director");
    let Ok(ran) = world.try_sync(hardmatch_match::Accept::TheStop).await else { return BTreeSet::new() };
    let written = world.account("new@contoso.com").text("jobTitle") == "Director";
    world.pass_days(1);
    let back = world.undo_run(&ran.run.id, None).await;
    let undone =
        world.try_apply(&back.hash()).await.is_ok() && world.account("new@contoso.com").text("jobTitle") != "Director";
    let anchored = |upn: &str, nth: usize| {
        let wanted = immutable_id(&guid(nth));
        let live = world.accounts().into_iter().find(|account| !account.deleted() && account.upn() == upn);
        live.is_some_and(|account| account.immutable_id() == Some(wanted.as_str()))
    };
    let checks = [
        ("create", anchored("new@contoso.com", 3)),
        ("update", written),
        ("undo", written && undone),
        ("repair", anchored("rita@contoso.com", 2)),
        ("purge", world.accounts().iter().all(|account| account.id() != old)),
    ];
    checks.into_iter().filter(|(_, works)| *works).map(|(name, _)| name).collect()
}

#[tokio::test]
async fn repairs_purges_and_undoing_need_what_their_features_ask_for() {
    let features = [Feature::Read, Feature::Write, Feature::Purge].into();
    let asked: BTreeSet<&str> =
        permission::asked(&permission::needs(&features)).iter().map(|need| need.least).collect();
    let all = BTreeSet::from(["create", "purge", "repair", "undo", "update"]);
    assert_eq!(mends(&asked).await, all, "with all of them everything works");
    for (permission, lost) in [
        ("User.DeleteRestore.All", BTreeSet::from(["purge"])),
        // Of an account of which nobody can say whether it holds a role, no immutable ID is written.
        ("RoleManagement.Read.Directory", BTreeSet::from(["purge", "repair"])),
        ("GroupMember.Read.All", BTreeSet::new()),
        ("OrgContact.Read.All", BTreeSet::new()),
    ] {
        let rest = asked.iter().copied().filter(|name| *name != permission).collect();
        let left = mends(&rest).await;
        let missing: BTreeSet<&str> = all.difference(&left).copied().collect();
        assert_eq!(missing, lost, "without {permission}");
    }
}
