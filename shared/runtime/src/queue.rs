//! The batch runner: a batch of messages in, the failed ones out. Each message is handled by itself, and one that fails, or
//! panics, takes nobody along.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

mod event;

use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use hardmatch_ports::doorbell::{After, Doorbell, DoorbellError, Message, Queue};
use serde::Deserialize;
use tracing::Instrument as _;

pub use self::event::{BatchResponse, ItemFailure, RECEIVE_COUNT, SqsEvent, SqsMessage};
use crate::telemetry::field;

/// For so long a message of a newer version rests before it is looked at again: the longest delay of a queue.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html>
pub const NEWER_RESTS: Duration = Duration::from_mins(15);

/// Handles the messages of a batch one after the other. What the answer names is handed over again by the queue: messages whose
/// handler failed or panicked, texts that are not messages of ours, and messages that were to be sent again and could not be.
///
/// A message of a newer version is not failed: while a new version is deployed, old and new functions serve one queue, and
/// a message that an old one fails five times would be put aside before a new one has seen it. It is put back into its
/// queue as it is, as often as it takes.
pub async fn run_batch<F, Fut, E>(event: SqsEvent, doorbell: &dyn Doorbell, handle: F) -> BatchResponse
where
    F: Fn(Message) -> Fut,
    Fut: Future<Output = Result<After, E>>,
    E: Display,
{
    let mut response = BatchResponse::default();
    for record in event.records {
        if run_one(&record, doorbell, &handle).await.is_err() {
            response.batch_item_failures.push(ItemFailure { item_identifier: record.message_id });
        }
    }
    response
}

/// Already logged, where it happened.
struct Failed;

async fn run_one<F, Fut, E>(record: &SqsMessage, doorbell: &dyn Doorbell, handle: &F) -> Result<(), Failed>
where
    F: Fn(Message) -> Fut,
    Fut: Future<Output = Result<After, E>>,
    E: Display,
{
    let id = record.message_id.as_str();
    let message = match understand(&record.body) {
        Ok(message) => message,
        Err(MessageProblem::Newer(version)) => {
            tracing::warn!(
                { field::MESSAGE_ID } = id,
                "a message has version {version}, this one knows up to {}. It waits for a newer version of this function",
                Message::VERSION
            );
            return put_back(record, doorbell).await.map_err(|error| {
                tracing::error!({ field::MESSAGE_ID } = id, { field::ERROR } = %error, "a message was left in its queue");
                Failed
            });
        }
        Err(MessageProblem::NotAMessage(problem)) => {
            tracing::error!({ field::MESSAGE_ID } = id, "a message was left in its queue: {problem}");
            return Err(Failed);
        }
    };
    let failed = |what: &str, error: &dyn Display| {
        tracing::error!(
            { field::MESSAGE_ID } = id,
            { field::MESSAGE_RECEIVED } = record.received(),
            { field::CONNECTION_ID } = %message.connection,
            { field::RUN_ID } = message.run,
            { field::MESSAGE_KIND } = message.kind.name(),
            { field::ERROR } = %error,
            "{what}; the message stays in its queue"
        );
        Failed
    };
    // The closure runs inside, so that a panic before its first await is caught too. Handlers keep nothing in memory
    // between messages that a panic could leave half done: state is in the table.
    let span = tracing::error_span!(
        "message",
        { field::CONNECTION_ID } = %message.connection,
        { field::RUN_ID } = message.run,
        { field::MESSAGE_ID } = id,
        { field::MESSAGE_KIND } = message.kind.name(),
    );
    let handled = AssertUnwindSafe(async { handle(message.clone()).await }).catch_unwind().instrument(span).await;
    match handled {
        Ok(Ok(After::Done)) => Ok(()),
        Ok(Ok(After::Again(delay))) => doorbell
            .notify(message.clone(), delay)
            .await
            .map_err(|error| failed("a message could not be requeued", &error)),
        Ok(Err(error)) => Err(failed("a message could not be answered", &format_args!("{error:#}"))),
        // What was said in panic may carry what it was about; its place has been logged.
        Err(_) => Err(failed("the handler of a message panicked", &"panic")),
    }
}

async fn put_back(record: &SqsMessage, doorbell: &dyn Doorbell) -> Result<(), DoorbellError> {
    let queue = Queue::named(&record.event_source_arn)
        .ok_or_else(|| DoorbellError("the message does not say which queue it came from".to_owned()))?;
    doorbell.put_back(queue, &record.body, NEWER_RESTS).await
}

/// Why a message is not answered. Said without the message's own words: the sender may have put anything there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageProblem {
    /// It has this version.
    #[error("it has version {0}, this program knows up to {newest}. It waits for a newer version", newest = Message::VERSION)]
    Newer(u32),
    /// What is wrong.
    #[error("{0}")]
    NotAMessage(String),
}

/// Understands the text of a message.
pub fn understand(body: &str) -> Result<Message, MessageProblem> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let Version { v } = serde_json::from_str(body).map_err(|_| {
        MessageProblem::NotAMessage("it is no message of hardmatch. Look who else sends to this queue".to_owned())
    })?;
    if v > Message::VERSION {
        return Err(MessageProblem::Newer(v));
    }
    serde_json::from_str(body).map_err(|error| {
        let column = error.column();
        MessageProblem::NotAMessage(format!(
            "it is not a message of version {v} (column {column}). Look who else sends to it"
        ))
    })
}
