//! The shape in which Lambda hands over messages of SQS, and in which it wants to hear of failures. Only what we read;
//! other fields are ignored. <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A batch of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqsEvent {
    /// The messages.
    #[serde(rename = "Records")]
    pub records: Vec<SqsMessage>,
}

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsMessage {
    /// Names it in the response.
    pub message_id: String,
    /// Names this receipt of it.
    #[serde(default)]
    pub receipt_handle: String,
    /// What was sent.
    pub body: String,
    /// What the queue says about it: `ApproximateReceiveCount` and others.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// `aws:sqs`.
    #[serde(default)]
    pub event_source: String,
    /// Which queue.
    #[serde(default, rename = "eventSourceARN")]
    pub event_source_arn: String,
    /// Where.
    #[serde(default)]
    pub aws_region: String,
}

impl SqsMessage {
    /// How often it has been handed over, as far as the queue knows.
    pub fn received(&self) -> Option<u32> {
        self.attributes.get(RECEIVE_COUNT)?.parse().ok()
    }
}

/// The attribute that counts receipts.
pub const RECEIVE_COUNT: &str = "ApproximateReceiveCount";

/// What failed; everything else is deleted from the queue. Needs `ReportBatchItemFailures` on the event source.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// The messages to be handed over again.
    pub batch_item_failures: Vec<ItemFailure>,
}

/// A message that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// Its [`SqsMessage::message_id`].
    pub item_identifier: String,
}
