//! How much waits in queues, what lies among the dead letters, and putting what failed back. Our own, because the function
//! that does it then needs rights on a few queues only, looks at each letter, and counts what it moved.

use std::collections::BTreeMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use hardmatch_ports::doorbell::{DoorbellError, Queue};
use jiff::Timestamp;

use crate::doorbell::SqsDoorbell;
use crate::failure::sentence;

/// Most messages of one receipt.
const RECEIVE: usize = 10;
/// How long a message that is being moved is hidden from others, in seconds.
const HIDDEN: i32 = 60;
/// How long a message that is only looked at is hidden from others, in seconds.
const LOOKED_AT: i32 = 10;
/// Seconds to wait for messages: an answer at once may come from servers that have none of them.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>
const POLL: i32 = 1;

/// Messages of a queue, by SQS's own count, which lags by some seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// May be received.
    pub waiting: u64,
    /// In somebody's hands.
    pub handled: u64,
    /// Not due yet.
    pub delayed: u64,
}

/// A message that was looked at where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Names the message; the same in the queue that it failed in.
    pub id: String,
    /// What it says.
    pub body: String,
    /// When it was sent: moving it keeps that.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>
    pub sent: Option<Timestamp>,
    /// The queue that it failed in, by the end of its ARN, where SQS says so: the service moved it then.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>
    pub failed_in: Option<String>,
    /// What the scheduler says about it, where it was the one that gave up.
    pub undelivered: Option<Undelivered>,
}

/// What is to become of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redrive {
    /// It goes back into this queue.
    Back(Queue),
    /// It is deleted: nobody waits for it.
    Delete,
    /// It stays.
    Leave,
}

/// What a schedule could not deliver, in the scheduler's words.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Name of the schedule.
    pub schedule: String,
    /// The time that it was for.
    pub due: Option<Timestamp>,
    /// Why the target did not take it: a code and a sentence.
    pub why: String,
}

/// What a redrive came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Messages that are back in a queue, by queue.
    pub moved: BTreeMap<Queue, usize>,
    /// Messages that were deleted.
    pub deleted: usize,
    /// Messages that were left where they are.
    pub left: usize,
    /// Why it ended before the queue was empty or the limit reached. What was not moved is where it was, or in both
    /// queues, which harms nothing.
    pub stopped: Option<String>,
}

impl Redriven {
    /// Messages that were looked at.
    pub fn seen(&self) -> usize {
        self.moved.values().sum::<usize>() + self.deleted + self.left
    }
}

/// How the template names the one queue of dead letters, beside the queues of work.
const DEAD: &str = "dead";

impl SqsDoorbell {
    /// The URL of the stack's dead letters.
    pub fn dead_letters(&self) -> Result<String, DoorbellError> {
        let url = self.url(Queue::Match)?;
        let stack = url.strip_suffix(Queue::Match.name()).unwrap_or(url);
        Ok(format!("{stack}{DEAD}"))
    }

    /// How much a queue holds; also of a dead-letter queue, by its URL.
    pub async fn depth(&self, url: &str) -> Result<Depth, DoorbellError> {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesDelayed)
            .send()
            .await
            .map_err(|error| DoorbellError(sentence("sqs:GetQueueAttributes", url, &error)))?;
        let count = |name| {
            let value = answer.attributes().and_then(|attributes| attributes.get(&name))?;
            value.parse().ok()
        };
        Ok(Depth {
            waiting: count(QueueAttributeName::ApproximateNumberOfMessages).unwrap_or_default(),
            handled: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible).unwrap_or_default(),
            delayed: count(QueueAttributeName::ApproximateNumberOfMessagesDelayed).unwrap_or_default(),
        })
    }

    /// What lies in a queue of dead letters, oldest first, at most `max` or a few more. Nothing is moved; what was looked
    /// at is hidden for some seconds from others who look, and from [`Self::redrive`].
    pub async fn letters(&self, url: &str, max: usize) -> Result<Vec<Letter>, DoorbellError> {
        let mut found = BTreeMap::new();
        while found.len() < max {
            let before = found.len();
            for message in receive(&self.client, url, RECEIVE, LOOKED_AT).await? {
                let letter = letter(message);
                found.insert((letter.sent, letter.id.clone()), letter);
            }
            // Nothing, or what was looked at long enough ago to come round again.
            if found.len() == before {
                break;
            }
        }
        Ok(found.into_values().collect())
    }

    /// Does with each dead letter what `judge` says, with `max` at most: what fails again and comes back meanwhile is not
    /// moved for ever. A letter is sent before it is deleted: killed in between, it is in both queues.
    pub async fn redrive(
        &self,
        dead_letters: &str,
        max: usize,
        judge: impl Fn(&Letter) -> Redrive + Send,
    ) -> Result<Redriven, DoorbellError> {
        let mut done = Redriven::default();
        while done.seen() < max && done.stopped.is_none() {
            let messages = receive(&self.client, dead_letters, (max - done.seen()).min(RECEIVE), HIDDEN).await?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let did = match judge(&letter(message.clone())) {
                    Redrive::Back(queue) => match self.url(queue) {
                        Ok(url) => move_one(&self.client, dead_letters, url, message)
                            .await
                            .map(|()| *done.moved.entry(queue).or_default() += 1),
                        Err(error) => Err(error.to_string()),
                    },
                    Redrive::Delete => {
                        delete(&self.client, dead_letters, message.receipt_handle).await.map(|()| done.deleted += 1)
                    }
                    Redrive::Leave => {
                        done.left += 1;
                        Ok(())
                    }
                };
                if let Err(why) = did {
                    done.stopped = Some(why);
                    break;
                }
            }
        }
        Ok(done)
    }
}

fn letter(message: Message) -> Letter {
    let undelivered = undelivered(&message);
    let mut attributes = message.attributes.unwrap_or_default();
    let sent = attributes.remove(&MessageSystemAttributeName::SentTimestamp);
    let failed_in = attributes.remove(&MessageSystemAttributeName::DeadLetterQueueSourceArn);
    Letter {
        failed_in: failed_in.and_then(|arn| arn.rsplit(':').next().map(str::to_owned)).filter(|name| !name.is_empty()),
        id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        sent: sent.and_then(|ms| Timestamp::from_millisecond(ms.parse().ok()?).ok()),
        undelivered,
    }
}

/// Only what the scheduler gives up names a schedule.
fn undelivered(message: &Message) -> Option<Undelivered> {
    let noted = |name: &str| message.message_attributes()?.get(name)?.string_value();
    let arn = noted("SCHEDULE_ARN")?;
    let why: Vec<&str> = ["ERROR_CODE", "ERROR_MESSAGE"].into_iter().filter_map(noted).collect();
    Some(Undelivered {
        schedule: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
        due: noted("SCHEDULED_TIME").and_then(|time| time.parse().ok()),
        why: why.join(": "),
    })
}

async fn receive(client: &Client, url: &str, max: usize, hidden: i32) -> Result<Vec<Message>, DoorbellError> {
    let answer = client
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(i32::try_from(max).unwrap_or(1))
        .visibility_timeout(hidden)
        .wait_time_seconds(POLL)
        .message_attribute_names("All")
        .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
        .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
        .message_system_attribute_names(MessageSystemAttributeName::DeadLetterQueueSourceArn)
        .send()
        .await
        .map_err(|error| DoorbellError(sentence("sqs:ReceiveMessage", url, &error)))?;
    Ok(answer.messages.unwrap_or_default())
}

async fn move_one(client: &Client, from: &str, to: &str, message: Message) -> Result<(), String> {
    let group = message.attributes.and_then(|mut all| all.remove(&MessageSystemAttributeName::MessageGroupId));
    client
        .send_message()
        .queue_url(to)
        .message_body(message.body.unwrap_or_default())
        .set_message_attributes(message.message_attributes)
        .set_message_group_id(group)
        .send()
        .await
        .map_err(|error| sentence("sqs:SendMessage", to, &error))?;
    delete(client, from, message.receipt_handle).await
}

async fn delete(client: &Client, url: &str, receipt: Option<String>) -> Result<(), String> {
    let request = client.delete_message().queue_url(url).receipt_handle(receipt.unwrap_or_default());
    request.send().await.map(|_| ()).map_err(|error| sentence("sqs:DeleteMessage", url, &error))
}
