//! Functions whose time is up: work goes on where it was, however often it is cut, and however often it is killed.

use std::time::Duration;

use hardmatch_domain::change::Action;
use hardmatch_ports::run::{OutcomeKind, Status};
use hardmatch_sim::Seed;
use hardmatch_tests::{CorruptAnswer, KillAt, Stopped, World};

/// Leavers are many, and go by their plan's hash.
const POLICY: &str = "[guard]\nalways_allow = 1000\nmax_removals_percent = 100";
/// Enough for four slices, and for two readings of the gate.
const PEOPLE: usize = 260;
const LEAVERS: usize = 110;

async fn settled(people: usize, time: Option<Duration>) -> World {
    let mut world = World::with(Seed::contoso(), POLICY).await;
    world.time = time;
    for number in 0..people {
        world.people.hire(&format!("p{number:03}"));
    }
    for number in 1..people {
        world.people.set(&format!("p{number:03}"), "manager", &format!("p{:03}@contoso.com", number / 90 * 90));
    }
    let ran = world.settle_by_hash().await;
    assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Converged), people), "{:?}", ran.run);
    world
}

/// What everybody's account looks like.
fn tenant(world: &World) -> Vec<[String; 3]> {
    let mut seen: Vec<_> = world
        .accounts()
        .iter()
        .map(|seen| ["userPrincipalName", "jobTitle", "accountEnabled"].map(|property| seen.text(property).to_owned()))
        .collect();
    seen.sort();
    seen
}

#[tokio::test]
async fn a_run_over_many_slices_cut_after_every_step_makes_the_same_plan_and_the_same_tenant() {
    let mut ends = Vec::new();
    for time in [None, Some(Duration::ZERO)] {
        let mut world = settled(PEOPLE, time).await;
        world.pass_days(1);
        for number in 0..LEAVERS {
            world.people.remove(&format!("p{:03}", PEOPLE - 1 - number));
        }
        for number in 0..PEOPLE - LEAVERS {
            world.people.set(&format!("p{number:03}"), "title", "Lead");
        }
        world.time = None;
        let whole = world.plan().await;
        world.time = Some(Duration::ZERO);
        let planned = world.plan().await;
        assert_eq!(planned.hash(), whole.hash(), "one plan, however it is cut");
        assert!(
            planned.messages >= whole.messages + 3,
            "each slice has a message: {} and {}",
            planned.messages,
            whole.messages
        );
        assert_eq!((planned.planned(Action::Update), planned.planned(Action::Suspend)), (PEOPLE - LEAVERS, LEAVERS));
        world.time = time;
        let slices = planned.run.plan.as_ref().map(|plan| plan.changed_slices);
        assert!(slices.is_some_and(|slices| slices >= 4), "{slices:?}");
        let ran = world.apply(&planned.hash()).await;
        assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Converged), PEOPLE), "{:?}", ran.run);
        assert!(ran.run.stalled.is_none() && ran.run.problems.is_empty());
        let nothing = world.sync().await;
        assert!(nothing.writes.is_empty(), "{:?}", nothing.calls());
        ends.push((tenant(&world), ran.writes.len(), ran.messages));
    }
    let (whole, cut) = (&ends[0], &ends[1]);
    assert_eq!(whole.0, cut.0, "one tenant");
    assert_eq!(whole.1, cut.1, "nothing is written twice");
    assert!(
        cut.2 >= whole.2 + 5,
        "slices of the beginning and readings of the gate have theirs: {} and {}",
        whole.2,
        cut.2
    );
}

#[tokio::test]
async fn a_run_cut_after_every_step_and_killed_at_any_write_goes_on_where_it_was() {
    // Every write of deciding, beginning, gate and report is one at which some attempt is killed.
    for first in 1..=5 {
        let mut world = settled(150, Some(Duration::ZERO)).await;
        world.pass_days(1);
        for number in 0..4 {
            world.people.remove(&format!("p{:03}", 149 - number));
            world.people.set(&format!("p{:03}", number * 30), "title", "Lead");
        }
        let mut at = first;
        let ran = loop {
            let spoil = if at % 2 == 0 { CorruptAnswer::Lost } else { CorruptAnswer::Done };
            world.cut = Some(KillAt { at, spoil });
            match world.try_sync(hardmatch_match::Accept::Nothing).await {
                Ok(ran) => break ran,
                Err(Stopped::Killed) => at += 5,
                Err(Stopped::Failed(why)) => panic!("killed at {at}: {why}"),
            }
        };
        assert!(at > 30, "the run makes more writes than {at}");
        assert_eq!(ran.status(), Some(Status::Converged), "{:?}", ran.outcomes);
        let led = world.accounts().iter().filter(|account| account.text("jobTitle") == "Lead").count();
        let blocked = world.accounts().iter().filter(|account| !account.enabled()).count();
        assert_eq!((led, blocked), (4, 4));
        world.cut = None;
        assert!(world.sync().await.writes.is_empty());
    }
}
