//! What writing costs, and what becomes of it when the tenant refuses, is silent, or does not let us in.

use std::time::Duration;

use hardmatch_match::Accept;
use hardmatch_ports::run::{OutcomeKind, Phase, Status};
use hardmatch_sim::{CONTOSO_CLIENT_ID, Fault, FaultRule, Place, Seed};
use hardmatch_tests::{Bill, Cut, Spoil, Stopped, World};
use serde_json::json;

/// Enough people that what a run costs besides them weighs little.
const PEOPLE: usize = 60;

fn name(number: usize) -> String {
    format!("p{number:02}")
}

/// Units a person, in tenths.
fn each(bill: &Bill) -> u64 {
    bill.of_people() * 10 / PEOPLE as u64
}

#[tokio::test]
async fn what_a_person_costs_by_path() {
    let policy = "[guard]\nalways_allow = 1000\n[lifecycle]\nabsent = \"suspend\"";
    let mut world = World::with(Seed::contoso(), policy).await;
    for number in 0..PEOPLE {
        world.people.hire(&name(number));
    }
    let created = Bill::default();
    world.bill = Some(created.clone());
    world.settle_by_hash().await;

    world.pass_days(1);
    world.bill = None;
    world.sync().await;
    for number in 0..PEOPLE {
        world.people.set(&name(number), "title", "Lead");
    }
    let updated = Bill::default();
    world.bill = Some(updated.clone());
    let ran = world.sync().await;
    assert_eq!(ran.writes.len(), PEOPLE, "{:?}", ran.calls());

    world.pass_days(1);
    for number in 0..PEOPLE {
        world.people.rename(&name(number), &format!("new{number}@contoso.com"));
    }
    let renamed = Bill::default();
    world.bill = Some(renamed.clone());
    let ran = world.sync().await;
    assert_eq!(ran.writes.len(), PEOPLE, "{:?}", ran.calls());

    world.pass_days(1);
    for number in 0..PEOPLE / 2 {
        world.people.set(&name(number), "enabled", "false");
    }
    let suspended = Bill::default();
    world.bill = Some(suspended.clone());
    let ran = world.sync().await;
    assert_eq!(ran.writes.len(), PEOPLE / 2, "{:?}", ran.calls());

    for (path, bill) in [("create", &created), ("update", &updated), ("rename", &renamed), ("suspend", &suspended)] {
        eprintln!("{path}: {} tenths of a unit a person: {:#?}", each(bill), bill.items());
    }
    assert!(each(&updated) <= 140, "{:#?}", updated.items());
}

/// Everybody has an account; the titles of three have changed at the source.
async fn three_changes(policy: &str) -> World {
    let mut world = World::with(Seed::contoso(), policy).await;
    for name in ["ada", "bea", "cleo"] {
        world.people.hire(name);
    }
    world.settle_by_hash().await;
    world.pass_days(1);
    world.sync().await;
    for name in ["ada", "bea", "cleo"] {
        world.people.set(name, "title", "Lead");
    }
    world
}

fn titles(world: &World) -> Vec<String> {
    ["ada", "bea", "cleo"]
        .map(|name| world.account(&format!("{name}@contoso.com")).text("jobTitle").to_owned())
        .to_vec()
}

#[tokio::test]
async fn a_tenant_that_is_gone_in_the_middle_ends_the_draining_within_a_minute() {
    for fault in [Fault::Dropped, Fault::DroppedAfter] {
        let mut world = three_changes("").await;
        for route in ["POST /$batch", "PATCH /users/{id}", "GET /users/{id}"] {
            world.tenant.inject(FaultRule::new(route, fault.clone()).only(Place::Outer));
        }
        // Here the queue hands the bell over again until each person's attempts are used up; the first draining ended
        // after half a minute and told the run.
        let ran = world.try_sync(Accept::Nothing).await.expect("the run rests");
        let said = ran.run.problems.join(" ");
        assert!(said.contains("has not answered 6 batches in a row, for 30 seconds"), "{said}");
        assert_eq!(ran.count(OutcomeKind::Unavailable), 3, "{:?}", ran.outcomes);
        world.tenant.clear_faults();
        let ran = world.sync().await;
        assert_eq!(ran.status(), Some(Status::Converged), "{:?}", ran.outcomes);
        assert_eq!(titles(&world), ["Lead"; 3]);
    }
}

/// A process is killed while it writes; the run is open.
async fn killed_while_writing() -> World {
    for at in 1.. {
        let mut world = three_changes("").await;
        world.cut = Some(Cut { at, spoil: Spoil::Done });
        let ended = world.try_sync(Accept::Nothing).await;
        assert_eq!(ended.map(drop), Err(Stopped::Killed), "the run was over before it wrote");
        if world.runs().await[0].phase == Phase::Writing {
            return world;
        }
    }
    unreachable!("a run writes or ends")
}

#[tokio::test]
async fn credentials_that_end_in_the_middle_quarantine_the_connection_and_fail_nobody() {
    // Both sides are read, and everybody is decided; then the secret expires.
    let mut world = killed_while_writing().await;
    world.tenant.change_app(CONTOSO_CLIENT_ID, |app| app.secret_expired = true).unwrap();
    let ended = world.try_sync(Accept::Nothing).await;
    assert!(matches!(ended, Err(Stopped::Failed(_))), "{ended:?}");
    let store = world.store().await;
    let meta = store.meta(&world.connection()).await.unwrap().value;
    let run = &world.runs().await[0];
    assert!(meta.quarantine.is_some_and(|held| held.attempts == 1 && held.run == run.id));
    assert_eq!((run.problems.len(), run.outcomes.len()), (1, 0), "{:?}", run.problems);

    world.tenant.change_app(CONTOSO_CLIENT_ID, |app| app.secret_expired = false).unwrap();
    // What was decided is not lost, and a hand releases the connection.
    world.sync().await;
    let ran = world.settle_by_hash().await;
    assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Converged), 3), "{:?}", ran.outcomes);
    assert_eq!(titles(&world), ["Lead"; 3]);
}

#[tokio::test]
async fn what_the_tenant_refuses_is_not_sent_again_every_night() {
    let mut world = three_changes("").await;
    let refused = Fault::Status {
        status: 400,
        code: Some("Request_BadRequest".to_owned()),
        message: Some("The value is not acceptable here.".to_owned()),
        retry_after: None,
        applied: false,
    };
    world.tenant.inject(FaultRule::new("PATCH /users/{id}", refused));
    let ran = world.sync().await;
    assert_eq!(ran.count(OutcomeKind::Refused), 3, "{:?}", ran.outcomes);

    // Within the day: held with the tenant's word and the time.
    world.pass(Duration::from_hours(12));
    let ran = world.sync().await;
    assert_eq!((ran.writes.len(), ran.status()), (0, Some(Status::Attention)), "{:?}", ran.calls());
    assert_eq!(ran.decided("ada@contoso.com"), "none: tenant_refused attributes_differ");
    let row = ran.row("ada@contoso.com").unwrap();
    let said = row.decision.reasons[0].detail.as_deref().unwrap_or_default();
    assert!(said.contains("Request_BadRequest") && said.contains("sent again after 2026-01-17"), "{said}");

    // Other facts are another question.
    world.people.set("bea", "title", "Head");
    let ran = world.sync().await;
    assert_eq!(ran.writes.len(), 1, "{:?}", ran.calls());

    // After a day once more, then after a week, and a cure elsewhere is noticed.
    world.pass(Duration::from_hours(13));
    assert_eq!(world.sync().await.writes.len(), 2);
    world.pass_days(3);
    assert_eq!(world.sync().await.writes.len(), 1, "Bea's second time");
    world.tenant.clear_faults();
    world.pass_days(5);
    let ran = world.sync().await;
    assert_eq!(ran.count(OutcomeKind::Done), 2, "{:?}", ran.outcomes);
    assert_eq!(titles(&world)[0], "Lead");
}

#[tokio::test]
async fn d25_an_account_known_by_name_alone_is_restored_before_it_is_taken_over() {
    for role in [None, Some("User Administrator")] {
        let mut world = World::new().await;
        world.people.hire("ada");
        world.tenant.add_user(json!({ "userPrincipalName": "ada@contoso.com", "displayName": "Ada" })).unwrap();
        let id = world.account("ada@contoso.com").id().to_owned();
        if let Some(role) = role {
            world.tenant.grant_role(&id, role).unwrap();
        }
        world.tenant.delete_user(&id).unwrap();
        let ran = world.settle_by_hash().await;
        assert_eq!(world.account("ada@contoso.com").immutable_id(), None, "nothing but restored");
        if role.is_some() {
            assert_eq!(ran.calls(), ["POST /directory/deletedItems/{id}/restore 403"]);
            // Somebody who may has restored it: now it is known whose it is.
            world.tenant.restore_user(&id).unwrap();
        } else {
            assert_eq!(ran.calls(), ["POST /directory/deletedItems/{id}/restore 200"]);
        }
        world.pass(Duration::from_mins(30));
        let ran = world.sync_yes().await;
        let decided = ran.decided("ada@contoso.com");
        match role {
            None => assert!(decided.starts_with("takeover: "), "{decided}"),
            Some(_) => assert_eq!((decided.as_str(), ran.writes.len()), ("none: privileged", 0)),
        }
    }
}
