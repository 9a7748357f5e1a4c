//! Kept tokens: what every token_store must do, and what this one does when keys, items or answers are lost.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use hardmatch_embedded::FileTable;
use hardmatch_ports::seal::Seal;
use hardmatch_ports::table::{Key, Table, Write};
use hardmatch_ports::tokens::{Kept, TokenKind, TokenStore};
use hardmatch_vault::TokenVault;

use crate::support::{CountedSeal, LostAnswer, TestClock, shown, table, token};

const KINDS: [TokenKind; 2] = [TokenKind::Access, TokenKind::Refresh];

fn vault(table: &Arc<FileTable>, seal: &Arc<CountedSeal>, clock: &Arc<TestClock>, connection: &str) -> TokenVault {
    let (table, seal): (Arc<dyn Table>, Arc<dyn Seal>) = (Arc::clone(table) as _, Arc::clone(seal) as _);
    TokenVault::new(table, seal, Arc::clone(clock) as _, connection)
}

async fn loaded(token_store: &dyn TokenStore, kind: TokenKind) -> Option<(String, u64)> {
    token_store.load(kind).await.unwrap().map(|(token, revision)| (shown(&token).to_owned(), revision))
}

async fn ours(token_store: &dyn TokenStore, kind: TokenKind, secret: &str, ends: i64, seen: Option<u64>) -> u64 {
    match token_store.keep(kind, &token(secret, Some(ends)), seen).await.unwrap() {
        Kept::Ours(revision) => revision,
        Kept::Theirs(theirs, _) => panic!("theirs: {theirs:?}"),
    }
}

async fn theirs(token_store: &dyn TokenStore, kind: TokenKind, secret: &str, seen: Option<u64>) -> (String, u64) {
    match token_store.keep(kind, &token(secret, Some(9000)), seen).await.unwrap() {
        Kept::Theirs(theirs, revision) => (shown(&theirs).to_owned(), revision),
        Kept::Ours(_) => panic!("ours: {secret}"),
    }
}

/// What every token_store must do. `make` gives two functions of one connection, with nothing kept; the clock stands at the
/// start.
async fn token_store_contract<K: TokenStore>(make: impl Fn() -> (K, K), clock: &TestClock) {
    for kind in KINDS {
        clock.set(0);
        let (one, two) = make();
        assert_eq!(loaded(&one, kind).await, None);
        let first = ours(&one, kind, "first", 3600, None).await;
        assert_eq!(loaded(&two, kind).await, Some(("first".to_owned(), first)));
        let (kept, _) = two.load(kind).await.unwrap().unwrap();
        let given = token("first", Some(3600));
        assert_eq!((kept.obtained, kept.expires), (given.obtained, given.expires));
        for other in KINDS.into_iter().filter(|other| *other != kind) {
            assert_eq!(loaded(&one, other).await, None, "the kinds are apart");
        }

        // Two functions saw the same token and refresh at once: the second is handed what the first got.
        let second = ours(&one, kind, "second", 3600, Some(first)).await;
        assert_ne!(second, first);
        assert_eq!(theirs(&two, kind, "lost", Some(first)).await, ("second".to_owned(), second));
        assert_eq!(theirs(&two, kind, "lost", None).await, ("second".to_owned(), second));
        let third = ours(&two, kind, "third", 7200, Some(second)).await;
        assert_eq!(loaded(&one, kind).await, Some(("third".to_owned(), third)));

        // Past its life it is not there, and stands in nobody's way.
        clock.set(7200);
        assert_eq!(loaded(&one, kind).await, None);
        let fourth = ours(&one, kind, "fourth", 9000, None).await;
        assert_eq!(loaded(&two, kind).await, Some(("fourth".to_owned(), fourth)));

        one.forget().await.unwrap();
        assert_eq!(loaded(&two, kind).await, None);
        two.forget().await.unwrap();
        ours(&two, kind, "again", 9000, None).await;
    }
}

#[tokio::test]
async fn the_vault_keeps_the_contract() {
    let clock = TestClock::new();
    let make = || {
        let (table, seal) = (table(), CountedSeal::new(1));
        (vault(&table, &seal, &clock, "contoso"), vault(&table, &seal, &clock, "contoso"))
    };
    token_store_contract(make, &clock).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_refresh_at_once_one_keeps_and_all_have_its_token() {
    let (table, seal, clock) = (table(), CountedSeal::new(1), TestClock::new());
    let token_store = || Arc::new(vault(&table, &seal, &clock, "contoso"));
    let mut seen = None;
    for round in 0..20 {
        let racing: Vec<_> = (0..6)
            .map(|n| {
                let token_store = token_store();
                let mine = token(&format!("{round}-{n}"), Some(3600));
                tokio::spawn(async move {
                    match token_store.keep(TokenKind::Refresh, &mine, seen).await.unwrap() {
                        Kept::Ours(revision) => (true, shown(&mine).to_owned(), revision),
                        Kept::Theirs(theirs, revision) => (false, shown(&theirs).to_owned(), revision),
                    }
                })
            })
            .collect();
        let mut ends = Vec::new();
        for racer in racing {
            ends.push(racer.await.unwrap());
        }
        assert_eq!(ends.iter().filter(|(won, _, _)| *won).count(), 1, "{ends:?}");
        let kept = loaded(&*token_store(), TokenKind::Refresh).await.unwrap();
        assert!(ends.iter().all(|(_, secret, revision)| (secret, revision) == (&kept.0, &kept.1)), "{ends:?}");
        seen = Some(kept.1);
    }
}

#[tokio::test]
async fn j1_token_reused_across_cold_starts() {
    let (table, clock) = (table(), TestClock::new());
    ours(&vault(&table, &CountedSeal::new(1), &clock, "contoso"), TokenKind::Access, "a.b.c", 3600, None).await;
    // Nothing is left of the process but the table and the key.
    clock.set(3000);
    let seal = CountedSeal::new(1);
    let started = vault(&table, &seal, &clock, "contoso");
    assert_eq!(loaded(&started, TokenKind::Access).await.unwrap().0, "a.b.c");
    assert_eq!(seal.calls(), (0, 1));
}

#[tokio::test]
async fn a_token_is_not_handed_out_near_its_end() {
    let (table, seal, clock) = (table(), CountedSeal::new(1), TestClock::new());
    let token_store = vault(&table, &seal, &clock, "contoso");
    for kind in KINDS {
        ours(&token_store, kind, "x", 3600, None).await;
    }
    for (second, access, refresh) in
        [(3479, true, true), (3480, false, true), (3599, false, true), (3600, false, false)]
    {
        clock.set(second);
        assert_eq!(loaded(&token_store, TokenKind::Access).await.is_some(), access, "{second}");
        assert_eq!(loaded(&token_store, TokenKind::Refresh).await.is_some(), refresh, "{second}");
    }
    // Where the giver did not say when it ends, it is tried.
    token_store.keep(TokenKind::Refresh, &token("endless", None), None).await.unwrap();
    clock.set(1_000_000);
    assert_eq!(loaded(&token_store, TokenKind::Refresh).await.unwrap().0, "endless");
}

#[tokio::test]
async fn the_item_ends_with_its_token_and_shows_nothing_of_it() {
    let (table, seal, clock) = (table(), CountedSeal::new(1), TestClock::new());
    ours(&vault(&table, &seal, &clock, "contoso"), TokenKind::Access, "head.payload.signature", 3600, None).await;
    let item = table.get(&Key::new("TOKEN#contoso", "access-token")).await.unwrap().unwrap();
    assert_eq!(item.expires, token("", Some(3600)).expires.map(jiff::Timestamp::as_second));
    let body: serde_json::Value = serde_json::from_slice(&item.body).unwrap();
    assert_eq!(body["v"], 1);
    let sealed = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body["sealed"].as_str().unwrap());
    assert!(sealed.unwrap().starts_with(b"HMV\x01"));
    let text = String::from_utf8(item.body).unwrap();
    assert!(!text.contains("payload") && !text.contains("contoso"), "{text}");
}

#[tokio::test]
async fn a_token_that_cannot_be_opened_is_no_access_and_a_clear_word_about_a_refresh() {
    let (table, clock) = (table(), TestClock::new());
    let old = vault(&table, &CountedSeal::new(1), &clock, "contoso");
    for kind in KINDS {
        ours(&old, kind, "old", 3600, None).await;
    }
    let token_store = vault(&table, &CountedSeal::new(2), &clock, "contoso");
    assert_eq!(loaded(&token_store, TokenKind::Access).await, None);
    let said = token_store.load(TokenKind::Refresh).await.unwrap_err().to_string();
    assert!(said.contains("Sign in again (hardmatch auth connect)"), "{said}");
    // A fresh one takes the place of either.
    for kind in KINDS {
        ours(&token_store, kind, "new", 3600, None).await;
        assert_eq!(loaded(&token_store, kind).await.unwrap().0, "new");
    }
}

#[tokio::test]
async fn an_item_that_was_moved_here_is_not_opened() {
    let (table, seal, clock) = (table(), CountedSeal::new(1), TestClock::new());
    ours(&vault(&table, &seal, &clock, "fabrikam"), TokenKind::Access, "fabrikam's", 3600, None).await;
    let theirs = table.get(&Key::new("TOKEN#fabrikam", "access-token")).await.unwrap().unwrap();
    for sk in ["access-token", "refresh-token"] {
        table.write(Write::put(Key::new("TOKEN#contoso", sk), theirs.body.clone())).await.unwrap();
    }
    let token_store = vault(&table, &seal, &clock, "contoso");
    assert_eq!(loaded(&token_store, TokenKind::Access).await, None);
    assert!(token_store.load(TokenKind::Refresh).await.is_err());
    // Nor is rubbish.
    for body in ["", "{}", r#"{"v":1,"sealed":"*"}"#, r#"{"v":1,"sealed":"SE1WAQAA"}"#] {
        table.write(Write::put(Key::new("TOKEN#contoso", "access-token"), body.into())).await.unwrap();
        assert_eq!(loaded(&token_store, TokenKind::Access).await, None, "{body}");
    }
}

#[tokio::test]
async fn what_a_newer_version_keeps_is_left_alone() {
    let (table, seal, clock) = (table(), CountedSeal::new(1), TestClock::new());
    let token_store = vault(&table, &seal, &clock, "contoso");
    // A newer body, and a newer envelope in a body of ours.
    for body in [r#"{"v":2,"sealed":"","more":1}"#, r#"{"v":1,"sealed":"SE1WAgAAAAA="}"#] {
        for kind in KINDS {
            let key = Key::new("TOKEN#contoso", kind.word());
            table.write(Write::put(key.clone(), body.into())).await.unwrap();
            let said = token_store.keep(kind, &token("x", Some(3600)), None).await.unwrap_err().to_string();
            assert!(said.contains("newer"), "{said}");
            assert_eq!(table.get(&key).await.unwrap().unwrap().body, body.as_bytes());
        }
        assert_eq!(loaded(&token_store, TokenKind::Access).await, None);
        assert!(token_store.load(TokenKind::Refresh).await.unwrap_err().to_string().contains("newer"));
    }
}

#[tokio::test]
async fn a_key_service_that_is_down_loses_nothing() {
    let (table, clock) = (table(), TestClock::new());
    for kind in KINDS {
        ours(&vault(&table, &CountedSeal::new(1), &clock, "contoso"), kind, "kept", 3600, None).await;
    }
    let seal = CountedSeal::new(1);
    let token_store = vault(&table, &seal, &clock, "contoso");
    seal.down.store(true, SeqCst);
    for kind in KINDS {
        assert!(token_store.load(kind).await.unwrap_err().to_string().contains("does not answer"));
        assert!(token_store.keep(kind, &token("new", Some(3600)), None).await.is_err());
    }
    seal.down.store(false, SeqCst);
    for kind in KINDS {
        assert_eq!(loaded(&token_store, kind).await.unwrap().0, "kept");
    }
}

#[tokio::test]
async fn whoever_disconnects_stays_disconnected() {
    let (table, seal, clock) = (table(), CountedSeal::new(1), TestClock::new());
    let (one, two) = (vault(&table, &seal, &clock, "contoso"), vault(&table, &seal, &clock, "contoso"));
    let refresh = ours(&one, TokenKind::Refresh, "old", 3600, None).await;
    let access = ours(&one, TokenKind::Access, "old", 3600, None).await;
    // A neighbour in the same table is not touched.
    ours(&vault(&table, &seal, &clock, "fabrikam"), TokenKind::Refresh, "theirs", 3600, None).await;
    two.forget().await.unwrap();
    let said = one.keep(TokenKind::Refresh, &token("new", Some(3600)), Some(refresh)).await.unwrap_err().to_string();
    assert!(said.contains("disconnected"), "{said}");
    assert_eq!(loaded(&two, TokenKind::Refresh).await, None);
    // An access token may have been forgotten by the table itself: a new one is kept.
    ours(&one, TokenKind::Access, "new", 3600, Some(access)).await;
    assert_eq!(loaded(&vault(&table, &seal, &clock, "fabrikam"), TokenKind::Refresh).await.unwrap().0, "theirs");
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_ours() {
    let (seal, clock) = (CountedSeal::new(1), TestClock::new());
    let table = Arc::new(LostAnswer { inner: FileTable::in_memory().unwrap(), lose: true.into() });
    let token_store = TokenVault::new(Arc::clone(&table) as _, seal, clock as _, "contoso");
    let revision = ours(&token_store, TokenKind::Refresh, "x", 3600, None).await;
    assert_eq!(loaded(&token_store, TokenKind::Refresh).await, Some(("x".to_owned(), revision)));
    assert!(!table.lose.load(SeqCst));
}
