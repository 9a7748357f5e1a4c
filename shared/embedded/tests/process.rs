//! A lock that a process has: known to others while it lives, free as soon as it is gone.

#![cfg(test)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use hardmatch_embedded::{Lock, ProcessLock, open_to_others};

/// Set for the process that is to be killed: the lock's file.
const VICTIM: &str = "HARDMATCH_TEST_LOCK";

#[test]
fn a_killed_holder_lets_go_at_once() {
    if let Some(path) = std::env::var_os(VICTIM) {
        let Lock::Ours(lock) = ProcessLock::take(path.as_ref()).unwrap() else { panic!("it is free") };
        lock.note("a note").unwrap();
        std::io::stdout().write_all(b"held\n").unwrap();
        loop {
            std::thread::park();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db.lock");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_holder_lets_go_at_once", "--nocapture"])
        .env(VICTIM, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(BufReader::new(victim.stdout.take().unwrap()).lines().any(|line| line.unwrap().contains("held")));
    let Lock::Theirs(holder) = ProcessLock::take(&path).unwrap() else { panic!("it is held") };
    assert!(holder.name.starts_with(&format!("process {} (", victim.id())), "{holder:?}");
    assert!(holder.name.contains(", since 2"), "{holder:?}");
    assert_eq!(holder.note.as_deref(), Some("a note"));
    assert_eq!(ProcessLock::holder(&path).unwrap(), Some(holder));
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_eq!(ProcessLock::holder(&path).unwrap(), None);
    assert!(matches!(ProcessLock::take(&path).unwrap(), Lock::Ours(_)));
    assert_eq!(open_to_others(&path), None);
}
