//! The doorbell on standard queues of SQS: at least once, in any order. Lambda receives; this adapter only sends.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use hardmatch_ports::doorbell::{Doorbell, DoorbellError, Message, Queue};

use crate::failure::sentence;

/// The URL of each queue that a function may send to.
pub type QueueUrls = BTreeMap<Queue, String>;

/// Longest delay of a message.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub const MAX_DELAY: Duration = Duration::from_mins(15);
/// Longest group id.
const MAX_GROUP: usize = 128;
/// The attribute that carries the version, for filters and for a reader of the console.
pub const VERSION: &str = "v";

/// Sends messages to queues of SQS.
#[derive(Clone, Debug)]
pub struct SqsDoorbell {
    pub(crate) client: Client,
    pub(crate) urls: QueueUrls,
}

impl SqsDoorbell {
    /// Over the queues of these URLs.
    pub fn new(client: Client, urls: QueueUrls) -> Self {
        Self { client, urls }
    }

    /// Has a message that was received handed over again after this time, as far as its receipt is still good. The queue is
    /// named as in its ARN and lies beside those that are known here.
    pub async fn hand_over_again(&self, queue: &str, receipt: &str, after: Duration) -> Result<(), DoorbellError> {
        let known = self.urls.values().next().map(String::as_str).unwrap_or_default();
        let url = known.rsplit_once('/').map(|(account, _)| format!("{account}/{queue}")).unwrap_or_default();
        let request = self.client.change_message_visibility().queue_url(&url).receipt_handle(receipt);
        let request = request.visibility_timeout(i32::try_from(after.as_secs()).unwrap_or(i32::MAX));
        request.send().await.map_err(|error| DoorbellError(sentence("sqs:ChangeMessageVisibility", &url, &error)))?;
        Ok(())
    }

    pub(crate) fn url(&self, queue: Queue) -> Result<&str, DoorbellError> {
        self.urls.get(&queue).map(String::as_str).ok_or_else(|| {
            DoorbellError(format!(
                "this function was not given the URL of the queue {}. Deploy the template again, or set it in the \
                 function's environment",
                word(queue)
            ))
        })
    }
}

#[async_trait]
impl Doorbell for SqsDoorbell {
    /// A delay longer than [`MAX_DELAY`] sends a message after [`MAX_DELAY`]: the function that answers finds that it is not yet time, and
    /// sends it again. What must happen at a time is a timer in the table, never a message.
    async fn notify(&self, message: Message, delay: Duration) -> Result<(), DoorbellError> {
        let url = self.url(message.queue())?;
        let body = serde_json::to_string(&message).map_err(|error| DoorbellError(error.to_string()))?;
        let version = MessageAttributeValue::builder()
            .data_type("Number")
            .string_value(message.v.to_string())
            .build()
            .map_err(|error| DoorbellError(error.to_string()))?;
        self.client
            .send_message()
            .queue_url(url)
            .message_body(body)
            .delay_seconds(whole_seconds(delay))
            .message_attributes(VERSION, version)
            .set_message_group_id(group(message.connection.as_str()))
            .send()
            .await
            .map_err(|error| DoorbellError(sentence("sqs:SendMessage", url, &error)))?;
        Ok(())
    }

    /// As a new message, so that the receipts of the old one do not count towards the dead letters. Of its attributes only
    /// what is in the body is known; nothing reads the others.
    async fn put_back(&self, queue: Queue, body: &str, delay: Duration) -> Result<(), DoorbellError> {
        let url = self.url(queue)?;
        let request = self.client.send_message().queue_url(url).message_body(body).delay_seconds(whole_seconds(delay));
        request.send().await.map_err(|error| DoorbellError(sentence("sqs:SendMessage", url, &error)))?;
        Ok(())
    }
}

/// Rounded up: a message that comes too early is only sent again.
fn whole_seconds(delay: Duration) -> i32 {
    let seconds = delay.min(MAX_DELAY).as_millis().div_ceil(1000);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// On a standard queue the group is whose messages these are: a connection that sends a message ten thousand times does not keep
/// the others waiting. <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html>
fn group(connection: &str) -> Option<String> {
    let fits = (1..=MAX_GROUP).contains(&connection.len()) && connection.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| connection.to_owned())
}

fn word(queue: Queue) -> &'static str {
    match queue {
        Queue::Source => "source",
        Queue::Tenant => "tenant",
        Queue::Match => "match",
        Queue::Write => "write",
        Queue::MatchNow => "match-now",
        Queue::WriteNow => "write-now",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_rounded_up_and_cut_at_fifteen_minutes() {
        for (millis, seconds) in
            [(0, 0), (1, 1), (1_000, 1), (1_001, 2), (900_000, 900), (900_001, 900), (86_400_000, 900)]
        {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds, "{millis} ms");
        }
    }

    #[test]
    fn a_group_is_a_connection_that_sqs_takes() {
        assert_eq!(group("contoso"), Some("contoso".to_owned()));
        for odd in ["", "two words", "Zoë", &"c".repeat(129)] {
            assert_eq!(group(odd), None, "{odd:?}");
        }
    }
}
