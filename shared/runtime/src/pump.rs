//! The loop that plays SQS and Lambda on one machine: takes messages from the queues, hands them to the functions in the
//! shape Lambda uses, and believes their partial batch responses. It knows nothing of what the functions do.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hardmatch_ports::clock::Clock;
use hardmatch_ports::doorbell::{MessageQueue, Queue, Received};
use jiff::Timestamp;
use tokio::task::{Id, JoinError, JoinSet};

use crate::queue::{BatchResponse, RECEIVE_COUNT, SqsEvent, SqsMessage};

/// A failed message is due again after this time, then after twice as much, and so on.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Up to this.
const LAST_RETRY: Duration = Duration::from_mins(1);

/// How a queue is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serving {
    /// Most messages in one call of the function.
    pub batch: usize,
    /// Most calls of it at a time.
    pub at_once: usize,
}

impl Default for Serving {
    fn default() -> Self {
        Self { batch: 10, at_once: 1 }
    }
}

/// Why the pump came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// No message waits, none is being handled.
    Dry,
    /// It was told to stop; what was being handled was finished, the rest waits.
    Stopped,
}

/// Serves queues until they run dry.
pub struct Pump {
    messages: Arc<dyn MessageQueue>,
    clock: Arc<dyn Clock>,
    functions: BTreeMap<Queue, (Serving, Function)>,
}

type Function = Arc<dyn Fn(SqsEvent) -> Call + Send + Sync>;
type Call = Pin<Box<dyn Future<Output = BatchResponse> + Send>>;

impl Pump {
    /// A pump that serves nothing yet.
    pub fn new(messages: Arc<dyn MessageQueue>, clock: Arc<dyn Clock>) -> Self {
        Self { messages, clock, functions: BTreeMap::new() }
    }

    /// The same, with a function that answers a queue. Queues without one are left alone.
    #[must_use]
    pub fn serve<F, Fut>(mut self, queue: Queue, serving: Serving, function: F) -> Self
    where
        F: Fn(SqsEvent) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = BatchResponse> + Send + 'static,
    {
        let function: Function = Arc::new(move |event| Box::pin(function(event)));
        self.functions.insert(queue, (serving, function));
        self
    }

    /// Until nothing is left in the queues served. Messages with a delay are waited for.
    pub async fn run_dry(&self) -> Ended {
        self.run(std::future::pending(), WhenDry::End).await
    }

    /// Until nothing is left, or until told to stop.
    pub async fn run_dry_or_until(&self, stop: impl Future<Output = ()>) -> Ended {
        self.run(stop, WhenDry::End).await
    }

    /// Until told to stop; when nothing is left, waits for the next message.
    pub async fn run_until(&self, stop: impl Future<Output = ()>) -> Ended {
        self.run(stop, WhenDry::Wait).await
    }

    async fn run(&self, stop: impl Future<Output = ()>, when_dry: WhenDry) -> Ended {
        let mut stop = std::pin::pin!(stop);
        let mut calls = Calls::default();
        loop {
            self.start_calls(&mut calls);
            let next = self.next_due(&calls);
            if calls.running.is_empty() && next.is_none() && when_dry == WhenDry::End {
                return Ended::Dry;
            }
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(ended) = calls.running.join_next_with_id() => self.settle(&mut calls, ended),
                () = self.messages.notified() => {}
                () = self.sleep_until(next) => {}
            }
        }
        while let Some(ended) = calls.running.join_next_with_id().await {
            self.settle(&mut calls, ended);
        }
        Ended::Stopped
    }

    /// Calls every function that has something due and is not called too often already.
    fn start_calls(&self, calls: &mut Calls) {
        let now = self.clock.now();
        for (&queue, (serving, function)) in &self.functions {
            while calls.of(queue) < serving.at_once {
                let batch = self.messages.receive(queue, serving.batch, now);
                if batch.is_empty() {
                    break;
                }
                let (at_work, function, event) = (self.clock.at_work(), Arc::clone(function), event(queue, &batch));
                let started = calls.running.spawn(async move {
                    let response = function(event).await;
                    drop(at_work);
                    response
                });
                calls.batches.insert(started.id(), (queue, batch));
            }
        }
    }

    /// Acknowledges what was answered and gives back what was not.
    fn settle(&self, calls: &mut Calls, ended: Result<(Id, BatchResponse), JoinError>) {
        let (id, response) = match ended {
            Ok((id, response)) => (id, Some(response)),
            Err(error) => (error.id(), None),
        };
        let Some((queue, batch)) = calls.batches.remove(&id) else { return };
        let failed = failed_of(&batch, response.as_ref());
        let now = self.clock.now();
        for message in &batch {
            if failed.contains(message.id.as_str()) {
                self.messages.nack(&message.id, retry_after(message.received), now);
            } else {
                self.messages.ack(&message.id);
            }
        }
        if response.is_none() {
            tracing::error!("the function that answers {queue:?} failed as a whole; its messages will be sent again");
        }
    }

    /// When something can be handed to a function that is free.
    fn next_due(&self, calls: &Calls) -> Option<Timestamp> {
        self.functions
            .iter()
            .filter(|(queue, (serving, _))| calls.of(**queue) < serving.at_once)
            .filter_map(|(&queue, _)| self.messages.next_due(queue))
            .min()
    }

    async fn sleep_until(&self, due: Option<Timestamp>) {
        let Some(due) = due else { return std::future::pending().await };
        // Waiting for the next message is no reason for time to pass while a function works.
        let _at_work = self.clock.at_work();
        let time = self.clock.now().duration_until(due);
        self.clock.sleep(Duration::try_from(time).unwrap_or_default()).await;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WhenDry {
    End,
    Wait,
}

/// What is being handled. Dropped, it ends the calls; their messages are due again when the queue thinks them forgotten.
#[derive(Default)]
struct Calls {
    running: JoinSet<BatchResponse>,
    batches: BTreeMap<Id, (Queue, Vec<Received>)>,
}

impl Calls {
    fn of(&self, queue: Queue) -> usize {
        self.batches.values().filter(|(of, _)| *of == queue).count()
    }
}

/// The ids that failed. No response, or one that names what was not in the batch, means all, as with Lambda.
fn failed_of<'b>(batch: &'b [Received], response: Option<&'b BatchResponse>) -> BTreeSet<&'b str> {
    let all: BTreeSet<&str> = batch.iter().map(|message| message.id.as_str()).collect();
    let Some(response) = response else { return all };
    let named: BTreeSet<&str> =
        response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
    if named.is_subset(&all) { named } else { all }
}

fn retry_after(received: u32) -> Duration {
    FIRST_RETRY.saturating_mul(2_u32.saturating_pow(received.saturating_sub(1))).min(LAST_RETRY)
}

/// The event that Lambda makes of messages.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
fn event(queue: Queue, batch: &[Received]) -> SqsEvent {
    let message = |message: &Received| SqsMessage {
        message_id: message.id.clone(),
        receipt_handle: format!("{}/{}", message.id, message.received),
        body: message.body.clone(),
        attributes: [(RECEIVE_COUNT.to_owned(), message.received.to_string())].into(),
        event_source: "aws:sqs".to_owned(),
        event_source_arn: format!("arn:aws:sqs:local:000000000000:{}", queue.name()),
        aws_region: "local".to_owned(),
    };
    SqsEvent { records: batch.iter().map(message).collect() }
}
