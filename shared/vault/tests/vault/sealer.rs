//! Data keys in memory: few calls to the key service, few keys, for minutes, and for the context they were made for.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use hardmatch_ports::seal::{SealContext, SealError};
use hardmatch_vault::{ENVELOPE_VERSION, OpenError, Sealer};

use crate::support::{CountedSeal, TestClock};

fn context(connection: &str) -> SealContext {
    SealContext { connection: connection.to_owned(), kind: "access-token" }
}

struct Desk {
    clock: Arc<TestClock>,
    seal: Arc<CountedSeal>,
    sealer: Sealer,
}

fn desk() -> Desk {
    let (clock, seal) = (TestClock::new(), CountedSeal::new(1));
    let sealer = Sealer::new(Arc::clone(&seal) as _, Arc::clone(&clock) as _);
    Desk { clock, seal, sealer }
}

impl Desk {
    async fn sealed(&self, connection: &str) -> Vec<u8> {
        self.sealer.seal(&context(connection), "item", b"a token").await.unwrap()
    }

    async fn opened(&self, connection: &str, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        self.sealer.open(&context(connection), "item", sealed).await.map(|plain| plain.to_vec())
    }
}

#[tokio::test]
async fn one_key_serves_for_minutes_and_no_nonce_comes_twice() {
    let desk = desk();
    let mut nonces = std::collections::BTreeSet::new();
    for second in 0..300 {
        desk.clock.set(second);
        let sealed = desk.sealed("c").await;
        assert_eq!(desk.opened("c", &sealed).await.as_deref(), Ok(b"a token".as_slice()));
        let wrapped = usize::from(u16::from_be_bytes([sealed[4], sealed[5]]));
        assert!(nonces.insert(sealed[6 + wrapped..6 + wrapped + 12].to_vec()));
    }
    assert_eq!(desk.seal.calls(), (1, 0));
    desk.clock.set(300);
    let last = desk.sealed("c").await;
    assert_eq!(desk.seal.calls(), (2, 0), "five minutes are over");
    desk.clock.set(600);
    assert!(desk.opened("c", &last).await.is_ok());
    assert!(desk.opened("c", &last).await.is_ok());
    assert_eq!(desk.seal.calls(), (2, 1), "unwrapped once, and remembered");
    desk.clock.set(599);
    assert!(desk.opened("c", &last).await.is_ok());
    assert_eq!(desk.seal.calls(), (2, 2), "a clock that was set back trusts nothing");
}

#[tokio::test]
async fn a_key_seals_a_thousand_times_and_then_another_does() {
    let desk = desk();
    for _ in 0..1000 {
        desk.sealed("c").await;
    }
    assert_eq!(desk.seal.calls().0, 1);
    desk.sealed("c").await;
    assert_eq!(desk.seal.calls().0, 2);
}

#[tokio::test]
async fn few_keys_are_remembered_the_newest() {
    let desk = desk();
    let mut sealed = Vec::new();
    for n in 0..33 {
        sealed.push(desk.sealed(&format!("c{n}")).await);
    }
    assert_eq!(desk.seal.calls(), (33, 0));
    assert!(desk.opened("c32", &sealed[32]).await.is_ok());
    assert!(desk.opened("c1", &sealed[1]).await.is_ok());
    assert_eq!(desk.seal.calls().1, 0);
    assert!(desk.opened("c0", &sealed[0]).await.is_ok());
    assert_eq!(desk.seal.calls().1, 1, "the oldest was forgotten");
}

#[tokio::test]
async fn a_remembered_key_opens_for_its_own_context_only() {
    let desk = desk();
    let sealed = desk.sealed("c").await;
    assert!(matches!(desk.opened("other", &sealed).await, Err(OpenError::Refused(_))));
    assert_eq!(desk.seal.calls(), (1, 1), "the key service was asked, and refused");
    assert!(matches!(desk.sealer.open(&context("c"), "another item", &sealed).await, Err(OpenError::Refused(_))));
}

#[tokio::test]
async fn what_stays_shut_says_why() {
    let desk = desk();
    let mut sealed = desk.sealed("c").await;
    // Another process, with nothing in memory.
    let fresh = |byte| {
        let seal = CountedSeal::new(byte);
        (Sealer::new(Arc::clone(&seal) as _, Arc::clone(&desk.clock) as _), seal)
    };
    let (other, _) = fresh(2);
    assert!(matches!(other.open(&context("c"), "item", &sealed).await, Err(OpenError::Refused(_))));
    let (same, seal) = fresh(1);
    seal.down.store(true, SeqCst);
    assert!(matches!(same.open(&context("c"), "item", &sealed).await, Err(OpenError::Unavailable(_))));
    assert!(matches!(same.seal(&context("c"), "item", b"x").await, Err(SealError::Unavailable(_))));
    seal.down.store(false, SeqCst);
    assert!(same.open(&context("c"), "item", &sealed).await.is_ok());
    // Every byte of it counts, the wrapped key and its length included.
    for at in 0..sealed.len() {
        let mut bad = sealed.clone();
        bad[at] ^= 0x10;
        assert!(desk.opened("c", &bad).await.is_err(), "byte {at}");
    }
    sealed[3] = ENVELOPE_VERSION + 1;
    let said = desk.opened("c", &sealed).await.unwrap_err();
    assert_eq!(said, OpenError::Newer { version: ENVELOPE_VERSION + 1 });
    assert!(said.to_string().contains("Use the newer version"), "{said}");
}
