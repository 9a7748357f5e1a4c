//! Permissions of an administrator who signs in.

use axum::http::StatusCode;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::{Clock, KeptToken, TokenKind, TokenStore};
use hardmatch_store::connecting::{ConnectMethod, ConnectState};
use hardmatch_store::connection::ConnectionStatus;
use std::time::Duration;
use url::Url;

use crate::platform::{LEAST, grant, parameter, refused};
use crate::world::{Browser, CONTOSO, FABRIKAM, NORTHWIND, Page, World, without};

/// The administrator agrees at Microsoft's and comes back.
async fn agreed(world: &World, browser: &mut Browser<'_>, page: &Url) -> Page {
    let code = world.fabrikam.agree(page);
    browser.back(page, &format!("code={code}&session_state=x")).await
}

fn kept(world: &World) -> Option<String> {
    world.token_store.secret(TokenKind::Refresh).or_else(|| world.token_store.secret(TokenKind::Access))
}

#[tokio::test]
async fn a_sign_in_keeps_its_tokens_the_lasting_one_first() {
    let world = World::new().await;
    let (mut browser, page) = world.started("fabrikam").await;
    assert_eq!(parameter(&page, "scope"), LEAST.join(" "));
    let done = agreed(&world, &mut browser, &page).await;
    assert_eq!(done.status, StatusCode::OK);
    done.says("fabrikam is connected");
    done.says(FABRIKAM);
    assert_eq!(*world.token_store.order.lock().unwrap(), ["refresh-token", "access-token"]);
    assert_eq!(world.token_store.secret(TokenKind::Refresh).unwrap(), "refresh-token-text");
    let connected = world.told("fabrikam").await.connected.unwrap();
    assert_eq!((connected.method, connected.tenant.as_str()), (ConnectMethod::SignIn, FABRIKAM));
    assert!(browser.cookies.is_empty());
    assert!(world.sealed.all().is_empty());
}

#[tokio::test]
async fn a_sign_in_replaces_one_that_cannot_be_opened() {
    let world = World::new().await;
    let old = KeptToken { secret: "old".to_owned().into(), obtained: world.clock.now(), expires: None, mark: None };
    for kind in [TokenKind::Refresh, TokenKind::Access] {
        world.token_store.keep(kind, &old, None).await.unwrap();
    }
    *world.token_store.shut.lock().unwrap() = true;
    let (mut browser, page) = world.started("fabrikam").await;
    assert_eq!(agreed(&world, &mut browser, &page).await.status, StatusCode::OK);
    assert_eq!(world.token_store.secret(TokenKind::Refresh).unwrap(), "refresh-token-text");
    assert_eq!(world.token_store.secret(TokenKind::Access).unwrap(), "access-token-text");
}

#[tokio::test]
async fn a_code_that_is_swapped_between_two_connections_is_worth_nothing() {
    let world = World::new().await;
    let (mut browser, fabrikam) = world.started("fabrikam").await;
    let northwind = browser.start(&world.link("northwind").await).await;
    let (ours, theirs) = (world.fabrikam.agree(&fabrikam), world.northwind.agree(&northwind));
    let first = browser.back(&fabrikam, &format!("code={theirs}")).await;
    let second = browser.back(&northwind, &format!("code={ours}")).await;
    for page in [first, second] {
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        page.says("AADSTS501481");
    }
    assert_eq!(kept(&world), None);
    for connection in ["fabrikam", "northwind"] {
        assert_eq!(world.state(connection).await, (ConnectState::Waiting, Some("AADSTS501481".into())));
    }
}

#[tokio::test]
async fn a_code_counts_once() {
    let world = World::new().await;
    let (mut browser, page) = world.started("fabrikam").await;
    let cookies = browser.cookies.clone();
    assert_eq!(agreed(&world, &mut browser, &page).await.status, StatusCode::OK);
    browser.cookies = cookies;
    assert_eq!(agreed(&world, &mut browser, &page).await.status, StatusCode::GONE);
    assert_eq!(world.state("fabrikam").await.0, ConnectState::Done);
}

#[tokio::test]
async fn a_stranger_s_code_is_not_taken_for_the_administrator_s() {
    let world = World::new().await;
    // Somebody begins, agrees, and sends the answer's URL to an administrator.
    let (_theirs, page) = world.started("fabrikam").await;
    let mut victim = world.browser();
    let refused = agreed(&world, &mut victim, &page).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.says("This was begun in another browser");
    assert_eq!(kept(&world), None);
}

#[tokio::test]
async fn a_sign_in_to_another_tenant_keeps_nothing() {
    let world = World::new().await;
    let (mut browser, page) = world.started("northwind").await;
    world.northwind.will_sign(Ok(grant(FABRIKAM, &LEAST)));
    let refused = browser.back(&page, &format!("code={}", world.northwind.agree(&page))).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.says("This is another tenant");
    assert_eq!(kept(&world), None);
    assert_eq!(world.state("northwind").await, (ConnectState::Waiting, Some("another_tenant".into())));
}

#[tokio::test]
async fn a_domain_name_stays_the_directory_it_first_was() {
    // Learnt by connecting,
    let world = World::new().await;
    let (mut browser, page) = world.started("fabrikam").await;
    assert_eq!(agreed(&world, &mut browser, &page).await.status, StatusCode::OK);
    let (mut browser, page) = world.started("fabrikam").await;
    world.fabrikam.will_sign(Ok(grant(CONTOSO, &LEAST)));
    assert_eq!(agreed(&world, &mut browser, &page).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.told("fabrikam").await.connected.unwrap().tenant, FABRIKAM);
    // or by a run.
    let world = World::new().await;
    let id = ConnectionId::from("fabrikam");
    world.store.update(&id, |status: &mut ConnectionStatus| status.tenant = Some(NORTHWIND.to_owned())).await.unwrap();
    let (mut browser, page) = world.started("fabrikam").await;
    assert_eq!(agreed(&world, &mut browser, &page).await.status, StatusCode::FORBIDDEN);
    assert_eq!(kept(&world), None);
}

#[tokio::test]
async fn a_token_without_a_tenant_is_of_another() {
    let world = World::new().await;
    let (mut browser, page) = world.started("fabrikam").await;
    world.fabrikam.will_sign(Ok(grant("", &LEAST)));
    assert_eq!(agreed(&world, &mut browser, &page).await.status, StatusCode::FORBIDDEN);
    assert_eq!(kept(&world), None);
}

#[tokio::test]
async fn without_a_needed_permission_nothing_is_kept() {
    let world = World::new().await;
    let (mut browser, page) = world.started("fabrikam").await;
    world.fabrikam.will_sign(Ok(grant(FABRIKAM, &without("User.ReadWrite.All"))));
    let lacking = agreed(&world, &mut browser, &page).await;
    assert_eq!(lacking.status, StatusCode::FORBIDDEN);
    lacking.says("<h2>Missing</h2>");
    lacking.never_says("Check again");
    assert_eq!(kept(&world), None);
    assert_eq!(world.state("fabrikam").await, (ConnectState::Waiting, Some("permission_missing".into())));
}

#[tokio::test]
async fn what_every_sign_in_carries_is_not_too_much() {
    let world = World::new().await;
    let (mut browser, page) = world.started("fabrikam").await;
    let scopes = [&LEAST[..], &["openid", "profile", "email", "offline_access", "User.Read"]].concat();
    world.fabrikam.will_sign(Ok(grant(FABRIKAM, &scopes)));
    agreed(&world, &mut browser, &page).await.never_says("<h2>More than needed</h2>");
}

#[tokio::test]
async fn conditional_access_is_explained_wherever_it_strikes() {
    let world = World::new().await;
    let (mut browser, page) = world.started("fabrikam").await;
    let blocked = browser.back(&page, "error=interaction_required&error_description=AADSTS53003%3a+Blocked").await;
    assert_eq!(blocked.status, StatusCode::FORBIDDEN);
    blocked.says("Conditional Access blocked the sign-in.");
    blocked.says("Let the policy allow it.");
    assert!(world.sealed.all().is_empty(), "what was kept back is not needed any more");
    let (mut browser, page) = world.started("fabrikam").await;
    world.fabrikam.will_sign(Err(refused("AADSTS53003")));
    let blocked = agreed(&world, &mut browser, &page).await;
    assert_eq!(blocked.status, StatusCode::FORBIDDEN);
    assert_eq!(world.state("fabrikam").await, (ConnectState::Waiting, Some("AADSTS53003".into())));
    assert_eq!(kept(&world), None);
}

#[tokio::test]
async fn an_error_beside_a_code_wins() {
    let world = World::new().await;
    let (mut browser, page) = world.started("fabrikam").await;
    let code = world.fabrikam.agree(&page);
    assert_eq!(browser.back(&page, &format!("code={code}&error=access_denied")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(kept(&world), None);
}

#[tokio::test]
async fn an_answer_without_a_code_is_no_sign_in_and_not_used_up() {
    let world = World::new().await;
    let (mut browser, page) = world.started("fabrikam").await;
    for with in ["admin_consent=True", "code=", "x=1"] {
        assert_eq!(browser.back(&page, with).await.status, StatusCode::BAD_REQUEST, "{with}");
    }
    assert_eq!(agreed(&world, &mut browser, &page).await.status, StatusCode::OK);
}

#[tokio::test]
async fn tokens_that_cannot_be_kept_connect_nothing() {
    let world = World::new().await;
    *world.token_store.refuses.lock().unwrap() = true;
    let (mut browser, page) = world.started("fabrikam").await;
    let page = agreed(&world, &mut browser, &page).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    page.says("hardmatch doctor");
    assert_eq!(world.state("fabrikam").await, (ConnectState::Waiting, Some("tokens_not_kept".into())));
}

#[tokio::test]
async fn a_sign_in_that_takes_too_long_is_refused() {
    let world = World::new().await;
    let (mut browser, page) = world.started("fabrikam").await;
    world.clock.advance(Duration::from_mins(15));
    assert_eq!(agreed(&world, &mut browser, &page).await.status, StatusCode::GONE);
    assert_eq!(kept(&world), None);
}
