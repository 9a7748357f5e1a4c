//! Many items at once: what DynamoDB leaves unprocessed is asked for again.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{DeleteRequest, KeysAndAttributes, PutRequest, ReturnConsumedCapacity, WriteRequest};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use hardmatch_ports::table::{Condition, Item, Key, TableError, Write};

use super::{DynamoTable, item};
use crate::backoff::{Backoff, Patience};

/// Most keys of one call. <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
const GET: usize = 100;
/// Most writes of one call. <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>
const WRITE: usize = 25;
/// Calls under way at the same time: enough to hide their way there and back, few enough for a new table's limit of a
/// few thousand units a second.
const TOGETHER: usize = 4;

impl DynamoTable {
    pub(super) async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        let mut distinct: Vec<&Key> = keys.iter().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let calls: Vec<Vec<item::Attributes>> =
            distinct.chunks(GET).map(|chunk| chunk.iter().map(|key| item::key(key)).collect()).collect();
        let found: Vec<Vec<Item>> =
            stream::iter(calls).map(|keys| self.get_batch(keys)).buffer_unordered(TOGETHER).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn get_batch(&self, mut keys: Vec<item::Attributes>) -> Result<Vec<Item>, TableError> {
        let mut found = Vec::with_capacity(keys.len());
        let mut backoff = Backoff::default();
        loop {
            let asked = keys.len();
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(true)
                .build()
                .map_err(|error| TableError::Invalid(error.to_string()))?;
            let request = self
                .client
                .batch_get_item()
                .request_items(&self.name, wanted)
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            let answer = self.ask("dynamodb:BatchGetItem", &mut backoff, || request.clone().send()).await?;
            self.count_read(answer.consumed_capacity());
            for stored in answer.responses.unwrap_or_default().into_values().flatten() {
                found.push(item::read(stored)?);
            }
            keys = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys).collect();
            if keys.is_empty() {
                return Ok(found);
            }
            self.left_over("dynamodb:BatchGetItem", asked, keys.len(), &mut backoff).await?;
        }
    }

    pub(super) async fn write_many(&self, writes: Vec<Write>) -> Result<(), TableError> {
        // DynamoDB refuses a key that is named twice. The later write wins.
        let distinct: BTreeMap<Key, Write> = writes.into_iter().map(|write| (write.key().clone(), write)).collect();
        let mut calls = Vec::with_capacity(distinct.len().div_ceil(WRITE));
        let mut call = Vec::new();
        for write in distinct.values() {
            call.extend(request(write)?);
            if call.len() == WRITE {
                calls.push(std::mem::take(&mut call));
            }
        }
        if !call.is_empty() {
            calls.push(call);
        }
        stream::iter(calls).map(|call| self.write_batch(call)).buffer_unordered(TOGETHER).try_collect().await
    }

    async fn write_batch(&self, mut writes: Vec<WriteRequest>) -> Result<(), TableError> {
        let mut backoff = Backoff::default();
        loop {
            let asked = writes.len();
            let request = self
                .client
                .batch_write_item()
                .request_items(&self.name, writes)
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            let answer = self.ask("dynamodb:BatchWriteItem", &mut backoff, || request.clone().send()).await?;
            self.count_write(answer.consumed_capacity());
            writes = answer.unprocessed_items.unwrap_or_default().into_values().flatten().collect();
            if writes.is_empty() {
                return Ok(());
            }
            self.left_over("dynamodb:BatchWriteItem", asked, writes.len(), &mut backoff).await?;
        }
    }

    /// Waits before the rest is asked for. Some progress is no reason for impatience.
    async fn left_over(
        &self,
        action: &str,
        asked: usize,
        left: usize,
        backoff: &mut Backoff,
    ) -> Result<(), TableError> {
        if left < asked {
            backoff.progress();
        }
        match backoff.wait(self.clock.as_ref()).await {
            Patience::Left => Ok(()),
            Patience::Ended => Err(TableError::Unavailable(format!(
                "{action} on {} left {left} items unprocessed time and again: the table is throttled. Raise its limits, \
                 or wait",
                self.name
            ))),
        }
    }
}

fn request(write: &Write) -> Result<Option<WriteRequest>, TableError> {
    let invalid = |error: aws_sdk_dynamodb::error::BuildError| TableError::Invalid(error.to_string());
    Ok(match write {
        Write::Put { key, body, expires, .. } => {
            let put = item::put(key, item::next_revision(Condition::None), body, *expires);
            let put = PutRequest::builder().set_item(Some(put)).build().map_err(invalid)?;
            Some(WriteRequest::builder().put_request(put).build())
        }
        Write::Delete { key, .. } => {
            let delete = DeleteRequest::builder().set_key(Some(item::key(key))).build().map_err(invalid)?;
            Some(WriteRequest::builder().delete_request(delete).build())
        }
        // Refused before: a check stands in a transaction only.
        Write::Check { .. } => None,
    })
}
