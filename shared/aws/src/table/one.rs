//! One write. Repeated after a lost answer, a put under a condition may meet itself.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConsumedCapacity, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
};
use hardmatch_ports::table::{Condition, Key, TableError, Write, limits};

use super::{DynamoTable, item};
use crate::backoff::Backoff;
use crate::failure::Meaning;

/// What became of one attempt.
enum Attempt {
    Done,
    /// The condition did not hold; this is what is there.
    Refused(Option<item::Attributes>),
    /// To be repeated; perhaps it was carried out.
    Again(Meaning),
}

impl DynamoTable {
    pub(super) async fn write_one(&self, write: &Write) -> Result<u64, TableError> {
        let condition = limits::condition(write);
        let revision = item::next_revision(condition);
        let (put, mark) = match write {
            Write::Put { key, body, expires, .. } => {
                let mut put = item::put(key, revision, body, *expires);
                let mark = (condition != Condition::None).then(|| item::sign(&mut put));
                (Some(put), mark)
            }
            Write::Delete { .. } | Write::Check { .. } => (None, None),
        };
        let mut backoff = Backoff::default();
        let mut lost = false;
        loop {
            let attempt = match &put {
                Some(put) => self.put_once(put, condition, &mut backoff).await?,
                None => self.delete_once(write.key(), condition, &mut backoff).await?,
            };
            match attempt {
                Attempt::Done => return Ok(if put.is_some() { revision } else { 0 }),
                Attempt::Again(meaning) => lost |= meaning == Meaning::Lost,
                Attempt::Refused(there) => {
                    let ours = is_ours(there.as_ref(), mark.as_ref());
                    self.count_refused(there, write);
                    return match (lost, ours) {
                        (true, true) => Ok(revision),
                        // Ours may have been there for a moment. Saying "nothing was written" could be a lie.
                        (true, false) => Err(TableError::Unavailable(format!(
                            "the answer to a write to {} was lost, and the item has changed since. It is read again at \
                             the next attempt",
                            self.name
                        ))),
                        (false, _) => Err(TableError::Conflict { at: 0 }),
                    };
                }
            }
        }
    }

    async fn put_once(
        &self,
        put: &item::Attributes,
        condition: Condition,
        backoff: &mut Backoff,
    ) -> Result<Attempt, TableError> {
        let sent = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(put.clone()))
            .set_condition_expression(item::expression(condition).map(str::to_owned))
            .set_expression_attribute_values(item::values(condition))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let refused = |error: &PutItemError| match error {
            PutItemError::ConditionalCheckFailedException(refused) => Some(refused.item.clone()),
            _ => None,
        };
        self.attempted("dynamodb:PutItem", backoff, sent.map(|answer| answer.consumed_capacity), refused).await
    }

    async fn delete_once(&self, key: &Key, condition: Condition, backoff: &mut Backoff) -> Result<Attempt, TableError> {
        let sent = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(item::key(key)))
            .set_condition_expression(item::expression(condition).map(str::to_owned))
            .set_expression_attribute_values(item::values(condition))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let refused = |error: &DeleteItemError| match error {
            DeleteItemError::ConditionalCheckFailedException(refused) => Some(refused.item.clone()),
            _ => None,
        };
        self.attempted("dynamodb:DeleteItem", backoff, sent.map(|answer| answer.consumed_capacity), refused).await
    }

    /// What became of an attempt. `refused` tells a condition that did not hold, and gives what is there.
    async fn attempted<E>(
        &self,
        action: &str,
        backoff: &mut Backoff,
        sent: Result<Option<ConsumedCapacity>, SdkError<E, HttpResponse>>,
        refused: impl FnOnce(&E) -> Option<Option<item::Attributes>>,
    ) -> Result<Attempt, TableError>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match sent {
            Ok(used) => {
                self.count_write(&used);
                Ok(Attempt::Done)
            }
            Err(error) => match error.as_service_error().and_then(refused) {
                Some(there) => Ok(Attempt::Refused(there)),
                None => self.again(action, backoff, &error).await.map(Attempt::Again),
            },
        }
    }

    /// A condition that fails is billed as the write would have been; the refusal does not say how much.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>
    fn count_refused(&self, there: Option<item::Attributes>, write: &Write) {
        let units = limits::write_units(there.map_or(0, item::bytes), limits::weight(write));
        self.write.fetch_add(units, std::sync::atomic::Ordering::Relaxed);
    }
}

fn is_ours(there: Option<&item::Attributes>, mark: Option<&AttributeValue>) -> bool {
    match (there, mark) {
        (Some(there), Some(mark)) => item::is_signed(there, mark),
        _ => false,
    }
}
