//! What writing costs, and what becomes of it when the tenant refuses, is silent, or does not let us in.

use std::time::Duration;

use hardmatch_domain::change::Action;
use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_match::Accept;
use hardmatch_ports::clock::Clock as _;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{OutcomeKind, Phase, Status};
use hardmatch_runtime::ManualClock;
use hardmatch_sim::{CONTOSO_CLIENT_ID, CONTOSO_TENANT_ID, Fault, FaultRule, Place, Seed};
use hardmatch_store::connection::ConnectionStatus;
use hardmatch_store::leases::TakeLease;
use hardmatch_store::{Store, TenantKey};
use hardmatch_tests::{Bill, CorruptAnswer, KillAt, Messages, Stopped, World, guid};
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
    let policy = "[guard]\nalways_allow = 1000\nmax_removals_percent = 100\nmax_identity_changes_percent = 100\n[lifecycle]\nabsent = \"suspend\"";
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

    // Half of a company is suspended. A creation is thirteen items of a kilobyte each, of which its change is written twice, and
    // a dirty mark that comes and goes.
    // Hands that ask for the budget at the same moment are a unit or three of all sixty people.
    let half = |bill: &Bill| each(bill) * 2;
    let paths = [
        ("create", &created, each(&created), 154),
        ("update", &updated, each(&updated), 84),
        ("rename", &renamed, each(&renamed), 124),
        ("suspend", &suspended, half(&suspended), 125),
    ];
    for (path, bill, tenths, most) in paths {
        eprintln!("{path}: {tenths} tenths of a unit a person: {:#?}", bill.items());
        assert!(tenths <= most, "{path}: {tenths} tenths of a unit a person, not {most}: {:#?}", bill.items());
    }
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
        // Here the queue hands the message over again until each person's attempts are used up; the first draining ended
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
        world.cut = Some(KillAt { at, spoil: CorruptAnswer::Done });
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
    let ran = world.sync().await;
    let store = world.store().await;
    let meta = store.meta(&world.connection()).await.unwrap();
    assert!(meta.quarantine.is_some_and(|held| held.attempts == 1 && held.run == ran.run.id));
    assert_eq!((ran.status(), ran.run.problems.len()), (Some(Status::Attention), 1), "{:?}", ran.run.problems);
    assert!(ran.outcomes.is_empty(), "nobody is marked as refused: {:?}", ran.outcomes);

    world.tenant.change_app(CONTOSO_CLIENT_ID, |app| app.secret_expired = false).unwrap();
    // What was decided is not lost, and a hand releases the connection.
    let ran = world.settle_by_hash().await;
    assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Converged), 3), "{:?}", ran.outcomes);
    assert_eq!(titles(&world), ["Lead"; 3]);
}

#[tokio::test]
async fn a_secret_that_ended_before_a_run_quarantines_until_an_attempt_succeeds() {
    let mut world = three_changes("").await;
    world.tenant.change_app(CONTOSO_CLIENT_ID, |app| app.secret_expired = true).unwrap();
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Incomplete), 0));
    let (store, connection) = (world.store().await, world.connection());
    let held = store.meta(&connection).await.unwrap().quarantine.expect("quarantined");
    assert_eq!((held.attempts, held.run.as_str()), (1, ran.run.id.as_str()));
    assert_eq!(ran.run.problems, [held.why], "said once");

    // The scheduled start passes by; the timer brings the next attempt, which fails and counts.
    let before = world.runs().await.len();
    let slot = world.clock.now().to_string();
    world.notify(&[MessageKind::Tick, MessageKind::Start { slot }]).await.unwrap();
    assert_eq!(world.runs().await.len(), before);
    world.pass(Duration::from_hours(7));
    world.notify(&[MessageKind::Tick]).await.unwrap();
    let held = store.meta(&connection).await.unwrap().quarantine.expect("still quarantined");
    assert_eq!((world.runs().await.len(), held.attempts), (before + 1, 2));

    world.tenant.change_app(CONTOSO_CLIENT_ID, |app| app.secret_expired = false).unwrap();
    world.pass(Duration::from_hours(13));
    world.notify(&[MessageKind::Tick]).await.unwrap();
    assert_eq!(store.meta(&connection).await.unwrap().quarantine, None, "released by success");
    assert_eq!(titles(&world), ["Lead"; 3]);
}

#[tokio::test]
async fn a_plan_applied_with_a_bad_secret_is_applied_with_a_good_one() {
    let mut world = three_changes("").await;
    let hash = world.plan().await.hash();
    world.tenant.change_app(CONTOSO_CLIENT_ID, |app| app.secret_expired = true).unwrap();
    assert_eq!(world.apply(&hash).await.status(), Some(Status::Incomplete));
    world.tenant.change_app(CONTOSO_CLIENT_ID, |app| app.secret_expired = false).unwrap();
    let ran = world.apply(&hash).await;
    assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Converged), 3), "{:?}", ran.outcomes);
    let meta = world.store().await.meta(&world.connection()).await.unwrap();
    assert_eq!(meta.quarantine, None);
}

async fn pause(store: &Store) {
    store
        .update(&ConnectionId::new("contoso"), |status: &mut ConnectionStatus| status.pause("an operator", 5))
        .await
        .unwrap();
}

async fn resume(store: &Store) {
    store.update(&ConnectionId::new("contoso"), ConnectionStatus::resume).await.unwrap();
}

/// How often the lease of a lane was written.
async fn leased(store: &Store, lane: &str) -> u64 {
    store.lease_revision(lane).await.expect("a table")
}

/// Until a draining of a paused connection has begun and ended: the lease was freed by a new process, taken and given back.
async fn until_it_rests(store: &Store, clock: &ManualClock, lane: &str, before: u64) {
    let _nothing_passes = clock.at_work();
    let writes = if before == 0 { 2 } else { 3 };
    while leased(store, lane).await < before + writes {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_paused_connection_writes_nothing_and_goes_on_where_it_was() {
    let mut world = killed_while_writing().await;
    let (store, scope, clock) =
        (world.store().await, TenantKey::new("simulated", CONTOSO_TENANT_ID), world.clock.clone());
    let titles_now = || titles(&world).iter().filter(|title| *title == "Lead").count();
    let before = titles_now();
    pause(&store).await;
    let tenant = world.tenant.clone();
    let leases = leased(&store, &lane(&scope)).await;
    let resumed = async {
        until_it_rests(&store, &clock, &lane(&scope), leases).await;
        let users = tenant.users();
        let led = users.iter().filter(|user| user["jobTitle"] == "Lead").count();
        resume(&store).await;
        led
    };
    let (ran, led) = tokio::join!(world.sync(), resumed);
    assert_eq!(led, before, "nothing was written while paused");
    assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Converged), 3), "{:?}", ran.outcomes);
    assert_eq!(titles(&world), ["Lead"; 3]);
}

#[tokio::test]
async fn an_action_switched_off_after_its_plan_was_accepted_is_not_begun() {
    let policy = "[lifecycle]\nabsent = \"delete\"\n[actions]\ndelete = \"on\"\n[guard]\nalways_allow = 100";
    let mut world = three_changes(policy).await;
    world.people.remove("cleo");
    let hash = world.plan().await.hash();
    let store = world.store().await;
    store
        .update(&world.connection(), |status: &mut ConnectionStatus| _ = status.off.insert(Action::Delete))
        .await
        .unwrap();
    let ran = world.apply(&hash).await;
    assert_eq!(ran.status(), Some(Status::Attention));
    assert_eq!(ran.calls(), ["PATCH /users/{id} 204"; 2], "the others are written");
    assert_eq!(ran.outcome("cleo@contoso.com"), "held: action_off");
    assert!(!world.account("cleo@contoso.com").deleted());

    store
        .update(&world.connection(), |status: &mut ConnectionStatus| _ = status.off.remove(&Action::Delete))
        .await
        .unwrap();
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.calls()), (Some(Status::Converged), vec!["DELETE /users/{id} 204".to_owned()]));
}

#[tokio::test]
async fn a_mark_set_while_a_change_is_on_its_way_outlives_it() {
    let mut world = killed_while_writing().await;
    let (store, connection) = (world.store().await, world.connection());
    // What an observation does that finds something new about Ada.
    let ada = store.dirty_people(&connection).await.unwrap()[0];
    store.write(store.mark_dirty(&connection, ada)).await.unwrap();
    let ran = world.sync().await;
    // Her change rests on facts that may have moved: it is not sent, and she is decided again.
    assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Attention), 2), "{:?}", ran.outcomes);
    assert_eq!(store.dirty_people(&connection).await.unwrap(), [ada], "hers stays, the others went");
    assert_eq!(world.sync().await.rows.len(), 1, "decided once more");
    assert!(store.dirty_people(&connection).await.unwrap().is_empty());
}

/// The lane of single people.
fn lane_now(scope: &TenantKey) -> String {
    format!("{}~now", lane(scope))
}

fn lane(scope: &TenantKey) -> String {
    format!("lane~{}~{CONTOSO_CLIENT_ID}", scope.as_str())
}

const HOUR_MS: i64 = 60 * 60 * 1000;

#[tokio::test]
async fn one_person_does_not_wait_for_the_lane_of_a_nightly_run() {
    let mut world = three_changes("").await;
    let (store, scope, clock) =
        (world.store().await, TenantKey::new("simulated", CONTOSO_TENANT_ID), world.clock.clone());
    let (name, begun) = (lane_now(&scope), clock.now_seconds());
    // Paused until the nightly run has the lane, for an hour.
    pause(&store).await;
    let nightly = async {
        until_it_rests(&store, &clock, &name, 0).await;
        let now_ms = clock.now().as_millisecond();
        let taken = store.lease(&lane(&scope), "a nightly run", now_ms, HOUR_MS).await.unwrap();
        resume(&store).await;
        taken
    };
    let key = guid(1);
    let (ran, taken) = tokio::join!(world.sync_one(&key), nightly);
    assert!(matches!(taken, TakeLease::Taken(_)), "{taken:?}");
    assert_eq!((ran.status(), ran.calls()), (Some(Status::Converged), vec!["PATCH /users/{id} 204".to_owned()]));
    assert!(clock.now_seconds() - begun < 10 * 60, "{} s", clock.now_seconds() - begun);
}

#[tokio::test]
async fn a_person_in_flight_in_the_other_lane_is_written_once() {
    let mut world = three_changes("").await;
    let (store, scope, clock) =
        (world.store().await, TenantKey::new("simulated", CONTOSO_TENANT_ID), world.clock.clone());
    let connection = world.connection();
    let ada = store.secret().pid(&PersonKey::new(guid(1)));
    let tenant = world.tenant.clone();
    pause(&store).await;
    let leases = leased(&store, &lane(&scope)).await;
    let other = async {
        until_it_rests(&store, &clock, &lane(&scope), leases).await;
        let now_ms = clock.now().as_millisecond();
        let taken = store.lease(&lane_now(&scope), "a run of one person", now_ms, HOUR_MS).await.unwrap();
        let TakeLease::Taken(held) = taken else { panic!("{taken:?}") };
        store.write(Store::put_batch(&held.proof(), 0, &connection, &[ada])).await.unwrap();
        resume(&store).await;
        let led = || tenant.users().iter().filter(|user| user["jobTitle"] == "Lead").count();
        while led() < 2 {
            tokio::task::yield_now().await;
        }
        let led = led();
        // Its call arrives, and it has stored what came of it.
        tenant.set_user("ada@contoso.com", json!({ "jobTitle": "Lead" })).unwrap();
        store.write(Store::delete_batch(&held.proof(), 0)).await.unwrap();
        led
    };
    let (ran, led) = tokio::join!(world.sync(), other);
    assert_eq!(led, 2, "Ada was waited for, the others were not");
    assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Converged), 3), "{:?}", ran.outcomes);
    assert_eq!(ran.calls(), ["PATCH /users/{id} 204"; 2], "and what had come of it was seen");
}

#[tokio::test]
async fn two_lanes_at_once_write_a_person_once() {
    let mut world = three_changes("").await;
    world.messages = Messages::Lost;
    let slot = world.clock.now().to_string();
    // The nightly run is decided and lies; then one of its people is wanted now; then both lanes are drained at once.
    let (store, scope) = (world.store().await, TenantKey::new("simulated", CONTOSO_TENANT_ID));
    world.notify(&[MessageKind::Start { slot }]).await.unwrap();
    pause(&store).await;
    for _ in 0..3 {
        world.notify(&[MessageKind::Tick]).await.unwrap();
    }
    world.messages = Messages::Heard;
    let key = guid(1);
    let clock = world.clock.clone();
    let resumed = async {
        until_it_rests(&store, &clock, &lane_now(&scope), 0).await;
        resume(&store).await;
    };
    let (one, ()) = tokio::join!(world.sync_one(&key), resumed);
    assert_eq!(one.outcome("ada@contoso.com"), "done");
    let mut writes = one.calls().len();
    for _ in 0..3 {
        world.notify(&[MessageKind::Tick]).await.unwrap();
        writes += world.tenant.requests().iter().filter(|request| request.method == "PATCH").count();
    }
    assert_eq!(titles(&world), ["Lead"; 3]);
    assert_eq!(writes, 3, "one for each");
    assert!(world.sync().await.writes.is_empty());
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

/// What Graph says of a value that it does not take.
fn invalid(property: Option<&str>) -> Fault {
    let message = match property {
        Some(property) => format!("Invalid value specified for property '{property}' of resource 'User'."),
        None => "One or more properties contains invalid values.".to_owned(),
    };
    Fault::Status {
        status: 400,
        code: Some("Request_BadRequest".to_owned()),
        message: Some(message),
        retry_after: None,
        applied: false,
    }
}

#[tokio::test]
async fn a_refused_value_is_left_out_of_the_next_attempt_and_named() {
    let mut world = World::new().await;
    world.people.hire("ada");
    world.tenant.inject(FaultRule::once("POST /users", invalid(Some("department"))));
    let ran = world.settle_by_hash().await;
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.text("jobTitle"), ada.text("department")), ("Engineer", ""), "{:?}", ran.calls());
    assert_eq!(ran.outcome("ada@contoso.com"), "refused: invalid_value");
    let outcome = ran.outcomes.values().next().unwrap();
    assert!(outcome.said()[0].detail.as_deref().unwrap_or_default().starts_with("department: "), "{outcome:?}");
    assert_eq!((outcome.account.is_some(), world.accounts().len()), (true, 1));
    // Once more after a day, when it is taken.
    let early = world.sync().await;
    assert!(early.writes.is_empty(), "{:?}", early.calls());
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!(ran.calls(), ["PATCH /users/{id} 204"]);
    assert_eq!(world.account("ada@contoso.com").text("department"), "Research");
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn a_value_that_the_tenant_does_not_name_is_found_and_the_others_are_written() {
    let mut world = World::new().await;
    world.people.hire("ada");
    world.tenant.inject(FaultRule::once("POST /users", invalid(None)));
    world.settle_by_hash().await;
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.text("jobTitle"), ada.text("department"), ada.text("givenName")), ("Engineer", "Research", "Ada"));
    world.pass_days(1);
    world.people.set("ada", "title", "Lead").set("ada", "department", "Sales").set("ada", "givenName", "Adah");
    // The whole, the half without it, and it alone: refused three times.
    world.tenant.inject(FaultRule::once("PATCH /users/{id}", invalid(None)));
    world.tenant.inject(FaultRule::once("PATCH /users/{id}", invalid(None)).from_call(2));
    let ran = world.sync().await;
    let ada = world.account("ada@contoso.com");
    let written = [("jobTitle", "Lead"), ("department", "Sales"), ("givenName", "Adah")];
    let count = written.iter().filter(|(name, value)| ada.text(name) == *value).count();
    assert!(count >= 2, "{:?}", ran.calls());
    assert_eq!(world.accounts().len(), 1);
}

#[tokio::test]
async fn a_required_value_takes_the_creation_along() {
    let mut world = World::new().await;
    world.people.hire("ada");
    world.tenant.inject(FaultRule::new("POST /users", invalid(Some("displayName"))));
    let ran = world.settle_by_hash().await;
    assert_eq!((ran.calls(), world.accounts().len()), (vec!["POST /users 400".to_owned()], 0));
    assert_eq!(ran.outcome("ada@contoso.com"), "refused: invalid_value");
}

fn manager(world: &World, name: &str) -> String {
    let id = world.account(&format!("{name}@contoso.com")).text("manager").to_owned();
    let boss = world.accounts().into_iter().find(|account| account.id() == id);
    boss.map(|boss| boss.upn().split('@').next().unwrap_or_default().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn managers_who_are_taken_over_are_set_in_the_same_run_whatever_their_names_were() {
    let mut world = World::new().await;
    // Most under another sign-in name than they are to have.
    for (old, name) in [("boss.old", "boss"), ("ada.old", "ada"), ("bea.old", "bea"), ("cleo", "cleo")] {
        let account = json!({
            "userPrincipalName": format!("{old}@contoso.com"), "mail": format!("{name}.mail@contoso.com"),
            "displayName": name, "accountEnabled": true,
        });
        world.tenant.add_user(account).unwrap();
    }
    for name in ["ada", "bea", "boss", "cleo"] {
        world.people.hire(name).set(name, "mail", &format!("{name}.mail@contoso.com"));
    }
    for (name, boss) in [("ada", "boss"), ("bea", "ada"), ("cleo", "bea")] {
        world.people.set(name, "manager", &format!("{boss}@contoso.com"));
    }
    world.set_policy("[match]\nsoft = [\"primarySmtp\"]");
    let ran = world.settle_by_hash().await;
    assert_eq!(world.accounts().len(), 4, "{:?}", ran.outcomes);
    let managers = ["ada", "bea", "cleo"].map(|name| manager(&world, name));
    let decided = ["ada", "bea", "boss", "cleo"].map(|name| ran.decided(&format!("{name}@contoso.com")));
    assert_eq!(managers, ["boss", "ada", "bea"], "{:?} {decided:#?} {:#?}", ran.calls(), ran.outcomes);
    let again = world.sync().await;
    assert!(again.writes.is_empty(), "{:?}", again.calls());
}

#[tokio::test]
async fn a_manager_who_enters_the_scope_is_set_in_that_run() {
    let mut world = World::with(Seed::contoso(), "[scope]\ninclude = \"person.department == 'Research'\"").await;
    world.people.hire("ada").hire("boss").hire("bea").set("boss", "department", "Sales");
    world.people.set("ada", "manager", "boss@contoso.com").set("bea", "manager", "boss@contoso.com");
    world.settle_by_hash().await;
    assert_eq!((world.accounts().len(), manager(&world, "ada")), (2, String::new()));
    world.pass_days(1);
    assert!(world.sync().await.writes.is_empty());
    world.people.set("boss", "department", "Research");
    let ran = world.sync().await;
    assert_eq!([manager(&world, "ada"), manager(&world, "bea")], ["boss", "boss"], "{:?}", ran.calls());
    world.pass_days(1);
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn a_manager_who_is_restored_is_set_by_that_run() {
    let policy = "[lifecycle]\nabsent = \"delete\"\n[actions]\ndelete = \"on\"";
    let mut world = World::with(Seed::contoso(), policy).await;
    world.people.hire("ada").hire("boss").hire("bea").hire("cleo");
    world.settle_by_hash().await;
    world.pass_days(1);
    let boss = world.people.remove("boss").unwrap();
    world.sync().await;
    assert!(world.accounts().iter().any(hardmatch_tests::Seen::deleted));
    world.people.set("ada", "manager", "boss@contoso.com");
    world.pass_days(1);
    world.sync().await;
    world.people.put_back("boss", boss);
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!(manager(&world, "ada"), "boss", "{:?} {}", ran.calls(), ran.decided("ada@contoso.com"));
    world.pass_days(1);
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn a_kill_at_any_write_loses_no_password_without_telling() {
    let writes = {
        let mut world = World::new().await;
        world.people.hire("ada").hire("bea");
        let hash = world.plan().await.hash();
        world.apply(&hash).await.table_writes
    };
    for at in 1..=writes {
        let mut world = World::new().await;
        world.people.hire("ada").hire("bea");
        let hash = world.plan().await.hash();
        world.cut = Some(KillAt { at, spoil: if at % 2 == 0 { CorruptAnswer::Lost } else { CorruptAnswer::Done } });
        let mut told = Vec::new();
        let mut listen = |ran: Result<hardmatch_tests::Ran, Stopped>| {
            for outcome in ran.iter().flat_map(|ran| ran.outcomes.values()) {
                let unknown = outcome.said().iter().any(|reason| reason.code.as_str() == "password_unknown");
                told.extend(unknown.then(|| format!("{}", outcome.account.clone().unwrap())));
            }
        };
        listen(world.try_apply(&hash).await);
        listen(world.try_apply(&hash).await);
        listen(world.try_sync(Accept::TheStop).await);
        for account in world.accounts() {
            let all = world.passwords.all();
            let theirs: Vec<&str> =
                all.iter().filter(|(upn, _)| upn == account.upn()).map(|(_, word)| &**word).collect();
            assert!(theirs.len() <= 1, "killed at write {at}: once");
            assert!(
                theirs.iter().all(|word| world.tenant.opens(account.id(), word)),
                "killed at write {at}: the right one"
            );
            let delivered = theirs.len();
            assert!(
                delivered == 1 || told.contains(&account.id().to_owned()),
                "killed at write {at}: {}",
                account.upn()
            );
        }
        assert_eq!(world.accounts().len(), 2);
    }
}

#[tokio::test]
async fn whoever_is_renamed_after_a_pause_is_looked_at_again() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea");
    world.settle_by_hash().await;
    world.pass_days(1);
    world.sync().await;
    world.people.rename("ada", "adah@contoso.com").rename("bea", "bee@contoso.com");
    let plan = world.plan().await;
    let id = world.account("ada@contoso.com").id().to_owned();
    world.pass_days(1);
    // What the second look does not show yet: listings lag behind an administrator's hand.
    world.tenant.configure(|options| options.lag.delta_ms = 3_600_000);
    world.tenant.set_user(&id, json!({ "userPrincipalName": "ada.by.hand@contoso.com" })).unwrap();
    let ran = world.apply(&plan.hash()).await;
    assert_eq!(world.tenant.user(&id).unwrap()["userPrincipalName"], "ada.by.hand@contoso.com", "{:?}", ran.outcomes);
    assert_eq!(ran.count(OutcomeKind::FactsMoved), 1, "{:?}", ran.outcomes);
    assert_eq!(world.account("bee@contoso.com").upn(), "bee@contoso.com", "the others go on");
}
