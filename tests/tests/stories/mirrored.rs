//! Groups with the members of a group of the source, and groups that are named by their id.

use hardmatch_ports::run::Status;
use hardmatch_sim::Seed;
use hardmatch_tests::World;
use serde_json::json;

/// The group at the source.
const AT_SOURCE: &str = "8c1fa4b0-1111-4222-8333-000000000001";
/// A group of the tenant.
const THERE: &str = "11111111-2222-4333-8444-555555555555";

fn seed() -> Seed {
    Seed::contoso().group(json!({
        "id": THERE, "displayName": "Sales", "mailNickname": "sales", "mailEnabled": false, "securityEnabled": true,
    }))
}

/// Ada and Bea are in the group at the source, Cleo and Dora in another one; all of them are settled.
async fn four(rules: &str) -> World {
    let mut world = World::with(seed(), rules).await;
    world.people.columns.push("memberOf".to_owned());
    for name in ["ada", "bea", "cleo", "dora"] {
        world.people.hire(name).set(name, "memberOf", "Staff;Everybody");
    }
    for name in ["ada", "bea"] {
        in_group(&mut world, name, "Sales");
    }
    world.settle_by_hash().await;
    world.pass_days(1);
    world
}

/// Puts a person into the group at the source, which is called so.
fn in_group(world: &mut World, name: &str, called: &str) {
    world.people.set(name, "memberOf", &format!("Staff;{called};{AT_SOURCE}"));
}

#[tokio::test]
async fn o31_a_group_that_gets_another_name_at_the_source_is_the_same_group() {
    let rules = format!("[[group]]\nname = \"Sellers\"\nmembers_of = \"{}\"\n", AT_SOURCE.to_uppercase());
    let mut world = four(&rules).await;
    assert_eq!(world.members("displayName", "Sellers"), ["ada", "bea"]);
    let groups = world.tenant.groups().len();
    for name in ["ada", "bea"] {
        in_group(&mut world, name, "Revenue");
    }
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Converged), 0), "{:?}", ran.calls());
    world.pass_days(1);
    in_group(&mut world, "cleo", "Revenue");
    let ran = world.sync().await;
    assert_eq!(ran.writes.len(), 1, "{:?}", ran.calls());
    assert_eq!(world.members("displayName", "Sellers"), ["ada", "bea", "cleo"]);
    world.pass_days(1);
    world.people.set("bea", "memberOf", "Staff;Everybody");
    world.sync().await;
    assert_eq!(world.members("displayName", "Sellers"), ["ada", "cleo"]);
    assert_eq!(world.tenant.groups().len(), groups, "nothing was made anew");
}

#[tokio::test]
async fn members_are_added_twenty_in_one_call_and_each_is_recorded() {
    let rules = format!("[[group]]\nname = \"{THERE}\"\nmembers_of = \"{AT_SOURCE}\"\n");
    let mut world = four(&rules).await;
    let names: Vec<String> = (10..55).map(|number| format!("p{number}")).collect();
    for name in &names {
        world.people.hire(name).set(name, "memberOf", "Staff;Everybody");
    }
    world.settle_by_hash().await;
    world.pass_days(1);
    for name in &names {
        in_group(&mut world, name, "Sales");
    }
    let ran = world.settle_by_hash().await;
    let calls = ran.calls();
    assert!(calls.len() == 3 && calls.iter().all(|call| call.starts_with("PATCH /groups/")), "{calls:?}");
    assert_eq!(world.members("id", THERE).len(), 47);
    for name in &names {
        assert!(ran.outcome(&format!("{name}@contoso.com")).starts_with("done"), "{:?}", ran.outcomes);
    }
    world.pass_days(1);
    let again = world.sync().await;
    assert!(again.writes.is_empty(), "{:?}", again.calls());
}

#[tokio::test]
async fn a_group_that_is_named_by_its_id_is_that_group_whatever_it_is_called() {
    let mut world = four(&format!("[[group]]\nname = \"{THERE}\"\nmembers_of = \"{AT_SOURCE}\"\n")).await;
    assert_eq!(world.members("id", THERE), ["ada", "bea"]);
    world.tenant.rename_group("sales", "Revenue").expect("a group");
    in_group(&mut world, "cleo", "Sales");
    let ran = world.sync().await;
    assert_eq!(ran.writes.len(), 1, "{:?}", ran.calls());
    assert_eq!(world.members("id", THERE), ["ada", "bea", "cleo"]);
}

#[tokio::test]
async fn a_group_of_an_id_that_is_not_there_is_never_made() {
    let gone = "99999999-2222-4333-8444-555555555555";
    let mut world = four(&format!("[[group]]\nname = \"{gone}\"\nmembers_of = \"{AT_SOURCE}\"\n")).await;
    let ran = world.sync().await;
    assert_ne!(ran.status(), Some(Status::Converged));
    assert_eq!(world.tenant.groups().len(), 1, "{:?}", world.tenant.groups());
    let doubts: Vec<String> = ran.run.collections.values().flat_map(|one| one.doubts.clone()).collect();
    assert!(doubts.iter().any(|doubt| doubt.contains("no group of this id")), "{doubts:?}");
}
