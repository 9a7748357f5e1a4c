//! The table on DynamoDB. Knows keys, revisions, conditions, units and what DynamoDB's refusals mean; knows nothing of
//! what the bodies mean.

mod bounds;
mod item;
mod many;
mod one;
mod together;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::{AttributeValue, ConsumedCapacity, ReturnConsumedCapacity};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use hardmatch_ports::Clock;
use hardmatch_ports::table::{Item, Key, Order, Page, Query, Table, TableError, Units, Write, limits};

use self::bounds::Bounds;
use crate::backoff::{Backoff, Patience};
use crate::failure::{Meaning, meaning, sentence};

/// A [`Table`] on DynamoDB: partition key `pk` and sort key `sk`, both text, no index. See the README for the attributes.
pub struct DynamoTable {
    client: Client,
    name: String,
    clock: Arc<dyn Clock>,
    read: AtomicU64,
    write: AtomicU64,
}

impl DynamoTable {
    /// A table by name or ARN. The client's own retries should be off: waiting and repeating is done here.
    pub fn new(client: Client, name: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self { client, name: name.into(), clock, read: AtomicU64::new(0), write: AtomicU64::new(0) }
    }

    fn count_read<'c>(&self, consumed: impl IntoIterator<Item = &'c ConsumedCapacity>) {
        self.read.fetch_add(whole(consumed), Ordering::Relaxed);
    }

    fn count_write<'c>(&self, consumed: impl IntoIterator<Item = &'c ConsumedCapacity>) {
        self.write.fetch_add(whole(consumed), Ordering::Relaxed);
    }

    /// Asks until there is an answer, or none is to be expected any more. For what may be repeated without harm.
    async fn ask<T, E, A>(
        &self,
        action: &str,
        backoff: &mut Backoff,
        send: impl Fn() -> A + Send + Sync,
    ) -> Result<T, TableError>
    where
        T: Send,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        A: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    {
        loop {
            match send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    self.again(action, backoff, &error).await?;
                }
            }
        }
    }

    /// Returns when it is time to ask again, saying whether the attempt may have been carried out; an error when there
    /// is nothing more to expect.
    async fn again<E>(
        &self,
        action: &str,
        backoff: &mut Backoff,
        error: &SdkError<E, HttpResponse>,
    ) -> Result<Meaning, TableError>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let meaning = meaning(error);
        if meaning != Meaning::Never && backoff.wait(self.clock.as_ref()).await == Patience::Left {
            return Ok(meaning);
        }
        let text = sentence(action, &self.name, error);
        Err(if error.code() == Some("ValidationException") {
            TableError::Invalid(text)
        } else {
            TableError::Unavailable(text)
        })
    }
}

/// Queries under way at a time. One partition of `DynamoDB` answers 3,000 of them a second.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>
const QUERIES_AT_ONCE: usize = 32;

#[async_trait]
impl Table for DynamoTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        limits::key(key)?;
        let request = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(item::key(key)))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let answer = self.ask("dynamodb:GetItem", &mut Backoff::default(), || request.clone().send()).await?;
        self.count_read(&answer.consumed_capacity);
        answer.item.map(item::read).transpose()
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        keys.iter().try_for_each(limits::key)?;
        self.get_many(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        limits::query(query)?;
        let Some(bounds) = Bounds::of(query) else {
            return Ok(Page::default());
        };
        let mut start = bounds.start.clone();
        loop {
            let answer = self.ask_page(query, &bounds, start.as_deref()).await?;
            self.count_read(&answer.consumed_capacity);
            let mut page = Page { next: answer.last_evaluated_key.and_then(item::sort_key), ..Page::default() };
            for found in answer.items.unwrap_or_default() {
                let found = item::read(found)?;
                if bounds.is_last(&found.key.sk) {
                    page.next = None;
                } else if bounds.admits(&found.key.sk) {
                    page.items.push(found);
                }
            }
            // What stands on the border is asked for and left out; a page of nothing else is no page.
            match page.next {
                Some(next) if page.items.is_empty() => start = Some(next),
                _ => return Ok(page),
            }
        }
    }

    async fn query_many(&self, queries: &[Query]) -> Result<Vec<Page>, TableError> {
        let pages = queries.iter().cloned().map(|query| async move { self.query(&query).await });
        stream::iter(pages).buffered(QUERIES_AT_ONCE).try_collect().await
    }

    async fn write(&self, write: Write) -> Result<u64, TableError> {
        limits::single(&write)?;
        self.write_one(&write).await
    }

    async fn batch_write(&self, writes: Vec<Write>) -> Result<(), TableError> {
        writes.iter().try_for_each(limits::batched)?;
        self.write_many(writes).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        limits::transaction(&writes)?;
        if writes.is_empty() {
            return Ok(());
        }
        self.write_together(&writes).await
    }

    fn units(&self) -> Units {
        Units { read: self.read.load(Ordering::Relaxed), write: self.write.load(Ordering::Relaxed) }
    }
}

impl DynamoTable {
    async fn ask_page(&self, query: &Query, bounds: &Bounds, start: Option<&str>) -> Result<QueryOutput, TableError> {
        let limit = (query.limit < usize::MAX).then(|| i32::try_from(query.limit).unwrap_or(i32::MAX));
        let start = start.map(|sk| item::key(&Key::new(query.pk.as_str(), sk)));
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression(bounds.expression())
            .set_expression_attribute_values(Some(bounds.values(&query.pk)))
            .set_exclusive_start_key(start)
            .set_limit(limit)
            .scan_index_forward(query.order == Order::Ascending)
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        self.ask("dynamodb:Query", &mut Backoff::default(), || request.clone().send()).await
    }
}

/// Units as they are counted: whole ones. DynamoDB bills no fractions of strongly consistent reads and of writes.
fn whole<'c>(consumed: impl IntoIterator<Item = &'c ConsumedCapacity>) -> u64 {
    let sum: f64 = consumed.into_iter().filter_map(ConsumedCapacity::capacity_units).sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of at most a few thousand")]
    let units = sum.round() as u64;
    units
}

/// Text as DynamoDB takes it.
fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}
