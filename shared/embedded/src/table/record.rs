//! How items lie in the file: order-preserving key bytes, and a value of a short header and the body.
//!
//! The key is the partition key, a zero byte, the sort key. A zero byte inside the partition key is written as
//! `00 FF`; a sort key is UTF-8 and so never begins with `FF`, which keeps the end of the partition key unmistakable and
//! the sort keys of one partition in the order of their bytes.
//!
//! The value is one byte of flags, the revision (8 bytes, little-endian), the expiry (8 bytes, when flagged), the body.

use hardmatch_ports::table::{Item, Key, Order, Query, TableError};

const EXPIRES: u8 = 1;

/// Where an item lies.
pub(super) fn place(key: &Key) -> Vec<u8> {
    let mut place = partition(&key.pk);
    place.extend_from_slice(key.sk.as_bytes());
    place
}

/// The stretch of places that a query covers: from `low` up to, not including, `high`.
pub(super) struct Span {
    pub(super) low: Vec<u8>,
    pub(super) high: Vec<u8>,
    partition: usize,
}

impl Span {
    /// `None` when nothing can lie there.
    pub(super) fn of(query: &Query) -> Option<Self> {
        let partition = partition(&query.pk);
        let at = |sk: &str| [partition.as_slice(), sk.as_bytes()].concat();
        let past = |sk: &str| [partition.as_slice(), sk.as_bytes(), &[0]].concat();
        let mut low = at(&query.prefix);
        let mut high = low.clone();
        if query.prefix.is_empty() {
            high.push(0xFF);
        } else if let Some(last) = high.last_mut() {
            // The last byte of UTF-8 text is at most BF.
            *last += 1;
        }
        let (above, below) = match query.order {
            Order::Ascending => (query.after.as_deref(), query.before.as_deref()),
            Order::Descending => (query.before.as_deref(), query.after.as_deref()),
        };
        if let Some(sk) = above {
            low = low.max(past(sk));
        }
        if let Some(sk) = below {
            high = high.min(at(sk));
        }
        (low < high).then_some(Self { low, high, partition: partition.len() })
    }

    /// The sort key of an item that lies in it.
    pub(super) fn sort_key(&self, place: &[u8]) -> Result<String, TableError> {
        let sk = place.get(self.partition..).ok_or_else(damaged)?;
        String::from_utf8(sk.to_vec()).map_err(|_| damaged())
    }
}

/// The value of an item.
pub(super) fn encode(revision: u64, expires: Option<i64>, body: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(17 + body.len());
    value.push(if expires.is_some() { EXPIRES } else { 0 });
    value.extend_from_slice(&revision.to_le_bytes());
    if let Some(expires) = expires {
        value.extend_from_slice(&expires.to_le_bytes());
    }
    value.extend_from_slice(body);
    value
}

/// The item of a value.
pub(super) fn decode(key: Key, value: &[u8]) -> Result<Item, TableError> {
    let Header { revision, expires, body } = header(value)?;
    Ok(Item { key, revision, body: body.to_vec(), expires })
}

/// A value taken apart, without copying the body.
pub(super) struct Header<'v> {
    pub(super) revision: u64,
    pub(super) expires: Option<i64>,
    pub(super) body: &'v [u8],
}

pub(super) fn header(value: &[u8]) -> Result<Header<'_>, TableError> {
    let (&flags, rest) = value.split_first().ok_or_else(damaged)?;
    let (revision, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (expires, body) = match flags {
        0 => (None, rest),
        EXPIRES => {
            let (expires, body) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
            (Some(i64::from_le_bytes(*expires)), body)
        }
        _ => return Err(damaged()),
    };
    Ok(Header { revision: u64::from_le_bytes(*revision), expires, body })
}

fn partition(pk: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pk.len() + 64);
    for &byte in pk.as_bytes() {
        bytes.push(byte);
        if byte == 0 {
            bytes.push(0xFF);
        }
    }
    bytes.push(0);
    bytes
}

fn damaged() -> TableError {
    TableError::Unavailable("the state file holds an item that cannot be read. Restore it from a copy".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_never_run_into_each_other() {
        // Were the zero byte not escaped, the second would lie among the sort keys of the first.
        let plain = Span::of(&Query::prefix("a", "")).unwrap();
        for stranger in [Key::new("a\0b", "c"), Key::new("a\0", "c"), Key::new("ab", "c"), Key::new("A", "a")] {
            let place = place(&stranger);
            assert!(!(plain.low.clone()..plain.high.clone()).contains(&place), "{stranger:?}");
        }
        for own in [Key::new("a", "\0"), Key::new("a", "\u{10FFFF}"), Key::new("a", "x")] {
            let place = place(&own);
            assert!(plain.low <= place && place < plain.high, "{own:?}");
            assert_eq!(plain.sort_key(&place).unwrap(), own.sk);
        }
    }

    #[test]
    fn a_value_comes_back_as_it_went_in() {
        for expires in [None, Some(-1), Some(i64::MAX)] {
            for body in [&b""[..], b"x", b"{\"a\":1}"] {
                let item = decode(Key::new("p", "s"), &encode(u64::MAX, expires, body)).unwrap();
                assert_eq!((item.revision, item.expires, item.body.as_slice()), (u64::MAX, expires, body));
            }
        }
    }

    #[test]
    fn a_value_of_another_shape_is_an_error() {
        for value in [&b""[..], &[0, 1, 2], &[7; 30], &[EXPIRES, 0, 0, 0, 0, 0, 0, 0, 0, 1]] {
            assert!(decode(Key::new("p", "s"), value).is_err());
        }
    }
}
