//! What begins work is work: a night lies in the table before anything is sent, and begins whatever becomes of functions and
//! messages at that moment.

use std::sync::Arc;
use std::time::Duration;

use hardmatch_domain::ids::PersonKey;
use hardmatch_embedded::FileTable;
use hardmatch_ports::clock::Clock as _;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{Run, Status};
use hardmatch_ports::{Key, Table as _, Write};
use hardmatch_store::timers::Timer;
use hardmatch_store::{Store, StoreError};
use hardmatch_tests::{CorruptAnswer, KillAt, Messages, Stopped, World};

/// Three people whose accounts are in step.
async fn settled() -> World {
    let mut world = World::new().await;
    for name in ["ada", "grace", "mary"] {
        world.people.hire(name);
    }
    world.settle_by_hash().await;
    world.pass_days(1);
    world
}

/// The time of a night, and its message.
fn night(world: &World) -> (String, MessageKind) {
    let slot = world.clock.now().to_string();
    (slot.clone(), MessageKind::Nightly { slot })
}

/// Ticks until nothing is open, a few times at most.
async fn tick(world: &mut World) {
    for _ in 0..4 {
        world.pass(Duration::from_mins(5));
        world.notify(&[MessageKind::Tick]).await.expect("a tick");
    }
}

/// Runs for a scheduled time.
async fn runs_for(world: &World, slot: &str) -> Vec<Run> {
    let at: jiff::Timestamp = slot.parse().expect("a time");
    let is_for =
        |run: &Run| run.slot.as_deref().is_some_and(|slot| slot.parse().is_ok_and(|of: jiff::Timestamp| of == at));
    world.runs().await.into_iter().filter(is_for).collect()
}

/// Whether a start lies in the table.
async fn is_entered(world: &World) -> bool {
    let now = world.clock.now().as_second();
    let due = world.store().await.due(&world.connection(), now - 86_400, now).await.expect("timers");
    due.iter().any(|due| due.timer == Timer::Start)
}

#[tokio::test]
async fn a_night_begins_once_wherever_its_beginning_is_killed() {
    let (mut killed, mut again) = (0, 0);
    for spoil in [CorruptAnswer::Lost, CorruptAnswer::Done] {
        for at in 1..12 {
            let mut world = settled().await;
            let (slot, nightly) = night(&world);
            world.cut = Some(KillAt { at, spoil });
            let ended = world.notify(std::slice::from_ref(&nightly)).await;
            killed += u32::from(ended == Err(Stopped::Killed));
            if !is_entered(&world).await && runs_for(&world, &slot).await.is_empty() {
                // Nothing was entered: the queue hands the message over again, and it says the same.
                again += 1;
                world.notify(&[nightly]).await.expect("the message again");
            }
            tick(&mut world).await;
            let runs = runs_for(&world, &slot).await;
            assert_eq!(runs.len(), 1, "killed at write {at}, {spoil:?}");
            assert_eq!(
                runs[0].status,
                Some(Status::Converged),
                "killed at write {at}, {spoil:?}: {:?}",
                runs[0].problems
            );
        }
    }
    assert!(again <= 4, "{again} times nothing was entered: a night is the first thing that is written of it");
    assert!(killed >= 12, "{killed} kills: the beginning of a night writes more often than that");
}

#[tokio::test]
async fn a_night_begins_when_every_message_of_it_is_lost() {
    let mut world = settled().await;
    let (slot, nightly) = night(&world);
    world.messages = Messages::Lost;
    world.notify(&[nightly]).await.expect("the nightly message itself came");
    assert_eq!(runs_for(&world, &slot).await.len(), 0, "the start was not heard");
    world.messages = Messages::Heard;
    tick(&mut world).await;
    let runs = runs_for(&world, &slot).await;
    assert_eq!((runs.len(), runs[0].status), (1, Some(Status::Converged)));
    // What lay there for it is gone: later ticks begin nothing.
    tick(&mut world).await;
    assert_eq!(runs_for(&world, &slot).await.len(), 1);
}

#[tokio::test]
async fn a_start_that_lay_for_a_day_is_not_begun_any_more() {
    let mut world = settled().await;
    let (slot, nightly) = night(&world);
    world.messages = Messages::Lost;
    world.notify(&[nightly]).await.expect("the nightly message itself came");
    world.messages = Messages::Heard;
    world.pass(Duration::from_hours(25));
    tick(&mut world).await;
    assert_eq!(runs_for(&world, &slot).await.len(), 0, "the next night is nearer");
}

/// The function's process outlives its table's items. What it hashed before and what is read after agree again.
#[tokio::test]
async fn an_emptied_table_gets_the_secret_back_of_the_process_that_still_has_it() {
    let table = Arc::new(FileTable::in_memory().unwrap());
    let running = Store::open(table.clone()).await.unwrap();
    // All that a store writes when it is opened.
    let secret = Key::new("STORE", "SECRET");
    assert!(table.get(&secret).await.unwrap().is_some());
    running.restore_secret().await.unwrap();
    table.write(Write::delete(secret.clone())).await.unwrap();
    assert!(Store::find(table.clone()).await.unwrap().is_none());
    running.restore_secret().await.unwrap();
    let found = Store::find(table.clone()).await.unwrap().unwrap();
    let hashed = |store: &Store| store.secret().pid(&PersonKey::new("1"));
    assert_eq!(hashed(&found), hashed(&running));

    // Another process opened the emptied table first: its secret stands.
    table.write(Write::delete(secret.clone())).await.unwrap();
    let other = Store::open(table.clone()).await.unwrap();
    assert!(matches!(running.restore_secret().await, Err(StoreError::Reopened)));
    assert_eq!(hashed(&Store::find(table).await.unwrap().unwrap()), hashed(&other));
}
