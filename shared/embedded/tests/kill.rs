//! Whatever was acknowledged survives the death of the process, and no transaction survives in part.

#![cfg(test)]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use hardmatch_embedded::{FileTable, TableOptions};
use hardmatch_ports::table::{Condition, Key, Query, Table, Write};

/// Set for the process that is to be killed: the file it writes.
const VICTIM: &str = "HARDMATCH_TEST_VICTIM";
/// Acknowledgements to wait for before the kill.
const ENOUGH: usize = 300;

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    if let Some(path) = std::env::var_os(VICTIM) {
        write_for_ever(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_kill_loses_nothing_that_was_acknowledged", "--nocapture"])
        .env(VICTIM, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut acknowledged: Vec<String> = lines.by_ref().filter_map(|line| acknowledgement(&line)).take(ENOUGH).collect();
    victim.kill().unwrap();
    // What it still said before it died counts.
    acknowledged.extend(lines.filter_map(|line| acknowledgement(&line)));
    victim.wait().unwrap();
    assert!(acknowledged.len() >= ENOUGH, "only {} writes were acknowledged", acknowledged.len());

    let table = FileTable::open(&path, &TableOptions::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let [single, left, right] = ["single", "left", "right"].map(|pk| runtime.block_on(everything(&table, pk)));
    for sk in &acknowledged {
        assert!(single.contains(sk) && left.contains(sk), "{sk} was acknowledged and is gone");
    }
    assert_eq!(left, right, "a transaction is there in part");
}

fn acknowledgement(line: &str) -> Option<String> {
    line.strip_prefix("ack ").map(str::to_owned)
}

/// Eight writers, so that the kill falls among shared commits.
fn write_for_ever(path: &Path) -> ! {
    let table = Arc::new(FileTable::open(path, &TableOptions::default()).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    for writer in 0..8 {
        let table = Arc::clone(&table);
        runtime.spawn(async move {
            for n in 0.. {
                let sk = format!("{writer}-{n}");
                let put = |pk: &str| Write::put_if(Key::new(pk, sk.as_str()), vec![b'x'; 2000], Condition::Absent);
                table.write(put("single")).await.unwrap();
                table.transact(vec![put("left"), put("right")]).await.unwrap();
                // Not through `print!`, whose output the test harness may hold back.
                std::io::stdout().write_all(format!("ack {sk}\n").as_bytes()).unwrap();
            }
        });
    }
    loop {
        std::thread::park();
    }
}

async fn everything(table: &impl Table, pk: &str) -> BTreeSet<String> {
    let mut query = Query::prefix(pk, "");
    let mut found = BTreeSet::new();
    loop {
        let page = table.query(&query).await.unwrap();
        assert!(page.items.iter().all(|item| item.body.len() == 2000));
        found.extend(page.items.into_iter().map(|item| item.key.sk));
        match page.next {
            Some(next) => query = query.after(next),
            None => return found,
        }
    }
}
