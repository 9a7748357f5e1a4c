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
    // Purging is a repair and has its own stories.
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
