//! The table in one ACID file. Knows keys, revisions, conditions and limits; knows nothing of what the bodies mean.

mod apply;
mod file;
mod rows;
mod writer;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use async_trait::async_trait;
use hardmatch_ports::table::{Item, Key, MAX_PAGE_BYTES, Page, Query, Table, TableError, Units, Write, limits};
use rusqlite::Connection;

use self::apply::Work;
use self::file::Place;
use self::writer::Writer;

/// Look-ups of more keys, and more queries, than this leave the caller's thread; fewer take less time than moving them would.
const INLINE_KEYS: usize = 64;

/// Memory for pages of each connection that reads, in KiB. Every commit empties it, so more would not be used.
const READER_CACHE_KIB: u32 = 2 * 1024;

/// How to open a [`FileTable`].
#[derive(Clone, Debug)]
pub struct TableOptions {
    /// What to do when there is no such file.
    pub missing: Missing,
    /// Memory that pages of the file may take for writing, in KiB.
    pub cache_kib: u32,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self { missing: Missing::Create, cache_kib: 32 * 1024 }
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

/// A [`Table`] in one file that several processes may have open.
///
/// Writes are durable when they return. Writers that wait at the same time share one commit.
pub struct FileTable {
    store: Arc<Store>,
    units: Counted,
}

/// What all handles of one file share. The order of the fields is the order of their end: the writer finishes its
/// commit, then the file is closed.
struct Store {
    writer: Writer,
    readers: Arc<Readers>,
}

/// The connections that read. In memory there is one connection for everything.
struct Readers {
    place: Place,
    /// The writer's connection. Its pages stay in memory over its own commits, which empty the memory of every other one.
    writing: Arc<Mutex<Connection>>,
    idle: Mutex<Vec<Connection>>,
}

#[derive(Default)]
struct Counted {
    read: AtomicU64,
    write: AtomicU64,
}

impl FileTable {
    /// Opens the file, or begins it. Refuses a file of a newer version ([`TableError::Newer`]), one that is damaged
    /// where opening looks ([`TableError::Damaged`]), and one that is not a state file.
    pub fn open(path: impl AsRef<Path>, options: &TableOptions) -> Result<Self, TableError> {
        let path = path.as_ref();
        let connection = file::open(path, options.missing, options.cache_kib)?;
        Self::new(connection, Place(Some(path.to_owned())))
    }

    /// A table in memory, gone with its last handle.
    pub fn in_memory() -> Result<Self, TableError> {
        Self::new(file::in_memory()?, Place(None))
    }

    /// Another handle of the same table, with its own count of units.
    #[must_use]
    pub fn handle(&self) -> Self {
        Self { store: Arc::clone(&self.store), units: Counted::default() }
    }

    /// Where the file is; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.store.readers.place.0.as_deref()
    }

    /// Checks every page and every item of the file: [`TableError::Damaged`] when one is not as it was written. Reads
    /// the whole file once.
    pub async fn check(&self) -> Result<(), TableError> {
        self.store.readers.everything(file::check).await
    }

    /// Deletes the items that have ended by a time (Unix seconds), as DynamoDB does by itself. How many. Reads the whole file
    /// once.
    pub async fn delete_ended(&self, now: i64) -> Result<u64, TableError> {
        self.commit(Work::End(now)).await
    }

    /// Writes a whole copy of the table, as it is now, into a new file that only its owner may read. Other processes may
    /// go on writing. <https://www.sqlite.org/lang_vacuum.html#vacuuminto>
    pub async fn copy_to(&self, path: &Path) -> Result<(), TableError> {
        let path = path.to_owned();
        self.store.readers.everything(move |connection, place| file::copy(connection, place, &path)).await
    }

    fn new(connection: Connection, place: Place) -> Result<Self, TableError> {
        let connection = Arc::new(Mutex::new(connection));
        let writer = Writer::start(Arc::clone(&connection), place.clone())?;
        let readers = Arc::new(Readers { place, writing: connection, idle: Mutex::default() });
        Ok(Self { store: Arc::new(Store { writer, readers }), units: Counted::default() })
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

impl Readers {
    /// Reads a little, on this thread: microseconds. A commit under way is not waited for.
    fn here<T>(&self, read: impl FnOnce(&Connection, &Place) -> Result<T, TableError>) -> Result<T, TableError> {
        let free = match (self.writing.try_lock(), &self.place.0) {
            (Ok(writing), _) => Some(writing),
            (Err(TryLockError::Poisoned(poisoned)), _) => Some(poisoned.into_inner()),
            (Err(TryLockError::WouldBlock), Some(_)) => None,
            (Err(TryLockError::WouldBlock), None) => Some(self.writing.lock().unwrap_or_else(PoisonError::into_inner)),
        };
        match free {
            Some(writing) => read(&writing, &self.place),
            None => self.beside(read),
        }
    }

    /// Reads on a connection that the writer does not use.
    fn beside<T>(&self, read: impl FnOnce(&Connection, &Place) -> Result<T, TableError>) -> Result<T, TableError> {
        let Some(path) = &self.place.0 else { return self.here(read) };
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => file::connect(path, READER_CACHE_KIB).map_err(|error| self.place.told("read", &error))?,
        };
        let found = read(&connection, &self.place);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        found
    }

    /// Reads some hundreds of items, on a thread that may wait for the disk.
    async fn elsewhere<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection, &Place) -> Result<T, TableError> + Send + 'static,
    ) -> Result<T, TableError> {
        let readers = Arc::clone(self);
        blocking(move || readers.here(read)).await
    }

    /// Reads the whole file, while others read and write.
    async fn everything<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection, &Place) -> Result<T, TableError> + Send + 'static,
    ) -> Result<T, TableError> {
        let readers = Arc::clone(self);
        blocking(move || readers.beside(read)).await
    }
}

async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, TableError> + Send + 'static,
) -> Result<T, TableError> {
    tokio::task::spawn_blocking(read)
        .await
        .map_err(|_| TableError::Unavailable("reading the state was interrupted".to_owned()))?
}

#[async_trait]
impl Table for FileTable {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        limits::key(key)?;
        let found = self.store.readers.here(|connection, place| look_up(connection, place, key))?;
        self.count_read(limits::read_units(found.as_ref().map_or(0, Item::bytes)));
        Ok(found)
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        keys.iter().try_for_each(limits::key)?;
        let mut distinct: Vec<&Key> = keys.iter().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let count = distinct.len();
        let readers = &self.store.readers;
        let found = if count <= INLINE_KEYS {
            readers.here(|connection, place| look_up_all(connection, place, distinct.into_iter()))?
        } else {
            let distinct: Vec<Key> = distinct.into_iter().cloned().collect();
            readers.elsewhere(move |connection, place| look_up_all(connection, place, distinct.iter())).await?
        };
        // What is not there is billed like the smallest item.
        let units: u64 = found.iter().map(|item| limits::read_units(item.bytes())).sum();
        self.count_read(units + (count - found.len()) as u64);
        Ok(found)
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        limits::query(query)?;
        let page = self.store.readers.here(|connection, place| read_page(connection, place, query))?;
        self.count_read(limits::read_units(page.items.iter().map(Item::bytes).sum()));
        Ok(page)
    }

    async fn query_many(&self, queries: &[Query]) -> Result<Vec<Page>, TableError> {
        queries.iter().try_for_each(limits::query)?;
        let readers = &self.store.readers;
        let pages = if queries.len() <= INLINE_KEYS {
            readers.here(|connection, place| read_pages(connection, place, queries))?
        } else {
            let queries = queries.to_vec();
            readers.elsewhere(move |connection, place| read_pages(connection, place, &queries)).await?
        };
        self.count_read(pages.iter().map(|page| limits::read_units(page.items.iter().map(Item::bytes).sum())).sum());
        Ok(pages)
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

fn look_up(connection: &Connection, place: &Place, key: &Key) -> Result<Option<Item>, TableError> {
    rows::get(connection, key).map_err(|error| error.told(place, "read"))
}

/// All of one moment.
fn look_up_all<'k>(
    connection: &Connection,
    place: &Place,
    keys: impl Iterator<Item = &'k Key>,
) -> Result<Vec<Item>, TableError> {
    let moment = connection.unchecked_transaction().map_err(|error| place.told("read", &error))?;
    keys.filter_map(|key| look_up(&moment, place, key).transpose()).collect()
}

/// All of one moment: a transaction takes the locks once.
fn read_pages(connection: &Connection, place: &Place, queries: &[Query]) -> Result<Vec<Page>, TableError> {
    let moment = connection.unchecked_transaction().map_err(|error| place.told("read", &error))?;
    queries.iter().map(|query| read_page(&moment, place, query)).collect()
}

fn read_page(connection: &Connection, place: &Place, query: &Query) -> Result<Page, TableError> {
    let mut page = Page::default();
    let mut bytes = 0;
    let take = |item: Item| {
        bytes += item.bytes();
        let full = bytes > MAX_PAGE_BYTES;
        if !full {
            page.items.push(item);
        }
        if full || page.items.len() == query.limit {
            page.next = page.items.last().map(|item| item.key.sk.clone());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    };
    rows::query(connection, query, take).map_err(|error| error.told(place, "read"))?;
    Ok(page)
}
