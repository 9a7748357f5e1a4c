//! Which sort keys a query means, as DynamoDB can be asked: one condition on the sort key, with both ends included.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use hardmatch_ports::table::{MAX_SK_BYTES, Order, Query};

use super::text;

/// A query's sort keys. What is on a border and not meant is left out on the way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    keys: Keys,
    /// Go on after this sort key, which lies within `keys`.
    pub(super) start: Option<String>,
    /// The sort key that the query ends before.
    last: Option<String>,
    /// A sort key outside the prefix that `keys` includes.
    beyond: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Keys {
    All,
    Prefix(String),
    Below(String),
    Above(String),
    Between(String, String),
}

impl Bounds {
    /// `None` when no sort key can be meant.
    pub(super) fn of(query: &Query) -> Option<Self> {
        let prefix = query.prefix.as_str();
        if prefix.len() > MAX_SK_BYTES {
            return None;
        }
        let start = match &query.after {
            None => None,
            Some(after) => match side(prefix, after, query.order) {
                // A start that lies outside the condition would be refused.
                Side::Ahead => None,
                Side::Within => Some(after.clone()),
                Side::Behind => return None,
            },
        };
        let last = match &query.before {
            None => None,
            Some(before) => match side(prefix, before, query.order) {
                Side::Ahead => return None,
                Side::Within => Some(before.clone()),
                Side::Behind => None,
            },
        };
        if let (Some(start), Some(last)) = (&start, &last) {
            let crossed = match query.order {
                Order::Ascending => start >= last,
                Order::Descending => start <= last,
            };
            if crossed {
                return None;
            }
        }
        let mut beyond = None;
        let keys = match (&last, query.order) {
            (None, _) if prefix.is_empty() => Keys::All,
            (None, _) => Keys::Prefix(prefix.to_owned()),
            (Some(last), Order::Ascending) if prefix.is_empty() => Keys::Below(last.clone()),
            (Some(last), Order::Ascending) => Keys::Between(prefix.to_owned(), last.clone()),
            (Some(last), Order::Descending) => match after_all(prefix) {
                Some(end) => {
                    beyond = Some(end.clone());
                    Keys::Between(last.clone(), end)
                }
                None => Keys::Above(last.clone()),
            },
        };
        Some(Self { keys, start, last, beyond })
    }

    /// The condition, over the names of [`Bounds::values`].
    pub(super) fn expression(&self) -> &'static str {
        match self.keys {
            Keys::All => "pk = :pk",
            Keys::Prefix(_) => "pk = :pk AND begins_with(sk, :low)",
            Keys::Below(_) => "pk = :pk AND sk < :low",
            Keys::Above(_) => "pk = :pk AND sk > :low",
            Keys::Between(..) => "pk = :pk AND sk BETWEEN :low AND :high",
        }
    }

    /// The values of the condition.
    pub(super) fn values(&self, pk: &str) -> HashMap<String, AttributeValue> {
        let mut values = HashMap::from([(":pk".to_owned(), text(pk))]);
        let (low, high) = match &self.keys {
            Keys::All => (None, None),
            Keys::Prefix(low) | Keys::Below(low) | Keys::Above(low) => (Some(low), None),
            Keys::Between(low, high) => (Some(low), Some(high)),
        };
        values.extend(low.map(|low| (":low".to_owned(), text(low))));
        values.extend(high.map(|high| (":high".to_owned(), text(high))));
        values
    }

    /// Whether a sort key that was found is the one that the query ends before.
    pub(super) fn is_last(&self, sk: &str) -> bool {
        self.last.as_deref() == Some(sk)
    }

    /// Whether a sort key that was found is meant.
    pub(super) fn admits(&self, sk: &str) -> bool {
        !self.is_last(sk) && self.beyond.as_deref() != Some(sk)
    }
}

/// Where a sort key lies for code that walks through the keys of a prefix.
enum Side {
    /// The walk passes it before it comes to the prefix.
    Ahead,
    Within,
    /// The walk comes to it after the prefix.
    Behind,
}

fn side(prefix: &str, sk: &str, order: Order) -> Side {
    // The empty text is no sort key: it lies below all of them.
    if sk.starts_with(prefix) && !sk.is_empty() {
        return Side::Within;
    }
    match (sk <= prefix, order) {
        (true, Order::Ascending) | (false, Order::Descending) => Side::Ahead,
        (false, Order::Ascending) | (true, Order::Descending) => Side::Behind,
    }
}

/// The smallest text above everything that begins with the prefix; `None` when there is none.
fn after_all(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        if let Some(next) = following(last) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

fn following(last: char) -> Option<char> {
    match last {
        // Text has no surrogates.
        '\u{D7FF}' => Some('\u{E000}'),
        _ => char::from_u32(u32::from(last) + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything DynamoDB would find, in order, cut and cleaned as the table does.
    fn found<'k>(keys: &[&'k str], query: &Query) -> Vec<&'k str> {
        let Some(bounds) = Bounds::of(query) else { return vec![] };
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        if query.order == Order::Descending {
            keys.reverse();
        }
        let held = |sk: &str| match &bounds.keys {
            Keys::All => true,
            Keys::Prefix(prefix) => sk.starts_with(prefix.as_str()),
            Keys::Below(high) => sk < high.as_str(),
            Keys::Above(low) => sk > low.as_str(),
            Keys::Between(low, high) => low.as_str() <= sk && sk <= high.as_str(),
        };
        if let Some(start) = &bounds.start {
            assert!(held(start), "DynamoDB refuses a start outside the condition: {query:?} {bounds:?}");
        }
        let started = |sk: &str| match (&bounds.start, query.order) {
            (None, _) => true,
            (Some(start), Order::Ascending) => sk > start.as_str(),
            (Some(start), Order::Descending) => sk < start.as_str(),
        };
        keys.retain(|sk| held(sk) && started(sk) && bounds.admits(sk));
        keys
    }

    /// What the port promises.
    fn meant<'k>(keys: &[&'k str], query: &Query) -> Vec<&'k str> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        if query.order == Order::Descending {
            keys.reverse();
        }
        let beyond = |sk: &str, border: &str| match query.order {
            Order::Ascending => sk > border,
            Order::Descending => sk < border,
        };
        keys.retain(|sk| {
            sk.starts_with(&query.prefix)
                && query.after.as_deref().is_none_or(|after| beyond(sk, after))
                && query.before.as_deref().is_none_or(|before| *sk != before && !beyond(sk, before))
        });
        keys
    }

    #[test]
    fn every_prefix_start_and_end_finds_what_the_port_promises() {
        let keys =
            ["\0", "a", "a\0", "aa", "ab", "az", "b", "ba", "b\u{D7FF}", "b\u{E000}", "c", "\u{10FFFF}", "\u{10FFFF}a"];
        let borders: Vec<Option<&str>> =
            [None, Some("")].into_iter().chain(keys.map(Some)).chain([Some("zz")]).collect();
        let prefixes = ["", "a", "b", "b\u{D7FF}", "ab", "abc", "\u{10FFFF}", "zzz", "\0"];
        let mut cases = 0;
        for prefix in prefixes {
            for after in &borders {
                for before in &borders {
                    for order in [Order::Ascending, Order::Descending] {
                        let query = Query {
                            after: after.map(str::to_owned),
                            before: before.map(str::to_owned),
                            order,
                            ..Query::prefix("p", prefix)
                        };
                        assert_eq!(found(&keys, &query), meant(&keys, &query), "{query:?}");
                        cases += 1;
                    }
                }
            }
        }
        assert_eq!(cases, 9 * 16 * 16 * 2);
    }

    #[test]
    fn a_prefix_longer_than_any_sort_key_is_not_asked_for() {
        assert_eq!(Bounds::of(&Query::prefix("p", "s".repeat(MAX_SK_BYTES + 1))), None);
    }
}
