//! The table that holds the work: a small port that DynamoDB and an embedded file both fit.
//!
//! An item is a body under a partition key and a sort key, with a revision that the table replaces at every write. The
//! limits of DynamoDB are the limits of the port: 400 KB an item, 100 items a transaction, 1 MB a page, no scan; every
//! table refuses by [`limits`] what breaks them, before it begins.
//!
//! **Revisions are compared for equality and for nothing else.** They are never 0, and after every write of an item it
//! has another one than before. Only of a put under [`Condition::Revision`] is the new revision known beforehand: one
//! more than the old, so that the writer of a transaction can go on from it. The revision of any other put may be
//! any number.

pub mod limits;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Largest item, keys included, in bytes.
pub const MAX_ITEM_BYTES: usize = 400 * 1024;
/// Longest partition key, in bytes of UTF-8. Never empty.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
pub const MAX_PK_BYTES: usize = 2048;
/// Longest sort key, in bytes of UTF-8. Never empty.
pub const MAX_SK_BYTES: usize = 1024;
/// What an item weighs besides its keys and body: the names of its attributes, its revision and its expiry. The same
/// for every table, so that an item that fits one fits all.
pub const ITEM_OVERHEAD_BYTES: usize = 48;
/// Most writes in one transaction.
pub const MAX_TRANSACT: usize = 100;
/// Most bytes of items in one transaction.
pub const MAX_TRANSACT_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes of items in one page of a query.
pub const MAX_PAGE_BYTES: usize = 1024 * 1024;

/// Where an item lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The partition key.
    pub pk: String,
    /// Place in the partition. Never empty.
    pub sk: String,
}

impl Key {
    /// A key of these two parts.
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }
}

/// What the table keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The key of the item.
    pub key: Key,
    /// Another at every write, never 0; one more after a put under [`Condition::Revision`]. Set by the table.
    pub revision: u64,
    /// JSON, with its own schema version where its kind has one.
    pub body: Vec<u8>,
    /// Unix seconds after which the table may forget it; not a clock.
    pub expires: Option<i64>,
}

impl Item {
    /// What it weighs: its share of a page, and what units are counted by.
    pub fn bytes(&self) -> usize {
        item_bytes(&self.key, &self.body)
    }
}

/// What an item of this key and body weighs, against [`MAX_ITEM_BYTES`].
pub fn item_bytes(key: &Key, body: &[u8]) -> usize {
    key.pk.len() + key.sk.len() + body.len() + ITEM_OVERHEAD_BYTES
}

/// What must hold for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The write has no condition.
    None,
    /// There is no such item.
    Absent,
    /// The item is there.
    Present,
    /// The item is there with this revision.
    Revision(u64),
}

/// One write of a transaction or batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Store an item, in place of one that is there.
    Put {
        /// The key of the item.
        key: Key,
        /// The body of the item.
        body: Vec<u8>,
        /// Unix seconds after which it may be forgotten.
        expires: Option<i64>,
        /// What must hold.
        condition: Condition,
    },
    /// Forget. Nothing there is no error under `Condition::None`.
    Delete {
        /// The key of the item.
        key: Key,
        /// What must hold.
        condition: Condition,
    },
    /// Write nothing; only the condition counts. For transactions.
    Check {
        /// The key of the item.
        key: Key,
        /// What must hold.
        condition: Condition,
    },
}

impl Write {
    /// An unconditional put without expiry.
    pub fn put(key: Key, body: Vec<u8>) -> Self {
        Self::Put { key, body, expires: None, condition: Condition::None }
    }

    /// A put under a condition.
    pub fn put_if(key: Key, body: Vec<u8>, condition: Condition) -> Self {
        Self::Put { key, body, expires: None, condition }
    }

    /// An unconditional delete.
    pub fn delete(key: Key) -> Self {
        Self::Delete { key, condition: Condition::None }
    }

    /// Which item it is about.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } | Self::Check { key, .. } => key,
        }
    }
}

/// Which items of a partition, in sort-key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The partition key.
    pub pk: String,
    /// Sort keys that begin with this.
    pub prefix: String,
    /// Start after this sort key, in the direction of the query: a descending page goes on below it.
    pub after: Option<String>,
    /// End before this sort key, in the direction of the query: a descending page ends above it.
    pub before: Option<String>,
    /// At most so many; at least one.
    pub limit: usize,
    /// Ascending, or descending.
    pub order: Order,
}

/// Direction of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest sort key first.
    Ascending,
    /// Largest first.
    Descending,
}

impl Query {
    /// Everything in a partition under a prefix, ascending; pages are bounded by bytes.
    pub fn prefix(pk: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            pk: pk.into(),
            prefix: prefix.into(),
            after: None,
            before: None,
            limit: usize::MAX,
            order: Order::Ascending,
        }
    }

    /// Items of a partition under a prefix of the sort key, at most `limit`.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Items of a partition under a prefix of the sort key, after a sort key.
    #[must_use]
    pub fn after(mut self, sk: impl Into<String>) -> Self {
        self.after = Some(sk.into());
        self
    }

    /// Items of a partition under a prefix of the sort key, before a sort key.
    #[must_use]
    pub fn before(mut self, sk: impl Into<String>) -> Self {
        self.before = Some(sk.into());
        self
    }

    /// Items of a partition under a prefix of the sort key, largest sort key first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.order = Order::Descending;
        self
    }
}

/// A page of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The items of this page, in the order that was asked for.
    pub items: Vec<Item>,
    /// Go on after this sort key; `None` at the end. A page that was cut by its limit has one even when nothing
    /// follows: the end is known by an empty last page, as in DynamoDB.
    pub next: Option<String>,
}

/// Keeps items. Reads are strongly consistent.
#[async_trait]
pub trait Table: Send + Sync {
    /// Reads one item; `None` when there is none.
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError>;

    /// The items of the keys that exist, in no order. Any number of keys; duplicates are one.
    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, TableError>;

    /// Reads one page of a partition.
    async fn query(&self, query: &Query) -> Result<Page, TableError>;

    /// The first page of each query, in the order of the queries.
    async fn query_many(&self, queries: &[Query]) -> Result<Vec<Page>, TableError> {
        let mut pages = Vec::with_capacity(queries.len());
        for query in queries {
            pages.push(self.query(query).await?);
        }
        Ok(pages)
    }

    /// One write. Returns the new revision of a put, 0 otherwise.
    async fn write(&self, write: Write) -> Result<u64, TableError>;

    /// Any number of unconditional writes, in no order and not atomic; a later write of the same key wins.
    /// Conditions other than `None` are refused as `Invalid`.
    async fn batch_write(&self, writes: Vec<Write>) -> Result<(), TableError>;

    /// At most [`MAX_TRANSACT`] writes of different items, all or none.
    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError>;

    /// Read and write units used through this handle so far, counted as DynamoDB bills them (strongly consistent
    /// reads: 1 per 4 KB; writes: 1 per KB, doubled in transactions).
    fn units(&self) -> Units;
}

/// Read and write units, as DynamoDB bills them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    /// Read request units.
    pub read: u64,
    /// Write request units.
    pub write: u64,
}

impl Units {
    /// The sum of two counts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { read: self.read.saturating_add(other.read), write: self.write.saturating_add(other.write) }
    }

    /// What was added since an earlier reading of the same counters.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { read: self.read.saturating_sub(earlier.read), write: self.write.saturating_sub(earlier.write) }
    }
}

/// Why the table did not do it.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A condition did not hold; nothing was written. The index of the first write that failed.
    #[error("the item was changed by somebody else")]
    Conflict {
        /// Which write of the call.
        at: usize,
    },
    /// The call breaks a limit of the port.
    #[error("{0}")]
    Invalid(String),
    /// The state was written by a newer version.
    #[error(
        "the state file {path} was written by a newer hardmatch (format {found}); this one knows up to {known}. Use the newer version"
    )]
    Newer {
        /// The path of the file.
        path: String,
        /// The format that the file has.
        found: u64,
        /// The newest format that this version knows.
        known: u64,
    },
    /// What was read is not what was written. Trying again does not help.
    #[error(
        "the state file {path} is damaged: {what}. Restore it from a copy, or begin anew without it: move {path} away, and {path}-wal and {path}-shm where they are; accounts are then found again as in the first run"
    )]
    Damaged {
        /// The path of the file.
        path: String,
        /// What was found.
        what: String,
    },
    /// Storage failed. May be tried again.
    #[error("{0}")]
    Unavailable(String),
}
