//! What a piece of work does to the items, inside a transaction of the file that others may share.

use hardmatch_ports::table::{Condition, Key, TableError, Write, item_bytes, limits};
use rusqlite::Connection;

use super::rows::{self, RowError};

/// One call of the port.
#[derive(Debug)]
pub(super) enum Work {
    /// One write.
    One(Write),
    /// Unconditional writes; of the same key the last one counts.
    Batch(Vec<Write>),
    /// All or none.
    Transaction(Vec<Write>),
    /// The end of what has ended by a time (Unix seconds).
    End(i64),
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Done {
    /// The new revision of a single put, how many items have ended, 0 otherwise; or why nothing was written.
    pub(super) result: Result<u64, TableError>,
    /// Units used, whether or not a condition held.
    pub(super) units: u64,
}

/// Does the work. A refused one leaves the items as they were; an `Err` means the file failed and the transaction is
/// lost.
pub(super) fn apply(items: &Connection, work: &Work) -> Result<Done, RowError> {
    match work {
        Work::One(write) => one(items, write),
        Work::Batch(writes) => batch(items, writes),
        Work::Transaction(writes) => transaction(items, writes),
        // DynamoDB bills nothing for it.
        Work::End(now) => Ok(Done { result: Ok(rows::delete_ended(items, *now)?), units: 0 }),
    }
}

fn one(items: &Connection, write: &Write) -> Result<Done, RowError> {
    let before = Before::read(items, write.key())?;
    let units = limits::write_units(before.bytes, limits::weight(write));
    let result = if before.fulfils(limits::condition(write)) {
        Ok(store(items, write, before.revision)?)
    } else {
        Err(TableError::Conflict { at: 0 })
    };
    Ok(Done { result, units })
}

fn batch(items: &Connection, writes: &[Write]) -> Result<Done, RowError> {
    let mut units = 0;
    for write in writes {
        let before = Before::read(items, write.key())?;
        units += limits::write_units(before.bytes, limits::weight(write));
        store(items, write, before.revision)?;
    }
    Ok(Done { result: Ok(0), units })
}

fn transaction(items: &Connection, writes: &[Write]) -> Result<Done, RowError> {
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
    fn read(items: &Connection, key: &Key) -> Result<Self, RowError> {
        Ok(match rows::before(items, key)? {
            None => Self { revision: 0, bytes: 0 },
            Some((revision, body)) => Self { revision, bytes: item_bytes(key, &[]) + body },
        })
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
fn store(items: &Connection, write: &Write, revision: u64) -> Result<u64, RowError> {
    match write {
        Write::Put { key, body, expires, .. } => {
            rows::put(items, key, revision + 1, *expires, body)?;
            Ok(revision + 1)
        }
        Write::Delete { key, .. } => {
            // What is not there is not searched for again.
            if revision != 0 {
                rows::delete(items, key)?;
            }
            Ok(0)
        }
        Write::Check { .. } => Ok(0),
    }
}
