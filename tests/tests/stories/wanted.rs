//! People who are wanted now: looked up in the tenant themselves, decided and written at once, beside everything else.

use hardmatch_match::Accept;
use hardmatch_ports::Clock as _;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{Phase, ReadMode, Status};
use hardmatch_sim::{Fault, FaultRule, Place, Seed};
use hardmatch_store::sync_requests::SyncRequest;
use hardmatch_tests::{CorruptAnswer, KillAt, World, by_hand, guid, immutable_id};
use serde_json::json;

/// A company whose first plan is applied, its people `p01` and on.
async fn settled(people: usize) -> World {
    let mut world = World::new().await;
    for number in 1..=people {
        world.people.hire(&format!("p{number:02}"));
    }
    world.settle_by_hash().await;
    world.pass_days(1);
    world
}

/// What the tenant was asked for in the last command, without the parts of batches that write.
fn asked(world: &World) -> Vec<String> {
    let seen = world.tenant.requests();
    seen.iter().map(|request| format!("{} {}", request.method, request.route)).collect()
}

async fn requests(world: &World) -> usize {
    world.store().await.sync_requests(&world.connection(), usize::MAX).await.unwrap().len()
}

#[tokio::test]
async fn c11_o23_one_person_is_looked_up_and_no_listing_is_read() {
    let mut world = settled(3).await;
    world.people.hire("new");
    let ran = world.sync_one(&guid(4)).await;
    assert_eq!(
        (ran.decided("new@contoso.com").as_str(), ran.outcome("new@contoso.com").as_str()),
        ("create: provision", "done")
    );
    assert_eq!(ran.rows.len(), 1);
    let asked = asked(&world);
    let listings = ["GET /users/delta", "GET /domains", "GET /organization"];
    assert!(!asked.iter().any(|request| listings.contains(&request.as_str())), "{asked:?}");
    assert_eq!(asked.iter().filter(|request| *request == "POST /$batch").count(), 1, "{asked:?}");
    let users = &ran.run.collections["users"];
    assert_eq!(users.read, Some(ReadMode::Asked));
    assert!(users.notes[0].contains("1 immutable IDs and 1 names: nobody has them"), "{:?}", users.notes);
}

#[tokio::test]
async fn c11_one_person_has_the_row_that_the_full_run_has() {
    for change in ["title", "enabled", "displayName"] {
        let mut world = settled(5).await;
        world.people.set("p02", change, if change == "enabled" { "false" } else { "Other" });
        world.tenant.set_user("p02@contoso.com", json!({ "city": "Lund" })).unwrap();
        // The first plan starts the clocks of leaving; the second shows what is planned from then on.
        world.plan().await;
        let planned = world.plan().await;
        let alone = world.sync_one(&guid(2)).await;
        let row = |ran: &hardmatch_tests::Ran| serde_json::to_value(ran.row("p02@contoso.com").unwrap()).unwrap();
        assert_eq!(row(&planned), row(&alone), "{change}");
    }
}

#[tokio::test]
async fn an_account_made_since_the_last_round_is_found_and_not_doubled() {
    let mut world = settled(3).await;
    world.tenant.add_user(by_hand("new")).unwrap();
    world.people.hire("new");
    let ran = world.want(&[&guid(4)]).await.unwrap().remove(0);
    assert_eq!(ran.decided("new@contoso.com"), "takeover: takeover");
    assert_eq!(ran.outcome("new@contoso.com"), "done");
    assert_eq!(world.accounts().len(), 4);
    assert_eq!(world.account("new@contoso.com").immutable_id(), Some(immutable_id(&guid(4)).as_str()));
}

#[tokio::test]
async fn an_account_deleted_since_the_last_round_keeps_its_id_and_is_restored() {
    let mut world = settled(2).await;
    let mut hers = by_hand("new");
    hers["onPremisesImmutableId"] = json!(immutable_id(&guid(3)));
    world.tenant.add_user(hers).unwrap();
    world.tenant.delete_user("new@contoso.com").unwrap();
    world.people.hire("new");
    let ran = world.want(&[&guid(3)]).await.unwrap().remove(0);
    let decided = ran.decided("new@contoso.com");
    assert!(decided.starts_with("restore: restore_deleted"), "{decided}");
    assert_eq!(world.accounts().len(), 3);
}

#[tokio::test]
async fn a_role_given_since_the_last_round_keeps_the_account_from_being_taken() {
    for eligible in [false, true] {
        let mut world = settled(2).await;
        world.tenant.add_user(by_hand("new")).unwrap();
        if eligible {
            world.tenant.make_eligible("new@contoso.com", "Global Administrator").unwrap();
        } else {
            world.tenant.grant_role("new@contoso.com", "Global Administrator").unwrap();
        }
        world.people.hire("new");
        let ran = world.want(&[&guid(3)]).await.unwrap().remove(0);
        assert_eq!(ran.decided("new@contoso.com"), "none: privileged", "eligible: {eligible}");
        assert!(ran.writes.iter().all(|call| call.method == "POST" && call.route == "/$batch"), "{:?}", ran.calls());
    }
}

#[tokio::test]
async fn an_address_that_a_group_got_since_the_last_round_is_not_free() {
    let news = json!({
        "displayName": "News", "mailNickname": "news", "mailEnabled": true, "securityEnabled": false,
        "mail": "new@contoso.com", "proxyAddresses": ["SMTP:new@contoso.com"], "groupTypes": ["Unified"],
    });
    let mut world = World::with(Seed::contoso().group(news), "").await;
    world.people.hire("ada").hire("bea");
    // The last round could not read groups.
    let refused = Fault::Status { status: 403, code: None, message: None, retry_after: None, applied: false };
    world.tenant.inject(FaultRule::new("GET /groups", refused).only(Place::Outer));
    world.settle_by_hash().await;
    world.tenant.clear_faults();
    world.people.hire("new");
    let ran = world.want(&[&guid(3)]).await.unwrap().remove(0);
    assert_eq!(ran.decided("new@contoso.com"), "none: address_held_by_group");
}

#[tokio::test]
async fn d15_c39_somebody_is_written_now_and_the_next_run_finds_nothing() {
    let mut world = settled(3).await;
    world.people.set("p02", "title", "Lead");
    let runs = world.want(&[&guid(2)]).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].run.phase, runs[0].status()), (Phase::Closed, Some(Status::Converged)));
    assert_eq!(world.account("p02@contoso.com").text("jobTitle"), "Lead");
    assert_eq!(requests(&world).await, 0);
    let nightly = world.sync().await;
    assert!(nightly.rows.is_empty() && nightly.writes.is_empty(), "{:?}", nightly.rows);
}

#[tokio::test]
async fn several_events_of_one_person_are_one() {
    let mut world = settled(2).await;
    world.people.hire("new");
    let runs = world.want(&[&guid(3), &guid(3), &guid(1), &guid(3)]).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].rows.len(), 2);
    assert_eq!(runs[0].calls().iter().filter(|call| call.starts_with("POST /users 201")).count(), 1);
}

#[tokio::test]
async fn a_newer_event_is_not_answered_by_an_older_run() {
    let world = settled(1).await;
    let (store, connection) = (world.store().await, world.connection());
    let request = SyncRequest { key: guid(1).as_str().into(), asked_ms: 1 };
    let older = store.write(store.request_sync(&connection, &request)).await.unwrap();
    store.write(store.request_sync(&connection, &request)).await.unwrap();
    let pid = store.secret().pid(&request.key);
    store.each_if(vec![store.end_sync_request(&connection, pid, older)]).await.unwrap();
    assert_eq!(requests(&world).await, 1, "the newer event stays");
}

#[tokio::test]
async fn before_the_first_plan_is_applied_everything_is_held() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea");
    let ran = world.want(&[&guid(1)]).await.unwrap().remove(0);
    assert_eq!(ran.outcome("ada@contoso.com"), "held: plan_waits");
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Attention), 0));
    assert!(world.accounts().is_empty());
    assert_eq!(requests(&world).await, 0, "it ends held");
    // The first plan is made and applied as ever, and has everybody.
    let applied = world.settle_by_hash().await;
    assert_eq!((applied.outcome("ada@contoso.com").as_str(), world.accounts().len()), ("done", 2));
}

#[tokio::test]
async fn a_person_wanted_between_the_first_plan_and_its_acceptance_is_written_by_that_plan() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea");
    let planned = world.plan().await;
    let ran = world.want(&[&guid(1)]).await.unwrap().remove(0);
    assert_eq!(ran.outcome("ada@contoso.com"), "held: plan_waits");
    let applied = world.apply(&planned.hash()).await;
    assert_eq!((applied.outcome("ada@contoso.com").as_str(), world.accounts().len()), ("done", 2));
    // Another title is another change: the plan did not show it, and the next run writes it.
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea");
    let planned = world.plan().await;
    world.people.set("ada", "title", "Lead");
    world.want(&[&guid(1)]).await.unwrap();
    world.apply(&planned.hash()).await;
    assert_eq!(world.accounts().len(), 1);
    world.sync().await;
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Lead");
}

#[tokio::test]
async fn a_quarantined_connection_holds_everything() {
    let mut world = settled(2).await;
    let store = world.store().await;
    store.quarantine(&world.connection(), "another", "most of it failed", world.clock.now().as_second()).await.unwrap();
    world.people.set("p01", "title", "Lead");
    let ran = world.want(&[&guid(1)]).await.unwrap().remove(0);
    assert_eq!(ran.outcome("p01@contoso.com"), "held: quarantined");
    assert_eq!(world.account("p01@contoso.com").text("jobTitle"), "Engineer");
    // What was held tried nothing: the next one is held as well.
    let again = world.want(&[&guid(1)]).await.unwrap().remove(0);
    assert_eq!(again.outcome("p01@contoso.com"), "held: quarantined");
    // An operator releases it, and the next one is written.
    store.release_quarantine(&world.connection()).await.unwrap();
    let released = world.want(&[&guid(1)]).await.unwrap().remove(0);
    assert_eq!(released.outcome("p01@contoso.com"), "done");
    assert_eq!(world.account("p01@contoso.com").text("jobTitle"), "Lead");
}

#[tokio::test]
async fn removals_of_wanted_people_have_the_limits_of_the_day() {
    let mut world = settled(20).await;
    for number in 1..=12 {
        world.people.set(&format!("p{number:02}"), "enabled", "false");
    }
    let keys: Vec<String> = (1..=12).map(guid).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let ran = world.want(&keys).await.unwrap().remove(0);
    assert_eq!(ran.outcome("p01@contoso.com"), "held: guarded");
    assert!(world.accounts().iter().all(hardmatch_tests::Seen::enabled));
}

#[tokio::test]
async fn above_twenty_people_changes_of_the_tenant_are_followed_instead() {
    let mut world = settled(2).await;
    let keys: Vec<String> = (3..=27).map(guid).collect();
    for number in 3..=27 {
        world.people.hire(&format!("n{number:02}"));
    }
    world.tenant.add_user(by_hand("n05")).unwrap();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let ran = world.want(&keys).await.unwrap().remove(0);
    assert_eq!(ran.run.collections["users"].read, Some(ReadMode::Changes));
    assert_eq!((ran.decided("n05@contoso.com").as_str(), world.accounts().len()), ("takeover: takeover", 27));
    let asked = asked(&world);
    assert!(!asked.iter().any(|request| request == "GET /groups" || request == "GET /contacts"), "{asked:?}");
}

#[tokio::test]
async fn a_paused_connection_lets_people_wait_and_the_tick_finds_them() {
    let mut world = settled(1).await;
    let (store, connection) = (world.store().await, world.connection());
    store
        .update(&connection, |status: &mut hardmatch_store::connection::ConnectionStatus| status.pause("bea", 5))
        .await
        .unwrap();
    world.people.set("p01", "title", "Lead");
    assert!(world.want(&[&guid(1)]).await.unwrap().is_empty());
    store.update(&connection, hardmatch_store::connection::ConnectionStatus::resume).await.unwrap();
    world.notify(&[MessageKind::Tick]).await.unwrap();
    assert_eq!(world.account("p01@contoso.com").text("jobTitle"), "Lead");
    assert_eq!(requests(&world).await, 0);
}

#[tokio::test]
async fn a_process_killed_at_any_write_provisions_everybody_once() {
    // Each fifth write, beginning elsewhere for either kind of kill: a story of some seconds that meets every part of a run.
    for (first, spoil) in [(1, CorruptAnswer::Lost), (3, CorruptAnswer::Done)] {
        for at in (first..).step_by(5) {
            let mut world = settled(2).await;
            world.people.hire("new").set("p01", "title", "Lead");
            world.cut = Some(KillAt { at, spoil });
            let killed = world.want(&[&guid(3), &guid(1)]).await.is_err();
            // The sender of an event that was not stored sends it again.
            let stored = requests(&world).await > 0;
            if !stored && killed && world.accounts().len() < 3 {
                world.want(&[&guid(3), &guid(1)]).await.unwrap();
            }
            for _ in 0..2 {
                world.notify(&[MessageKind::SyncPeople, MessageKind::Tick]).await.unwrap();
            }
            world.try_sync(Accept::Nothing).await.unwrap();
            let place = format!("killed at write {at}, {spoil:?}");
            assert_eq!(world.accounts().len(), 3, "{place}");
            assert_eq!(world.account("p01@contoso.com").text("jobTitle"), "Lead", "{place}");
            assert_eq!(requests(&world).await, 0, "{place}");
            if !killed {
                assert!(at > 10, "the run makes more writes than {at}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn c38_an_address_that_changes_is_a_rename_and_no_second_account() {
    let mut world = World::with(Seed::contoso(), "[actions]\nrename = \"on\"").await;
    world.people.hire("ada").hire("bea").hire("cleo").hire("dora").hire("eve");
    world.settle_by_hash().await;
    let id = world.account("ada@contoso.com").id().to_owned();
    world.people.rename("ada", "ada.new@contoso.com");
    let ran = world.want(&[&guid(1)]).await.unwrap().remove(0);
    assert_eq!(ran.outcome("ada.new@contoso.com"), "done", "{:?}", ran.decided("ada.new@contoso.com"));
    assert_eq!((world.account("ada.new@contoso.com").id(), world.accounts().len()), (id.as_str(), 5));
}
