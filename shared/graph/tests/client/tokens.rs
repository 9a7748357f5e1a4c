//! Access tokens that outlive a start of the function.

use std::sync::Arc;
use std::time::Duration;

use hardmatch_graph::{GraphClient, OptionsError};
use hardmatch_ports::tenant::{Retry, TenantRead};
use hardmatch_ports::tokens::TokenKind;
use hardmatch_ports::{Clock as _, tokens::TokenStore};

use crate::drawer::{Drawer, Trouble};
use crate::support::{EMPTY, Say, Secret, Stub, TENANT, jwt, token};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A client as a cold start makes it.
fn cold(stub: &Stub, drawer: &Drawer) -> GraphClient {
    let mut options = stub.options();
    options.token_store = Some(Arc::new(drawer.clone()));
    GraphClient::new(options).unwrap()
}

/// The tokens that Graph was called with.
fn bearers(stub: &Stub) -> Vec<String> {
    let seen = stub.seen();
    seen.iter().map(|seen| seen.header("authorization").unwrap().trim_start_matches("Bearer ").to_owned()).collect()
}

#[tokio::test]
async fn j1_token_reused_across_cold_starts() {
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    let drawer = Drawer::default();
    for _ in 0..3 {
        cold(&stub, &drawer).users(None).await.unwrap();
        stub.clock.advance(secs(1000));
    }
    assert_eq!((stub.tokens().len(), bearers(&stub)), (1, vec!["token-0".to_owned(); 3]));
    // 80 % of its life, or five minutes before its end: then a new one is fetched, and kept in its place.
    stub.clock.advance(secs(300));
    cold(&stub, &drawer).users(None).await.unwrap();
    assert_eq!((stub.tokens().len(), drawer.kept(TokenKind::Access).as_deref()), (2, Some("token-1")));
    assert_eq!(drawer.expires(TokenKind::Access), Some(stub.clock.now() + secs(3600)));
}

#[tokio::test]
async fn j1_expired_token_never_sent() {
    let stub = Stub::start_whole(|seen, _| if seen.is_token() { Say::status(503) } else { Say::ok(EMPTY) }).await;
    let drawer = Drawer::default();
    let now = stub.clock.now();
    // Late in its life it serves while the login service fails …
    drawer.put(TokenKind::Access, "old", now - secs(3500), Some(now + secs(100)));
    cold(&stub, &drawer).users(None).await.unwrap();
    assert_eq!((bearers(&stub), stub.tokens().len()), (vec!["old".to_owned()], 3));
    // … and not a moment longer than it lives. Nor does one that does not say how long: it gets ten minutes.
    stub.clock.advance(secs(100));
    assert!(matches!(cold(&stub, &drawer).users(None).await.unwrap_err().retry, Retry::After(_)));
    let now = stub.clock.now();
    drawer.put(TokenKind::Access, "endless", now - secs(600), None);
    cold(&stub, &drawer).users(None).await.unwrap_err();
    // Nor does one whose times make no sense, as a clock that was wrong leaves it.
    drawer.put(TokenKind::Access, "odd", now + secs(600), Some(now - secs(1)));
    cold(&stub, &drawer).users(None).await.unwrap_err();
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn a_warm_client_takes_over_what_another_renewed() {
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    let drawer = Drawer::default();
    let client = cold(&stub, &drawer);
    client.users(None).await.unwrap();
    client.users(None).await.unwrap();
    assert_eq!(drawer.loads(), 1, "a token in memory is not looked up");
    stub.clock.advance(secs(3400));
    let now = stub.clock.now();
    drawer.put(TokenKind::Access, "theirs", now - secs(60), Some(now + secs(3540)));
    client.users(None).await.unwrap();
    assert_eq!((bearers(&stub).pop().as_deref(), stub.tokens().len()), (Some("theirs"), 1));
}

#[tokio::test]
async fn a_refused_token_is_replaced_for_everybody() {
    let stub = Stub::start(|seen, _| match seen.header("authorization") {
        Some("Bearer revoked") => Say::error(401, "InvalidAuthenticationToken", "Access token has been revoked."),
        _ => Say::ok(EMPTY),
    })
    .await;
    let drawer = Drawer::default();
    let now = stub.clock.now();
    drawer.put(TokenKind::Access, "revoked", now, Some(now + secs(3600)));
    cold(&stub, &drawer).users(None).await.unwrap();
    assert_eq!(bearers(&stub), ["revoked", "token-0"]);
    assert_eq!(drawer.kept(TokenKind::Access).as_deref(), Some("token-0"));
    cold(&stub, &drawer).users(None).await.unwrap();
    assert_eq!((stub.seen().len(), stub.tokens().len()), (3, 1));
}

#[tokio::test]
async fn a_claims_challenge_is_met_with_a_token_of_ones_own() {
    let stub = Stub::start(|seen, _| match seen.header("authorization") {
        Some("Bearer kept" | "Bearer theirs") => Say::error(401, "InvalidAuthenticationToken", "Continuous access")
            .with("www-authenticate", r#"Bearer error="insufficient_claims", claims="eyJhIjoxfQ==""#),
        _ => Say::ok(EMPTY),
    })
    .await;
    let drawer = Drawer::default();
    let now = stub.clock.now();
    drawer.put(TokenKind::Access, "kept", now, Some(now + secs(3600)));
    let client = cold(&stub, &drawer);
    client.skus().await.unwrap();
    assert!(stub.tokens()[0].body.contains("claims=%7B%22a%22%3A1%7D"), "{}", stub.tokens()[0].body);
    assert_eq!(bearers(&stub), ["kept", "token-0"]);
    assert_eq!(drawer.kept(TokenKind::Access).as_deref(), Some("token-0"));
    // Another token that was kept meanwhile does not meet the demand, however new.
    let racing = racing(|| ("theirs", 0), r#"Bearer error="insufficient_claims", claims="eyJhIjoxfQ==""#).await;
    assert_eq!(racing, (vec!["kept".to_owned(), "token-0".to_owned()], Some("token-0".to_owned())));
}

#[tokio::test]
async fn who_comes_second_uses_the_token_of_the_first() {
    let plain = "Bearer error=\"invalid_token\"";
    let newer = racing(|| ("theirs", 0), plain).await;
    assert_eq!(newer, (vec!["kept".to_owned(), "theirs".to_owned()], Some("theirs".to_owned())));
    // One that is older than our request may be as dead as the refused one: ours replaces it.
    let older = racing(|| ("theirs", 10), plain).await;
    assert_eq!(older, (vec!["kept".to_owned(), "token-0".to_owned()], Some("token-0".to_owned())));
}

/// The kept token is refused with a challenge, and while a fresh one is fetched another process keeps one that is so
/// many seconds old. What Graph was called with, and what is kept in the end.
async fn racing(theirs: fn() -> (&'static str, u64), challenge: &'static str) -> (Vec<String>, Option<String>) {
    let drawer = Drawer::default();
    let (shared, clock) = (drawer.clone(), crate::support::TestClock::default());
    let hands = clock.clone();
    let stub = Stub::start_whole(move |seen, before| {
        if seen.is_token() {
            let (secret, age) = theirs();
            let obtained = hands.now() - secs(age);
            shared.put(TokenKind::Access, secret, obtained, Some(obtained + secs(3600)));
            return token(before);
        }
        match seen.header("authorization") {
            Some("Bearer kept") => {
                Say::error(401, "InvalidAuthenticationToken", "").with("www-authenticate", challenge)
            }
            _ => Say::ok(EMPTY),
        }
    })
    .await;
    let now = stub.clock.now();
    drawer.put(TokenKind::Access, "kept", now, Some(now + secs(3600)));
    cold(&stub, &drawer).users(None).await.unwrap();
    (bearers(&stub), drawer.kept(TokenKind::Access))
}

#[tokio::test]
async fn a_token_store_that_fails_stops_nothing_and_is_counted() {
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    let drawer = Drawer::default();
    drawer.set(Trouble::Broken);
    let client = cold(&stub, &drawer);
    client.users(None).await.unwrap();
    client.users(None).await.unwrap();
    assert_eq!((client.token_store_failures(), stub.tokens().len()), (2, 1));
    // It recovers; what is in memory goes on, and the next start keeps what it fetches.
    drawer.set(Trouble::None);
    let next = cold(&stub, &drawer);
    next.users(None).await.unwrap();
    assert_eq!((next.token_store_failures(), drawer.kept(TokenKind::Access).as_deref()), (0, Some("token-1")));
}

#[tokio::test]
async fn a_kept_token_of_another_tenant_application_or_grant_is_not_used() {
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    let now = stub.clock.now();
    let kept = |claims: String| {
        let drawer = Drawer::default();
        drawer.put(TokenKind::Access, &jwt(&claims), now, Some(now + secs(3600)));
        drawer
    };
    let client = |drawer: &Drawer| {
        let mut options = stub.options();
        options.tenant = TENANT.to_uppercase();
        options.token_store = Some(Arc::new(drawer.clone()));
        GraphClient::new(options).unwrap()
    };
    for (at, claims) in [
        r#"{"tid":"0d4b1a2c-0000-4000-8000-000000000009","appid":"client"}"#.to_owned(),
        format!(r#"{{"tid":"{TENANT}","appid":"other"}}"#),
        format!(r#"{{"tid":"{TENANT}","azp":"other"}}"#),
        format!(r#"{{"tid":"{TENANT}","appid":"client","scp":"User.Read"}}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let drawer = kept(claims);
        client(&drawer).users(None).await.unwrap();
        assert_eq!(stub.tokens().len(), at + 1);
        assert_eq!(drawer.kept(TokenKind::Access), bearers(&stub).pop(), "the fresh one takes its place");
    }
    client(&kept(format!(r#"{{"tid":"{TENANT}","appid":"CLIENT"}}"#))).users(None).await.unwrap();
    assert_eq!(stub.tokens().len(), 4);
}

#[tokio::test]
async fn a_token_got_with_another_secret_is_not_used() {
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    let drawer = Drawer::default();
    let start = async |secret| {
        let mut options = stub.options();
        options.token_store = Some(Arc::new(drawer.clone()));
        options.credential = Arc::new(Secret(secret));
        GraphClient::new(options).unwrap().users(None).await.unwrap();
        stub.tokens().len()
    };
    assert_eq!(start("one").await, 1);
    assert_eq!(start("one").await, 1, "the same secret: the token is used again");
    assert_eq!(start("two").await, 2, "another secret: it has to prove itself");
    assert_eq!(start("two").await, 2, "and its token takes the other's place");
}

#[tokio::test]
async fn many_tasks_of_a_cold_start_look_once() {
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    let drawer = Drawer::default();
    let client = cold(&stub, &drawer);
    let tasks = (0..20).map(|_| client.users(None));
    assert!(futures::future::join_all(tasks).await.into_iter().all(|page| page.is_ok()));
    assert_eq!((drawer.loads(), stub.tokens().len(), drawer.handed().len()), (1, 1, 1));
}

#[tokio::test]
async fn o15_after_a_reset_the_next_call_fetches_a_token() {
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    let drawer = Drawer::default();
    let client = cold(&stub, &drawer);
    client.users(None).await.unwrap();
    client.reset().await.unwrap();
    assert_eq!(drawer.kept(TokenKind::Access), None);
    client.users(None).await.unwrap();
    assert_eq!((stub.tokens().len(), bearers(&stub)), (2, vec!["token-0".to_owned(), "token-1".to_owned()]));
    // What cannot be forgotten is told: it was asked for.
    drawer.set(Trouble::Broken);
    client.reset().await.unwrap_err();
    client.users(None).await.unwrap();
    assert_eq!(stub.tokens().len(), 3);
    // Without a token store there is only the memory to clear.
    let alone = stub.client();
    alone.users(None).await.unwrap();
    alone.reset().await.unwrap();
    alone.users(None).await.unwrap();
    assert_eq!(stub.tokens().len(), 5);
}

#[tokio::test]
async fn the_grant_is_what_the_token_in_use_carries() {
    let claims = format!(r#"{{"tid":"{TENANT}","exp":1768482000,"roles":["User.ReadWrite.All"]}}"#);
    let access = jwt(&claims);
    let stub = Stub::start_whole(move |_, _| {
        Say::ok(format!(r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{access}"}}"#))
    })
    .await;
    let client = stub.client();
    let grant = client.grant().await.unwrap();
    assert_eq!((grant.tenant.as_str(), grant.permissions.contains("User.ReadWrite.All")), (TENANT, true));
    client.grant().await.unwrap();
    assert_eq!(stub.tokens().len(), 1);
    let opaque = Stub::start(|_, _| Say::ok(EMPTY)).await;
    assert_eq!(opaque.client().grant().await.unwrap_err().code, "opaque_token");
}

#[tokio::test]
async fn a_federated_credential_that_has_not_spread_is_asked_for_again_and_a_missing_consent_is_not() {
    let refusing = |number: u32, times: usize| async move {
        let stub = Stub::start_whole(move |seen, before| match seen.is_token() {
            true if before < times => refused("invalid_client", number),
            true => token(before),
            false => Say::ok(EMPTY),
        })
        .await;
        let result = stub.client().users(None).await.map(|_| ()).map_err(|error| error.retry);
        (result, stub.tokens().len())
    };
    assert_eq!(refusing(70021, 2).await, (Ok(()), 3));
    assert_eq!(refusing(700213, 9).await, (Err(Retry::After(secs(60))), 3));
    assert_eq!(refusing(700016, 9).await, (Err(Retry::Never), 1));
    assert_eq!(refusing(65001, 9).await, (Err(Retry::Never), 1));
    assert_eq!(refusing(7000215, 9).await, (Err(Retry::Never), 1));
}

#[tokio::test]
async fn an_assertion_out_of_its_time_is_made_anew_once() {
    for (times, asked) in [(1, 2), (9, 2)] {
        let stub = Stub::start_whole(move |seen, before| match seen.is_token() {
            true if before < times => refused("invalid_client", 700024).with("date", "Thu, 15 Jan 2026 11:50:00 GMT"),
            true => token(before),
            false => Say::ok(EMPTY),
        })
        .await;
        let mut options = stub.options();
        options.credential = Arc::new(Secret("jwt:a.b.c"));
        let result = GraphClient::new(options).unwrap().users(None).await;
        assert_eq!((result.is_ok(), stub.tokens().len()), (times == 1, asked));
        assert!(stub.clock.slept().is_empty());
        if let Err(error) = result {
            assert_eq!(error.retry, Retry::Never);
            assert!(error.message.contains("clock is 600 s ahead of the login service's"), "{}", error.message);
        }
    }
}

pub(crate) fn refused(class: &str, number: u32) -> Say {
    let body = format!(
        r#"{{"error":"{class}","error_description":"AADSTS{number}: Of theirs.","error_codes":[{number}],"trace_id":"t"}}"#
    );
    Say::Answer(400, vec![], body)
}

#[tokio::test]
async fn a_delegated_client_needs_somewhere_to_keep_its_token() {
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    let mut options = stub.options();
    options.grant = hardmatch_graph::GrantKind::Delegated { scopes: [].into() };
    assert!(matches!(GraphClient::new(options.clone()), Err(OptionsError::TokenStore)));
    options.token_store = Some(Arc::new(Drawer::default()) as Arc<dyn TokenStore>);
    assert!(GraphClient::new(options).is_ok());
}
