//! The file table keeps what every table promises, and what only a file can lose.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use hardmatch_embedded::{FileTable, Missing, TableOptions};
use hardmatch_ports::contract::{table_contract, table_read_units_contract};
use hardmatch_ports::table::{Condition, Key, Query, Table as _, TableError, Write};

#[tokio::test]
async fn it_keeps_the_contract_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    table_contract(async || {
        count.set(count.get() + 1);
        open(&folder.path().join(format!("{}.db", count.get()))).unwrap()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_contract_in_memory() {
    table_contract(async || FileTable::in_memory().unwrap()).await;
    table_read_units_contract(&FileTable::in_memory().unwrap()).await;
}

#[tokio::test]
async fn what_has_ended_is_deleted_when_it_is_asked_for_and_nothing_else() {
    let table = FileTable::in_memory().unwrap();
    for (name, expires) in [("never", None), ("before", Some(99)), ("now", Some(100)), ("later", Some(101))] {
        let key = Key::new("p", name);
        table.write(Write::Put { key, body: Vec::new(), expires, condition: Condition::None }).await.unwrap();
    }
    assert_eq!((table.delete_ended(100).await.unwrap(), table.delete_ended(100).await.unwrap()), (2, 0));
    let left = table.query(&Query::prefix("p", "")).await.unwrap().items;
    assert_eq!(left.iter().map(|item| item.key.sk.as_str()).collect::<Vec<_>>(), ["later", "never"]);
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let table = open(&path).unwrap();
    let key = Key::new("p", "s");
    assert_eq!(table.write(Write::put_if(key.clone(), b"1".to_vec(), Condition::Absent)).await.unwrap(), 1);
    assert_eq!(table.write(Write::put(key.clone(), b"2".to_vec())).await.unwrap(), 2);
    drop(table);

    let table = open(&path).unwrap();
    let item = table.get(&key).await.unwrap().unwrap();
    assert_eq!((item.revision, item.body.as_slice()), (2, b"2".as_slice()));
    assert_eq!(table.query(&Query::prefix("p", "")).await.unwrap().items, [item]);
}

#[tokio::test]
async fn several_handles_of_a_file_see_each_others_commits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (one, other) = (open(&path).unwrap(), open(&path).unwrap());
    let key = Key::new("p", "s");
    assert_eq!(one.write(Write::put_if(key.clone(), b"1".to_vec(), Condition::Absent)).await.unwrap(), 1);
    let refused = other.write(Write::put_if(key.clone(), b"2".to_vec(), Condition::Absent)).await;
    assert!(matches!(refused, Err(TableError::Conflict { at: 0 })), "{refused:?}");
    assert_eq!(other.write(Write::put_if(key.clone(), b"2".to_vec(), Condition::Revision(1))).await.unwrap(), 2);
    assert_eq!(one.get(&key).await.unwrap().unwrap().body, b"2");
}

#[test]
fn a_newer_file_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(open(&path).unwrap());
    foreign(&path, "PRAGMA user_version = 2");
    let error = open(&path).map(drop).unwrap_err();
    assert!(matches!(error, TableError::Newer { found: 2, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("Use the newer version"));
}

#[test]
fn a_file_of_a_format_that_never_was_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    for (number, change) in
        ["PRAGMA user_version = -3", "PRAGMA user_version = 0", "DROP TABLE items"].iter().enumerate()
    {
        let path = folder.path().join(format!("{number}.db"));
        drop(open(&path).unwrap());
        foreign(&path, change);
        let error = open(&path).map(drop).unwrap_err();
        assert!(matches!(error, TableError::Damaged { .. }), "{change}: {error}");
        assert!(error.to_string().contains("Restore it from a copy"), "{error}");
    }
}

#[test]
fn a_database_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for (number, theirs) in
        ["CREATE TABLE items (a)", "PRAGMA user_version = 1", "PRAGMA application_id = 7"].iter().enumerate()
    {
        let path = folder.path().join(format!("{number}.db"));
        foreign(&path, theirs);
        let before = fs::read(&path).unwrap();
        let error = open(&path).map(drop).unwrap_err().to_string();
        assert!(error.contains("is not a state file") && error.contains("Name another one"), "{theirs}: {error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{theirs}");
    }
}

#[test]
fn what_cannot_be_opened_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let refused =
        |path: &Path, options: &TableOptions| FileTable::open(path, options).map(drop).unwrap_err().to_string();
    let create = TableOptions::default();

    let nowhere = refused(&folder.path().join("missing/state.db"), &create);
    assert!(nowhere.contains("does not exist. Create it"), "{nowhere}");
    let missing = TableOptions { missing: Missing::Refuse, ..TableOptions::default() };
    let none = refused(&folder.path().join("state.db"), &missing);
    assert!(none.contains("there is no state file") && none.contains("Make a plan first"), "{none}");
    assert!(!folder.path().join("state.db").exists());
    let is_folder = refused(folder.path(), &create);
    assert!(is_folder.contains("is a folder. Name a file"), "{is_folder}");

    let stranger = folder.path().join("people.csv");
    let text = "objectGUID,mail\n".repeat(500);
    fs::write(&stranger, &text).unwrap();
    let other = refused(&stranger, &create);
    assert!(other.contains("is not a state file") && other.contains("Name another one"), "{other}");
    assert_eq!(fs::read_to_string(&stranger).unwrap(), text, "and it is left alone");
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["people.csv"], "and nothing is begun beside it");
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let _table = open(&path).unwrap();
    for file in ["state.db", "state.db-wal", "state.db-shm"].map(|name| folder.path().join(name)) {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn each_handle_counts_its_own_units() {
    let table = FileTable::in_memory().unwrap();
    let other = table.handle();
    table.write(Write::put(Key::new("p", "s"), b"x".to_vec())).await.unwrap();
    other.get(&Key::new("p", "s")).await.unwrap();
    assert_eq!((table.units().read, table.units().write), (0, 1));
    assert_eq!((other.units().read, other.units().write), (1, 0));
}

/// What another program does with the file.
fn foreign(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn open(path: &Path) -> Result<FileTable, TableError> {
    FileTable::open(path, &TableOptions::default())
}
