//! Tokens of an administrator who signed in.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_graph::{GrantKind, GraphClient};
use hardmatch_ports::Clock as _;
use hardmatch_ports::credentials::{Credential, CredentialError, Proof};
use hardmatch_ports::tenant::{Retry, TenantRead};
use hardmatch_ports::tokens::TokenKind::{Access, Refresh};
use jiff::Timestamp;

use crate::drawer::{Drawer, Trouble};
use crate::support::{EMPTY, Say, Stub};
use crate::tokens::refused;

struct Public;

#[async_trait]
impl Credential for Public {
    async fn proof(&self, _: &str, _: &str) -> Result<Proof, CredentialError> {
        Ok(Proof::Public)
    }

    fn method(&self) -> &'static str {
        "delegated"
    }
}

fn signed_in(now: Timestamp) -> Drawer {
    let drawer = Drawer::default();
    drawer.put(Refresh, "refresh-0", now, None);
    drawer
}

fn client(stub: &Stub, drawer: &Drawer) -> GraphClient {
    let mut options = stub.options();
    options.token_store = Some(Arc::new(drawer.clone()));
    let scopes: BTreeSet<String> = ["Domain.Read.All", "User.ReadWrite.All"].map(str::to_owned).into();
    options.grant = GrantKind::Delegated { scopes };
    GraphClient::new(options).unwrap()
}

/// The refresh token of each token request.
fn presented(stub: &Stub) -> Vec<String> {
    let of = |body: &str| {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        pairs.into_iter().find(|(name, _)| name == "refresh_token").map(|(_, value)| value).unwrap()
    };
    stub.tokens().iter().map(|seen| of(&seen.body)).collect()
}

/// An answer that rotates to this number.
fn rotated(number: usize) -> Say {
    Say::ok(format!(
        r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"access-{number}","refresh_token":"refresh-{number}"}}"#
    ))
}

#[tokio::test]
async fn each_use_brings_the_next_refresh_token_and_it_is_kept_first() {
    let stub =
        Stub::start_whole(|seen, before| if seen.is_token() { rotated(before + 1) } else { Say::ok(EMPTY) }).await;
    let drawer = signed_in(stub.clock.now());
    let client = client(&stub, &drawer);
    client.users(None).await.unwrap();
    assert_eq!(drawer.kept(Refresh).as_deref(), Some("refresh-1"));
    let handed: Vec<_> = drawer.handed().into_iter().map(|(_, secret)| secret).collect();
    assert_eq!(handed, ["refresh-1", "access-1"]);
    assert_eq!(stub.seen()[0].header("authorization"), Some("Bearer access-1"));
    stub.clock.advance(Duration::from_secs(3400));
    client.users(None).await.unwrap();
    assert_eq!(presented(&stub), ["refresh-0", "refresh-1"]);
    let body = &stub.tokens()[0].body;
    for part in [
        "grant_type=refresh_token",
        "client_id=client",
        "client_secret=s3cret",
        "scope=https%3A%2F%2Fgraph.microsoft.com%2FDomain.Read.All+https%3A%2F%2Fgraph.microsoft.com%2FUser.ReadWrite.All+offline_access",
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
}

#[tokio::test]
async fn a_public_client_presents_the_refresh_token_alone() {
    let stub =
        Stub::start_whole(|seen, before| if seen.is_token() { rotated(before + 1) } else { Say::ok(EMPTY) }).await;
    let drawer = signed_in(stub.clock.now());
    let mut options = stub.options();
    options.token_store = Some(Arc::new(drawer));
    options.grant = GrantKind::Delegated { scopes: BTreeSet::new() };
    options.credential = Arc::new(Public);
    GraphClient::new(options).unwrap().users(None).await.unwrap();
    let body = &stub.tokens()[0].body;
    assert!(!body.contains("client_secret") && !body.contains("client_assertion"), "{body}");
    assert!(body.contains("scope=https%3A%2F%2Fgraph.microsoft.com%2F.default+offline_access"), "{body}");
}

#[tokio::test]
async fn a_kept_access_token_saves_the_refresh() {
    let stub = Stub::start_whole(|seen, _| if seen.is_token() { Say::status(500) } else { Say::ok(EMPTY) }).await;
    let now = stub.clock.now();
    let drawer = signed_in(now);
    drawer.put(Access, "access-9", now, Some(now + Duration::from_hours(1)));
    client(&stub, &drawer).users(None).await.unwrap();
    assert!(stub.tokens().is_empty());
}

#[tokio::test]
async fn without_a_sign_in_the_cure_is_to_connect() {
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    let error = client(&stub, &Drawer::default()).users(None).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retry), ("not_connected", Retry::Never));
    assert!(error.message.contains("hardmatch auth connect"), "{}", error.message);
    assert!(stub.tokens().is_empty());
}

#[tokio::test]
async fn a_revoked_sign_in_is_looked_up_once_more_and_then_given_up() {
    for number in [700082, 50173, 50999] {
        let stub = Stub::start_whole(move |_, _| refused("invalid_grant", number)).await;
        let drawer = signed_in(stub.clock.now());
        let error = client(&stub, &drawer).users(None).await.unwrap_err();
        assert_eq!((error.code, error.retry), (format!("AADSTS{number}"), Retry::Never));
        assert!(error.message.contains("hardmatch auth connect"), "{}", error.message);
        // The access token, the refresh token, and the refresh token once more; asked with it once only.
        assert_eq!((stub.tokens().len(), drawer.loads()), (1, 3));
        assert_eq!(drawer.kept(Refresh).as_deref(), Some("refresh-0"), "a new connection replaces it");
    }
}

#[tokio::test]
async fn a_refresh_token_that_another_process_used_up_is_followed_by_its_successor() {
    let drawer = Drawer::default();
    let shared = drawer.clone();
    let stub = Stub::start_whole(move |seen, before| {
        if !seen.is_token() {
            return Say::ok(EMPTY);
        }
        if before == 0 {
            // The other process was quicker, and this platform lets a refresh token be used once.
            shared.put(Refresh, "refresh-theirs", Timestamp::UNIX_EPOCH, None);
            return refused("invalid_grant", 70000);
        }
        rotated(before)
    })
    .await;
    drawer.put(Refresh, "refresh-0", stub.clock.now(), None);
    client(&stub, &drawer).users(None).await.unwrap();
    assert_eq!(presented(&stub), ["refresh-0", "refresh-theirs"]);
    assert_eq!(drawer.kept(Refresh).as_deref(), Some("refresh-1"));
}

#[tokio::test]
async fn of_two_processes_that_refresh_at_once_the_first_keeps_its_token() {
    let drawer = Drawer::default();
    let shared = drawer.clone();
    let stub = Stub::start_whole(move |seen, before| {
        if !seen.is_token() {
            return Say::ok(EMPTY);
        }
        if before == 0 {
            shared.put(Refresh, "refresh-theirs", Timestamp::UNIX_EPOCH, None);
        }
        rotated(before + 1)
    })
    .await;
    drawer.put(Refresh, "refresh-0", stub.clock.now(), None);
    let client = client(&stub, &drawer);
    client.users(None).await.unwrap();
    assert_eq!(drawer.kept(Refresh).as_deref(), Some("refresh-theirs"));
    stub.clock.advance(Duration::from_secs(3400));
    client.users(None).await.unwrap();
    assert_eq!(presented(&stub), ["refresh-0", "refresh-theirs"]);
    assert_eq!(drawer.kept(Refresh).as_deref(), Some("refresh-2"));
}

#[tokio::test]
async fn a_new_refresh_token_that_cannot_be_kept_is_not_lost_and_nothing_is_done_with_its_access_token() {
    let stub =
        Stub::start_whole(|seen, before| if seen.is_token() { rotated(before + 1) } else { Say::ok(EMPTY) }).await;
    let drawer = signed_in(stub.clock.now());
    drawer.set(Trouble::Full);
    let client = client(&stub, &drawer);
    let error = client.users(None).await.unwrap_err();
    assert_eq!(error.code, "token_store");
    assert!(matches!(error.retry, Retry::After(_)) && stub.seen().is_empty(), "{error:?}");
    assert!(error.message.contains("the drawer is stuck"), "{}", error.message);
    // Nothing is asked for again before it can be kept.
    stub.clock.advance(Duration::from_mins(1));
    client.users(None).await.unwrap_err();
    assert_eq!(presented(&stub), ["refresh-0"]);
    drawer.set(Trouble::None);
    stub.clock.advance(Duration::from_mins(1));
    client.users(None).await.unwrap();
    assert_eq!(presented(&stub), ["refresh-0", "refresh-1"]);
    assert_eq!(drawer.kept(Refresh).as_deref(), Some("refresh-2"));
}

#[tokio::test]
async fn a_policy_that_asks_for_a_person_is_not_tried_again() {
    for (class, number, says) in
        [("interaction_required", 50076, "second factor"), ("invalid_grant", 53003, "Conditional Access")]
    {
        let stub = Stub::start_whole(move |_, _| refused(class, number)).await;
        let error = client(&stub, &signed_in(stub.clock.now())).users(None).await.unwrap_err();
        assert_eq!((error.retry, stub.tokens().len()), (Retry::Never, 1));
        assert!(error.message.contains(says), "{}", error.message);
    }
}

#[tokio::test]
async fn a_reset_forgets_the_sign_in_too() {
    let stub =
        Stub::start_whole(|seen, before| if seen.is_token() { rotated(before + 1) } else { Say::ok(EMPTY) }).await;
    let drawer = signed_in(stub.clock.now());
    let client = client(&stub, &drawer);
    client.users(None).await.unwrap();
    client.reset().await.unwrap();
    assert_eq!((drawer.kept(Access), drawer.kept(Refresh)), (None, None));
    assert_eq!(client.users(None).await.unwrap_err().code, "not_connected");
}

#[tokio::test]
async fn a_reset_forgets_a_refresh_token_that_still_waits_to_be_kept() {
    let stub =
        Stub::start_whole(|seen, before| if seen.is_token() { rotated(before + 1) } else { Say::ok(EMPTY) }).await;
    let drawer = signed_in(stub.clock.now());
    drawer.set(Trouble::Full);
    let client = client(&stub, &drawer);
    client.users(None).await.unwrap_err();
    drawer.set(Trouble::None);
    client.reset().await.unwrap();
    assert_eq!(client.users(None).await.unwrap_err().code, "not_connected");
    assert_eq!((drawer.kept(Refresh), stub.tokens().len()), (None, 1));
}
