//! Transactions: all or none, and once, however often it has to be asked.

use std::sync::atomic::Ordering;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, ReturnConsumedCapacity, TransactWriteItem};
use hardmatch_ports::table::{TableError, Write, limits};

use super::{DynamoTable, item};
use crate::backoff::{Backoff, Patience};

/// Reasons of a cancellation that say nothing about our conditions: somebody else was at one of the items, or it was
/// too fast. Nothing was written, and nothing speaks against it.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
const PASSING: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// Why a transaction was called off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancelled {
    /// The condition of this write did not hold.
    Condition(usize),
    /// Nothing of ours.
    Passing,
}

impl DynamoTable {
    pub(super) async fn write_together(&self, writes: &[Write]) -> Result<(), TableError> {
        let items = writes
            .iter()
            .map(|write| self.part(write))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TableError::Invalid(error.to_string()))?;
        // Under one token DynamoDB carries a transaction out once and answers the same again, for ten minutes: a lost
        // answer is asked for again without harm.
        let token = format!("{:032x}", rand::random::<u128>());
        let mut backoff = Backoff::default();
        loop {
            let sent = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .client_request_token(&token)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await;
            let error = match sent {
                Ok(answer) => {
                    self.count_write(answer.consumed_capacity());
                    return Ok(());
                }
                Err(error) => error,
            };
            match cancelled(&error) {
                Some(Cancelled::Condition(at)) => {
                    let units: u64 = writes.iter().map(|write| 2 * limits::write_units(0, limits::weight(write))).sum();
                    self.write.fetch_add(units, Ordering::Relaxed);
                    return Err(TableError::Conflict { at });
                }
                Some(Cancelled::Passing) => {
                    if backoff.wait(self.clock.as_ref()).await == Patience::Ended {
                        return Err(TableError::Unavailable(format!(
                            "a transaction on {} met others at its items time and again. Try again later",
                            self.name
                        )));
                    }
                }
                None => {
                    self.again("dynamodb:TransactWriteItems", &mut backoff, &error).await?;
                }
            }
        }
    }

    fn part(&self, write: &Write) -> Result<TransactWriteItem, BuildError> {
        let condition = limits::condition(write);
        let expression = item::expression(condition).map(str::to_owned);
        let values = item::values(condition);
        let part = TransactWriteItem::builder();
        Ok(match write {
            Write::Put { key, body, expires, .. } => {
                let put = item::put(key, item::next_revision(condition), body, *expires);
                let put = Put::builder().table_name(&self.name).set_item(Some(put));
                part.put(put.set_condition_expression(expression).set_expression_attribute_values(values).build()?)
            }
            Write::Delete { key, .. } => {
                let delete = Delete::builder().table_name(&self.name).set_key(Some(item::key(key)));
                part.delete(
                    delete.set_condition_expression(expression).set_expression_attribute_values(values).build()?,
                )
            }
            Write::Check { key, .. } => {
                let check = ConditionCheck::builder().table_name(&self.name).set_key(Some(item::key(key)));
                part.condition_check(
                    check.set_condition_expression(expression).set_expression_attribute_values(values).build()?,
                )
            }
        }
        .build())
    }
}

/// Reads the reasons, one for each write in its order. `None` when it was not called off, or for what does not pass.
fn cancelled(error: &SdkError<TransactWriteItemsError, HttpResponse>) -> Option<Cancelled> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return None;
    };
    let codes = || cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None"));
    if let Some(at) = codes().position(|code| code == "ConditionalCheckFailed") {
        return Some(Cancelled::Condition(at));
    }
    let refused = codes().any(|code| code != "None" && !PASSING.contains(&code));
    (!refused && codes().any(|code| PASSING.contains(&code))).then_some(Cancelled::Passing)
}
