//! The pump plays SQS and Lambda: same shape, same promises, no more.

#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hardmatch_embedded::doorbell::{Faults, Habits, ProcessDoorbell};
use hardmatch_ports::clock::Clock;
use hardmatch_ports::doorbell::{After, Doorbell as _, Message, MessageKind, Queue};
use hardmatch_runtime::pump::{Ended, Pump, Serving};
use hardmatch_runtime::queue::{BatchResponse, ItemFailure, SqsEvent, run_batch};
use hardmatch_runtime::{ManualClock, RealClock};
use jiff::Timestamp;
use tokio::sync::{Barrier, Notify};

const ONE_BY_ONE: Serving = Serving { batch: 1, at_once: 1 };

/// A clock that moves itself, a doorbell on it, and what happened when.
#[derive(Clone)]
struct World {
    clock: ManualClock,
    messages: Arc<ProcessDoorbell>,
    log: Arc<Mutex<Vec<(i64, String)>>>,
}

impl World {
    fn new(faults: Faults) -> Self {
        let clock = ManualClock::auto(Timestamp::UNIX_EPOCH);
        let habits = Habits { faults, ..Habits::default() };
        let messages = Arc::new(ProcessDoorbell::with_habits(Arc::new(clock.clone()), habits));
        Self { clock, messages, log: Arc::default() }
    }

    fn pump(&self) -> Pump {
        Pump::new(Arc::clone(&self.messages) as _, Arc::new(self.clock.clone()))
    }

    async fn notify(&self, run: &str, kind: MessageKind, seconds: u64) {
        let message = Message::new("contoso".into(), run, kind);
        self.messages.notify(message, Duration::from_secs(seconds)).await.unwrap();
    }

    fn note(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push((self.clock.now().as_second(), what.into()));
    }

    fn log(&self) -> Vec<(i64, String)> {
        self.log.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn only_what_failed_comes_again_and_ever_later_until_it_is_put_aside() {
    let world = World::new(Faults::default());
    for run in ["good", "poison", "fine"] {
        world.notify(run, MessageKind::Match, 0).await;
    }
    let pump = world.pump().serve(Queue::Match, Serving::default(), {
        let world = world.clone();
        move |event| {
            let world = world.clone();
            async move {
                run_batch(event, &*world.messages, async |message: Message| {
                    world.note(message.run.as_str());
                    if message.run == "poison" { Err("bad") } else { Ok(After::Done) }
                })
                .await
            }
        }
    });
    assert_eq!(pump.run_dry().await, Ended::Dry);
    let expected =
        [(0, "good"), (0, "poison"), (0, "fine"), (1, "poison"), (3, "poison"), (7, "poison"), (15, "poison")];
    assert_eq!(world.log(), expected.map(|(when, run)| (when, run.to_owned())));
    assert_eq!(world.messages.dead_letters().len(), 1);
    assert!(world.messages.is_empty());
}

#[tokio::test]
async fn messages_that_send_others_are_followed_to_the_end_and_delays_are_waited_for() {
    let world = World::new(Faults::default());
    world.notify("r", MessageKind::ObserveSource, 5).await;
    let mut pump = world.pump();
    for queue in [Queue::Source, Queue::Match, Queue::Write] {
        let world = world.clone();
        pump = pump.serve(queue, Serving::default(), move |event| chain(world.clone(), event));
    }
    assert_eq!(pump.run_dry().await, Ended::Dry);
    let expected = [(5, "ObserveSource"), (5, "Match"), (65, "Write"), (67, "Write"), (69, "Write"), (69, "Advance")];
    assert_eq!(world.log(), expected.map(|(when, what)| (when, what.to_owned())));
    assert!(world.messages.dead_letters().is_empty());
}

/// Source, then match, a minute later write in three requeued messages, then the end.
async fn chain(world: World, event: SqsEvent) -> BatchResponse {
    run_batch(event, &*world.messages, async |message: Message| {
        world.note(format!("{:?}", message.kind));
        let writes = world.log().iter().filter(|(_, what)| what == "Write").count();
        match message.kind {
            MessageKind::ObserveSource => world.notify(&message.run, MessageKind::Match, 0).await,
            MessageKind::Match => world.notify(&message.run, MessageKind::Write, 60).await,
            MessageKind::Write if writes < 3 => return Ok(After::Again(Duration::from_secs(2))),
            MessageKind::Write => world.notify(&message.run, MessageKind::Advance, 0).await,
            MessageKind::ObserveTenant
            | MessageKind::WriteBack
            | MessageKind::Advance
            | MessageKind::SyncPeople
            | MessageKind::Start { .. }
            | MessageKind::Nightly { .. }
            | MessageKind::Tick
            | MessageKind::OperatorCommand { .. }
            | MessageKind::TenantRequest { .. } => {}
        }
        Ok::<_, String>(After::Done)
    })
    .await
}

#[tokio::test]
async fn both_sides_are_observed_at_the_same_time() {
    let world = World::new(Faults::default());
    world.notify("r", MessageKind::ObserveSource, 0).await;
    world.notify("r", MessageKind::ObserveTenant, 0).await;
    // Each waits for the other: one after the other would never end.
    let both = Arc::new(Barrier::new(2));
    let mut pump = world.pump();
    for queue in [Queue::Source, Queue::Tenant] {
        let both = Arc::clone(&both);
        pump = pump.serve(queue, Serving::default(), move |_| {
            let both = Arc::clone(&both);
            async move {
                both.wait().await;
                BatchResponse::default()
            }
        });
    }
    assert_eq!(pump.run_dry().await, Ended::Dry);
}

#[tokio::test]
async fn a_function_is_called_no_more_often_at_once_and_with_no_more_than_it_says() {
    for (serving, batches, most) in [
        (Serving { batch: 1, at_once: 2 }, vec![1; 7], 2),
        (Serving { batch: 3, at_once: 1 }, vec![3, 3, 1], 1),
        (Serving { batch: 10, at_once: 4 }, vec![7], 1),
    ] {
        let world = World::new(Faults::default());
        for n in 0..7 {
            world.notify(&format!("{n}"), MessageKind::Write, 0).await;
        }
        let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let pump = world.pump().serve(Queue::Write, serving, {
            let (world, peak, sizes) = (world.clone(), Arc::clone(&peak), Arc::clone(&sizes));
            move |event| {
                sizes.lock().unwrap().push(event.records.len());
                let (world, running, peak) = (world.clone(), Arc::clone(&running), Arc::clone(&peak));
                async move {
                    peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    world.clock.sleep(Duration::from_secs(3)).await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    BatchResponse::default()
                }
            }
        });
        assert_eq!(pump.run_dry().await, Ended::Dry);
        assert_eq!((peak.load(Ordering::SeqCst), &*sizes.lock().unwrap()), (most, &batches), "{serving:?}");
    }
}

#[tokio::test]
async fn a_function_that_fails_as_a_whole_or_answers_nonsense_gets_all_of_it_again() {
    let world = World::new(Faults::default());
    world.notify("a", MessageKind::Match, 0).await;
    world.notify("b", MessageKind::Match, 0).await;
    let pump = world.pump().serve(Queue::Match, Serving::default(), {
        let world = world.clone();
        move |event| {
            world.note(format!("{} of {:?}", event.records.len(), event.records[0].received()));
            let call = world.log().len();
            async move {
                assert_ne!(call, 1, "a panic");
                let nonsense = ItemFailure { item_identifier: "somebody else".to_owned() };
                BatchResponse { batch_item_failures: if call == 2 { vec![nonsense] } else { vec![] } }
            }
        }
    });
    assert_eq!(pump.run_dry().await, Ended::Dry);
    let expected = [(0, "2 of Some(1)"), (1, "2 of Some(2)"), (3, "2 of Some(3)")];
    assert_eq!(world.log(), expected.map(|(when, what)| (when, what.to_owned())));
}

#[tokio::test]
async fn told_to_stop_it_finishes_what_it_began_and_leaves_the_rest() {
    let world = World::new(Faults::default());
    world.notify("a", MessageKind::Match, 0).await;
    world.notify("b", MessageKind::Match, 0).await;
    let stop = Arc::new(Notify::new());
    let pump = world.pump().serve(Queue::Match, ONE_BY_ONE, {
        let (world, stop) = (world.clone(), Arc::clone(&stop));
        move |_| {
            let (world, stop) = (world.clone(), Arc::clone(&stop));
            async move {
                stop.notify_one();
                tokio::task::yield_now().await;
                world.note("finished");
                BatchResponse::default()
            }
        }
    });
    assert_eq!(pump.run_dry_or_until(stop.notified()).await, Ended::Stopped);
    assert_eq!(world.log().len(), 1);
    assert!(!world.messages.is_empty());
}

#[tokio::test]
async fn a_pump_that_serves_wakes_for_a_message_sent_while_it_waits() {
    let clock = Arc::new(RealClock);
    let messages = Arc::new(ProcessDoorbell::new(Arc::clone(&clock) as _));
    let answered = Arc::new(Notify::new());
    let pump = Pump::new(Arc::clone(&messages) as _, clock).serve(Queue::Write, Serving::default(), {
        let answered = Arc::clone(&answered);
        move |_| {
            answered.notify_one();
            async { BatchResponse::default() }
        }
    });
    let ringer = async {
        for run in ["a", "b"] {
            tokio::task::yield_now().await;
            messages.notify(Message::new("contoso".into(), run, MessageKind::Write), Duration::ZERO).await.unwrap();
            answered.notified().await;
        }
    };
    assert_eq!(pump.run_until(ringer).await, Ended::Stopped);
    assert!(messages.is_empty());
}

#[tokio::test]
async fn queues_nobody_serves_keep_nobody_waiting() {
    let world = World::new(Faults::default());
    world.notify("r", MessageKind::Write, 0).await;
    let pump = world.pump().serve(Queue::Match, Serving::default(), async |_| BatchResponse::default());
    assert_eq!(pump.run_dry().await, Ended::Dry);
    assert!(!world.messages.is_empty());
}

#[tokio::test]
async fn a_simulation_with_faults_repeats_itself() {
    let story = async |seed: u64| {
        let world = World::new(Faults { seed, lose: 10, duplicate: 30, reorder: 30 });
        for n in 0..20_u64 {
            world.notify(&format!("{n}"), MessageKind::ObserveSource, n % 3).await;
        }
        let mut pump = world.pump();
        for queue in [Queue::Source, Queue::Match] {
            let world = world.clone();
            pump = pump.serve(queue, Serving { batch: 2, at_once: 3 }, move |event| {
                let world = world.clone();
                async move {
                    run_batch(event, &*world.messages, async |message: Message| {
                        world.clock.sleep(Duration::from_millis(700)).await;
                        world.note(format!("{:?} {}", message.kind, message.run));
                        if message.kind == MessageKind::ObserveSource {
                            world.notify(&message.run, MessageKind::Match, 1).await;
                        }
                        Ok::<_, String>(After::Done)
                    })
                    .await
                }
            });
        }
        assert_eq!(pump.run_dry().await, Ended::Dry);
        world.log()
    };
    let (one, same, other) = (story(1).await, story(1).await, story(2).await);
    assert_eq!(one, same);
    assert_ne!(one, other);
    let mut times = BTreeMap::<&str, usize>::new();
    for (_, what) in &one {
        *times.entry(what).or_default() += 1;
    }
    assert!(times.values().any(|&times| times > 1) && times.len() < 40, "some came twice, some were lost");
}
