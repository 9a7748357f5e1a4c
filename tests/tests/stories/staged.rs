//! Leaving in stages on the clock, and coming back at each of them: what we did is undone as far as it went, what an
//! administrator did is theirs, and what is ours stays known when a link moves.

use hardmatch_ports::run::Status;
use hardmatch_sim::{Seed, SeedSku};
use hardmatch_tests::World;
use serde_json::{Value, json};

const E3: &str = "05e9a617-0261-4cee-bb44-138d3ef5d965";
const VISIO: &str = "4b244418-9658-4451-a2b8-b5e2b364e9bd";
const ADA: &str = "ada@contoso.com";

/// Sign-in goes at once, licences after a week, the account after a month; whatever is repaired needs no question.
const STAGES: &str = r#"
[attributes]
usageLocation = "'SE'"
[match]
prove = ["employeeId"]
[actions]
delete = "on"
repair = "on"
[lifecycle]
absent = [{ action = "suspend" }, { action = "remove-licenses", after = "7d" }, { action = "delete", after = "30d" }]
[guard]
max_removals_percent = 100
[[license]]
sku = "SPE_E3"
when = "person.department == 'Research'"
[[group]]
name = "Research"
when = "person.department == 'Research'"
"#;

fn sku(id: &str, name: &str, plan: &str) -> SeedSku {
    let plans = json!([{ "servicePlanId": plan, "servicePlanName": format!("{name}_PLAN") }]);
    serde_json::from_value(json!({ "skuId": id, "skuPartNumber": name, "enabled": 50, "plans": plans }))
        .expect("a subscription")
}

/// Ada and three others, settled, with a licence and a group of ours.
async fn settled() -> World {
    let mut seed = Seed::contoso();
    seed.skus = vec![
        sku(E3, "SPE_E3", "57ff2da0-773e-42df-b2af-ffb7a2317929"),
        sku(VISIO, "VISIOCLIENT", "da792a53-cbc0-4184-a10d-e544dd34b3c1"),
    ];
    let group = json!({
        "id": "11111111-2222-4333-8444-555555555555", "displayName": "Research", "mailNickname": "research",
        "mailEnabled": false, "securityEnabled": true,
    });
    let mut world = World::with(seed.group(group), STAGES).await;
    world.people.hire("ada").hire("bea").hire("cleo").hire("dora");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.status(), Some(Status::Converged), "{:?}", ran.outcomes);
    world.pass_days(1);
    world
}

/// Of the account of an id: sign-in, licences, whether it is a member, whether it is in the recycle bin.
fn stands(world: &World, id: &str) -> (bool, usize, bool, bool) {
    let account = world.accounts().into_iter().find(|account| account.id() == id).expect("the account is there");
    let licences = account.0["assignedLicenses"].as_array().map_or(0, Vec::len);
    let members = world.tenant.groups()[0]["members"].as_array().cloned().unwrap_or_default();
    (account.enabled(), licences, members.contains(&json!(id)), account.deleted())
}

/// So many days, a night each.
async fn days(world: &mut World, count: u64) {
    for _ in 0..count {
        world.pass_days(1);
        world.sync().await;
    }
}

#[tokio::test]
async fn j18_each_stage_of_leaving_comes_on_its_day_and_writes_once() {
    let mut world = settled().await;
    let id = world.account(ADA).id().to_owned();
    world.people.remove("ada");
    let mut written = Vec::new();
    for day in 0..=40 {
        let ran = world.sync().await;
        let calls = ran.writes.iter().map(|call| format!("{} {}", call.method, call.route));
        written.extend(calls.map(|call| (day, call)));
        world.pass_days(1);
    }
    let wanted = [
        (0, "PATCH /users/{id}"),
        (7, "DELETE /groups/{id}/members/{id}/$ref"),
        (7, "POST /users/{id}/assignLicense"),
        (30, "DELETE /users/{id}"),
    ];
    written.sort();
    assert_eq!(written, wanted.map(|(day, call)| (day, call.to_owned())));
    assert!(stands(&world, &id).3);
}

#[tokio::test]
async fn j19_j22_a_return_at_each_stage_undoes_what_we_did_as_far_as_it_went() {
    // Blocked; without licence and group; in the recycle bin.
    let stages = [(1, (false, 1, true, false)), (10, (false, 0, false, false)), (33, (false, 0, false, true))];
    for (absent, then) in stages {
        let mut world = settled().await;
        let id = world.account(ADA).id().to_owned();
        let whole = stands(&world, &id);
        assert_eq!(whole, (true, 1, true, false));
        let ada = world.people.remove("ada").expect("ada");
        days(&mut world, absent).await;
        assert_eq!(stands(&world, &id), then, "after {absent} days");
        world.people.put_back("ada", ada);
        days(&mut world, 2).await;
        assert_eq!(stands(&world, &id), whole, "back after {absent} days");
        assert_eq!(world.accounts().len(), 4, "nobody is made twice");
        world.pass_days(1);
        assert!(world.sync().await.writes.is_empty());
    }
}

#[tokio::test]
async fn j23_a_return_after_the_purge_makes_a_new_account_with_everything() {
    let mut world = settled().await;
    let id = world.account(ADA).id().to_owned();
    let ada = world.people.remove("ada").expect("ada");
    days(&mut world, 33).await;
    assert!(stands(&world, &id).3);
    world.tenant.purge_user(&id).unwrap();
    days(&mut world, 2).await;
    world.people.put_back("ada", ada);
    days(&mut world, 3).await;
    let new = world.account(ADA).id().to_owned();
    assert_ne!(new, id);
    assert_eq!(stands(&world, &new), (true, 1, true, false));
}

#[tokio::test]
async fn j19_what_an_administrator_did_between_the_stages_is_left_alone() {
    let mut world = settled().await;
    let id = world.account(ADA).id().to_owned();
    // A licence by hand, and a block by hand before the person leaves.
    let licenses = json!([{ "skuId": E3, "disabledPlans": [] }, { "skuId": VISIO, "disabledPlans": [] }]);
    world.tenant.set_user(ADA, json!({ "assignedLicenses": licenses, "accountEnabled": false })).unwrap();
    days(&mut world, 1).await;
    let ada = world.people.remove("ada").expect("ada");
    days(&mut world, 10).await;
    let account = world.account(ADA);
    let left: Vec<&Value> = account.0["assignedLicenses"].as_array().unwrap().iter().map(|one| &one["skuId"]).collect();
    assert_eq!(left, [&json!(VISIO)], "ours is taken, theirs stays");
    world.people.put_back("ada", ada);
    days(&mut world, 2).await;
    let (enabled, licences, member, _) = stands(&world, &id);
    assert_eq!((enabled, licences, member), (false, 2, true), "what we took comes back; the block was never ours");
}

#[tokio::test]
async fn c_9_the_ledger_moves_with_the_link_of_a_person_hired_again() {
    let mut world = settled().await;
    let id = world.account(ADA).id().to_owned();
    world.people.remove("ada");
    days(&mut world, 10).await;
    assert_eq!(stands(&world, &id), (false, 0, false, false));
    // Hired again: another GUID, the same employee number.
    world.people.hire("ada").set("ada", "employeeID", "E0001");
    days(&mut world, 3).await;
    assert_eq!(stands(&world, &id), (true, 1, true, false), "what we blocked and took is given back to its new link");
    assert_eq!(world.accounts().len(), 4);
    // And the new link knows what is ours: leaving once more takes all of it again.
    world.people.remove("ada");
    days(&mut world, 10).await;
    assert_eq!(stands(&world, &id), (false, 0, false, false));
}
