//! Runs: the stop at the first plan, applying by hash, the second run empty, and sources that cannot be believed.

use std::time::Duration;

use hardmatch_domain::change::Action;
use hardmatch_ports::run::{OutcomeKind, Status, Stop};
use hardmatch_sim::Seed;
use hardmatch_tests::{World, guid, immutable_id};
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
