//! Several processes use one file at a time: each sees what the others committed, and none is kept out.

#![cfg(test)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use hardmatch_embedded::{FileTable, TableOptions};
use hardmatch_ports::table::{Condition, Key, Table, TableError, Write};
use tokio::runtime::{Builder, Runtime};

/// Set for the other process: the file.
const FILE: &str = "HARDMATCH_TEST_FILE";
/// Set for the other process: what it does.
const TASK: &str = "HARDMATCH_TEST_TASK";
/// Additions by each process.
const ADDITIONS: u64 = 150;

#[test]
fn processes_that_write_the_same_item_lose_no_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    if let Some(path) = other("add") {
        runtime().block_on(add(&FileTable::open(path, &TableOptions::default()).unwrap()));
        return;
    }
    // The file is begun by all of them at the same time, too.
    let mut others = ["1", "2", "3"].map(|_| start("processes_that_write_the_same_item_lose_no_write", &path, "add"));
    let table = open(&path);
    runtime().block_on(add(&table));
    assert!(others.iter_mut().all(|other| other.wait().unwrap().success()));
    assert_eq!(runtime().block_on(count(&table)), ADDITIONS * 4);
}

#[test]
fn a_process_that_writes_all_the_time_keeps_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    if let Some(path) = other("write") {
        write_for_ever(Path::new(&path));
    }
    let mut other = start("a_process_that_writes_all_the_time_keeps_nobody_out", &path, "write");
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("writing")), "it has begun");
    let table = open(&path);
    runtime().block_on(async {
        for n in 0..50u64 {
            let key = Key::new("ours", format!("{n}"));
            table.write(Write::put(key.clone(), b"x".to_vec())).await.unwrap();
            assert!(table.get(&key).await.unwrap().is_some());
        }
        assert!(table.get(&Key::new("theirs", "0-0")).await.unwrap().is_some());
        table.check().await.unwrap();
    });
    assert!(other.try_wait().unwrap().is_none(), "the other one writes on");
    other.kill().unwrap();
    other.wait().unwrap();
    runtime().block_on(table.check()).unwrap();
}

async fn add(table: &FileTable) {
    let key = Key::new("p", "count");
    for _ in 0..ADDITIONS {
        loop {
            let had = table.get(&key).await.unwrap();
            let condition = had.as_ref().map_or(Condition::Absent, |item| Condition::Revision(item.revision));
            let number = had.map_or(0, |item| number(&item.body)) + 1;
            let write = Write::put_if(key.clone(), number.to_string().into_bytes(), condition);
            match table.write(write).await {
                Ok(_) => break,
                Err(TableError::Conflict { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

async fn count(table: &FileTable) -> u64 {
    number(&table.get(&Key::new("p", "count")).await.unwrap().unwrap().body)
}

fn number(body: &[u8]) -> u64 {
    std::str::from_utf8(body).unwrap().parse().unwrap()
}

fn write_for_ever(path: &Path) -> ! {
    let table = Arc::new(open(path));
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    for writer in 0..8 {
        let table = Arc::clone(&table);
        runtime.spawn(async move {
            for n in 0.. {
                table.write(Write::put(Key::new("theirs", format!("{writer}-{n}")), vec![b'x'; 900])).await.unwrap();
                if (writer, n) == (0, 0) {
                    std::io::stdout().write_all(b"writing\n").unwrap();
                }
            }
        });
    }
    loop {
        std::thread::park();
    }
}

/// The file, when this process was started for that task.
fn other(task: &str) -> Option<std::ffi::OsString> {
    let is = std::env::var_os(TASK).is_some_and(|told| told == task);
    is.then(|| std::env::var_os(FILE)).flatten()
}

fn start(test: &str, path: &Path, task: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FILE, path)
        .env(TASK, task)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn open(path: &Path) -> FileTable {
    FileTable::open(path, &TableOptions::default()).unwrap()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}
