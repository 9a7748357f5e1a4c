//! The doorbell in process: a queue for each function that behaves as SQS does (delay, redelivery, dead letters), and
//! misbehaves on demand. Nothing is stored: the table holds the work, and the process that starts notifies what is left over.

mod faults;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::doorbell::{Doorbell, DoorbellError, Message, MessageQueue, Queue, Received};
use jiff::Timestamp;
use tokio::sync::Notify;

pub use self::faults::Faults;
use self::faults::Mischief;

/// How a [`ProcessDoorbell`] treats its messages.
#[derive(Clone, Debug)]
pub struct Habits {
    /// After this time a message that was handed over, and neither acknowledged nor given back, is due again.
    pub forgotten_after: Duration,
    /// A message that was handed over so often is put aside instead of being handed over once more.
    pub most_receives: u32,
    /// What goes wrong on purpose.
    pub faults: Faults,
}

impl Default for Habits {
    fn default() -> Self {
        Self { forgotten_after: Duration::from_hours(1), most_receives: 5, faults: Faults::default() }
    }
}

/// A message that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it lay.
    pub queue: Queue,
    /// What was handed over.
    pub message: Received,
    /// Why.
    pub reason: String,
}

/// A [`Doorbell`] and its queues, in memory.
pub struct ProcessDoorbell {
    clock: Arc<dyn Clock>,
    habits: Habits,
    state: Mutex<State>,
    notified: Notify,
}

#[derive(Default)]
struct State {
    /// The next message's number: its id, and its place among those due at the same time.
    next: u64,
    queues: BTreeMap<Queue, QueueState>,
    dead: Vec<DeadLetter>,
    mischief: Mischief,
}

#[derive(Default)]
struct QueueState {
    waiting: BTreeMap<(Timestamp, u64), QueuedMessage>,
    /// In somebody's hands; due again at this time.
    handed: BTreeMap<u64, (Timestamp, QueuedMessage)>,
}

struct QueuedMessage {
    body: String,
    received: u32,
    last: Last,
}

/// What became of the last receipt.
#[derive(Clone, Copy)]
enum Last {
    Forgotten,
    GivenBack,
}

impl ProcessDoorbell {
    /// Empty queues.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_habits(clock, Habits::default())
    }

    /// Empty queues with habits of their own.
    pub fn with_habits(clock: Arc<dyn Clock>, habits: Habits) -> Self {
        let state = State { mischief: Mischief::new(&habits.faults), ..State::default() };
        Self { clock, habits, state: Mutex::new(state), notified: Notify::new() }
    }

    /// Whether nothing waits and nothing is being handled. Dead letters do not count.
    pub fn is_empty(&self) -> bool {
        self.state().queues.values().all(|queue| queue.waiting.is_empty() && queue.handed.is_empty())
    }

    /// What was put aside.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.state().dead.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dead_letter(&self, queue: Queue, number: u64, queued: QueuedMessage) -> DeadLetter {
        let times = queued.received;
        let reason = match queued.last {
            Last::Forgotten => {
                format!(
                    "handed over {times} times, the last time without an answer within {:?}",
                    self.habits.forgotten_after
                )
            }
            Last::GivenBack => format!("handed over {times} times and failed each time; the log says why"),
        };
        DeadLetter { queue, message: Received { id: id(number), body: queued.body, received: times }, reason }
    }
}

#[async_trait]
impl Doorbell for ProcessDoorbell {
    async fn notify(&self, message: Message, delay: Duration) -> Result<(), DoorbellError> {
        let body = serde_json::to_string(&message).map_err(|e| DoorbellError(e.to_string()))?;
        let now = self.clock.now();
        let due = now + delay;
        {
            let mut state = self.state();
            let copies = state.mischief.copies();
            let State { next, queues, .. } = &mut *state;
            let queue = queues.entry(message.queue()).or_default();
            // One that waits already says the same, when it cannot be heard before this one would be.
            let said = queue
                .waiting
                .iter()
                .any(|(&(other, _), queued)| queued.body == body && (other == due || (other <= now && due <= now)));
            let copies = if said { copies.saturating_sub(1) } else { copies };
            for _ in 0..copies {
                let queued = QueuedMessage { body: body.clone(), received: 0, last: Last::Forgotten };
                queue.waiting.insert((due, *next), queued);
                *next += 1;
            }
        }
        self.notified.notify_one();
        Ok(())
    }

    async fn put_back(&self, queue: Queue, body: &str, delay: Duration) -> Result<(), DoorbellError> {
        let due = self.clock.now() + delay;
        {
            let State { next, queues, .. } = &mut *self.state();
            let queued = QueuedMessage { body: body.to_owned(), received: 0, last: Last::Forgotten };
            queues.entry(queue).or_default().waiting.insert((due, *next), queued);
            *next += 1;
        }
        self.notified.notify_one();
        Ok(())
    }
}

#[async_trait]
impl MessageQueue for ProcessDoorbell {
    fn receive(&self, queue: Queue, max: usize, now: Timestamp) -> Vec<Received> {
        let mut state = self.state();
        let State { queues, dead, mischief, .. } = &mut *state;
        let messages = queues.entry(queue).or_default();
        messages.take_back_forgotten(now);
        let mut received = Vec::new();
        while received.len() < max {
            let due = messages.waiting.range(..=(now, u64::MAX));
            let Some(&place) = mischief.choose(due.map(|(place, _)| place)) else { break };
            let Some(mut queued) = messages.waiting.remove(&place) else { break };
            let number = place.1;
            if queued.received >= self.habits.most_receives {
                let letter = self.dead_letter(queue, number, queued);
                tracing::warn!(message.id = letter.message.id, error = letter.reason, "a message was put aside");
                dead.push(letter);
                continue;
            }
            queued.received += 1;
            queued.last = Last::Forgotten;
            received.push(Received { id: id(number), body: queued.body.clone(), received: queued.received });
            messages.handed.insert(number, (now + self.habits.forgotten_after, queued));
        }
        received
    }

    fn ack(&self, id: &str) {
        if let Some(number) = number(id) {
            for queue in self.state().queues.values_mut() {
                queue.handed.remove(&number);
                // Forgotten by us, but not by the one who had it.
                queue.waiting.retain(|&(_, waiting), _| waiting != number);
            }
        }
    }

    fn nack(&self, id: &str, delay: Duration, now: Timestamp) {
        if let Some(number) = number(id) {
            for queue in self.state().queues.values_mut() {
                if let Some((_, mut queued)) = queue.handed.remove(&number) {
                    queued.last = Last::GivenBack;
                    queue.waiting.insert((now + delay, number), queued);
                }
            }
        }
        self.notified.notify_one();
    }

    fn next_due(&self, queue: Queue) -> Option<Timestamp> {
        let state = self.state();
        let messages = state.queues.get(&queue)?;
        let waiting = messages.waiting.keys().next().map(|&(due, _)| due);
        let handed = messages.handed.values().map(|&(due, _)| due).min();
        waiting.into_iter().chain(handed).min()
    }

    async fn notified(&self) {
        self.notified.notified().await;
    }
}

impl QueueState {
    fn take_back_forgotten(&mut self, now: Timestamp) {
        for (number, (due, queued)) in self.handed.extract_if(.., |_, (due, _)| *due <= now) {
            self.waiting.insert((due, number), queued);
        }
    }
}

fn id(number: u64) -> String {
    format!("message-{number}")
}

fn number(id: &str) -> Option<u64> {
    id.strip_prefix("message-")?.parse().ok()
}
