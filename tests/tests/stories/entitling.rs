//! Licences and groups by rule: given, exchanged, taken stage by stage, and only what was given.

use hardmatch_ports::run::Status;
use hardmatch_sim::{Seed, SeedSku};
use hardmatch_tests::World;
use serde_json::{Value, json};

const E3: &str = "05e9a617-0261-4cee-bb44-138d3ef5d965";
const E1: &str = "18181a46-0d4e-45cd-891e-60aabd171b4e";
const SALES: &str = "11111111-2222-4333-8444-555555555555";

fn sku(id: &str, name: &str, seats: i64) -> SeedSku {
    serde_json::from_value(json!({
        "skuId": id, "skuPartNumber": name, "enabled": seats,
        "plans": [
            { "servicePlanId": "efb87545-963c-4e0d-99df-69c6916d9eb0", "servicePlanName": "EXCHANGE_S_ENTERPRISE" },
            { "servicePlanId": "57ff2da0-773e-42df-b2af-ffb7a2317929", "servicePlanName": "TEAMS1" },
        ],
    }))
    .expect("a subscription")
}

fn tenant(seats: i64) -> Seed {
    let mut seed = Seed::contoso();
    seed.skus = vec![sku(E3, "SPE_E3", seats), sku(E1, "STANDARDPACK", seats)];
    seed.group(json!({
        "id": SALES, "displayName": "Sales", "mailNickname": "sales", "mailEnabled": false, "securityEnabled": true,
    }))
}

/// Research has E3, Sales E1 and its group; everybody is Swedish.
const RULES: &str = r#"
[attributes]
usageLocation = "'SE'"
[actions]
delete = "on"
[lifecycle]
absent = [{ action = "suspend" }, { action = "remove-licenses", after = "7d" }, { action = "delete", after = "30d" }]
[guard]
max_removals_percent = 100
[[license]]
sku = "SPE_E3"
when = "person.department == 'Research'"
[[license]]
sku = "STANDARDPACK"
disabled_plans = ["TEAMS1"]
when = "person.department == 'Sales'"
[[group]]
name = "Sales"
when = "person.department == 'Sales'"
"#;

/// Ada and Bea of Research, Cleo and Dora of Sales, all of them settled.
async fn four(seed: Seed, rules: &str) -> World {
    let mut world = World::with(seed, rules).await;
    world.people.hire("ada").hire("bea").hire("cleo").hire("dora");
    world.people.set("cleo", "department", "Sales").set("dora", "department", "Sales");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.status(), Some(Status::Converged), "{:?}", ran.outcomes);
    world.pass_days(1);
    world
}

fn skus(world: &World, name: &str) -> Vec<String> {
    let account = world.account(&format!("{name}@contoso.com"));
    let licenses = account.0["assignedLicenses"].as_array().cloned().unwrap_or_default();
    licenses.iter().filter_map(|license| license["skuId"].as_str().map(str::to_owned)).collect()
}

fn calls(writes: &[hardmatch_sim::SeenRequest]) -> Vec<String> {
    writes.iter().map(|call| format!("{} {}", call.method, call.route)).collect()
}

#[tokio::test]
async fn o34_o36_newcomers_are_licensed_and_members_in_the_first_run_and_the_second_is_empty() {
    let mut world = four(tenant(10), RULES).await;
    assert_eq!((skus(&world, "ada"), skus(&world, "cleo")), (vec![E3.to_owned()], vec![E1.to_owned()]));
    assert_eq!(world.members("displayName", "Sales"), ["cleo", "dora"]);
    let cleo = world.account("cleo@contoso.com");
    assert_eq!(cleo.0["assignedLicenses"][0]["disabledPlans"], json!(["57ff2da0-773e-42df-b2af-ffb7a2317929"]));
    let again = world.sync().await;
    assert!(again.writes.is_empty(), "{:?}", calls(&again.writes));
    assert_eq!(again.status(), Some(Status::Converged));
}

#[tokio::test]
async fn a_mover_exchanges_one_license_for_the_other_in_one_call_and_changes_groups() {
    let mut world = four(tenant(10), RULES).await;
    world.people.set("cleo", "department", "Research");
    let ran = world.sync().await;
    let mut made = calls(&ran.writes);
    made.sort();
    assert_eq!(
        made,
        ["DELETE /groups/{id}/members/{id}/$ref", "PATCH /users/{id}", "POST /users/{id}/assignLicense"],
        "{}",
        ran.decided("cleo@contoso.com")
    );
    assert_eq!(
        (skus(&world, "cleo"), world.members("displayName", "Sales")),
        (vec![E3.to_owned()], vec!["dora".to_owned()])
    );
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn o19_leavers_lose_sign_in_then_licenses_then_the_account() {
    let mut world = four(tenant(10), RULES).await;
    let cleo = world.people.remove("cleo").expect("cleo");
    world.sync().await;
    assert!(!world.account("cleo@contoso.com").enabled());
    assert_eq!((skus(&world, "cleo").len(), world.members("displayName", "Sales").len()), (1, 2), "not yet");
    world.pass_days(7);
    let ran = world.sync().await;
    assert_eq!(ran.decided("cleo@contoso.com"), "license: source_absent in_grace");
    assert_eq!((skus(&world, "cleo").len(), world.members("displayName", "Sales")), (0, vec!["dora".to_owned()]));
    assert!(world.sync().await.writes.is_empty());
    // Back before the deletion: everything that was ours comes back.
    world.people.put_back("cleo", cleo);
    world.sync().await;
    assert!(world.account("cleo@contoso.com").enabled());
    assert_eq!((skus(&world, "cleo"), world.members("displayName", "Sales").len()), (vec![E1.to_owned()], 2));
    world.people.remove("cleo");
    world.sync().await;
    world.pass_days(31);
    world.sync().await;
    assert!(world.account("cleo@contoso.com").deleted());
}

#[tokio::test]
async fn what_an_administrator_gave_is_not_ours_to_take() {
    let seed = tenant(10).user(json!({
        "id": "99999999-2222-4333-8444-555555555555", "userPrincipalName": "eve@contoso.com", "displayName": "Eve",
        "accountEnabled": true, "usageLocation": "SE", "mailNickname": "eve",
        "assignedLicenses": [{ "skuId": E3, "disabledPlans": [] }],
    }));
    let mut world = four(seed, RULES).await;
    world.people.hire("eve");
    world.sync().await;
    assert_eq!(skus(&world, "eve"), [E3], "she has what the rule gives, by somebody else's hand");
    world.people.set("eve", "department", "Legal");
    let ran = world.sync().await;
    assert_eq!(calls(&ran.writes), ["PATCH /users/{id}"]);
    assert_eq!(skus(&world, "eve"), [E3]);
}

#[tokio::test]
async fn c3_a_plan_says_how_many_seats_are_short_before_anything_is_written_and_the_rest_goes_on() {
    let mut world = World::with(tenant(1), RULES).await;
    world.people.hire("ada").hire("bea").hire("cleo");
    let planned = world.plan().await;
    assert!(planned.writes.is_empty());
    let seats = &planned.run.plan.as_ref().expect("a plan").seats;
    let seats: Vec<_> = seats.iter().map(|seats| (seats.part_number.as_str(), seats.needed, seats.short())).collect();
    assert_eq!(seats, [("SPE_E3", 3, 2)]);
    let ran = world.apply(&planned.hash()).await;
    assert_eq!(ran.status(), Some(Status::Attention));
    assert_eq!(world.accounts().len(), 3, "everybody has an account");
    let licensed = ["ada", "bea", "cleo"].iter().filter(|name| skus(&world, name).len() == 1).count();
    assert_eq!(licensed, 1);
    let refused =
        ["ada", "bea", "cleo"].iter().filter(|name| ran.outcome(&format!("{name}@contoso.com")).contains("no_seats"));
    assert_eq!(refused.count(), 2);
    // Who went without is not lost: leaving takes nothing away that was never given, and others' seats help them.
    let without = ["ada", "bea", "cleo"].into_iter().find(|name| skus(&world, name).is_empty()).expect("somebody");
    world.people.remove(without);
    world.pass_days(1);
    let ran = world.sync().await;
    assert!(ran.decided(&format!("{without}@contoso.com")).starts_with("suspend: source_absent"), "o4");
}

#[tokio::test]
async fn j14_a_group_that_is_not_there_is_made_once_by_its_first_member() {
    let rules = r#"
[[group]]
name = "Résearch & Co"
kind = "microsoft365"
when = "person.department == 'Research'"
"#;
    let mut world = World::with(tenant(10), rules).await;
    for name in ["ada", "bea", "cleo"] {
        world.people.hire(name);
    }
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.status(), Some(Status::Converged), "{:?}", ran.outcomes);
    assert_eq!(calls(&ran.writes).iter().filter(|call| *call == "POST /groups").count(), 1);
    assert_eq!(world.members("displayName", "Résearch & Co"), ["ada", "bea", "cleo"]);
    world.pass_days(1);
    let again = world.sync().await;
    assert!(again.writes.is_empty(), "{:?}", calls(&again.writes));
    assert_eq!(world.tenant.groups().len(), 2);
    // Its name is known from now on by its id.
    world.people.hire("dora");
    world.sync().await;
    assert_eq!(world.members("displayName", "Résearch & Co").len(), 4);
    assert_eq!(world.tenant.groups().len(), 2);
}

#[tokio::test]
async fn a_rule_that_fails_takes_nothing() {
    let mut world = four(tenant(10), RULES).await;
    world.set_policy(&RULES.replace("person.department == 'Research'", "int(person.source['department']) > 1"));
    let ran = world.plan().await;
    assert!(ran.decided("ada@contoso.com").contains("unknown"), "{}", ran.decided("ada@contoso.com"));
    world.apply(&ran.hash()).await;
    assert_eq!(skus(&world, "ada"), [E3]);
}

#[tokio::test]
async fn a_group_loses_a_fifth_of_its_members_at_most_unless_that_is_approved() {
    let mut world = World::with(tenant(30), RULES).await;
    let names: Vec<String> = (0..20).map(|n| format!("p{n:02}")).collect();
    for name in &names {
        world.people.hire(name).set(name, "department", "Sales");
    }
    world.settle_by_hash().await;
    world.pass_days(2);
    assert_eq!(world.members("displayName", "Sales").len(), 20);
    for name in &names[..5] {
        world.people.set(name, "department", "Legal");
    }
    let ran = world.sync().await;
    let note = ran.run.guard.clone().expect("the gate's word");
    assert!(!note.released && note.sentence.contains("Sales"), "{}", note.sentence);
    assert_eq!((ran.status(), world.members("displayName", "Sales").len()), (Some(Status::Attention), 20));
    let planned = world.plan().await;
    world.apply(&planned.hash()).await;
    assert_eq!(world.members("displayName", "Sales").len(), 15, "applied by its hash, what it shows is approved");
}

const VISIO: &str = "c5928f49-12ba-48f7-ada3-0d743a3601d5";

/// Research has E3 and Visio.
const BOTH: &str = r#"
[attributes]
usageLocation = "'SE'"
[[license]]
sku = "SPE_E3"
when = "person.department == 'Research'"
[[license]]
sku = "VISIOCLIENT"
when = "person.department == 'Research'"
"#;

fn visio(seats: i64, plan: &Value) -> SeedSku {
    let plans = json!([plan]);
    serde_json::from_value(json!({
        "skuId": VISIO, "skuPartNumber": "VISIOCLIENT", "enabled": seats, "plans": plans,
    }))
    .expect("a subscription")
}

fn visio_plan() -> Value {
    json!({ "servicePlanId": "663a804f-1c30-4ff0-9915-9db84f0d1cea", "servicePlanName": "VISIO_CLIENT" })
}

#[tokio::test]
async fn a_license_without_a_seat_does_not_keep_the_others_and_is_not_asked_for_every_night() {
    let mut seed = tenant(10);
    seed.skus.push(visio(0, &visio_plan()));
    let mut world = World::with(seed, BOTH).await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(skus(&world, "ada"), [E3], "{:?}", ran.outcomes);
    assert!(ran.outcome("ada@contoso.com").contains("no_seats"));
    let told = format!("{:?}", ran.outcomes.values().next().map(|outcome| outcome.said()[0].clone()));
    assert!(told.contains("VISIOCLIENT") && !told.contains("SPE_E3"), "{told}");
    for night in 1..=5 {
        world.pass_days(1);
        let ran = world.sync().await;
        assert!(ran.writes.is_empty(), "night {night}: {:?}", calls(&ran.writes));
        assert_eq!(ran.status(), Some(Status::Attention), "it is said every night");
    }
    // The tenant's word is asked for once a week all the same.
    world.pass_days(2);
    assert_eq!(calls(&world.sync().await.writes), ["POST /users/{id}/assignLicense"]);
}

#[tokio::test]
async fn a_license_that_conflicts_is_refused_by_itself_and_for_its_own_reason() {
    let mut seed = tenant(10);
    let mut plan = visio_plan();
    plan["excludes"] = json!(["TEAMS1"]);
    seed.skus.push(visio(10, &plan));
    let mut world = World::with(seed, BOTH).await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(skus(&world, "ada"), [E3], "{:?}", ran.outcomes);
    assert!(ran.outcome("ada@contoso.com").contains("license_conflict"), "{:?}", ran.outcomes);
    world.pass_days(1);
    assert!(world.sync().await.writes.len() <= 1);
    world.pass_days(1);
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn an_exchange_without_a_seat_keeps_what_is_there_and_gives_the_rest() {
    let mut seed = tenant(40);
    seed.skus[0].enabled = 0;
    seed.skus.push(visio(10, &visio_plan()));
    let rules = RULES.replace(
        "[[group]]",
        "[[license]]\nsku = \"VISIOCLIENT\"\nwhen = \"person.department == 'Research'\"\n[[group]]",
    );
    let mut world = World::with(seed, &rules).await;
    // Enough others in the group that one who leaves it is let go.
    for name in ["cleo", "dora", "eric", "fay", "gus", "hal", "ida", "jim", "kit", "leo", "mia", "noa"] {
        world.people.hire(name).set(name, "department", "Sales");
    }
    world.settle_by_hash().await;
    assert_eq!(skus(&world, "cleo"), [E1]);
    world.pass_days(1);
    world.people.set("cleo", "department", "Research");
    let ran = world.sync().await;
    let mut has = skus(&world, "cleo");
    has.sort();
    let mut kept = vec![E1.to_owned(), VISIO.to_owned()];
    kept.sort();
    assert_eq!(has, kept, "the mailbox stays until there is a seat: {:?}", ran.outcomes);
}

#[tokio::test]
async fn o20_a_rule_of_an_unknown_product_ends_the_first_run_before_anybody_is_created() {
    let mut world = World::with(tenant(5), &RULES.replace("SPE_E3", "SPE_E33")).await;
    world.people.hire("ada").hire("cleo");
    let ran = world.plan().await;
    assert_eq!((ran.status(), ran.rows.len(), ran.writes.len()), (Some(Status::Incomplete), 0, 0));
    let told = |problem: &&String| problem.contains("SPE_E33") && problem.contains("SPE_E3, STANDARDPACK");
    assert!(ran.run.problems.iter().any(|problem| told(&problem)), "{:?}", ran.run.problems);
    world.set_policy(RULES);
    assert_eq!(world.settle_by_hash().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn a_license_that_a_group_carries_is_not_taken_until_the_rule_goes() {
    // Either way of the page: the rule goes, or the licence leaves the group.
    let without_rule = RULES.replace("[[license]]\nsku = \"SPE_E3\"\nwhen = \"person.department == 'Research'\"\n", "");
    assert_ne!(without_rule, RULES);
    for rule_goes in [true, false] {
        let mut world = four(tenant(10), RULES).await;
        // An administrator licenses a group of Ada's instead of her, and she moves to a department without a rule.
        let by_group =
            json!([{ "skuId": E3, "disabledPlans": [], "assignedByGroup": SALES, "state": "Active", "error": "None" }]);
        world.tenant.set_user("ada@contoso.com", json!({ "licenseAssignmentStates": by_group })).unwrap();
        world.people.set("ada", "department", "Press");
        let ran = world.sync().await;
        assert!(ran.outcome("ada@contoso.com").contains("license_inherited"), "{:?}", ran.outcomes);
        assert_eq!(skus(&world, "ada"), [E3], "it stays");
        if rule_goes {
            world.set_policy(&without_rule);
        } else {
            let none = json!({ "licenseAssignmentStates": [], "assignedLicenses": [] });
            world.tenant.set_user("ada@contoso.com", none).unwrap();
        }
        world.pass_days(1);
        let ran = world.sync().await;
        let told = format!("{} {}", ran.decided("ada@contoso.com"), ran.outcome("ada@contoso.com"));
        assert!(!told.contains("license_inherited"), "rule goes: {rule_goes}: {told}");
        assert_eq!(skus(&world, "ada").is_empty(), !rule_goes);
    }
}
