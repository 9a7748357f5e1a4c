//! Undoing: of a run, of a person, of a change; what comes back byte for byte, and what does not.

use std::collections::BTreeMap;

use hardmatch_ports::run::{Phase, Status};
use hardmatch_sim::{Seed, SeedSku};
use hardmatch_tests::{Ran, World, by_hand, guid};
use serde_json::{Value, json};

const E3: &str = "05e9a617-0261-4cee-bb44-138d3ef5d965";
const TEAMS: &str = "57ff2da0-773e-42df-b2af-ffb7a2317929";

const RULES: &str = r#"
[attributes]
usageLocation = "'SE'"
[guard]
max_removals_percent = 100
max_creations_percent = 100
max_identity_changes_percent = 100
[[license]]
sku = "SPE_E3"
disabled_plans = ["TEAMS1"]
when = "person.department == 'Research'"
[[group]]
name = "Sales"
when = "person.department == 'Sales'"
"#;

fn tenant() -> Seed {
    let sku: SeedSku = serde_json::from_value(json!({
        "skuId": E3, "skuPartNumber": "SPE_E3", "enabled": 100,
        "plans": [
            { "servicePlanId": "efb87545-963c-4e0d-99df-69c6916d9eb0", "servicePlanName": "EXCHANGE_S_ENTERPRISE" },
            { "servicePlanId": TEAMS, "servicePlanName": "TEAMS1" },
        ],
    }))
    .expect("a subscription");
    let mut seed = Seed::contoso();
    seed.skus = vec![sku];
    seed.group(json!({
        "id": "11111111-2222-4333-8444-555555555555", "displayName": "Sales", "mailNickname": "sales",
        "mailEnabled": false, "securityEnabled": true,
    }))
}

/// Ada, Bea, Cleo and Dora with accounts of ours.
async fn four(seed: Seed, rules: &str) -> World {
    let mut world = World::with(seed, rules).await;
    world.people.hire("ada").hire("bea").hire("cleo").hire("dora");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.status(), Some(Status::Converged), "{:?}", ran.outcomes);
    world.pass_days(1);
    world
}

/// All of the tenant's accounts and members that an undoing must bring back: dates and etags go on.
fn state(world: &World) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for account in world.accounts() {
        let mut value = account.0.clone();
        let object = value.as_object_mut().unwrap();
        // An attribute that is absent and one that is null are the same to Graph.
        let dated = ["assignedPlans", "licenseAssignmentStates"];
        object.retain(|name, value| !value.is_null() && !name.contains("DateTime") && !dated.contains(&name.as_str()));
        // A name that was given up stays as a secondary address: Exchange's doing, which is not ours to take back.
        if let Some(proxies) = object.get_mut("proxyAddresses").and_then(Value::as_array_mut) {
            proxies.retain(|proxy| proxy.as_str().is_some_and(|proxy| proxy.starts_with("SMTP:")));
        }
        all.insert(account.id().to_owned(), value);
    }
    for group in world.tenant.groups() {
        let mut members: Vec<String> = group["members"]
            .as_array()
            .cloned()
            .unwrap_or_default()
            .iter()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect();
        members.sort();
        all.insert(group["id"].as_str().unwrap_or_default().to_owned(), json!(members));
    }
    all
}

#[track_caller]
fn same(now: &BTreeMap<String, Value>, before: &BTreeMap<String, Value>) {
    for (id, value) in before {
        assert_eq!(now.get(id), Some(value), "{id}");
    }
    assert_eq!(now.len(), before.len());
}

async fn undone(world: &mut World, ran: &Ran) -> Ran {
    let planned = world.undo_run(&ran.run.id, None).await;
    assert_eq!((planned.run.phase, planned.writes.len()), (Phase::Planned, 0));
    world.apply(&planned.hash()).await
}

#[tokio::test]
async fn a_run_is_undone_byte_for_byte_and_the_next_night_does_not_redo_it() {
    let mut world = four(tenant(), RULES).await;
    let before = state(&world);
    world.people.set("ada", "title", "Lead").set("ada", "manager", "bea@contoso.com");
    world.people.set("bea", "department", "Sales");
    world.people.set("cleo", "enabled", "false");
    world.people.rename("dora", "dora.new@contoso.com");
    let ran = world.sync().await;
    assert_ne!(state(&world), before);
    world.pass_days(1);
    let undone = undone(&mut world, &ran).await;
    assert!(undone.outcomes.values().all(|outcome| outcome.result.name() == "done"), "{:?}", undone.outcomes);
    same(&state(&world), &before);
    for _ in 0..2 {
        world.pass_days(1);
        let night = world.sync().await;
        assert!(night.writes.is_empty(), "{:?}", night.writes);
        let night = world.plan_everybody().await;
        assert!(night.decided("ada@contoso.com").contains("undone"), "{}", night.decided("ada@contoso.com"));
    }
    same(&state(&world), &before);
    // Other facts are decided anew.
    world.people.set("ada", "title", "Boss");
    let night = world.sync().await;
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Boss", "{:?}", night.decided("ada@contoso.com"));
}

#[tokio::test]
async fn an_undoing_can_itself_be_undone() {
    let mut world = four(Seed::contoso(), "").await;
    world.people.set("ada", "title", "Lead");
    let ran = world.sync().await;
    let after = state(&world);
    world.pass_days(1);
    let back = undone(&mut world, &ran).await;
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Engineer");
    world.pass_days(1);
    undone(&mut world, &back).await;
    same(&state(&world), &after);
    world.pass_days(1);
    assert_eq!(world.sync().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn what_an_administrator_changed_since_is_left_and_named() {
    let mut world = four(Seed::contoso(), "").await;
    world.people.set("ada", "title", "Lead").set("ada", "department", "Sales").set("bea", "title", "Lead");
    let ran = world.sync().await;
    world.pass_days(1);
    world.tenant.set_user("ada@contoso.com", json!({ "jobTitle": "Countess" })).unwrap();
    let planned = world.undo_run(&ran.run.id, None).await;
    assert_eq!(planned.decided("ada@contoso.com"), "update: undoing not_undone");
    let row = planned.row("ada@contoso.com").unwrap();
    assert_eq!(row.decision.reasons[1].detail.as_deref(), Some("jobTitle: it was changed since"));
    world.apply(&planned.hash()).await;
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.text("jobTitle"), ada.text("department")), ("Countess", "Research"));
    assert_eq!(world.account("bea@contoso.com").text("jobTitle"), "Engineer");
}

#[tokio::test]
async fn c12_what_was_made_by_hand_after_an_undoing_is_told_no_more() {
    let mut world = four(Seed::contoso(), "").await;
    world.people.set("ada", "title", "Lead").set("ada", "department", "Sales");
    let ran = world.sync().await;
    world.pass_days(1);
    world.tenant.set_user("ada@contoso.com", json!({ "jobTitle": "Countess" })).unwrap();
    let planned = world.undo_run(&ran.run.id, None).await;
    assert_eq!(planned.decided("ada@contoso.com"), "update: undoing not_undone");
    world.apply(&planned.hash()).await;
    // As the page of `not_undone` says: the rest by hand, and the source, which still wants it.
    world.tenant.set_user("ada@contoso.com", json!({ "jobTitle": "Engineer" })).unwrap();
    world.people.set("ada", "title", "Engineer").set("ada", "department", "Research");
    world.pass_days(1);
    assert!(world.sync().await.writes.is_empty());
    let planned = world.undo_run(&ran.run.id, None).await;
    assert_eq!(planned.decided("ada@contoso.com"), "none: undoing");
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Engineer");
}

#[tokio::test]
async fn undone_creations_are_deletions_that_the_guard_sees() {
    let mut world = four(Seed::contoso(), "").await;
    world.people.hire("emil");
    let ran = world.sync().await;
    assert_eq!(world.accounts().iter().filter(|account| !account.deleted()).count(), 5);
    world.pass_days(1);
    let planned = world.undo_run(&ran.run.id, None).await;
    assert_eq!(planned.decided("emil@contoso.com"), "delete: undoing");
    let change = planned.row("emil@contoso.com").unwrap().decision.change.clone().unwrap();
    assert_eq!((change.removals.deletes, change.removal_from), (1, Some(0)));
    world.apply(&planned.hash()).await;
    assert_eq!(world.accounts().iter().filter(|account| !account.deleted()).count(), 4);
    world.pass_days(1);
    let night = world.sync().await;
    assert!(night.writes.is_empty(), "{:?}", night.decided("emil@contoso.com"));
    let night = world.plan_everybody().await;
    assert!(night.decided("emil@contoso.com").contains("undone"), "{}", night.decided("emil@contoso.com"));
}

#[tokio::test]
async fn a_takeover_is_undone_with_link_and_immutable_id() {
    let mut world = World::with(Seed::contoso().user(by_hand("ada")), "").await;
    let before = state(&world);
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert!(world.account("ada@contoso.com").immutable_id().is_some());
    world.pass_days(1);
    undone(&mut world, &ran).await;
    same(&state(&world), &before);
    world.pass_days(1);
    let night = world.plan_everybody().await;
    assert!(night.decided("ada@contoso.com").starts_with("none: undone"), "{}", night.decided("ada@contoso.com"));
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn a_deletion_is_undone_from_the_recycle_bin_and_a_purged_account_is_named() {
    let policy = "[actions]\ndelete = \"on\"\n[lifecycle]\nabsent = [{ action = \"suspend\" }, { action = \"delete\", after = \"3d\" }]\n[guard]\nmax_removals_percent = 100";
    let mut world = four(Seed::contoso(), policy).await;
    let ada = world.account("ada@contoso.com").id().to_owned();
    let bea = world.account("bea@contoso.com").id().to_owned();
    world.people.remove("ada");
    world.people.remove("bea");
    world.sync().await;
    let suspended = state(&world);
    world.pass_days(4);
    let ran = world.sync().await;
    let gone = |world: &World, id: &str| world.accounts().iter().any(|account| account.id() == id && account.deleted());
    assert!(gone(&world, &ada) && gone(&world, &bea));
    world.tenant.purge_user(&bea).unwrap();
    world.pass_days(1);
    let planned = world.undo_run(&ran.run.id, None).await;
    assert_eq!(planned.decided("ada@contoso.com"), "restore: undoing");
    assert_eq!(planned.decided("bea@contoso.com"), "none: not_undone");
    world.apply(&planned.hash()).await;
    assert_eq!(state(&world).get(&ada), suspended.get(&ada));
    world.pass_days(1);
    world.sync().await;
    assert!(!gone(&world, &ada), "the next night does not delete it again");
}

#[tokio::test]
async fn everything_of_a_person_within_thirty_days_is_undone_and_older_changes_are_not() {
    let mut world = four(Seed::contoso(), "").await;
    world.people.set("ada", "title", "Lead");
    world.sync().await;
    world.pass_days(31);
    let before = state(&world);
    world.people.set("ada", "department", "Sales");
    world.sync().await;
    world.pass_days(1);
    world.people.set("ada", "department", "Finance");
    world.sync().await;
    world.pass_days(1);
    let planned = world.undo_person(&guid(1)).await;
    assert_eq!(planned.rows.len(), 1);
    world.apply(&planned.hash()).await;
    same(&state(&world), &before);
}

/// Mixed changes of many people, undone to the same tenant state. `HARDMATCH_UNDO` sets how many people.
#[tokio::test]
async fn many_mixed_changes_are_undone_to_the_same_tenant() {
    let asked = std::env::var_os("HARDMATCH_UNDO").and_then(|text| text.to_str()?.parse().ok());
    let people: usize = asked.unwrap_or(60);
    let mut seed = tenant();
    seed.skus[0].enabled = 100_000;
    let mut world = World::with(seed, RULES).await;
    for number in 0..people {
        world.people.hire(&format!("p{number}"));
    }
    world.settle_by_hash().await;
    world.pass_days(1);
    let before = state(&world);
    for number in 0..people {
        let name = format!("p{number}");
        match number % 6 {
            0 => _ = world.people.set(&name, "title", "Lead"),
            1 => _ = world.people.set(&name, "department", "Sales"),
            2 => _ = world.people.set(&name, "enabled", "false"),
            3 => _ = world.people.rename(&name, &format!("{name}.new@contoso.com")),
            4 => _ = world.people.set(&name, "manager", "p0@contoso.com"),
            _ => _ = world.people.set(&name, "title", "Boss").set(&name, "manager", "p1@contoso.com"),
        }
    }
    let planned = world.plan().await;
    let ran = world.apply(&planned.hash()).await;
    assert_eq!(ran.outcomes.len(), people);
    world.pass_days(1);
    let back = undone(&mut world, &ran).await;
    assert_eq!(back.outcomes.len(), people);
    same(&state(&world), &before);
    world.pass_days(1);
    assert!(world.sync().await.writes.is_empty());
}
