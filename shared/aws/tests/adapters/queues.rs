//! Doorbells against the stand-in.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    Message as SqsMessage, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
};
use hardmatch_aws::{Depth, Letter, QueueUrls, Redrive, Redriven, SqsDoorbell, Undelivered};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::{Doorbell as _, Message, MessageKind, Queue, Urgency};

use crate::support::{QuickClock, account};

struct Queues {
    client: Client,
    urls: QueueUrls,
    dead: String,
    doorbell: SqsDoorbell,
}

async fn queues() -> Queues {
    let account = account();
    let mut urls = QueueUrls::new();
    let all = [Queue::Source, Queue::Tenant, Queue::Match, Queue::Write, Queue::MatchNow, Queue::WriteNow];
    for (number, queue) in all.into_iter().enumerate() {
        urls.insert(queue, account.queue(&format!("queue-{number}")).await.unwrap());
    }
    let dead = account.queue("dead").await.unwrap();
    let aws = account.aws(Arc::new(QuickClock::default())).await;
    Queues { client: Client::new(aws.config()), doorbell: aws.doorbell(urls.clone()), urls, dead }
}

impl Queues {
    async fn receive(&self, url: &str) -> Vec<SqsMessage> {
        let request = self.client.receive_message().queue_url(url).max_number_of_messages(10);
        let request = request.message_attribute_names("All");
        let request = request.message_system_attribute_names(MessageSystemAttributeName::MessageGroupId);
        request.send().await.unwrap().messages.unwrap_or_default()
    }
}

fn message(kind: MessageKind) -> Message {
    Message::new(ConnectionId::new("contoso"), "r1", kind)
}

#[tokio::test]
async fn each_message_reaches_its_queue_as_json_under_its_connection() {
    let queues = queues().await;
    let messages = [
        message(MessageKind::ObserveSource),
        message(MessageKind::ObserveTenant),
        message(MessageKind::Match),
        message(MessageKind::Write),
        message(MessageKind::Match).with_urgency(Urgency::Now),
        message(MessageKind::Write).with_urgency(Urgency::Now),
    ];
    for message in &messages {
        queues.doorbell.notify(message.clone(), Duration::ZERO).await.unwrap();
        let received = queues.receive(&queues.urls[&message.queue()]).await;
        assert_eq!(received.len(), 1, "{message:?}");
        let body: Message = serde_json::from_str(received[0].body().unwrap()).unwrap();
        assert_eq!(body, *message);
        let group = received[0].attributes().unwrap().get(&MessageSystemAttributeName::MessageGroupId);
        assert_eq!(group.map(String::as_str), Some("contoso"));
        let version = received[0].message_attributes().unwrap()["v"].string_value().map(str::to_owned);
        assert_eq!(version, Some(Message::VERSION.to_string()));
    }
    // One that is about all connections belongs to no group.
    queues.doorbell.notify(Message::for_all(MessageKind::Tick), Duration::ZERO).await.unwrap();
    assert_eq!(queues.receive(&queues.urls[&Queue::Match]).await.len(), 1);
}

#[tokio::test]
async fn a_delay_keeps_a_message_back() {
    let queues = queues().await;
    queues.doorbell.notify(message(MessageKind::Write), Duration::from_hours(24)).await.unwrap();
    let depth = queues.doorbell.depth(&queues.urls[&Queue::Write]).await.unwrap();
    assert_eq!(depth, Depth { waiting: 0, handled: 0, delayed: 1 });
}

#[tokio::test]
async fn a_message_that_failed_is_handed_over_again_when_it_is_asked_for() {
    let queues = queues().await;
    let url = &queues.urls[&Queue::Match];
    let name = url.rsplit('/').next().unwrap();
    queues.doorbell.notify(message(MessageKind::Match), Duration::ZERO).await.unwrap();
    let first = queues.receive(url).await.remove(0);
    assert_eq!(queues.receive(url).await.len(), 0, "it is in hand");
    queues.doorbell.hand_over_again(name, first.receipt_handle().unwrap(), Duration::ZERO).await.unwrap();
    let again = queues.receive(url).await;
    assert_eq!(again.iter().map(SqsMessage::message_id).collect::<Vec<_>>(), [first.message_id()]);
    let error = queues.doorbell.hand_over_again("none", "x", Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("sqs:ChangeMessageVisibility"), "{error}");
}

#[tokio::test]
async fn what_nobody_understands_yet_goes_back_as_it_is_for_later() {
    let queues = queues().await;
    let url = &queues.urls[&Queue::MatchNow];
    let newer = r#"{"v":99,"kind":"something-new"}"#;
    queues.doorbell.put_back(Queue::MatchNow, newer, Duration::from_mins(15)).await.unwrap();
    assert_eq!(queues.doorbell.depth(url).await.unwrap(), Depth { waiting: 0, handled: 0, delayed: 1 });
    queues.doorbell.put_back(Queue::MatchNow, newer, Duration::ZERO).await.unwrap();
    assert_eq!(queues.receive(url).await[0].body(), Some(newer));
}

#[tokio::test]
async fn a_queue_that_was_not_given_is_named() {
    let aws = account().aws(Arc::new(QuickClock::default())).await;
    let error = aws.doorbell(QueueUrls::new()).notify(message(MessageKind::Write), Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("the queue write"), "{error}");
    let urls = QueueUrls::from([(Queue::Write, "http://localhost:1/nobody/none".to_owned())]);
    let error = aws.doorbell(urls).notify(message(MessageKind::Write), Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("sqs:SendMessage"), "{error}");
}

#[tokio::test]
async fn dead_letters_go_back_as_they_were_and_no_more_than_asked() {
    let queues = queues().await;
    let into_dead = QueueUrls::from([(Queue::Write, queues.dead.clone())]);
    let aws_dead = SqsDoorbell::new(queues.client.clone(), into_dead);
    let notified = message(MessageKind::Write);
    for _ in 0..13 {
        aws_dead.notify(notified.clone(), Duration::ZERO).await.unwrap();
    }
    let redriven = queues.doorbell.redrive(&queues.dead, 12, back).await.unwrap();
    assert_eq!(redriven, Redriven { moved: [(Queue::Write, 12)].into(), ..Redriven::default() });
    assert_eq!(queues.doorbell.depth(&queues.dead).await.unwrap(), Depth { waiting: 1, ..Depth::default() });
    let received = queues.receive(&queues.urls[&Queue::Write]).await;
    assert_eq!(received.len(), 10);
    for message in received {
        assert_eq!(serde_json::from_str::<Message>(message.body().unwrap()).unwrap(), notified);
        assert!(message.attributes().unwrap().contains_key(&MessageSystemAttributeName::MessageGroupId));
        assert!(message.message_attributes().unwrap().contains_key("v"));
    }
    let rest = queues.doorbell.redrive(&queues.dead, 100, back).await.unwrap();
    assert_eq!(rest, Redriven { moved: [(Queue::Write, 1)].into(), ..Redriven::default() });
}

fn back(_: &Letter) -> Redrive {
    Redrive::Back(Queue::Write)
}

#[tokio::test]
async fn each_letter_goes_back_is_deleted_or_stays_as_it_is_judged() {
    let queues = queues().await;
    let dead = SqsDoorbell::new(queues.client.clone(), QueueUrls::from([(Queue::Write, queues.dead.clone())]));
    for body in ["back", "gone", "stays", "back"] {
        dead.put_back(Queue::Write, body, Duration::ZERO).await.unwrap();
    }
    let judge = |letter: &Letter| match letter.body.as_str() {
        "back" => Redrive::Back(Queue::Match),
        "gone" => Redrive::Delete,
        _ => Redrive::Leave,
    };
    let redriven = queues.doorbell.redrive(&queues.dead, 100, judge).await.unwrap();
    let expected = Redriven { moved: [(Queue::Match, 2)].into(), deleted: 1, left: 1, stopped: None };
    assert_eq!(redriven, expected);
    assert_eq!(queues.receive(&queues.urls[&Queue::Match]).await.len(), 2);
    let depth = queues.doorbell.depth(&queues.dead).await.unwrap();
    assert_eq!(depth.waiting + depth.handled, 1, "{depth:?}");
}

#[tokio::test]
async fn a_letter_says_which_queue_gave_it_up() {
    let queues = queues().await;
    let url = &queues.urls[&Queue::Match];
    let policy = serde_json::json!({
        "deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:{}:dead", queues.dead.rsplit('/').nth(1).unwrap()),
        "maxReceiveCount": 1,
    });
    let set = queues.client.set_queue_attributes().queue_url(url);
    set.attributes(QueueAttributeName::RedrivePolicy, policy.to_string()).send().await.unwrap();
    queues.doorbell.notify(Message::for_all(MessageKind::Tick), Duration::ZERO).await.unwrap();
    for _ in 0..2 {
        queues.client.receive_message().queue_url(url).visibility_timeout(0).send().await.unwrap();
    }
    let found = queues.doorbell.letters(&queues.dead, 10).await.unwrap();
    assert_eq!(found.iter().map(|one| one.failed_in.as_deref()).collect::<Vec<_>>(), [Some("queue-2")]);
}

#[tokio::test]
async fn a_letter_that_cannot_be_sent_stays_where_it_is() {
    let queues = queues().await;
    let letters = SqsDoorbell::new(queues.client.clone(), QueueUrls::from([(Queue::Write, queues.dead.clone())]));
    letters.notify(message(MessageKind::Write), Duration::ZERO).await.unwrap();
    let gone = queues.dead.replace("dead", "gone");
    let nowhere = SqsDoorbell::new(queues.client.clone(), QueueUrls::from([(Queue::Write, gone)]));
    let redriven = nowhere.redrive(&queues.dead, 10, back).await.unwrap();
    assert_eq!(redriven.seen(), 0);
    assert!(redriven.stopped.is_some_and(|why| why.contains("sqs:SendMessage")));
    let depth = queues.doorbell.depth(&queues.dead).await.unwrap();
    assert_eq!(depth, Depth { handled: 1, ..Depth::default() });
}

#[tokio::test]
async fn dead_letters_are_looked_at_where_they_lie() {
    let queues = queues().await;
    let letters = SqsDoorbell::new(queues.client.clone(), QueueUrls::from([(Queue::Write, queues.dead.clone())]));
    assert_eq!(queues.doorbell.letters(&queues.dead, 100).await.unwrap(), []);
    for run in 0..13 {
        let message = Message::new(ConnectionId::new("contoso"), format!("r{run}"), MessageKind::Write);
        letters.notify(message, Duration::ZERO).await.unwrap();
    }
    let found = queues.doorbell.letters(&queues.dead, 100).await.unwrap();
    let mut runs: Vec<String> =
        found.iter().map(|one| serde_json::from_str::<Message>(&one.body).unwrap().run).collect();
    runs.sort();
    let mut all: Vec<String> = (0..13).map(|run| format!("r{run}")).collect();
    all.sort();
    assert_eq!(runs, all, "each once");
    assert!(found.iter().all(|one| one.sent.is_some() && !one.id.is_empty()), "{found:?}");
    assert!(found.is_sorted_by_key(|one| one.sent), "{found:?}");
    assert!(found.iter().all(|one| one.undelivered.is_none()), "no schedule sent them: {found:?}");
    let depth = queues.doorbell.depth(&queues.dead).await.unwrap();
    assert_eq!(depth.waiting + depth.handled, 13, "nothing was moved: {depth:?}");
}

#[tokio::test]
async fn a_letter_of_the_scheduler_says_what_it_was_for_and_why_it_lies_there() {
    let queues = queues().await;
    let noted = [
        ("SCHEDULE_ARN", "arn:aws:scheduler:us-east-1:111122223333:schedule/default/hm-nightly"),
        ("SCHEDULED_TIME", "2031-02-01T02:00:00Z"),
        ("ERROR_CODE", "AWS.SimpleQueueService.NonExistentQueue"),
        ("ERROR_MESSAGE", "The specified queue does not exist."),
    ];
    let text = |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap();
    let noted = noted.map(|(name, value)| (name.to_owned(), text(value)));
    let sent = queues.client.send_message().queue_url(&queues.dead).message_body("{}");
    sent.set_message_attributes(Some(noted.into())).send().await.unwrap();
    let found = queues.doorbell.letters(&queues.dead, 100).await.unwrap();
    let expected = Undelivered {
        schedule: "hm-nightly".to_owned(),
        due: "2031-02-01T02:00:00Z".parse().ok(),
        why: "AWS.SimpleQueueService.NonExistentQueue: The specified queue does not exist.".to_owned(),
    };
    assert_eq!(found.into_iter().map(|one| one.undelivered).collect::<Vec<_>>(), [Some(expected)]);
}
