//! How items lie in the file: one row each, under partition key and sort key as bytes, with a checksum.
//!
//! `SQLite` compares blobs byte by byte, which is the order of the sort keys' UTF-8. It finds damage to the structure of
//! its pages by itself; a flipped bit inside a value it does not see. The checksum of each row covers key and value, and
//! is compared whenever the row is read.

use hardmatch_ports::table::{Item, Key, Order, Query};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

/// The table of items, and a view of it for people with the `sqlite3` tool.
pub(super) const SCHEMA: &str = "
CREATE TABLE items (
  pk BLOB NOT NULL,
  sk BLOB NOT NULL,
  revision INTEGER NOT NULL,
  expires INTEGER,
  body BLOB NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (pk, sk)
) STRICT, WITHOUT ROWID;
CREATE VIEW readable AS
  SELECT CAST(pk AS TEXT) AS pk, CAST(sk AS TEXT) AS sk, revision, expires, CAST(body AS TEXT) AS body FROM items;
";

const GET: &str = "SELECT revision, expires, body, checksum FROM items WHERE pk = ?1 AND sk = ?2";
const ASCENDING: &str =
    "SELECT revision, expires, body, checksum, sk FROM items WHERE pk = ?1 AND sk >= ?2 AND sk < ?3 ORDER BY sk";
const DESCENDING: &str =
    "SELECT revision, expires, body, checksum, sk FROM items WHERE pk = ?1 AND sk >= ?2 AND sk < ?3 ORDER BY sk DESC";
const EVERYTHING: &str = "SELECT revision, expires, body, checksum, sk, pk FROM items ORDER BY pk, sk";
const BEFORE: &str = "SELECT revision, length(body) FROM items WHERE pk = ?1 AND sk = ?2";
const PUT: &str = "REPLACE INTO items (pk, sk, revision, expires, body, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const DELETE: &str = "DELETE FROM items WHERE pk = ?1 AND sk = ?2";
/// Without an index, which every write would pay for: it is asked where the whole file is read anyway.
const DELETE_ENDED: &str = "DELETE FROM items WHERE expires <= ?1";

/// Why a row cannot be had.
#[derive(Debug)]
pub(super) enum RowError {
    /// What the database says.
    Database(rusqlite::Error),
    /// The row was read, and is not what was written.
    Damaged,
}

impl From<rusqlite::Error> for RowError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// One item.
pub(super) fn get(connection: &Connection, key: &Key) -> Result<Option<Item>, RowError> {
    let mut statement = connection.prepare_cached(GET)?;
    let mut rows = statement.query((key.pk.as_bytes(), key.sk.as_bytes()))?;
    match rows.next()? {
        Some(row) => item(row, key.clone()).map(Some),
        None => Ok(None),
    }
}

/// The items of a query, one after the other, until `take` has enough.
pub(super) fn query(
    connection: &Connection,
    query: &Query,
    mut take: impl FnMut(Item) -> std::ops::ControlFlow<()>,
) -> Result<(), RowError> {
    let Some((low, high)) = bounds(query) else { return Ok(()) };
    let mut statement = connection.prepare_cached(match query.order {
        Order::Ascending => ASCENDING,
        Order::Descending => DESCENDING,
    })?;
    let mut rows = statement.query((query.pk.as_bytes(), low, high))?;
    while let Some(row) = rows.next()? {
        let sk = text(row, 4)?;
        if take(item(row, Key::new(query.pk.as_str(), sk))?).is_break() {
            break;
        }
    }
    Ok(())
}

/// Reads every row once. Each must be what was written, and lie after the one before it: a search that finds nothing is
/// right only when that holds.
pub(super) fn check_everything(connection: &Connection) -> Result<(), RowError> {
    let mut statement = connection.prepare(EVERYTHING)?;
    let mut rows = statement.query(())?;
    let mut before: Option<(Vec<u8>, Vec<u8>)> = None;
    while let Some(row) = rows.next()? {
        let (pk, sk) = (bytes(row, 5)?, bytes(row, 4)?);
        let stored = Stored::of(row)?;
        if stored.checksum != checksum(pk, sk, stored.revision, stored.expires, stored.body) {
            return Err(RowError::Damaged);
        }
        match &mut before {
            Some((last_pk, last_sk)) => {
                if (last_pk.as_slice(), last_sk.as_slice()) >= (pk, sk) {
                    return Err(RowError::Damaged);
                }
                last_pk.clear();
                last_pk.extend_from_slice(pk);
                last_sk.clear();
                last_sk.extend_from_slice(sk);
            }
            None => before = Some((pk.to_vec(), sk.to_vec())),
        }
    }
    Ok(())
}

/// Deletes the items that have ended at a time. How many.
pub(super) fn delete_ended(connection: &Connection, now: i64) -> Result<u64, RowError> {
    Ok(connection.prepare_cached(DELETE_ENDED)?.execute([now])? as u64)
}

/// What a write must know of the item that it replaces: its revision, and how long its body is.
pub(super) fn before(connection: &Connection, key: &Key) -> Result<Option<(u64, usize)>, RowError> {
    let mut statement = connection.prepare_cached(BEFORE)?;
    let mut rows = statement.query((key.pk.as_bytes(), key.sk.as_bytes()))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let length = usize::try_from(integer(row, 1)?).map_err(|_| RowError::Damaged)?;
    Ok(Some((integer(row, 0)?.cast_unsigned(), length)))
}

/// Stores an item in place of the one that may be there.
pub(super) fn put(
    connection: &Connection,
    key: &Key,
    revision: u64,
    expires: Option<i64>,
    body: &[u8],
) -> Result<(), RowError> {
    let (pk, sk) = (key.pk.as_bytes(), key.sk.as_bytes());
    let sum = checksum(pk, sk, revision, expires, body);
    connection.prepare_cached(PUT)?.execute((pk, sk, revision.cast_signed(), expires, body, sum))?;
    Ok(())
}

/// Removes an item.
pub(super) fn delete(connection: &Connection, key: &Key) -> Result<(), RowError> {
    connection.prepare_cached(DELETE)?.execute((key.pk.as_bytes(), key.sk.as_bytes()))?;
    Ok(())
}

/// From which sort key on, and up to which one, not included; `None` when nothing can lie between.
fn bounds(query: &Query) -> Option<(Vec<u8>, Vec<u8>)> {
    let past = |sk: &str| [sk.as_bytes(), &[0]].concat();
    let mut low = query.prefix.as_bytes().to_vec();
    let mut high = low.clone();
    match high.last_mut() {
        // The last byte of UTF-8 text is at most BF.
        Some(last) => *last += 1,
        // No byte of UTF-8 text is FF.
        None => high.push(0xFF),
    }
    let (above, below) = match query.order {
        Order::Ascending => (query.after.as_deref(), query.before.as_deref()),
        Order::Descending => (query.before.as_deref(), query.after.as_deref()),
    };
    if let Some(sk) = above {
        low = low.max(past(sk));
    }
    if let Some(sk) = below {
        high = high.min(sk.as_bytes().to_vec());
    }
    (low < high).then_some((low, high))
}

/// The columns that every read begins with.
struct Stored<'r> {
    revision: u64,
    expires: Option<i64>,
    body: &'r [u8],
    checksum: u32,
}

impl<'r> Stored<'r> {
    fn of(row: &'r Row<'_>) -> Result<Self, RowError> {
        let expires = match row.get_ref(1)? {
            ValueRef::Null => None,
            ValueRef::Integer(seconds) => Some(seconds),
            ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => return Err(RowError::Damaged),
        };
        let checksum = u32::try_from(integer(row, 3)?).map_err(|_| RowError::Damaged)?;
        Ok(Self { revision: integer(row, 0)?.cast_unsigned(), expires, body: bytes(row, 2)?, checksum })
    }
}

fn item(row: &Row<'_>, key: Key) -> Result<Item, RowError> {
    let Stored { revision, expires, body, checksum: sum } = Stored::of(row)?;
    if sum != checksum(key.pk.as_bytes(), key.sk.as_bytes(), revision, expires, body) {
        return Err(RowError::Damaged);
    }
    Ok(Item { key, revision, body: body.to_vec(), expires })
}

fn checksum(pk: &[u8], sk: &[u8], revision: u64, expires: Option<i64>, body: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    // The lengths keep apart what would read the same when written in a row.
    for part in [pk, sk] {
        sum.update(&part.len().to_le_bytes());
        sum.update(part);
    }
    sum.update(&revision.to_le_bytes());
    match expires {
        Some(seconds) => sum.update(&seconds.to_le_bytes()),
        None => sum.update(&[0]),
    }
    sum.update(body);
    sum.finalize()
}

fn integer(row: &Row<'_>, column: usize) -> Result<i64, RowError> {
    row.get_ref(column)?.as_i64().map_err(|_| RowError::Damaged)
}

fn bytes<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], RowError> {
    row.get_ref(column)?.as_blob().map_err(|_| RowError::Damaged)
}

fn text(row: &Row<'_>, column: usize) -> Result<String, RowError> {
    String::from_utf8(bytes(row, column)?.to_vec()).map_err(|_| RowError::Damaged)
}
