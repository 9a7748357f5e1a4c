//! The table against the stand-in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hardmatch_ports::contract::table_contract;
use hardmatch_ports::table::{Condition, Key, Query, Table as _, TableError, Write};

use crate::support::{QuickClock, account};

#[tokio::test]
async fn it_keeps_the_contract() {
    let account = account();
    let count = AtomicU64::new(0);
    table_contract(async || {
        let name = format!("table-{}", count.fetch_add(1, Ordering::Relaxed));
        account.table(&name, Arc::new(QuickClock::default())).await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn a_page_of_what_is_left_out_is_no_page() {
    let table = account().table("border", Arc::new(QuickClock::default())).await.unwrap();
    // "c" is the first key above the prefix "b", which a descending query with an end has to ask for.
    for sk in ["b1", "b2", "c"] {
        table.write(Write::put(Key::new("p", sk), vec![])).await.unwrap();
    }
    let page = table.query(&Query::prefix("p", "b").descending().before("b1").limit(1)).await.unwrap();
    let found: Vec<&str> = page.items.iter().map(|item| item.key.sk.as_str()).collect();
    assert_eq!(found, ["b2"]);
    let end = table.query(&Query::prefix("p", "b").descending().before("b1").after("b2").limit(1)).await.unwrap();
    assert_eq!((end.items.len(), end.next), (0, None), "the item a query ends before is its end");
}

#[tokio::test]
async fn a_table_that_is_not_there_is_named_with_the_action() {
    let aws = account().aws(Arc::new(QuickClock::default())).await;
    let error = aws.table("nowhere").get(&Key::new("p", "s")).await.unwrap_err();
    let TableError::Unavailable(text) = error else { panic!("{error:?}") };
    assert!(text.contains("dynamodb:GetItem on nowhere") && text.contains("Check the name"), "{text}");
}

#[tokio::test]
async fn two_items_of_one_key_after_each_other_never_share_a_revision() {
    let table = account().table("again", Arc::new(QuickClock::default())).await.unwrap();
    let key = Key::new("p", "s");
    let first = table.write(Write::put(key.clone(), b"1".to_vec())).await.unwrap();
    table.write(Write::delete(key.clone())).await.unwrap();
    table.write(Write::put(key.clone(), b"2".to_vec())).await.unwrap();
    let late = table.write(Write::put_if(key, b"3".to_vec(), Condition::Revision(first))).await;
    assert!(matches!(late, Err(TableError::Conflict { at: 0 })), "{late:?}");
}
