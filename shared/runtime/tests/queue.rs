//! The batch runner answers for each message by itself.

#![cfg(test)]

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_ports::doorbell::{After, Doorbell, DoorbellError, Message, MessageKind, Queue};
use hardmatch_runtime::queue::{BatchResponse, NEWER_RESTS, SqsEvent, SqsMessage, run_batch};
use serde_json::json;

#[tokio::test]
async fn messages_are_handled_one_after_the_other() {
    let seen = Mutex::new(Vec::new());
    let response = run_batch(event([message("a"), message("b"), message("c")]), &Notified::default(), |message| {
        seen.lock().unwrap().push(message.run);
        async { Ok::<_, String>(After::Done) }
    })
    .await;
    assert_eq!(response, BatchResponse::default());
    assert_eq!(seen.into_inner().unwrap(), ["a", "b", "c"]);
}

#[tokio::test]
async fn one_that_fails_or_panics_takes_nobody_along() {
    let response = run_batch(
        event([
            message("good"),
            message("bad"),
            message("panics at once"),
            message("panics later"),
            message("also good"),
        ]),
        &Notified::default(),
        |message| {
            assert_ne!(message.run, "panics at once");
            async move {
                tokio::task::yield_now().await;
                assert_ne!(message.run, "panics later");
                if message.run == "bad" {
                    Err(anyhow::anyhow!("no table").context("no answer"))
                } else {
                    Ok(After::Done)
                }
            }
        },
    )
    .await;
    assert_eq!(failed(&response), ["m1", "m2", "m3"]);
}

#[tokio::test]
async fn what_is_not_understood_stays_and_is_never_handled() {
    let bodies = [
        "{}".to_owned(),
        "hello".to_owned(),
        String::new(),
        json!({"v": 1, "connection": "contoso", "run": "r", "kind": "dream"}).to_string(),
        json!({"v": 1, "connection": "contoso", "run": "r", "kind": "match", "new": "field"}).to_string(),
    ];
    let seen = Mutex::new(Vec::new());
    let response = run_batch(event(bodies), &Notified::default(), |message| {
        seen.lock().unwrap().push(message);
        async { Ok::<_, String>(After::Done) }
    })
    .await;
    assert_eq!(failed(&response), ["m0", "m1", "m2", "m3"]);
    // A field that is not known yet does no harm.
    assert_eq!(seen.into_inner().unwrap(), [Message::new("contoso".into(), "r", MessageKind::Match)]);
}

#[tokio::test]
async fn a_newer_message_is_put_back_as_it_is_and_never_fails() {
    let newer = json!({"v": 2, "connection": "contoso", "run": "r", "kind": "dream", "depth": 3}).to_string();
    let handle = |_: Message| async { Ok::<_, String>(After::Done) };
    let notified = Notified::default();
    let mut event = event([newer.clone()]);
    event.records[0].event_source_arn = "arn:aws:sqs:eu-central-1:123456789012:hardmatch-prod-write-now".to_owned();
    let response = run_batch(event.clone(), &notified, handle).await;
    assert_eq!(response, BatchResponse::default(), "a failure would count towards the dead letters");
    assert_eq!(*notified.back.lock().unwrap(), [(Queue::WriteNow, newer, NEWER_RESTS)]);

    // What cannot be put back stays.
    let broken = Notified { broken: true, ..Notified::default() };
    assert_eq!(failed(&run_batch(event.clone(), &broken, handle).await), ["m0"]);
    event.records[0].event_source_arn.clear();
    assert_eq!(failed(&run_batch(event, &notified, handle).await), ["m0"]);
}

#[tokio::test]
async fn again_sends_the_same_message_later_and_is_no_failure() {
    let notified = Notified::default();
    let again = |_| async { Ok::<_, String>(After::Again(Duration::from_secs(7))) };
    let response = run_batch(event([message("r")]), &notified, again).await;
    assert_eq!(response, BatchResponse::default());
    let expected = (Message::new("contoso".into(), "r", MessageKind::Write), Duration::from_secs(7));
    assert_eq!(*notified.messages.lock().unwrap(), [expected]);

    // When it cannot be sent, the message itself has to come again.
    let broken = Notified { broken: true, ..Notified::default() };
    let response = run_batch(event([message("r")]), &broken, again).await;
    assert_eq!(failed(&response), ["m0"]);
}

#[test]
fn events_and_responses_have_the_shape_of_lambda() {
    let from_lambda = json!({"Records": [{
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": "{\"v\":1}",
        "attributes": {
            "ApproximateReceiveCount": "3",
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185"
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:hardmatch-match",
        "awsRegion": "us-east-2"
    }]});
    let event: SqsEvent = serde_json::from_value(from_lambda).unwrap();
    let message = &event.records[0];
    assert_eq!(message.message_id, "059f36b4-87a3-44ab-83d2-661975830a7d");
    assert_eq!((message.body.as_str(), message.received()), ("{\"v\":1}", Some(3)));
    assert_eq!(message.event_source_arn, "arn:aws:sqs:us-east-2:123456789012:hardmatch-match");
    assert_eq!(serde_json::to_value(&event).unwrap()["Records"][0]["eventSourceARN"], message.event_source_arn);

    let response: BatchResponse =
        serde_json::from_value(json!({"batchItemFailures": [{"itemIdentifier": "m"}]})).unwrap();
    assert_eq!(failed(&response), ["m"]);
    assert_eq!(serde_json::to_value(BatchResponse::default()).unwrap(), json!({"batchItemFailures": []}));
}

fn message(run: &str) -> String {
    serde_json::to_string(&Message::new("contoso".into(), run, MessageKind::Write)).unwrap()
}

fn event(bodies: impl IntoIterator<Item = String>) -> SqsEvent {
    let message = |(n, body)| SqsMessage { message_id: format!("m{n}"), body, ..SqsMessage::default() };
    SqsEvent { records: bodies.into_iter().enumerate().map(message).collect() }
}

fn failed(response: &BatchResponse) -> Vec<&str> {
    response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect()
}

#[derive(Default)]
struct Notified {
    messages: Mutex<Vec<(Message, Duration)>>,
    back: Mutex<Vec<(Queue, String, Duration)>>,
    broken: bool,
}

#[async_trait]
impl Doorbell for Notified {
    async fn notify(&self, message: Message, delay: Duration) -> Result<(), DoorbellError> {
        if self.broken {
            return Err(DoorbellError("no queue".to_owned()));
        }
        self.messages.lock().unwrap().push((message, delay));
        Ok(())
    }
    async fn put_back(&self, queue: Queue, body: &str, delay: Duration) -> Result<(), DoorbellError> {
        if self.broken {
            return Err(DoorbellError("no queue".to_owned()));
        }
        self.back.lock().unwrap().push((queue, body.to_owned(), delay));
        Ok(())
    }
}
