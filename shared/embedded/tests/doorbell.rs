//! The doorbell in process keeps the contract, puts poison aside, and fails on demand and repeatably.

#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use hardmatch_embedded::doorbell::{Faults, Habits, ProcessDoorbell};
use hardmatch_ports::Clock;
use hardmatch_ports::contract::{SetClock, doorbell_contract};
use hardmatch_ports::doorbell::{Doorbell as _, Message, MessageKind, MessageQueue as _, Queue};

#[tokio::test]
async fn it_keeps_the_contract() {
    doorbell_contract(ProcessDoorbell::new).await;
}

#[tokio::test]
async fn a_message_that_always_fails_is_put_aside_with_the_reason() {
    let (clock, messages) = with(Faults::default());
    notify(&messages, "failing", 0).await;
    for receipt in 1..=5 {
        let received = messages.receive(Queue::Match, 10, clock.now());
        assert_eq!(received[0].received, receipt);
        messages.nack(&received[0].id, Duration::ZERO, clock.now());
    }
    assert!(!messages.is_empty());
    assert!(messages.receive(Queue::Match, 10, clock.now()).is_empty());
    assert!(messages.is_empty(), "what was put aside does not wait");
    let dead = messages.dead_letters();
    assert_eq!((dead.len(), dead[0].queue, dead[0].message.received), (1, Queue::Match, 5));
    assert!(dead[0].message.body.contains("failing"));
    assert_eq!(dead[0].reason, "handed over 5 times and failed each time; the log says why");
}

#[tokio::test]
async fn a_message_that_nobody_answers_is_put_aside_with_the_reason() {
    let (clock, messages) = with(Faults::default());
    notify(&messages, "hanging", 0).await;
    for _ in 0..5 {
        assert_eq!(messages.receive(Queue::Match, 10, clock.now()).len(), 1);
        clock.pass(3600);
    }
    assert!(messages.receive(Queue::Match, 10, clock.now()).is_empty());
    assert_eq!(messages.dead_letters()[0].reason, "handed over 5 times, the last time without an answer within 3600s");
}

#[tokio::test]
async fn an_answer_that_comes_late_still_counts() {
    let (clock, messages) = with(Faults::default());
    notify(&messages, "slow", 0).await;
    let received = messages.receive(Queue::Match, 10, clock.now());
    clock.pass(3600);
    assert!(messages.receive(Queue::Write, 10, clock.now()).is_empty());
    messages.ack(&received[0].id);
    assert!(messages.is_empty());
}

#[tokio::test]
async fn equal_messages_at_the_same_time_are_one() {
    let (clock, messages) = with(Faults::default());
    clock.pass(100);
    notify(&messages, "r", 0).await;
    notify(&messages, "r", 0).await;
    assert_eq!(messages.receive(Queue::Match, 10, clock.now()).len(), 1, "both were due");

    // The first is being handled and may have looked already: the next one counts.
    notify(&messages, "r", 0).await;
    assert_eq!(messages.receive(Queue::Match, 10, clock.now()).len(), 1);

    // One that is due later speaks of work that is not ready now.
    notify(&messages, "r", 60).await;
    notify(&messages, "r", 60).await;
    notify(&messages, "r", 0).await;
    assert_eq!(messages.receive(Queue::Match, 10, clock.now()).len(), 1);
    clock.pass(60);
    assert_eq!(messages.receive(Queue::Match, 10, clock.now()).len(), 1);
}

#[tokio::test]
async fn without_faults_the_oldest_is_first() {
    let (clock, messages) = with(Faults::default());
    for (run, delay) in [("c", 3), ("a", 1), ("d", 3), ("b", 2)] {
        notify(&messages, run, delay).await;
    }
    clock.pass(10);
    assert_eq!(runs(&clock, &messages), ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn faults_lose_double_and_reorder_and_repeat_themselves() {
    let story = async |faults: Faults| {
        let (clock, messages) = with(faults);
        for n in 0..100 {
            notify(&messages, &format!("{n:03}"), 0).await;
        }
        runs(&clock, &messages)
    };
    let (orderly, none) = (story(Faults::default()).await, Faults { seed: 7, ..Faults::default() });
    assert_eq!(orderly.len(), 100);
    assert!(orderly.is_sorted());

    let lossy = story(Faults { lose: 30, ..none.clone() }).await;
    assert!((50..90).contains(&lossy.len()) && lossy.is_sorted(), "{}", lossy.len());
    let doubled = story(Faults { duplicate: 30, ..none.clone() }).await;
    assert!((110..150).contains(&doubled.len()), "{}", doubled.len());
    let mut shuffled = story(Faults { reorder: 50, ..none.clone() }).await;
    assert!(!shuffled.is_sorted());
    shuffled.sort_unstable();
    assert_eq!(shuffled, orderly, "out of turn, but all of them");

    let all = Faults { seed: 7, lose: 20, duplicate: 20, reorder: 20 };
    assert_eq!(story(all.clone()).await, story(all.clone()).await);
    assert_ne!(story(all.clone()).await, story(Faults { seed: 8, ..all }).await);
}

fn with(faults: Faults) -> (Arc<SetClock>, ProcessDoorbell) {
    let clock = Arc::new(SetClock::default());
    let habits = Habits { faults, ..Habits::default() };
    (Arc::clone(&clock), ProcessDoorbell::with_habits(clock, habits))
}

async fn notify(messages: &ProcessDoorbell, run: &str, seconds: u64) {
    let message = Message::new("contoso".into(), run, MessageKind::Match);
    messages.notify(message, Duration::from_secs(seconds)).await.unwrap();
}

/// Receives everything, one at a time.
fn runs(clock: &SetClock, messages: &ProcessDoorbell) -> Vec<String> {
    std::iter::from_fn(|| messages.receive(Queue::Match, 1, clock.now()).pop())
        .map(|received| serde_json::from_str::<Message>(&received.body).unwrap().run)
        .collect()
}
