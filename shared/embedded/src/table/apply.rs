//! What a piece of work does to the items, inside a transaction of the file that others may share.

use hardmatch_ports::table::{Condition, Key, TableError, Write, item_bytes, limits};

use super::{file, record};

/// The items as the writer sees them.
pub(super) type Items<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

/// One call of the port.
#[derive(Debug)]
pub(super) enum Work {
    /// One write.
    One(Write),
    /// Unconditional writes; of the same key the last one counts.
    Batch(Vec<Write>),
    /// All or none.
    Transaction(Vec<Write>),
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Done {
    /// The new revision of a single put, 0 otherwise; or why nothing was written.
    pub(super) result: Result<u64, TableError>,
    /// Units used, whether or not a condition held.
    pub(super) units: u64,
}

/// Does the work. A refused one leaves the items as they were; an `Err` means the file failed and the transaction is
/// lost.
pub(super) fn apply(items: &mut Items<'_>, work: &Work) -> Result<Done, TableError> {
    match work {
        Work::One(write) => one(items, write),
        Work::Batch(writes) => batch(items, writes),
        Work::Transaction(writes) => transaction(items, writes),
    }
}

fn one(items: &mut Items<'_>, write: &Write) -> Result<Done, TableError> {
    let before = Before::read(items, write.key())?;
    let units = limits::write_units(before.bytes, limits::weight(write));
    let result = if before.fulfils(limits::condition(write)) {
        Ok(store(items, write, before.revision)?)
    } else {
        Err(TableError::Conflict { at: 0 })
    };
    Ok(Done { result, units })
}

fn batch(items: &mut Items<'_>, writes: &[Write]) -> Result<Done, TableError> {
    let mut units = 0;
    for write in writes {
        let before = Before::read(items, write.key())?;
        units += limits::write_units(before.bytes, limits::weight(write));
        store(items, write, before.revision)?;
    }
    Ok(Done { result: Ok(0), units })
}

fn transaction(items: &mut Items<'_>, writes: &[Write]) -> Result<Done, TableError> {
    let mut before = Vec::with_capacity(writes.len());
    for write in writes {
        before.push(Before::read(items, write.key())?);
    }
    let units = writes
        .iter()
        .zip(&before)
        .map(|(write, before)| 2 * limits::write_units(before.bytes, limits::weight(write)))
        .sum();
    let failed = writes.iter().zip(&before).position(|(write, before)| !before.fulfils(limits::condition(write)));
    if let Some(at) = failed {
        return Ok(Done { result: Err(TableError::Conflict { at }), units });
    }
    for (write, before) in writes.iter().zip(&before) {
        store(items, write, before.revision)?;
    }
    Ok(Done { result: Ok(0), units })
}

/// An item before a write.
struct Before {
    /// 0 when there is none.
    revision: u64,
    bytes: usize,
}

impl Before {
    fn read(items: &Items<'_>, key: &Key) -> Result<Self, TableError> {
        use redb::ReadableTable as _;
        let stored = items.get(record::place(key).as_slice()).map_err(|e| file::unavailable("read", &e))?;
        let Some(stored) = stored else {
            return Ok(Self { revision: 0, bytes: 0 });
        };
        let header = record::header(stored.value())?;
        Ok(Self { revision: header.revision, bytes: item_bytes(key, header.body) })
    }

    fn fulfils(&self, condition: Condition) -> bool {
        match condition {
            Condition::None => true,
            Condition::Absent => self.revision == 0,
            Condition::Present => self.revision != 0,
            Condition::Revision(revision) => self.revision != 0 && self.revision == revision,
        }
    }
}

/// The new revision of a put, 0 otherwise.
fn store(items: &mut Items<'_>, write: &Write, revision: u64) -> Result<u64, TableError> {
    match write {
        Write::Put { key, body, expires, .. } => {
            let revision = revision + 1;
            let value = record::encode(revision, *expires, body);
            items
                .insert(record::place(key).as_slice(), value.as_slice())
                .map_err(|e| file::unavailable("write", &e))?;
            Ok(revision)
        }
        Write::Delete { key, .. } => {
            items.remove(record::place(key).as_slice()).map_err(|e| file::unavailable("write", &e))?;
            Ok(0)
        }
        Write::Check { .. } => Ok(0),
    }
}
