//! Items as DynamoDB has them: five attributes, and a sixth on what was written under a condition.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use hardmatch_ports::table::{Condition, Item, Key, TableError};

use super::text;

pub(super) type Attributes = HashMap<String, AttributeValue>;

const PK: &str = "pk";
const SK: &str = "sk";
const REVISION: &str = "rev";
const BODY: &str = "body";
/// What the table's time-to-live is set to.
const EXPIRES: &str = "ttl";
/// Names one write, so that a writer whose answer was lost knows its own work again.
const WRITER: &str = "w";

/// Revisions begin below this: every JSON reader takes them for what they are, and there is room to count on.
const REVISIONS: u64 = 1 << 52;

/// The revision that a put leaves. Never 0.
pub(super) fn next_revision(condition: Condition) -> u64 {
    match condition {
        Condition::Revision(revision) => revision.saturating_add(1),
        Condition::None | Condition::Absent | Condition::Present => rand::random_range(1..REVISIONS),
    }
}

/// The key of an item.
pub(super) fn key(key: &Key) -> Attributes {
    HashMap::from([(PK.to_owned(), text(&key.pk)), (SK.to_owned(), text(&key.sk))])
}

/// An item to be put.
pub(super) fn put(at: &Key, revision: u64, body: &[u8], expires: Option<i64>) -> Attributes {
    let mut item = key(at);
    item.insert(REVISION.to_owned(), AttributeValue::N(revision.to_string()));
    item.insert(BODY.to_owned(), AttributeValue::B(Blob::new(body)));
    if let Some(expires) = expires {
        item.insert(EXPIRES.to_owned(), AttributeValue::N(expires.to_string()));
    }
    item
}

/// Signs an item, and gives the signature.
pub(super) fn sign(item: &mut Attributes) -> AttributeValue {
    let mark = AttributeValue::B(Blob::new(rand::random::<[u8; 8]>()));
    item.insert(WRITER.to_owned(), mark.clone());
    mark
}

/// Whether what is stored carries this signature.
pub(super) fn is_signed(stored: &Attributes, mark: &AttributeValue) -> bool {
    stored.get(WRITER) == Some(mark)
}

/// What a condition is in DynamoDB's words.
pub(super) fn expression(condition: Condition) -> Option<&'static str> {
    match condition {
        Condition::None => None,
        Condition::Absent => Some("attribute_not_exists(pk)"),
        Condition::Present => Some("attribute_exists(pk)"),
        Condition::Revision(_) => Some("rev = :rev"),
    }
}

/// The values of [`expression`].
pub(super) fn values(condition: Condition) -> Option<Attributes> {
    match condition {
        Condition::None | Condition::Absent | Condition::Present => None,
        Condition::Revision(revision) => {
            Some(HashMap::from([(":rev".to_owned(), AttributeValue::N(revision.to_string()))]))
        }
    }
}

/// The sort key of a key.
pub(super) fn sort_key(mut key: Attributes) -> Option<String> {
    match key.remove(SK) {
        Some(AttributeValue::S(sk)) => Some(sk),
        _ => None,
    }
}

/// An item as it is stored.
pub(super) fn read(mut stored: Attributes) -> Result<Item, TableError> {
    let number = |value: Option<AttributeValue>| value.and_then(|value| value.as_n().ok().cloned());
    let revision = number(stored.remove(REVISION)).and_then(|revision| revision.parse().ok());
    let expires = number(stored.remove(EXPIRES)).and_then(|expires| expires.parse().ok());
    match (stored.remove(PK), stored.remove(SK), revision, stored.remove(BODY)) {
        (Some(AttributeValue::S(pk)), Some(AttributeValue::S(sk)), Some(revision), Some(AttributeValue::B(body))) => {
            Ok(Item { key: Key { pk, sk }, revision, body: body.into_inner(), expires })
        }
        _ => Err(TableError::Unavailable(
            "an item of the table has no pk, sk, rev or body as hardmatch writes them. Something else writes into this \
             table: give hardmatch one of its own"
                .to_owned(),
        )),
    }
}

/// What a stored item weighs by the port's measure.
pub(super) fn bytes(stored: Attributes) -> usize {
    read(stored).map_or(0, |item| item.bytes())
}
