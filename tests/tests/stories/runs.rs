//! Runs: the stop at the first plan, applying by hash, the second run empty, and sources that cannot be believed.

use std::time::Duration;

use hardmatch_domain::change::Action;
use hardmatch_ports::clock::Clock as _;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{OutcomeKind, Phase, Run, Status, Stop};
use hardmatch_sim::{Fault, FaultRule, Seed};
use hardmatch_tests::{CorruptAnswer, KillAt, Messages, World, guid, immutable_id};
use serde_json::json;

/// Three people with accounts of ours.
async fn three() -> World {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea").hire("cleo");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.status(), Some(Status::Converged), "{:?}", ran.outcomes);
    world
}

/// So many people with accounts of ours.
async fn crowd(count: usize, policy: &str) -> World {
    let mut world = World::with(Seed::contoso(), policy).await;
    for number in 0..count {
        world.people.hire(&format!("p{number:03}"));
    }
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.count(OutcomeKind::Done), count);
    world
}

fn blocked(world: &World) -> usize {
    world.accounts().iter().filter(|account| !account.enabled()).count()
}

#[tokio::test]
async fn c_22_the_first_run_stops_at_its_plan() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea");
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.run.stop), (Some(Status::Planned), Some(Stop::FirstRun)));
    assert_eq!(ran.planned(Action::Create), 2);
    assert_eq!(ran.decided("ada@contoso.com"), "create: provision");
    assert!(ran.writes.is_empty() && world.accounts().is_empty());
}

#[tokio::test]
async fn a_plan_is_applied_by_its_hash_and_the_second_run_is_empty() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea").hire("cleo").set("bea", "manager", "ada@contoso.com");
    let planned = world.plan().await;
    let ran = world.apply(&planned.hash()).await;
    assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Converged), 3));
    assert_eq!(ran.calls(), ["POST /users 201"; 3], "one call a person, the manager bound in it");
    let ada = world.account("ada@contoso.com");
    assert_eq!(ada.immutable_id(), Some(immutable_id(&guid(1)).as_str()));
    assert_eq!((ada.text("jobTitle"), ada.text("department"), ada.enabled()), ("Engineer", "Research", true));
    assert_eq!(world.account("bea@contoso.com").text("manager"), ada.id());

    let second = world.sync().await;
    assert_eq!((second.status(), second.rows.len()), (Some(Status::Converged), 0), "{:?}", second.rows);
    assert!(second.writes.is_empty());
    world.pass_days(1);
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn a_hash_applied_twice_writes_once() {
    let mut world = World::new().await;
    world.people.hire("ada");
    let hash = world.plan().await.hash();
    world.apply(&hash).await;
    assert!(world.apply(&hash).await.writes.is_empty());
    assert_eq!(world.accounts().len(), 1);
}

#[tokio::test]
async fn a_plan_has_the_same_hash_as_long_as_nothing_changes() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea");
    let first = world.plan().await.hash();
    assert_eq!(world.plan().await.hash(), first);
    world.people.set("ada", "title", "Lead");
    assert_ne!(world.plan().await.hash(), first);
    assert!(world.try_apply(&first).await.is_err(), "a newer plan took its place");
}

#[tokio::test]
async fn yes_accepts_the_stop() {
    let mut world = World::new().await;
    world.people.hire("ada");
    assert_eq!(world.sync_yes().await.count(OutcomeKind::Done), 1);
}

#[tokio::test]
async fn k13_an_action_switched_off_is_reported_and_not_written() {
    let mut world = three().await;
    world.set_policy("[actions]\nupdate = \"off\"");
    world.people.set("ada", "title", "Lead");
    let ran = world.sync_yes().await;
    assert!(ran.decided("ada@contoso.com").contains("action_off"), "{}", ran.decided("ada@contoso.com"));
    assert!(ran.writes.is_empty());
    // K17: switched on again, what had piled up is the plan.
    world.set_policy("");
    let ran = world.sync_yes().await;
    assert_eq!(ran.calls(), ["PATCH /users/{id} 204"]);
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Lead");
}

/// Spoils the file and asserts that nobody is removed, then that the next good file goes on.
async fn removes_nobody(spoil: impl FnOnce(&World) -> String) {
    let mut world = crowd(12, "[guard]\nalways_allow = 100").await;
    let text = spoil(&world);
    world.people.spoil(Some(text));
    let ran = world.sync().await;
    assert_eq!(ran.status(), Some(Status::Incomplete), "{:?}", ran.run.collections);
    assert!(ran.writes.is_empty());
    assert_eq!(blocked(&world), 0);
    world.people.spoil(None);
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Converged), 0));
}

#[tokio::test]
async fn c_1_an_empty_source_removes_nobody() {
    removes_nobody(|world| world.people.csv().lines().next().unwrap_or_default().to_owned() + "\n").await;
}

#[tokio::test]
async fn a_source_without_a_byte_removes_nobody() {
    removes_nobody(|_| String::new()).await;
}

#[tokio::test]
async fn a_truncated_source_removes_nobody() {
    removes_nobody(|world| {
        let text = world.people.csv();
        text[..text.len() * 2 / 3].to_owned()
    })
    .await;
}

#[tokio::test]
async fn a_rekeyed_source_removes_nobody() {
    removes_nobody(|world| world.people.csv().replace("-1111-4222-", "-1111-4999-")).await;
}

#[tokio::test]
async fn a_source_that_lost_a_column_removes_nobody() {
    removes_nobody(|world| world.people.csv().replace("department", "abteilung")).await;
}

#[tokio::test]
async fn a_column_given_up_on_purpose_is_accepted_once_and_clears_nothing() {
    let mut world = three().await;
    world.people.columns.retain(|column| column != "department");
    assert_eq!(world.sync().await.status(), Some(Status::Incomplete));
    let ran = world.sync_accepting_source().await;
    assert_eq!(ran.status(), Some(Status::Converged));
    assert!(ran.writes.is_empty());
    assert_eq!(world.account("ada@contoso.com").text("department"), "Research");
    assert_eq!(world.sync().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn c6_one_bad_row_of_many_stops_nobody_else() {
    let mut world = World::new().await;
    for number in 0..20 {
        world.people.hire(&format!("p{number:02}"));
    }
    world.people.rename("p07", "p07@unverified.contoso.com");
    let ran = world.settle_by_hash().await;
    assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Attention), 19));
    assert_eq!(ran.decided("p07@unverified.contoso.com"), "none: domain_not_verified");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_counts_as_seen() {
    let mut world = three().await;
    let good = world.people.csv();
    let bad = good.replace("Bea Contoso,Bea", "Bea \u{7} Contoso,Bea");
    assert_ne!(good, bad);
    world.people.spoil(Some(bad));
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Attention), 0));
    assert!(world.account("bea@contoso.com").enabled());
}

#[tokio::test]
async fn c_23_few_leavers_of_many_go_and_too_many_wait_for_their_hash() {
    // Five of a hundred are five percent; the sixth is too many.
    let mut world = crowd(100, "").await;
    for number in 0..6 {
        world.people.remove(&format!("p{number:03}"));
    }
    world.people.set("p050", "title", "Lead");
    let ran = world.sync().await;
    assert_eq!((ran.status(), blocked(&world)), (Some(Status::Attention), 0));
    let guard = ran.run.guard.clone().expect("the guard was asked");
    assert_eq!((guard.released, guard.removals, guard.links), (false, 6, 100));
    assert_eq!(ran.outcome("p000@contoso.com"), "held: guarded");
    assert_eq!(ran.calls(), ["PATCH /users/{id} 204"], "the rest goes on");

    // They wait as long as nobody approves them, and approving lets exactly these go.
    assert_eq!(world.sync().await.writes.len(), 0);
    let planned = world.plan().await;
    assert_eq!(planned.planned(Action::Suspend), 6);
    let ran = world.apply(&planned.hash()).await;
    assert_eq!((ran.count(OutcomeKind::Done), blocked(&world)), (6, 6));
    assert_eq!(world.sync().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn five_of_a_hundred_leave_without_asking() {
    let mut world = crowd(100, "").await;
    for number in 0..5 {
        world.people.remove(&format!("p{number:03}"));
    }
    let ran = world.sync().await;
    assert_eq!((ran.status(), blocked(&world)), (Some(Status::Converged), 5));
    // The window is a day: one more within it is too many.
    world.people.remove("p005");
    assert_eq!(world.sync().await.outcome("p005@contoso.com"), "held: guarded");
    world.pass(Duration::from_hours(25));
    world.sync().await;
    assert_eq!(blocked(&world), 6);
}

#[tokio::test]
async fn what_one_guard_holds_is_not_let_go_by_a_hash_of_before() {
    let mut world = crowd(40, "").await;
    for number in 0..6 {
        world.people.remove(&format!("p{number:03}"));
    }
    let planned = world.plan().await;
    // Between plan and apply another one disappears: the plan does not show them.
    world.people.remove("p006");
    world.apply(&planned.hash()).await;
    assert!(world.account("p006@contoso.com").enabled());
    assert_eq!(blocked(&world), 6);
}

#[tokio::test]
async fn o33_a_widened_policy_stops_at_its_plan() {
    let mut world = World::with(Seed::contoso(), "[scope]\ninclude = \"person.department == 'Research'\"").await;
    world.people.hire("ada").hire("bea").set("bea", "department", "Sales");
    world.settle_by_hash().await;
    assert_eq!(world.accounts().len(), 1);
    world.set_policy("");
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.run.stop), (Some(Status::Planned), Some(Stop::PolicyWidened)));
    assert_eq!(ran.planned(Action::Create), 1);
    assert_eq!(world.sync_yes().await.count(OutcomeKind::Done), 1);
}

#[tokio::test]
async fn facts_that_moved_between_plan_and_apply_refuse_that_item_alone() {
    let mut world = three().await;
    for name in ["ada", "bea", "cleo"] {
        world.people.set(name, "title", "Lead");
    }
    let hash = world.plan().await.hash();
    world.pass(Duration::from_hours(1));
    world.tenant.set_user("bea@contoso.com", json!({ "officeLocation": "Cellar" })).unwrap();
    world.people.set("cleo", "title", "Boss");
    let ran = world.apply(&hash).await;
    assert_eq!(ran.outcome("ada@contoso.com"), "done");
    assert_eq!(ran.outcome("bea@contoso.com"), "facts_moved: facts_moved");
    assert_eq!(ran.outcome("cleo@contoso.com"), "facts_moved: facts_moved");
    assert_eq!(world.account("cleo@contoso.com").text("jobTitle"), "Engineer");
    world.sync().await;
    let titles: Vec<String> = ["ada", "bea", "cleo"]
        .map(|name| world.account(&format!("{name}@contoso.com")).text("jobTitle").to_owned())
        .into();
    assert_eq!(titles, ["Lead", "Lead", "Boss"]);
}

#[tokio::test]
async fn who_became_an_administrator_between_plan_and_apply_is_not_taken_over() {
    let seed = ["ada", "bea"].into_iter().fold(Seed::contoso(), |seed, name| {
        let upn = format!("{name}@contoso.com");
        seed.user(json!({ "userPrincipalName": upn, "mail": upn, "displayName": name, "accountEnabled": true }))
    });
    let mut world = World::with(seed, "").await;
    world.people.hire("ada").hire("bea");
    let planned = world.plan().await;
    assert_eq!(planned.planned(Action::Takeover), 2);
    world.tenant.grant_role("ada@contoso.com", "User Administrator").unwrap();
    let ran = world.apply(&planned.hash()).await;
    assert_eq!(ran.outcome("ada@contoso.com"), "facts_moved: facts_moved");
    assert_eq!(ran.outcome("bea@contoso.com"), "done");
    assert_eq!(world.account("ada@contoso.com").immutable_id(), None);
    assert_eq!(world.sync().await.decided("ada@contoso.com"), "none: privileged");
}

/// A schedule's message for a day of January 2026.
fn slot(day: u32) -> MessageKind {
    MessageKind::Start { slot: format!("2026-01-{day:02}T03:00:00Z") }
}

/// The runs that a schedule began, newest first.
async fn scheduled(world: &World) -> Vec<Run> {
    world.runs().await.into_iter().filter(|run| run.slot.is_some()).collect()
}

#[tokio::test]
async fn a_schedule_that_fires_three_times_begins_one_run_and_writes_once() {
    let mut world = three().await;
    world.people.set("ada", "title", "Lead");
    world.notify(&[slot(16), slot(16), slot(16)]).await.unwrap();
    world.notify(&[slot(16), slot(15)]).await.unwrap();
    let runs = scheduled(&world).await;
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].phase, runs[0].status), (Phase::Closed, Some(Status::Converged)));
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Lead");
    world.notify(&[MessageKind::Nightly { slot: "2026-01-17T03:00:00Z".to_owned() }]).await.unwrap();
    assert_eq!(scheduled(&world).await.len(), 2);
}

#[tokio::test]
async fn a_schedule_killed_at_any_write_begins_one_run_that_ends() {
    for spoil in [CorruptAnswer::Lost, CorruptAnswer::Done] {
        for at in 1.. {
            let mut world = three().await;
            world.people.set("ada", "title", "Lead");
            world.cut = Some(KillAt { at, spoil });
            let killed = world.notify(&[slot(16)]).await;
            // The queue hands the message over again, the tick comes by, and both do so twice.
            for _ in 0..2 {
                world.notify(&[slot(16), MessageKind::Tick]).await.unwrap();
            }
            let runs = scheduled(&world).await;
            assert_eq!(runs.len(), 1, "killed at write {at}, {spoil:?}");
            assert_eq!((runs[0].phase, runs[0].status), (Phase::Closed, Some(Status::Converged)), "{at}, {spoil:?}");
            assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Lead");
            if killed.is_ok() {
                assert!(at > 10, "the run makes more writes than {at}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn with_every_message_of_the_functions_lost_the_tick_alone_finishes() {
    let mut world = crowd(120, "").await;
    for number in 0..4 {
        world.people.remove(&format!("p{number:03}"));
        world.people.set(&format!("p{:03}", number + 50), "title", "Lead");
    }
    world.people.hire("newcomer");
    world.messages = Messages::Lost;
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Converged), 9), "{:?}", ran.outcomes);
    assert_eq!(blocked(&world), 4);
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn one_person_wanted_now_is_written_while_the_nightly_run_lies() {
    let mut world = three().await;
    for name in ["ada", "bea", "cleo"] {
        world.people.set(name, "title", "Lead");
    }
    // The nightly run begins, and its messages are lost.
    world.messages = Messages::Lost;
    world.notify(&[slot(16)]).await.unwrap();
    world.messages = Messages::Heard;

    let ran = world.sync_one(&guid(2)).await;
    assert_eq!((ran.status(), ran.calls()), (Some(Status::Converged), vec!["PATCH /users/{id} 204".to_owned()]));
    assert_eq!(world.account("bea@contoso.com").text("jobTitle"), "Lead");
    assert_eq!(scheduled(&world).await[0].phase, Phase::Observing, "nobody abandoned it");

    world.notify(&[MessageKind::Tick]).await.unwrap();
    let nightly = scheduled(&world).await.remove(0);
    assert_eq!((nightly.phase, nightly.status), (Phase::Closed, Some(Status::Converged)));
    for name in ["ada", "cleo"] {
        assert_eq!(world.account(&format!("{name}@contoso.com")).text("jobTitle"), "Lead");
    }
    assert!(world.sync().await.writes.is_empty());
}

#[tokio::test]
async fn a_grace_that_ends_is_taken_by_the_tick_and_ends_with_the_next_run() {
    let mut world =
        World::with(Seed::contoso(), "[lifecycle]\nabsent = { action = \"suspend\", after = \"7d\" }").await;
    for number in 0..30 {
        world.people.hire(&format!("p{number:03}"));
    }
    world.settle_by_hash().await;
    world.people.remove("p000");
    assert_eq!(world.sync().await.writes.len(), 0);
    let (store, connection) = (world.store().await, world.connection());
    assert!(store.dirty_people(&connection).await.unwrap().is_empty(), "time alone can change it");
    world.pass_days(6);
    world.notify(&[MessageKind::Tick]).await.unwrap();
    assert!(store.dirty_people(&connection).await.unwrap().is_empty());
    world.pass_days(2);
    // Killed at its first write, the mark may be there and the timer still is.
    world.cut = Some(KillAt { at: 2, spoil: CorruptAnswer::Done });
    let _ = world.notify(&[MessageKind::Tick]).await;
    for _ in 0..2 {
        world.notify(&[MessageKind::Tick]).await.unwrap();
        assert_eq!(store.dirty_people(&connection).await.unwrap().len(), 1);
    }
    assert_eq!(world.sync().await.writes.len(), 1);
    assert_eq!(blocked(&world), 1);
    world.notify(&[MessageKind::Tick]).await.unwrap();
    assert!(store.dirty_people(&connection).await.unwrap().is_empty(), "the timer is gone");
}

#[tokio::test]
async fn a_run_of_which_most_failed_quarantines_and_a_success_releases() {
    let mut world = crowd(40, "").await;
    for number in 0..30 {
        world.people.set(&format!("p{number:03}"), "title", "Lead");
    }
    let refused = Fault::Status {
        status: 403,
        code: Some("Authorization_RequestDenied".to_owned()),
        message: Some("no".to_owned()),
        retry_after: None,
        applied: false,
    };
    world.tenant.inject(FaultRule::new("PATCH /users/{id}", refused));
    let ran = world.sync().await;
    assert_eq!(ran.count(OutcomeKind::Refused), 30, "{:?}", ran.outcomes);
    world.tenant.clear_faults();
    for number in 0..30 {
        world.people.set(&format!("p{number:03}"), "title", "Chief");
    }

    // Schedules pass by until the timer, six hours later, brings the next attempt.
    let before = world.runs().await.len();
    world.notify(&[MessageKind::Tick, MessageKind::Start { slot: world.clock.now().to_string() }]).await.unwrap();
    assert_eq!(world.runs().await.len(), before);
    world.pass(Duration::from_hours(6));
    world.notify(&[MessageKind::Tick]).await.unwrap();
    let again = world.runs().await.remove(0);
    assert_eq!((again.stop, again.status), (None, Some(Status::Converged)));
    assert_eq!(world.account("p000@contoso.com").text("jobTitle"), "Chief");
    let meta = world.store().await.meta(&world.connection()).await.unwrap();
    assert_eq!(meta.quarantine, None);
}

#[tokio::test]
async fn an_operator_s_run_is_the_next_attempt_and_no_other_is_begun_beside_it() {
    let mut world = three().await;
    world.people.set("ada", "title", "Lead");
    let (store, connection) = (world.store().await, world.connection());
    let now = world.clock.now_seconds();
    store.quarantine(&connection, "a run", "the secret has expired", now).await.unwrap();
    assert_eq!(world.sync().await.run.stop, Some(Stop::Quarantined), "before that, a look at the plan");
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Engineer");
    world.pass(Duration::from_hours(7));
    let before = world.runs().await.len();
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Converged), 1));
    world.notify(&[MessageKind::Tick]).await.unwrap();
    assert_eq!(world.runs().await.len(), before + 1);
}

#[tokio::test]
async fn an_unchanged_night_costs_a_handful_and_a_changed_person_at_most_fourteen() {
    let mut world = crowd(600, "").await;
    world.sync().await;
    world.pass_days(1);
    let quiet = world.sync().await.run.units;
    assert!(quiet.read <= 90 && quiet.write <= 20, "{quiet:?}");
    for number in 0..200 {
        world.people.set(&format!("p{number:03}"), "title", "Lead");
    }
    let busy = world.sync().await;
    assert_eq!(busy.count(OutcomeKind::Done), 200);
    assert!(busy.run.units.write <= 14 * 200, "{:?}", busy.run.units);
}
