//! The limits of DynamoDB, which every table refuses to break before it begins, and its way of counting units.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>

use std::collections::BTreeSet;

use super::{
    Condition, Key, MAX_ITEM_BYTES, MAX_PK_BYTES, MAX_SK_BYTES, MAX_TRANSACT, MAX_TRANSACT_BYTES, Query, TableError,
    Write, item_bytes,
};

/// Refuses a key that DynamoDB would refuse.
pub fn key(key: &Key) -> Result<(), TableError> {
    partition(&key.pk)?;
    match key.sk.len() {
        0 => refuse("a sort key is empty"),
        1..=MAX_SK_BYTES => Ok(()),
        bytes => refuse(format!("a sort key has {bytes} bytes; the limit is {MAX_SK_BYTES}")),
    }
}

/// Refuses a query that DynamoDB would refuse.
pub fn query(query: &Query) -> Result<(), TableError> {
    partition(&query.pk)?;
    if query.limit == 0 {
        return refuse("a query asks for no items");
    }
    Ok(())
}

/// One write by itself.
pub fn single(write: &Write) -> Result<(), TableError> {
    match write {
        Write::Put { .. } | Write::Delete { .. } => any(write),
        Write::Check { .. } => refuse("a check stands outside a transaction"),
    }
}

/// One write of a batch.
pub fn batched(write: &Write) -> Result<(), TableError> {
    single(write)?;
    match condition(write) {
        Condition::None => Ok(()),
        Condition::Absent | Condition::Present | Condition::Revision(_) => refuse("a write of a batch has a condition"),
    }
}

/// Refuses a transaction that DynamoDB would refuse.
pub fn transaction(writes: &[Write]) -> Result<(), TableError> {
    if writes.len() > MAX_TRANSACT {
        return refuse(format!("a transaction has {} writes; the limit is {MAX_TRANSACT}", writes.len()));
    }
    let mut keys = BTreeSet::new();
    let mut bytes = 0;
    for write in writes {
        any(write)?;
        if matches!(write, Write::Check { condition: Condition::None, .. }) {
            return refuse("a check of a transaction has no condition");
        }
        if !keys.insert(write.key()) {
            return refuse("a transaction writes one item twice");
        }
        bytes += weight(write);
    }
    if bytes > MAX_TRANSACT_BYTES {
        return refuse(format!("a transaction has {bytes} bytes; the limit is {MAX_TRANSACT_BYTES}"));
    }
    Ok(())
}

/// What must hold for a write.
pub fn condition(write: &Write) -> Condition {
    match write {
        Write::Put { condition, .. } | Write::Delete { condition, .. } | Write::Check { condition, .. } => *condition,
    }
}

/// What a write would leave behind, in bytes.
pub fn weight(write: &Write) -> usize {
    match write {
        Write::Put { key, body, .. } => item_bytes(key, body),
        Write::Delete { .. } | Write::Check { .. } => 0,
    }
}

/// Strongly consistent reads: one for each 4 KB begun, at least one.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>
pub fn read_units(bytes: usize) -> u64 {
    bytes.div_ceil(4096).max(1) as u64
}

/// Writes: one for each KB begun of the larger of what was and what is, at least one. A condition that fails is billed
/// as well.
pub fn write_units(before: usize, after: usize) -> u64 {
    before.max(after).div_ceil(1024).max(1) as u64
}

fn any(write: &Write) -> Result<(), TableError> {
    key(write.key())?;
    match weight(write) {
        0..=MAX_ITEM_BYTES => Ok(()),
        bytes => refuse(format!("an item has {bytes} bytes; the limit is {MAX_ITEM_BYTES}")),
    }
}

fn partition(pk: &str) -> Result<(), TableError> {
    match pk.len() {
        0 => refuse("a partition key is empty"),
        1..=MAX_PK_BYTES => Ok(()),
        bytes => refuse(format!("a partition key has {bytes} bytes; the limit is {MAX_PK_BYTES}")),
    }
}

fn refuse(why: impl Into<String>) -> Result<(), TableError> {
    Err(TableError::Invalid(why.into()))
}
