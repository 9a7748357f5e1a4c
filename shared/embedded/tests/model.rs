//! Under any operations the table is what a sorted map would be.

#![cfg(test)]

use std::collections::BTreeMap;

use hardmatch_embedded::FileTable;
use hardmatch_ports::table::{Condition, Item, Key, Order, Query, Table as _, TableError, Write};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

type Model = BTreeMap<Key, Item>;

#[derive(Clone, Debug)]
enum Operation {
    Write(Write),
    Batch(Vec<Write>),
    Transact(Vec<Write>),
    Get(Vec<Key>),
    Query(Query),
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn the_table_is_a_sorted_map(operations in prop::collection::vec(operation(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let table = FileTable::in_memory().unwrap();
            let mut model = Model::new();
            for operation in operations {
                check(&table, &mut model, operation).await;
            }
        });
    }
}

async fn check(table: &FileTable, model: &mut Model, operation: Operation) {
    match operation {
        Operation::Write(write) => {
            let expected = apply(model, std::slice::from_ref(&write)).map(|()| match &write {
                Write::Put { key, .. } => model[key].revision,
                Write::Delete { .. } | Write::Check { .. } => 0,
            });
            assert_eq!(table.write(write).await.map_err(conflict), expected);
        }
        Operation::Batch(writes) => {
            for write in &writes {
                apply(model, std::slice::from_ref(write)).unwrap();
            }
            table.batch_write(writes).await.unwrap();
        }
        Operation::Transact(writes) => {
            let expected = apply(model, &writes);
            assert_eq!(table.transact(writes).await.map_err(conflict), expected);
        }
        Operation::Get(keys) => {
            let mut found = table.batch_get(&keys).await.unwrap();
            found.sort_by(|a, b| a.key.cmp(&b.key));
            let expected: Vec<Item> = model.values().filter(|item| keys.contains(&item.key)).cloned().collect();
            assert_eq!(found, expected);
            for key in &keys {
                assert_eq!(table.get(key).await.unwrap().as_ref(), model.get(key));
            }
        }
        Operation::Query(query) => {
            let expected = answer(model, &query);
            let page = table.query(&query).await.unwrap();
            let cut = expected.len() >= query.limit;
            assert_eq!(page.items, expected[..expected.len().min(query.limit)]);
            assert_eq!(page.next, cut.then(|| expected[query.limit - 1].key.sk.clone()));
        }
    }
}

/// All or none; the index of the first that fails.
fn apply(model: &mut Model, writes: &[Write]) -> Result<(), usize> {
    let failed = writes.iter().position(|write| {
        let (Write::Put { condition, .. } | Write::Delete { condition, .. } | Write::Check { condition, .. }) = write;
        let there = model.get(write.key());
        !match condition {
            Condition::None => true,
            Condition::Absent => there.is_none(),
            Condition::Present => there.is_some(),
            Condition::Revision(revision) => there.is_some_and(|item| item.revision == *revision),
        }
    });
    if let Some(at) = failed {
        return Err(at);
    }
    for write in writes {
        match write {
            Write::Put { key, body, expires, .. } => {
                let revision = model.get(key).map_or(0, |item| item.revision) + 1;
                let item = Item { key: key.clone(), revision, body: body.clone(), expires: *expires };
                model.insert(key.clone(), item);
            }
            Write::Delete { key, .. } => drop(model.remove(key)),
            Write::Check { .. } => {}
        }
    }
    Ok(())
}

fn answer(model: &Model, query: &Query) -> Vec<Item> {
    let mut found: Vec<Item> = model
        .values()
        .filter(|item| item.key.pk == query.pk && item.key.sk.starts_with(&query.prefix))
        .cloned()
        .collect();
    let descending = query.order == Order::Descending;
    if descending {
        found.reverse();
    }
    let is_past = |sk: &str, bound: &str| if descending { sk < bound } else { sk > bound };
    found.retain(|item| {
        query.after.as_ref().is_none_or(|after| is_past(&item.key.sk, after))
            && query.before.as_ref().is_none_or(|before| is_past(before, &item.key.sk))
    });
    found
}

fn conflict(error: TableError) -> usize {
    match error {
        TableError::Conflict { at } => at,
        other => panic!("{other}"),
    }
}

/// Few keys, chosen to collide and to lie about where a partition ends.
fn key() -> impl Strategy<Value = Key> {
    (prop::sample::select(vec!["a", "a\0", "a\0b", "ab", "é"]), sort_key()).prop_map(|(pk, sk)| Key::new(pk, sk))
}

fn sort_key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["\0", "b", "b\0", "ba", "bé", "c", "é", "\u{10FFFF}"])
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        4 => Just(Condition::None),
        2 => Just(Condition::Absent),
        2 => Just(Condition::Present),
        2 => (1..4_u64).prop_map(Condition::Revision),
    ]
}

fn write(condition: impl Strategy<Value = Condition>) -> impl Strategy<Value = Write> {
    let body = prop::collection::vec(any::<u8>(), 0..4);
    (key(), body, any::<Option<i64>>(), condition, any::<bool>()).prop_map(|(key, body, expires, condition, delete)| {
        if delete { Write::Delete { key, condition } } else { Write::Put { key, body, expires, condition } }
    })
}

fn transaction() -> impl Strategy<Value = Vec<Write>> {
    let check = (key(), condition()).prop_filter_map("a check has a condition", |(key, condition)| {
        (condition != Condition::None).then_some(Write::Check { key, condition })
    });
    let write = prop_oneof![3 => write(condition()), 1 => check];
    prop::collection::vec(write, 0..6).prop_map(|writes| {
        // Of each item the first write.
        let mut seen = std::collections::BTreeSet::new();
        writes.into_iter().filter(|write| seen.insert(write.key().clone())).collect()
    })
}

fn query() -> impl Strategy<Value = Query> {
    let prefix = prop::sample::select(vec!["", "", "b", "é", "\0", "x"]);
    let limit = prop_oneof![1..5_usize, Just(usize::MAX)];
    let bounds = (prop::option::of(sort_key()), prop::option::of(sort_key()));
    (key(), prefix, bounds, limit, any::<bool>()).prop_map(|(key, prefix, (after, before), limit, ascending)| Query {
        pk: key.pk,
        prefix: prefix.to_owned(),
        after: after.map(str::to_owned),
        before: before.map(str::to_owned),
        limit,
        order: if ascending { Order::Ascending } else { Order::Descending },
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => write(condition()).prop_map(Operation::Write),
        2 => prop::collection::vec(write(Just(Condition::None)), 0..6).prop_map(Operation::Batch),
        3 => transaction().prop_map(Operation::Transact),
        1 => prop::collection::vec(key(), 0..5).prop_map(Operation::Get),
        3 => query().prop_map(Operation::Query),
    ]
}
