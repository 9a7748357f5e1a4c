#![doc = include_str!("../README.md")]

pub mod accounts;
pub mod acknowledgments;
pub mod api_tokens;
pub mod approvals;
pub mod asked;
pub mod batches;
pub mod changes;
pub mod checkpoint;
mod claim;
pub mod concerns;
pub mod connecting;
pub mod connection;
pub mod copying;
pub mod costs;
pub mod dirty;
pub mod entering;
pub mod fingerprints;
pub mod folders;
pub mod forget;
pub mod gate;
pub mod groups;
pub mod hashes;
pub mod holders;
pub mod keys;
pub mod leases;
pub mod lookups;
pub mod notes;
pub mod people;
pub mod policies;
pub mod pushed;
pub mod references;
pub mod refusals;
pub mod repairs;
pub mod replies;
pub mod requeue;
pub mod runs;
pub mod sync_requests;
pub mod timers;
pub mod together;
pub mod troubles;
pub mod write_backs;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hardmatch_domain::facts::Lookups;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::table::Units;
use hardmatch_ports::{BlobError, Condition, Item, Key, Query, Table, TableError, Write};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use checkpoint::{Checkpoint, Progress};
pub use hashes::{PersonHash, Secret, TenantKey};
pub use keys::NoteList;

/// Item kinds over a table.
#[derive(Clone)]
pub struct Store {
    table: Arc<dyn Table>,
    secret: Secret,
    /// What people and accounts are entered under beside the usual look-ups.
    lookups: Arc<Lookups>,
    /// Policy texts that were read: what is stored under a revision never changes.
    texts: Arc<Texts>,
    /// For so long what has an end is kept (seconds).
    keep: i64,
}

/// Policy texts by connection and revision.
type Texts = Mutex<BTreeMap<(ConnectionId, u64), Arc<str>>>;

/// So long what has an end is kept, unless the stack says otherwise.
pub const KEEP_DAYS: i64 = 400;
const DAY: i64 = 24 * 60 * 60;

/// Something stored, and the revision under which it may be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    /// The value of the item.
    pub value: T,
    /// The table's revision.
    pub revision: u64,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The table refused or could not be reached.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The blobs, for progress that is larger than an item.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// An item cannot be read: damaged, or written by something else.
    #[error(
        "the stored item of kind {kind} cannot be read: {cause}. If the file was changed by hand, restore it from a copy"
    )]
    Unreadable {
        /// The kind of the item.
        kind: &'static str,
        /// Where reading ended. Never what stands there: serde's own words quote values.
        cause: String,
    },
    /// The table was emptied and then opened by another process, whose hashes are made with another secret.
    #[error(
        "the table was emptied and opened anew since this process began. Deploy the stack again, which starts its functions anew"
    )]
    Reopened,
}

impl StoreError {
    /// What was stored as this kind is not what this version writes.
    pub fn unreadable(kind: &'static str, error: &serde_json::Error) -> Self {
        Self::Unreadable { kind, cause: unreadable(error) }
    }

    /// Whether somebody else changed the item in between.
    pub fn is_conflict(&self) -> bool {
        matches!(self, StoreError::Table(TableError::Conflict { .. }))
    }
}

/// Where JSON of ours could not be read, without a word of what stands there: serde's message quotes values, which may be
/// personal.
pub fn unreadable(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Io | serde_json::error::Category::Eof => "it ends early",
        serde_json::error::Category::Syntax => "it is not JSON",
        serde_json::error::Category::Data => "a value is of another kind than this version writes",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

/// Result of the store.
pub type Result<T> = std::result::Result<T, StoreError>;

impl Store {
    /// Over a table. Makes the table's secret when it is new.
    pub async fn open(table: Arc<dyn Table>) -> Result<Self> {
        let key = keys::secret();
        for _ in 0..2 {
            if let Some(item) = table.get(&key).await?
                && let Ok(bytes) = item.body.as_slice().try_into()
            {
                return Ok(Self::over(table, bytes));
            }
            let mut fresh = [0u8; 32];
            fresh[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
            fresh[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
            match table.write(Write::put_if(key.clone(), fresh.to_vec(), Condition::Absent)).await {
                Ok(_) | Err(TableError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Unreadable { kind: "secret", cause: "not 32 bytes".into() })
    }

    /// Puts this store's secret back where the table has lost it, so that a table that was emptied under a running function is
    /// in use again. A store that somebody else opened on the emptied table stands: this one hashes otherwise and must not
    /// be used any more.
    ///
    /// # Errors
    /// [`StoreError::Reopened`] where the table's secret is another store's.
    pub async fn restore_secret(&self) -> Result<()> {
        let put = Write::put_if(keys::secret(), self.secret.0.to_vec(), Condition::Absent);
        match self.table.write(put).await {
            Ok(_) => return Ok(()),
            Err(TableError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let held = self.table.get(&keys::secret()).await?;
        if held.is_some_and(|item| item.body == self.secret.0) { Ok(()) } else { Err(StoreError::Reopened) }
    }

    /// Over a table that is in use; `None` when nobody has opened it yet. Writes nothing.
    pub async fn find(table: Arc<dyn Table>) -> Result<Option<Self>> {
        let secret = table.get(&keys::secret()).await?;
        let bytes = secret.and_then(|item| item.body.as_slice().try_into().ok());
        Ok(bytes.map(|bytes| Self::over(table, bytes)))
    }

    /// The same store, which gives what ends so many days to live.
    #[must_use]
    pub fn keeping(&self, days: i64) -> Self {
        Self { keep: days * DAY, ..self.clone() }
    }

    /// When something ends that was so at a time (Unix seconds): history, a closed run and its notes.
    pub(crate) fn end_of(&self, at: i64) -> i64 {
        at.saturating_add(self.keep)
    }

    /// The same store through another handle of its table: one that counts, or that lets through only what somebody may do.
    #[must_use]
    pub fn through(&self, table: Arc<dyn Table>) -> Self {
        Self { table, ..self.clone() }
    }

    fn over(table: Arc<dyn Table>, secret: [u8; 32]) -> Self {
        let keep = KEEP_DAYS * DAY;
        Self { table, secret: Secret(secret), lookups: Arc::default(), texts: Arc::default(), keep }
    }

    /// What people and accounts are entered under beside the usual look-ups.
    pub fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    /// The secret of keyed hashes.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    async fn read<T: DeserializeOwned>(&self, key: &Key, kind: &'static str) -> Result<Option<Stored<T>>> {
        self.table.get(key).await?.map(|item| parse(&item, kind)).transpose()
    }

    async fn read_all<T: DeserializeOwned>(&self, query: Query, kind: &'static str) -> Result<Vec<(Key, Stored<T>)>> {
        let mut found = Vec::new();
        self.each(query, |item| {
            found.push((item.key.clone(), parse(&item, kind)?));
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Visits every item of a query, page by page, up to the query's limit.
    async fn each(&self, mut query: Query, mut visit: impl FnMut(Item) -> Result<()>) -> Result<()> {
        let mut left = query.limit;
        loop {
            query.limit = left;
            let page = self.table.query(&query).await?;
            left = left.saturating_sub(page.items.len());
            for item in page.items {
                visit(item)?;
            }
            match page.next {
                Some(next) if left > 0 => query.after = Some(next),
                _ => return Ok(()),
            }
        }
    }

    /// Deletes every item of a query.
    async fn clear(&self, query: Query) -> Result<()> {
        let mut writes = Vec::new();
        self.each(query, |item| {
            writes.push(Write::delete(item.key));
            Ok(())
        })
        .await?;
        self.write_all(writes).await
    }

    /// Performs one write; the item's new revision. A condition that does not hold is a conflict.
    pub async fn write(&self, write: Write) -> Result<u64> {
        Ok(self.table.write(write).await?)
    }

    /// Performs writes all or none. A condition that does not hold is a conflict. Costs twice as many units as one by one.
    pub async fn transact(&self, writes: Vec<Write>) -> Result<()> {
        Ok(self.table.transact(writes).await?)
    }

    /// What the table has cost this process so far.
    pub fn units(&self) -> Units {
        self.table.units()
    }

    /// Performs unconditional writes, in any order. None at all is nothing to do.
    pub async fn write_all(&self, writes: Vec<Write>) -> Result<()> {
        if !writes.is_empty() {
            self.table.batch_write(writes).await?;
        }
        Ok(())
    }
}

fn parse<T: DeserializeOwned>(item: &Item, kind: &'static str) -> Result<Stored<T>> {
    match serde_json::from_slice(&item.body) {
        Ok(value) => Ok(Stored { value, revision: item.revision }),
        Err(error) => Err(StoreError::unreadable(kind, &error)),
    }
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    // Our own types with text keys always serialise; an empty body would be refused on reading.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_that_cannot_be_read_is_told_without_its_values() {
        #[derive(Debug, serde::Deserialize)]
        struct Record {
            #[expect(dead_code, reason = "it is only read")]
            number: u32,
        }
        for body in [r#"{"number":"Ada Lovelace"}"#, r#"{"number":"Ada Love"#, r#"{"Ada Lovelace":1}"#, "Ada Lovelace"]
        {
            let error = serde_json::from_str::<Record>(body).unwrap_err();
            let told = StoreError::unreadable("person", &error).to_string();
            assert!(!told.contains("Ada"), "{told}");
            assert!(told.contains("person") && told.contains("line 1, column"), "{told}");
        }
    }
}
