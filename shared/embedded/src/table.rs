//! The table in one ACID file. Knows keys, revisions, conditions and limits; knows nothing of what the bodies mean.

mod apply;
mod file;
mod lease;
mod record;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use hardmatch_ports::table::{Item, Key, MAX_PAGE_BYTES, Order, Page, Query, Table, TableError, Units, Write, limits};
use redb::{AccessGuard, Database, ReadOnlyTable, ReadableDatabase as _};

use self::apply::Work;
use self::lease::Lease;
use self::writer::Writer;

/// Look-ups of more keys than this leave the caller's thread; fewer take less time than moving them would.
const INLINE_KEYS: usize = 64;

/// How to open a [`FileTable`].
#[derive(Clone, Debug)]
pub struct Options {
    /// What to do when there is no such file.
    pub missing: Missing,
    /// Memory that pages of the file may take, in bytes.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { missing: Missing::Create, cache_bytes: 64 * 1024 * 1024 }
    }
}

/// What to do when the file is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Begin a new one.
    Create,
    /// Say so.
    Refuse,
}

/// A [`Table`] in one file, for one process at a time.
///
/// Writes are durable when they return. Those that wait at the same time share one commit.
pub struct FileTable {
    store: Arc<Store>,
    units: Counted,
}

/// What all handles of one file share. The order of the fields is the order of their end: the writer finishes its
/// commit, the name of the holder goes, then the file is closed.
struct Store {
    writer: Writer,
    _lease: Option<Lease>,
    database: Arc<Database>,
    path: Option<PathBuf>,
}

#[derive(Default)]
struct Counted {
    read: AtomicU64,
    write: AtomicU64,
}

impl FileTable {
    /// Opens the file, or begins it. Refuses a file of a newer version ([`TableError::Newer`]) and one that another
    /// process has open ([`TableError::Locked`]).
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self, TableError> {
        let path = path.as_ref();
        let database = file::open(path, options)?;
        let lease = Lease::take(path)?;
        Self::new(database, Some(lease), Some(path.to_owned()))
    }

    /// A table in memory, gone with its last handle.
    pub fn in_memory() -> Result<Self, TableError> {
        Self::new(file::in_memory()?, None, None)
    }

    /// Another handle of the same table, with its own count of units.
    #[must_use]
    pub fn handle(&self) -> Self {
        Self { store: Arc::clone(&self.store), units: Counted::default() }
    }

    /// Where the file is; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.store.path.as_deref()
    }

    fn new(database: Database, lease: Option<Lease>, path: Option<PathBuf>) -> Result<Self, TableError> {
        let database = Arc::new(database);
        let writer = Writer::start(Arc::clone(&database))?;
        let store = Store { writer, _lease: lease, database, path };
        Ok(Self { store: Arc::new(store), units: Counted::default() })
    }

    async fn commit(&self, work: Work) -> Result<u64, TableError> {
        let done = self.store.writer.submit(work).await?;
        self.units.write.fetch_add(done.units, Ordering::Relaxed);
        done.result
    }

    fn count_read(&self, units: u64) {
        self.units.read.fetch_add(units, Ordering::Relaxed);
    }
}

#[async_trait]
impl Table for FileTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        limits::key(key)?;
        let found = look_up(&snapshot(&self.store.database)?, key)?;
        self.count_read(limits::read_units(found.as_ref().map_or(0, Item::bytes)));
        Ok(found)
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        keys.iter().try_for_each(limits::key)?;
        let mut distinct: Vec<&Key> = keys.iter().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let count = distinct.len();
        let found = if count <= INLINE_KEYS {
            look_up_all(&self.store.database, distinct.into_iter())?
        } else {
            let distinct: Vec<Key> = distinct.into_iter().cloned().collect();
            let database = Arc::clone(&self.store.database);
            tokio::task::spawn_blocking(move || look_up_all(&database, distinct.iter()))
                .await
                .map_err(|_| TableError::Unavailable("reading the state was interrupted".to_owned()))??
        };
        // What is not there is billed like the smallest item.
        let units: u64 = found.iter().map(|item| limits::read_units(item.bytes())).sum();
        self.count_read(units + (count - found.len()) as u64);
        Ok(found)
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        limits::query(query)?;
        let page = read_page(&snapshot(&self.store.database)?, query)?;
        self.count_read(limits::read_units(page.items.iter().map(Item::bytes).sum()));
        Ok(page)
    }

    async fn write(&self, write: Write) -> Result<u64, TableError> {
        limits::single(&write)?;
        self.commit(Work::One(write)).await
    }

    async fn batch_write(&self, writes: Vec<Write>) -> Result<(), TableError> {
        writes.iter().try_for_each(limits::batched)?;
        if writes.is_empty() {
            return Ok(());
        }
        self.commit(Work::Batch(writes)).await.map(drop)
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), TableError> {
        limits::transaction(&writes)?;
        if writes.is_empty() {
            return Ok(());
        }
        self.commit(Work::Transaction(writes)).await.map(drop)
    }

    fn units(&self) -> Units {
        Units { read: self.units.read.load(Ordering::Relaxed), write: self.units.write.load(Ordering::Relaxed) }
    }
}

type Snapshot = ReadOnlyTable<&'static [u8], &'static [u8]>;

fn snapshot(database: &Database) -> Result<Snapshot, TableError> {
    let transaction = database.begin_read().map_err(|e| file::unavailable("read", &e))?;
    transaction.open_table(file::ITEMS).map_err(|e| file::unavailable("read", &e))
}

fn look_up(items: &Snapshot, key: &Key) -> Result<Option<Item>, TableError> {
    let stored = items.get(record::place(key).as_slice()).map_err(|e| file::unavailable("read", &e))?;
    stored.map(|stored| record::decode(key.clone(), stored.value())).transpose()
}

fn look_up_all<'k>(database: &Database, keys: impl Iterator<Item = &'k Key>) -> Result<Vec<Item>, TableError> {
    let items = snapshot(database)?;
    keys.filter_map(|key| look_up(&items, key).transpose()).collect()
}

fn read_page(items: &Snapshot, query: &Query) -> Result<Page, TableError> {
    let Some(span) = record::Span::of(query) else {
        return Ok(Page::default());
    };
    let range =
        items.range::<&[u8]>(span.low.as_slice()..span.high.as_slice()).map_err(|e| file::unavailable("read", &e))?;
    match query.order {
        Order::Ascending => fill(range, &span, query),
        Order::Descending => fill(range.rev(), &span, query),
    }
}

type Stored<'a> = (AccessGuard<'a, &'static [u8]>, AccessGuard<'a, &'static [u8]>);

fn fill<'a>(
    stored: impl Iterator<Item = Result<Stored<'a>, redb::StorageError>>,
    span: &record::Span,
    query: &Query,
) -> Result<Page, TableError> {
    let mut page = Page::default();
    let mut bytes = 0;
    for entry in stored {
        let (place, value) = entry.map_err(|e| file::unavailable("read", &e))?;
        let key = Key::new(query.pk.as_str(), span.sort_key(place.value())?);
        let item = record::decode(key, value.value())?;
        bytes += item.bytes();
        let full = bytes > MAX_PAGE_BYTES;
        if !full {
            page.items.push(item);
        }
        if full || page.items.len() == query.limit {
            page.next = page.items.last().map(|item| item.key.sk.clone());
            break;
        }
    }
    Ok(page)
}
