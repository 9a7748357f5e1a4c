//! Taking over from Entra Connect: while it masters accounts nothing of ours is written to them, and each becomes ours when it
//! becomes the cloud's, in the days that turning directory synchronization off takes.

use hardmatch_sim::Seed;
use hardmatch_tests::{World, by_hand, guid, immutable_id};
use serde_json::json;

const NAMES: [&str; 4] = ["ada", "bea", "cleo", "dora"];

fn upn(name: &str) -> String {
    format!("{name}@contoso.com")
}

/// Four accounts that Entra Connect masters, and the same four people at our source.
async fn mastered() -> World {
    let mut seed = Seed::contoso();
    seed.organization.on_premises_sync_enabled = Some(true);
    for (name, number) in NAMES.into_iter().zip(1..) {
        let mut account = by_hand(name);
        account["onPremisesImmutableId"] = json!(immutable_id(&guid(number)));
        account["onPremisesSyncEnabled"] = json!(true);
        seed = seed.user(account);
    }
    let mut world = World::with(seed, "[guard]\nmax_removals_percent = 100").await;
    for name in NAMES {
        world.people.hire(name);
    }
    world
}

fn turned_off(world: &World, name: &str) {
    world.tenant.set_user(&upn(name), json!({ "onPremisesSyncEnabled": false })).expect("the account is there");
}

#[tokio::test]
async fn o7_accounts_that_become_the_clouds_in_72_hours_are_taken_over_and_nobody_is_lost() {
    let mut world = mastered().await;
    let ids: Vec<String> = NAMES.iter().map(|name| world.account(&upn(name)).id().to_owned()).collect();
    let plan = world.plan().await;
    for name in NAMES {
        assert_eq!(plan.decided(&upn(name)), "none: mastered_elsewhere");
    }
    // Dora leaves while her account is not ours yet: nothing happens to it.
    world.people.remove("dora");
    for (hours, now_ours) in [(24, "ada"), (48, "bea"), (72, "cleo")] {
        world.pass_days(1);
        turned_off(&world, now_ours);
        let masters =
            |world: &World| world.accounts().into_iter().filter(hardmatch_tests::Seen::synced).map(|one| one.0);
        let before: Vec<_> = masters(&world).collect();
        world.sync_yes().await;
        assert_eq!(
            masters(&world).collect::<Vec<_>>(),
            before,
            "what is not ours yet is not written, {hours} hours on"
        );
        assert!(world.account(&upn("dora")).enabled(), "{hours} hours on");
    }
    world.pass_days(1);
    turned_off(&world, "dora");
    world.sync_yes().await;
    world.people.set("ada", "title", "Lead");
    world.pass_days(1);
    world.sync_yes().await;
    assert_eq!(world.account(&upn("ada")).text("jobTitle"), "Lead", "she is ours now");
    let now: Vec<String> = NAMES.iter().map(|name| world.account(&upn(name)).id().to_owned()).collect();
    assert_eq!((now, world.accounts().len()), (ids, 4), "nobody was made twice");
    for (name, number) in NAMES.into_iter().zip(1..) {
        let kept = immutable_id(&guid(number));
        assert_eq!(world.account(&upn(name)).immutable_id(), Some(kept.as_str()), "{name}");
    }
}
