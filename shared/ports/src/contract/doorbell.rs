//! The contract of a doorbell with a queue behind it: nothing is lost that was not acknowledged.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::doorbell::{Doorbell, Message, MessageKind, MessageQueue, Queue, Received, Urgency};

/// A clock that stands until it is set; nobody can wait for it.
#[derive(Default)]
pub struct SetClock(AtomicI64);

impl SetClock {
    /// Moves it on.
    pub fn pass(&self, seconds: u32) {
        self.0.fetch_add(i64::from(seconds), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).expect("a time within a test")
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending::<()>().await;
    }
}

/// Runs the whole contract. `make` gives an empty doorbell that tells time by the clock.
pub async fn doorbell_contract<D: Doorbell + MessageQueue>(make: impl Fn(Arc<dyn Clock>) -> D) {
    let clock = Arc::new(SetClock::default());
    let messages = make(Arc::clone(&clock) as Arc<dyn Clock>);
    let message = |run: &str, kind: MessageKind| Message::new(ConnectionId::new("contoso"), run, kind);
    let notify = async |message: Message, seconds: u64| {
        messages.notify(message, Duration::from_secs(seconds)).await.expect("it sends a message");
    };
    let receive = |queue: Queue, max: usize| messages.receive(queue, max, clock.now());

    // Nothing there.
    assert!(receive(Queue::Write, 10).is_empty());
    assert_eq!(messages.next_due(Queue::Write), None);
    messages.ack("nobody");

    // Each kind to its queue, as the JSON of the message; handed over once while it is being handled.
    let kinds = [
        MessageKind::ObserveSource,
        MessageKind::ObserveTenant,
        MessageKind::Match,
        MessageKind::Write,
        MessageKind::WriteBack,
        MessageKind::Tick,
    ];
    let urgencies = [Urgency::Scheduled, Urgency::Now];
    for (kind, urgency) in kinds.into_iter().flat_map(|kind| urgencies.map(|urgency| (kind.clone(), urgency))) {
        let message = message("r1", kind).with_urgency(urgency);
        notify(message.clone(), 0).await;
        messages.notified().await;
        let received = receive(message.queue(), 10);
        assert_eq!(parsed(&received), vec![message.clone()]);
        assert_eq!(received[0].received, 1);
        assert!(receive(message.queue(), 10).is_empty(), "it is in somebody's hands");
        assert!(messages.next_due(message.queue()).is_some(), "and not forgotten");
        messages.ack(&received[0].id);
        assert_eq!(messages.next_due(message.queue()), None);
    }

    // A delay keeps it back, to the second.
    let late = message("late", MessageKind::Write);
    notify(late.clone(), 5).await;
    assert_eq!(messages.next_due(Queue::Write), Some(clock.now() + Duration::from_secs(5)));
    clock.pass(4);
    assert!(receive(Queue::Write, 10).is_empty());
    clock.pass(1);
    let received = receive(Queue::Write, 10);
    assert_eq!(parsed(&received), vec![late.clone()]);

    // Given back: again after the delay, counted, under the same id.
    messages.nack(&received[0].id, Duration::from_secs(3), clock.now());
    assert!(receive(Queue::Write, 10).is_empty());
    clock.pass(3);
    let again = receive(Queue::Write, 10);
    assert_eq!((parsed(&again), again[0].received), (vec![late.clone()], 2));
    assert_eq!(again[0].id, received[0].id);

    // Neither acknowledged nor given back: again some time.
    let due = messages.next_due(Queue::Write).expect("it is not forgotten");
    assert!(due > clock.now());
    clock.pass(u32::try_from(due.as_second() - clock.now_seconds()).expect("within a test"));
    let again = receive(Queue::Write, 10);
    assert_eq!((parsed(&again), again[0].received), (vec![late], 3));
    messages.ack(&again[0].id);
    assert_eq!(messages.next_due(Queue::Write), None);

    // Put back as it is, understood or not: as if it were new.
    let newer = r#"{"v":99,"kind":"dream"}"#;
    messages.put_back(Queue::MatchNow, newer, Duration::from_secs(5)).await.expect("it is put back");
    assert!(receive(Queue::MatchNow, 10).is_empty());
    clock.pass(5);
    let again = receive(Queue::MatchNow, 10);
    assert_eq!((again[0].body.as_str(), again[0].received), (newer, 1));
    messages.ack(&again[0].id);

    // As many as asked for, the others later.
    let notified: Vec<Message> = (0..7).map(|n| message(&format!("many-{n}"), MessageKind::Match)).collect();
    for message in &notified {
        notify(message.clone(), 0).await;
    }
    let mut seen = Vec::new();
    for expected in [3, 3, 1, 0] {
        let received = receive(Queue::Match, 3);
        assert_eq!(received.len(), expected);
        seen.extend(parsed(&received));
        for message in received {
            messages.ack(&message.id);
        }
    }
    let distinct: BTreeSet<&str> = seen.iter().map(|message| message.run.as_str()).collect();
    assert!(distinct.len() == 7 && notified.iter().all(|message| distinct.contains(message.run.as_str())));
}

fn parsed(received: &[Received]) -> Vec<Message> {
    received.iter().map(|message| serde_json::from_str(&message.body).expect("the JSON of a message")).collect()
}
