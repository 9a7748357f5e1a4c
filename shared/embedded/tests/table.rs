//! The file table keeps what every table promises, and what only a file can lose.

use hardmatch_embedded::{FileTable, Options};
use hardmatch_ports::table::{Condition, Key, Query, Table as _, TableError, Write};

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let table = FileTable::open(&path, &Options::default()).unwrap();
    let key = Key::new("p", "s");
    assert_eq!(table.write(Write::put_if(key.clone(), b"1".to_vec(), Condition::Absent)).await.unwrap(), 1);
    assert_eq!(table.write(Write::put(key.clone(), b"2".to_vec())).await.unwrap(), 2);
    drop(table);

    let table = FileTable::open(&path, &Options::default()).unwrap();
    let item = table.get(&key).await.unwrap().unwrap();
    assert_eq!((item.revision, item.body.as_slice()), (2, b"2".as_slice()));
    assert_eq!(table.query(&Query::prefix("p", "")).await.unwrap().items, [item]);
}

#[tokio::test]
async fn a_file_in_use_names_its_holder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let held = FileTable::open(&path, &Options::default()).unwrap();
    let Err(TableError::Locked { holder, .. }) = FileTable::open(&path, &Options::default()).map(drop) else {
        panic!("opened twice");
    };
    assert!(holder.starts_with(&format!("process {} (", std::process::id())), "{holder}");
    drop(held);
    assert!(!folder.path().join("state.db.lock").exists());
    FileTable::open(&path, &Options::default()).unwrap();
}
