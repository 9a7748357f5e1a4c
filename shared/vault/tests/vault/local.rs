//! The key of one machine: where it lies, who may read it, and what it refuses.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardmatch_ports::seal::{Seal as _, SealContext, SealError};
use hardmatch_vault::LocalSeal;

fn context(connection: &str, kind: &'static str) -> SealContext {
    SealContext { connection: connection.to_owned(), kind }
}

fn here() -> SealContext {
    context("contoso", "access-token")
}

fn env(value: Option<String>) -> LocalSeal {
    LocalSeal::env("HARDMATCH_KEY", move |_| value.clone())
}

fn refused<T>(result: Result<T, SealError>) -> String {
    match result {
        Err(SealError::Refused(said)) => said,
        Err(SealError::Unavailable(said)) => panic!("not refused: {said}"),
        Ok(_) => panic!("not refused"),
    }
}

#[tokio::test]
async fn a_key_file_is_made_at_the_first_use_and_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hardmatch.key");
    let seal = LocalSeal::file(&path);
    // Opening never makes a key: what is sealed was sealed under one that is gone.
    let said = refused(seal.unwrap_key(&[1; 61], &here()).await);
    assert!(said.contains("is gone") && !path.exists(), "{said}");
    let key = seal.data_key(&here()).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(STANDARD.decode(text.trim_end()).unwrap().len(), 32);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    // Another start of the program, and the same key in the environment.
    assert_eq!(LocalSeal::file(&path).unwrap_key(&key.wrapped, &here()).await.unwrap(), key.plain);
    assert_eq!(env(Some(text)).unwrap_key(&key.wrapped, &here()).await.unwrap(), key.plain);
    let again = seal.data_key(&here()).await.unwrap();
    assert!(again.plain != key.plain && again.wrapped != key.wrapped);
    assert!(!key.wrapped.windows(8).any(|part| key.plain.windows(8).any(|plain| plain == part)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_begin_at_once_all_have_one_key() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let path = folder.path().join(round.to_string());
        let made: Vec<_> = (0..8)
            .map(|_| {
                let seal = LocalSeal::file(&path);
                tokio::spawn(async move { seal.data_key(&here()).await.unwrap() })
            })
            .collect();
        let seal = Arc::new(LocalSeal::file(&path));
        for made in made {
            let key = made.await.unwrap();
            assert_eq!(seal.unwrap_key(&key.wrapped, &here()).await.unwrap(), key.plain);
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 20);
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let seal = LocalSeal::file(&path);
    let key = seal.data_key(&here()).await.unwrap();
    for mode in [0o604, 0o640, 0o620, 0o644, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let said = refused(seal.data_key(&here()).await);
        assert!(said.contains("chmod 600"), "{said}");
        refused(seal.unwrap_key(&key.wrapped, &here()).await);
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(seal.unwrap_key(&key.wrapped, &here()).await.is_ok());
}

#[tokio::test]
async fn a_wrong_key_is_told_without_showing_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let key = LocalSeal::file(&path).data_key(&here()).await.unwrap();
    for text in ["", "hunter2", &STANDARD.encode([7; 31]), &STANDARD.encode([7; 33])] {
        std::fs::write(&path, text).unwrap();
        let said = refused(LocalSeal::file(&path).data_key(&here()).await);
        assert!(said.contains("32 bytes in base64") && !said.contains("hunter2"), "{said}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "a file that is there is left alone");
        let said = refused(env(Some(text.to_owned())).data_key(&here()).await);
        assert!(said.contains("HARDMATCH_KEY") && !said.contains("hunter2"), "{said}");
    }
    refused(env(None).data_key(&here()).await);
    let said = refused(env(Some(STANDARD.encode([7; 32]))).unwrap_key(&key.wrapped, &here()).await);
    assert!(said.contains("another key"), "{said}");
    let nowhere = LocalSeal::file(Path::new("/nowhere/at/all/key"));
    assert!(matches!(nowhere.data_key(&here()).await, Err(SealError::Unavailable(_))));
}

#[tokio::test]
async fn a_wrapped_key_that_was_changed_or_moved_stays_shut() {
    let seal = env(Some(STANDARD.encode([7; 32])));
    let key = seal.data_key(&here()).await.unwrap();
    assert_eq!(key.wrapped.len(), 61);
    for at in 0..key.wrapped.len() {
        for bit in 0..8 {
            let mut bad = key.wrapped.clone();
            bad[at] ^= 1 << bit;
            refused(seal.unwrap_key(&bad, &here()).await);
        }
    }
    for length in 0..key.wrapped.len() {
        refused(seal.unwrap_key(&key.wrapped[..length], &here()).await);
    }
    for moved in [context("contoso", "refresh-token"), context("fabrikam", "access-token"), context("", "access-token")]
    {
        refused(seal.unwrap_key(&key.wrapped, &moved).await);
    }
}
