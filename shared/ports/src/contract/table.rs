//! The contract of the table: revisions, conditions, pages, transactions, limits.

use std::collections::BTreeSet;

use futures::future::{join, join_all};

use crate::table::{
    Condition, ITEM_OVERHEAD_BYTES, Item, Key, MAX_ITEM_BYTES, MAX_PAGE_BYTES, MAX_PK_BYTES, MAX_SK_BYTES,
    MAX_TRANSACT, MAX_TRANSACT_BYTES, Query, Table, TableError, Write,
};

/// Runs the whole contract. `make` gives a table without items each time; partitions of one do not show in another.
pub async fn table_contract<T: Table, F: AsyncFn() -> T>(make: F) {
    revisions(&make().await).await;
    conditions(&make().await).await;
    sort_order(&make().await).await;
    bounds(&make().await).await;
    pages_by_limit(&make().await).await;
    pages_by_bytes(&make().await).await;
    batches(&make().await).await;
    transactions(&make().await).await;
    limits(&make().await).await;
    units(&make().await).await;
    races(&make().await).await;
}

async fn revisions(table: &impl Table) {
    let key = Key::new("revisions", "s");
    assert_eq!(get(table, &key).await, None);
    let mut seen = vec![0, done(table.write(put(&key, "a")).await)];
    seen.push(done(table.write(put(&key, "b")).await));
    let kept = Write::Put { key: key.clone(), body: b"c".to_vec(), expires: Some(-5), condition: Condition::None };
    seen.push(done(table.write(kept).await));
    let item = get(table, &key).await.expect("the item is there");
    assert_eq!((item.revision, item.body.as_slice(), item.expires), (seen[3], b"c".as_slice(), Some(-5)));
    seen.push(done(table.write(put(&key, "")).await));
    let item = get(table, &key).await.expect("an empty body is an item");
    assert_eq!((item.revision, item.body.as_slice()), (seen[4], b"".as_slice()));
    assert_eq!(item.expires, None, "a put replaces the expiry too");

    // Under a revision the next one is known beforehand, by itself and in a transaction.
    let next = Write::put_if(key.clone(), b"d".to_vec(), Condition::Revision(seen[4]));
    assert_eq!(done(table.write(next).await), seen[4] + 1);
    let next = Write::put_if(key.clone(), b"e".to_vec(), Condition::Revision(seen[4] + 1));
    done(table.transact(vec![next]).await);
    assert_eq!(get(table, &key).await.map(|item| item.revision), Some(seen[4] + 2));
    seen.extend([seen[4] + 1, seen[4] + 2]);

    done(table.transact(vec![put(&key, "f")]).await);
    seen.push(get(table, &key).await.expect("it is there").revision);
    done(table.batch_write(vec![put(&key, "g")]).await);
    seen.push(get(table, &key).await.expect("it is there").revision);
    let distinct: BTreeSet<u64> = seen.iter().copied().collect();
    assert_eq!(distinct.len(), seen.len(), "another revision after every write, and never 0: {seen:?}");

    assert_eq!(done(table.write(Write::delete(key.clone())).await), 0);
    assert_eq!(get(table, &key).await, None);
    assert_eq!(done(table.write(Write::delete(key.clone())).await), 0, "deleting nothing is no error");
    assert_ne!(done(table.write(put(&key, "h")).await), 0, "an item that was deleted is an item again");
}

async fn conditions(table: &impl Table) {
    // Given the revision before the last write and the last one: what to ask for, and whether it holds for an absent
    // item and for one of the last revision.
    type Case = (fn(u64, u64) -> Condition, bool, bool);
    let cases: [Case; 7] = [
        (|_, _| Condition::None, true, true),
        (|_, _| Condition::Absent, true, false),
        (|_, _| Condition::Present, false, true),
        (|_, _| Condition::Revision(0), false, false),
        (|older, _| Condition::Revision(older), false, false),
        (|_, last| Condition::Revision(last), false, true),
        (|_, last| Condition::Revision(last + 1), false, false),
    ];
    for (at, (condition, if_absent, if_there)) in cases.into_iter().enumerate() {
        for (there, holds) in [(false, if_absent), (true, if_there)] {
            let key = Key::new("conditions", format!("put-{at}-{there}"));
            let (older, last) = prepare(table, &key, there).await;
            let condition = condition(older, last);
            let result = table.write(Write::put_if(key.clone(), b"new".to_vec(), condition)).await;
            verdict(&result, holds, &format!("put {condition:?} there={there}"));
            let body = get(table, &key).await.map(|item| item.body);
            let expected = if holds { Some(b"new".to_vec()) } else { there.then(|| b"old".to_vec()) };
            assert_eq!(body, expected, "a refused write leaves the item alone");
        }
        for (there, holds) in [(false, if_absent), (true, if_there)] {
            let key = Key::new("conditions", format!("delete-{at}-{there}"));
            let (older, last) = prepare(table, &key, there).await;
            let condition = condition(older, last);
            let result = table.write(Write::Delete { key: key.clone(), condition }).await;
            verdict(&result, holds, &format!("delete {condition:?} there={there}"));
            assert_eq!(get(table, &key).await.is_some(), there && !holds);
        }
    }
}

async fn sort_order(table: &impl Table) {
    // In the order of their UTF-8 bytes, which is not that of UTF-16 nor of any language.
    let sorted = ["\0", "\0a", "A", "Z", "a", "a\0", "a\0b", "aa", "a~", "b", "z", "é", "\u{FFFD}", "😀"];
    let mut shuffled = sorted;
    shuffled.reverse();
    shuffled.swap(2, 9);
    for sk in shuffled {
        done(table.write(put(&Key::new("order", sk), sk)).await);
    }
    // Neighbours whose names run into ours.
    for pk in ["orde", "order\0", "order\0a", "ordera", "Order", "é😀"] {
        done(table.write(put(&Key::new(pk, "stranger"), "x")).await);
    }
    let page = page(table, &Query::prefix("order", "")).await;
    assert_eq!(keys(&page), sorted);
    assert!(page.iter().all(|item| item.body == item.key.sk.as_bytes() && item.key.pk == "order"));
    let mut backwards = sorted;
    backwards.reverse();
    assert_eq!(keys(&self::page(table, &Query::prefix("order", "").descending()).await), backwards);
    assert_eq!(keys(&self::page(table, &Query::prefix("é😀", "")).await), ["stranger"]);
    assert!(self::page(table, &Query::prefix("nobody", "")).await.is_empty());
}

async fn bounds(table: &impl Table) {
    for sk in ["a", "b1", "b2", "b3", "b4", "c", "é1", "é2"] {
        done(table.write(put(&Key::new("bounds", sk), sk)).await);
    }
    let all = || Query::prefix("bounds", "");
    let b = || Query::prefix("bounds", "b");
    let cases: [(Query, &[&str]); 18] = [
        (b(), &["b1", "b2", "b3", "b4"]),
        (b().descending(), &["b4", "b3", "b2", "b1"]),
        (Query::prefix("bounds", "b2"), &["b2"]),
        (Query::prefix("bounds", "é"), &["é1", "é2"]),
        (Query::prefix("bounds", "d"), &[]),
        (b().after("b2"), &["b3", "b4"]),
        (b().after("b2x"), &["b3", "b4"]),
        (b().after("a"), &["b1", "b2", "b3", "b4"]),
        (b().after("b4"), &[]),
        (b().before("b3"), &["b1", "b2"]),
        (b().before("c"), &["b1", "b2", "b3", "b4"]),
        (b().before("b1"), &[]),
        (b().after("b1").before("b4"), &["b2", "b3"]),
        (b().after("b3").before("b2"), &[]),
        (b().descending().after("b3"), &["b2", "b1"]),
        (b().descending().before("b2"), &["b4", "b3"]),
        (b().descending().after("b4").before("b1"), &["b3", "b2"]),
        (all().after("b4").before("é2"), &["c", "é1"]),
    ];
    let together = done(table.query_many(&cases.clone().map(|(query, _)| query)).await);
    assert_eq!(together.len(), cases.len(), "one page a query");
    for ((query, expected), together) in cases.into_iter().zip(together) {
        assert_eq!(keys(&page(table, &query).await), expected, "{query:?}");
        assert_eq!(keys(&together.items), expected, "among others: {query:?}");
    }
    assert!(done(table.query_many(&[]).await).is_empty());
}

async fn pages_by_limit(table: &impl Table) {
    for n in 0..7 {
        done(table.write(put(&Key::new("limit", format!("k{n}")), "x")).await);
    }
    for (query, expected) in [
        (Query::prefix("limit", "k"), ["k0", "k1", "k2", "k3", "k4", "k5", "k6"]),
        (Query::prefix("limit", "k").descending(), ["k6", "k5", "k4", "k3", "k2", "k1", "k0"]),
    ] {
        for limit in 1..9 {
            let pages = pages(table, query.clone().limit(limit)).await;
            let all: Vec<&str> = pages.iter().flat_map(|page| keys(page)).collect();
            assert_eq!(all, expected, "every item once, in order, limit {limit}");
            assert!(pages.iter().all(|page| page.len() <= limit));
            assert_eq!(pages[0].len(), limit.min(7), "a page is as full as it may be");
        }
    }
}

async fn pages_by_bytes(table: &impl Table) {
    // Four of these are one page to the byte; five are one too many.
    let quarter = MAX_PAGE_BYTES / 4 - ITEM_OVERHEAD_BYTES - "bytes".len() - "k0".len();
    for n in 0..9 {
        let body = vec![b'x'; quarter];
        done(table.write(Write::put(Key::new("bytes", format!("k{n}")), body)).await);
    }
    for query in [Query::prefix("bytes", "k"), Query::prefix("bytes", "k").descending()] {
        let pages = pages(table, query.clone()).await;
        let sizes: Vec<usize> = pages.iter().map(|page| page.iter().map(Item::bytes).sum()).collect();
        assert!(sizes.iter().all(|&bytes| bytes <= MAX_PAGE_BYTES), "{sizes:?}");
        let mut seen: Vec<&str> = pages.iter().flat_map(|page| keys(page)).collect();
        seen.sort_unstable();
        assert_eq!(seen, ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"]);
        let first = done(table.query(&query).await);
        assert!(first.next.is_some() && first.items.len() >= 2, "a page ends before it is too large, and not early");
    }
}

async fn batches(table: &impl Table) {
    let key = |n: usize| Key::new("batch", format!("{n:04}"));
    let writes: Vec<Write> = (0..257).map(|n| put(&key(n), "a")).collect();
    done(table.batch_write(writes).await);
    let asked: Vec<Key> = (0..300).map(key).chain((0..300).map(key)).collect();
    let mut found = done(table.batch_get(&asked).await);
    found.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found.len(), 257, "those that exist, each once");
    assert!(found.iter().enumerate().all(|(n, item)| item.key == key(n) && item.body == b"a" && item.revision != 0));

    let old = get(table, &key(1)).await.expect("it is there").revision;
    let writes = vec![
        put(&key(0), "b"),
        Write::delete(key(0)),
        put(&key(1), "b"),
        put(&key(1), "c"),
        Write::delete(key(2)),
        put(&key(2), "d"),
        Write::delete(key(999)),
    ];
    done(table.batch_write(writes).await);
    assert_eq!(get(table, &key(0)).await, None, "the later write of a key wins");
    let item = get(table, &key(1)).await.expect("it is there");
    assert!(item.body == b"c" && item.revision != old, "a batch replaces revisions");
    assert_eq!(get(table, &key(2)).await.map(|item| item.body), Some(b"d".to_vec()));

    done(table.batch_write(vec![]).await);
    assert_eq!(done(table.batch_get(&[]).await), []);
    let conditional = Write::put_if(key(3), b"x".to_vec(), Condition::Present);
    invalid(&table.batch_write(vec![put(&key(4), "x"), conditional]).await, "a condition in a batch");
    assert_eq!(get(table, &key(4)).await.map(|item| item.body), Some(b"a".to_vec()), "refused before it began");
}

async fn transactions(table: &impl Table) {
    let key = |sk: &str| Key::new("transact", sk);
    let other = Key::new("transact-other", "s");
    let first = done(table.write(put(&key("a"), "1")).await);
    let writes = |revision: u64| {
        vec![
            Write::put_if(key("a"), b"2".to_vec(), Condition::Revision(revision)),
            Write::put_if(key("b"), b"2".to_vec(), Condition::Absent),
            Write::put(other.clone(), b"2".to_vec()),
            Write::Check { key: key("c"), condition: Condition::Absent },
            Write::delete(key("d")),
        ]
    };
    let result = table.transact(writes(first + 7)).await;
    assert!(matches!(result, Err(TableError::Conflict { at: 0 })), "{result:?}");
    assert_eq!(get(table, &key("b")).await, None, "all or none");
    assert_eq!(get(table, &other).await, None);

    done(table.transact(writes(first)).await);
    let a = get(table, &key("a")).await.expect("it is there");
    assert_eq!((a.revision, a.body.as_slice()), (first + 1, b"2".as_slice()));
    assert!(get(table, &key("b")).await.is_some_and(|item| item.revision != 0));
    assert_eq!(get(table, &key("c")).await, None, "a check writes nothing");
    assert!(get(table, &other).await.is_some());

    // The same once more: its first condition fails, then its second, then the check.
    let result = table.transact(writes(first)).await;
    assert!(matches!(result, Err(TableError::Conflict { at: 0 })), "{result:?}");
    let result = table.transact(writes(first + 1)).await;
    assert!(matches!(result, Err(TableError::Conflict { at: 1 })), "{result:?}");
    let c = done(table.write(put(&key("c"), "1")).await);
    done(table.write(Write::delete(key("b"))).await);
    let result = table.transact(writes(first + 1)).await;
    assert!(matches!(result, Err(TableError::Conflict { at: 3 })), "{result:?}");
    assert_eq!(get(table, &key("a")).await.map(|item| item.revision), Some(first + 1));
    assert_eq!(get(table, &key("c")).await.map(|item| item.revision), Some(c));

    let deletes = vec![
        Write::Delete { key: key("a"), condition: Condition::Present },
        Write::Delete { key: key("c"), condition: Condition::Revision(c) },
    ];
    done(table.transact(deletes).await);
    assert_eq!(get(table, &key("a")).await, None);
    assert_eq!(get(table, &key("c")).await, None);
    done(table.transact(vec![]).await);
}

async fn limits(table: &impl Table) {
    let fits = MAX_ITEM_BYTES - ITEM_OVERHEAD_BYTES - "limits".len() - "s".len();
    let key = Key::new("limits", "s");
    done(table.write(Write::put(key.clone(), vec![b'x'; fits])).await);
    assert_eq!(get(table, &key).await.map(|item| item.bytes()), Some(MAX_ITEM_BYTES));
    let too_large = Write::put(key.clone(), vec![b'x'; fits + 1]);
    invalid(&table.write(too_large.clone()).await, "an item over the limit");
    invalid(&table.batch_write(vec![too_large.clone()]).await, "an item over the limit in a batch");
    invalid(&table.transact(vec![too_large]).await, "an item over the limit in a transaction");

    let longest = Key::new("p".repeat(MAX_PK_BYTES), "s".repeat(MAX_SK_BYTES));
    done(table.write(put(&longest, "x")).await);
    assert!(get(table, &longest).await.is_some());
    for key in [
        Key::new("", "s"),
        Key::new("p", ""),
        Key::new("p".repeat(MAX_PK_BYTES + 1), "s"),
        Key::new("p", "é".repeat(MAX_SK_BYTES / 2 + 1)),
    ] {
        invalid(&table.get(&key).await, "a key out of bounds");
        invalid(&table.batch_get(std::slice::from_ref(&key)).await, "a key out of bounds");
        invalid(&table.write(put(&key, "x")).await, "a key out of bounds");
        invalid(&table.write(Write::delete(key.clone())).await, "a key out of bounds");
        invalid(&table.batch_write(vec![put(&key, "x")]).await, "a key out of bounds");
        invalid(&table.transact(vec![put(&key, "x")]).await, "a key out of bounds");
    }
    invalid(&table.query(&Query::prefix("", "x")).await, "a query without a partition: there is no scan");
    invalid(&table.query(&Query::prefix("p", "").limit(0)).await, "a query for nothing");
    invalid(&table.query_many(&[Query::prefix("", "x")]).await, "a query without a partition, among others");

    let check = Write::Check { key: Key::new("limits", "c"), condition: Condition::Absent };
    invalid(&table.write(check.clone()).await, "a check by itself");
    invalid(&table.batch_write(vec![check.clone()]).await, "a check in a batch");
    let pointless = Write::Check { key: Key::new("limits", "c"), condition: Condition::None };
    invalid(&table.transact(vec![pointless]).await, "a check of nothing");
    invalid(&table.transact(vec![check.clone(), put(check.key(), "x")]).await, "one item twice");

    let many = |count: usize| (0..count).map(|n| put(&Key::new("many", format!("{n}")), "x")).collect::<Vec<_>>();
    done(table.transact(many(MAX_TRANSACT)).await);
    invalid(&table.transact(many(MAX_TRANSACT + 1)).await, "too many writes");
    let heavy = (0..=MAX_TRANSACT_BYTES / (350 * 1024))
        .map(|n| Write::put(Key::new("heavy", format!("{n}")), vec![b'x'; 350 * 1024]))
        .collect();
    invalid(&table.transact(heavy).await, "too many bytes");
    assert_eq!(get(table, &Key::new("heavy", "0")).await, None);
}

async fn units(table: &impl Table) {
    let key = Key::new("units", "s");
    let body = |bytes: usize| vec![b'x'; bytes - ITEM_OVERHEAD_BYTES - "units".len() - "s".len()];
    // Sizes stand away from the steps: what an item weighs besides its body may differ by some bytes in what is billed.
    let before = table.units();
    let spent = || table.units().write - before.write;
    done(table.write(Write::put(key.clone(), body(700))).await);
    assert_eq!(spent(), 1, "1 KB is one unit");
    done(table.write(Write::put(key.clone(), body(1500))).await);
    assert_eq!(spent(), 3, "more is two");
    done(table.write(Write::put(key.clone(), body(4500))).await);
    assert_eq!(spent(), 8);
    done(table.write(Write::put(key.clone(), body(700))).await);
    assert_eq!(spent(), 13, "the larger of what was and what is");
    done(table.transact(vec![Write::put(key.clone(), body(4500))]).await);
    assert_eq!(spent(), 23, "a transaction costs double");

    let before = table.units();
    get(table, &Key::new("units", "nobody")).await;
    assert_eq!(table.units().read - before.read, 1, "asking is not free");
    assert_eq!(table.units().write, before.write, "reading writes nothing");
}

/// How reads are counted by size. Apart from the rest of the contract for the sake of stand-ins, which bill a read of
/// any size as one unit.
pub async fn table_read_units_contract(table: &impl Table) {
    let key = Key::new("read-units", "s");
    done(table.write(Write::put(key.clone(), vec![b'x'; 4500])).await);
    let before = table.units();
    get(table, &key).await;
    assert_eq!(table.units().read - before.read, 2, "one unit for 4 KB, another for the rest");
    page(table, &Query::prefix("read-units", "")).await;
    assert_eq!(table.units().read - before.read, 4);
    assert_eq!(table.units().write, before.write, "reading writes nothing");
}

async fn races(table: &impl Table) {
    // Both want to be first: exactly one is, and the other is told.
    for round in 0..20 {
        let key = Key::new("race", format!("{round}"));
        let claim = |who: &str| Write::put_if(key.clone(), who.as_bytes().to_vec(), Condition::Absent);
        let (one, two) = join(table.write(claim("one")), table.write(claim("two"))).await;
        let winner = match (&one, &two) {
            (Ok(_), Err(TableError::Conflict { at: 0 })) => "one",
            (Err(TableError::Conflict { at: 0 }), Ok(_)) => "two",
            _ => "nobody, or both",
        };
        assert_eq!(get(table, &key).await.map(|item| item.body), Some(winner.as_bytes().to_vec()));
    }
    // No increment is lost between writers that read, add one, and write under the revision they read.
    let key = Key::new("race", "counter");
    done(table.write(put(&key, "0")).await);
    join_all((0..4).map(|_| async {
        for _ in 0..5 {
            loop {
                let item = get(table, &key).await.expect("the counter is there");
                let count: u64 = String::from_utf8_lossy(&item.body).parse().expect("a number");
                let next = (count + 1).to_string().into_bytes();
                match table.write(Write::put_if(key.clone(), next, Condition::Revision(item.revision))).await {
                    Ok(_) => break,
                    Err(TableError::Conflict { .. }) => {}
                    Err(error) => done(Err(error)),
                }
            }
        }
    }))
    .await;
    assert_eq!(get(table, &key).await.map(|item| item.body), Some(b"20".to_vec()));
}

/// The item of a case: its revision before the last write, and its last; of no item, those of another one.
async fn prepare(table: &impl Table, key: &Key, there: bool) -> (u64, u64) {
    let written = if there { key.clone() } else { Key::new("conditions", format!("{}-other", key.sk)) };
    let older = done(table.write(put(&written, "older")).await);
    (older, done(table.write(put(&written, "old")).await))
}

async fn get(table: &impl Table, key: &Key) -> Option<Item> {
    done(table.get(key).await)
}

/// Everything a query finds.
async fn page(table: &impl Table, query: &Query) -> Vec<Item> {
    pages(table, query.clone()).await.into_iter().flatten().collect()
}

async fn pages(table: &impl Table, mut query: Query) -> Vec<Vec<Item>> {
    let mut pages = Vec::new();
    loop {
        let page = done(table.query(&query).await);
        pages.push(page.items);
        match page.next {
            Some(next) => query = query.after(next),
            None => return pages,
        }
    }
}

fn put(key: &Key, body: &str) -> Write {
    Write::put(key.clone(), body.as_bytes().to_vec())
}

fn keys(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.key.sk.as_str()).collect()
}

fn verdict(result: &Result<u64, TableError>, holds: bool, what: &str) {
    if holds {
        assert!(result.is_ok(), "{what}: {result:?}");
    } else {
        assert!(matches!(result, Err(TableError::Conflict { at: 0 })), "{what}: {result:?}");
    }
}

fn invalid<V: std::fmt::Debug>(result: &Result<V, TableError>, what: &str) {
    assert!(matches!(result, Err(TableError::Invalid(_))), "{what} is refused: {result:?}");
}

fn done<V>(result: Result<V, TableError>) -> V {
    result.expect("the table works")
}
