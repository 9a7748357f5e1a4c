//! Permissions of the application's own.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::tenant::{Retry, TenantError};
use hardmatch_ports::{Clock, KeptToken, TokenKind, TokenStore};
use hardmatch_store::connecting::{ConnectMethod, ConnectState};

use crate::platform::{LEAST, grant, parameter, refused};
use crate::world::{CONTOSO, FABRIKAM, World, without};

#[tokio::test]
async fn o14_the_page_names_every_permission_and_why() {
    let world = World::new().await;
    let link = world.link("contoso").await;
    let page = world.browser().get(link.url.path()).await;
    assert_eq!(page.status, StatusCode::OK);
    for permission in LEAST.iter() {
        page.says(&format!("<code>{permission}</code>"));
    }
    for text in [
        "contoso",
        CONTOSO,
        "99999999-0000-4000-8000-00000000000f",
        "09:15 UTC",
        "Reading the tenant",
        "Creating and writing accounts",
        "reading and creating accounts",
        "every write is refused; plans work",
        "Grant consent as administrator",
    ] {
        page.says(text);
    }
    page.never_says("User.DeleteRestore.All");
}

#[tokio::test]
async fn consent_that_is_proven_connects() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    assert_eq!(world.state("contoso").await, (ConnectState::Waiting, None));
    world.clock.advance(Duration::from_mins(1));
    let done = browser.consented(&page).await;
    assert_eq!(done.status, StatusCode::OK);
    done.says("contoso is connected");
    done.says("<h2>Granted</h2>");
    done.never_says("<h2>Missing</h2>");
    done.never_says("<h2>More than needed</h2>");
    assert!(browser.cookies.is_empty(), "the browser may forget the attempt");
    let told = world.told("contoso").await;
    assert_eq!((told.state, told.code), (ConnectState::Done, None));
    let connected = told.connected.unwrap();
    assert_eq!((connected.method, connected.tenant.as_str()), (ConnectMethod::Consent, CONTOSO));
    assert_eq!(connected.at, world.clock.now_seconds());
    assert!(connected.permissions.iter().eq(LEAST.iter()));
}

#[tokio::test]
async fn looking_at_a_link_uses_nothing_up_and_starting_binds_it_to_the_browser() {
    let world = World::new().await;
    let link = world.link("contoso").await;
    let mut browser = world.browser();
    for method in [Method::GET, Method::HEAD, Method::GET] {
        assert_eq!(browser.ask(method, link.url.path(), &[]).await.status, StatusCode::OK);
    }
    browser.start(&link).await;
    let mut other = world.browser();
    for again in [other.get(link.url.path()).await, other.post(&format!("{}/start", link.url.path())).await] {
        assert_eq!(again.status, StatusCode::FORBIDDEN);
        again.says("This link is in use in another browser");
        again.says("hardmatch auth connect");
    }
    // Going back and reloading is nobody's mistake.
    assert_eq!(browser.get(link.url.path()).await.status, StatusCode::OK);
    world.contoso.will_prove([Ok(grant(CONTOSO, &LEAST))]);
    let page = browser.start(&link).await;
    assert_eq!(browser.consented(&page).await.status, StatusCode::OK);
    for spent in [browser.get(link.url.path()).await, browser.post(&format!("{}/start", link.url.path())).await] {
        assert_eq!(spent.status, StatusCode::GONE, "it has connected");
        spent.says("This link is not valid any more");
    }
}

#[tokio::test]
async fn who_declined_may_agree_in_the_same_browser_until_the_link_ends() {
    let world = World::new().await;
    let link = world.link("contoso").await;
    let mut browser = world.browser();
    for _ in 0..3 {
        let page = browser.start(&link).await;
        let declined = browser.back(&page, "error=access_denied&error_description=AADSTS65004%3a+declined").await;
        assert_eq!(declined.status, StatusCode::FORBIDDEN);
        declined.says("open it again in this browser");
        assert_eq!(world.state("contoso").await.0, ConnectState::Waiting, "the command waits on");
    }
    let page = browser.start(&link).await;
    world.contoso.will_prove([Ok(grant(CONTOSO, &LEAST))]);
    assert_eq!(browser.consented(&page).await.status, StatusCode::OK);
    assert_eq!(world.state("contoso").await.0, ConnectState::Done);
    let link = world.link("contoso").await;
    let mut browser = world.browser();
    let page = browser.start(&link).await;
    world.clock.advance(Duration::from_secs(15 * 60 - 1));
    let path = link.url.path().to_owned();
    assert_eq!(browser.get(&path).await.status, StatusCode::OK);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(browser.get(&path).await.status, StatusCode::GONE);
    let _ = page;
}

#[tokio::test]
async fn a_link_ends_after_a_quarter_of_an_hour() {
    let world = World::new().await;
    let link = world.link("contoso").await;
    world.clock.advance(Duration::from_secs(15 * 60 - 1));
    let mut browser = world.browser();
    assert_eq!(browser.get(link.url.path()).await.status, StatusCode::OK);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(browser.get(link.url.path()).await.status, StatusCode::GONE);
    assert_eq!(browser.post(&format!("{}/start", link.url.path())).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn an_answer_counts_once() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    world.contoso.will_prove([Err(refused("AADSTS700016"))]);
    let cookies = browser.cookies.clone();
    assert_eq!(browser.consented(&page).await.status, StatusCode::ACCEPTED);
    let asked = world.contoso.proved();
    browser.cookies = cookies.clone();
    let replayed = browser.consented(&page).await;
    assert_eq!(replayed.status, StatusCode::GONE);
    replayed.says("This answer was used already");
    assert_eq!(world.contoso.proved(), asked, "a replay asks nobody");

    let (mut browser, page) = world.started("contoso").await;
    world.contoso.will_prove([Ok(grant(CONTOSO, &LEAST))]);
    let cookies = browser.cookies.clone();
    assert_eq!(browser.consented(&page).await.status, StatusCode::OK);
    browser.cookies = cookies;
    assert_eq!(browser.consented(&page).await.status, StatusCode::GONE);
    assert_eq!(browser.back(&page, "error=access_denied").await.status, StatusCode::GONE);
    assert_eq!(world.state("contoso").await.0, ConnectState::Done);
}

#[tokio::test]
async fn an_answer_nobody_waits_for_is_refused() {
    let world = World::new().await;
    let made_up = format!("/connect/return?admin_consent=True&state={}", "A".repeat(43));
    let page = world.browser().get(&made_up).await;
    assert_eq!(page.status, StatusCode::GONE);
    assert_eq!(world.contoso.proved(), 0);
}

#[tokio::test]
async fn an_answer_after_its_time_is_refused() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    world.clock.advance(Duration::from_mins(15));
    let late = browser.consented(&page).await;
    assert_eq!(late.status, StatusCode::GONE);
    late.says("This took too long");
    assert_eq!(world.contoso.proved(), 0);
    assert_eq!(world.state("contoso").await, (ConnectState::Failed, Some("too_late".into())));
}

#[tokio::test]
async fn an_answer_in_another_browser_is_refused_and_not_used_up() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    let (other, _) = world.started("contoso").await;
    let mut strangers = [world.browser(), other, world.browser()];
    // The right name with a wrong secret.
    let name = browser.cookies.keys().next().unwrap().clone();
    strangers[2].cookies.insert(name, "A".repeat(43));
    for stranger in &mut strangers {
        let refused = stranger.consented(&page).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        refused.says("This was begun in another browser");
    }
    assert_eq!(world.contoso.proved(), 0);
    assert_eq!(browser.consented(&page).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_of_another_tenant_connects_nothing() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    world.contoso.will_prove([Ok(grant(FABRIKAM, &LEAST))]);
    // The redirect claims the right one.
    let refused = browser.consented(&page).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.says("This is another tenant");
    refused.says(FABRIKAM);
    let told = world.told("contoso").await;
    assert_eq!((told.state, told.code.as_deref()), (ConnectState::Waiting, Some("another_tenant")));
    assert_eq!(told.connected, None);
    assert_eq!(world.contoso.proved(), 1, "no use in asking again");
}

#[tokio::test]
async fn a_consent_in_another_tenant_that_brings_no_token_names_that_tenant() {
    let world = World::new().await;
    let link = world.link("contoso").await;
    let mut browser = world.browser();
    let page = browser.start(&link).await;
    world.contoso.will_prove([Err(refused("AADSTS700016"))]);
    let refused_page = browser.back(&page, &format!("admin_consent=True&tenant={FABRIKAM}")).await;
    assert_eq!(refused_page.status, StatusCode::FORBIDDEN);
    refused_page.says("This is another tenant");
    refused_page.says(FABRIKAM);
    assert_eq!(world.state("contoso").await, (ConnectState::Waiting, Some("another_tenant".into())));
    // In the right tenant it connects, by the same link.
    let page = browser.start(&link).await;
    world.contoso.will_prove([Ok(grant(CONTOSO, &LEAST))]);
    assert_eq!(browser.back(&page, &format!("admin_consent=True&tenant={CONTOSO}")).await.status, StatusCode::OK);
    // What is no directory id is not repeated.
    let (mut browser, page) = world.started("contoso").await;
    world.contoso.will_prove([Err(refused("AADSTS700016"))]);
    let waits = browser.back(&page, "admin_consent=True&tenant=%3Cscript%3E").await;
    assert_eq!(waits.status, StatusCode::ACCEPTED);
    waits.never_says("script>");
}

#[tokio::test]
async fn what_the_redirect_says_about_the_tenant_proves_nothing() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    let done = browser.back(&page, &format!("admin_consent=True&tenant={FABRIKAM}")).await;
    assert_eq!(done.status, StatusCode::OK);
    done.never_says(FABRIKAM);
    assert_eq!(world.told("contoso").await.connected.unwrap().tenant, CONTOSO);
}

#[tokio::test]
async fn a_declined_consent_is_told_although_it_says_true() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    let with = "admin_consent=True&error=consent_required&error_description=AADSTS65004%3a+declined.+Correlation+ID%3a+0a1b2c3d-0000-4000-8000-00000000abcd";
    let declined = browser.back(&page, with).await;
    assert_eq!(declined.status, StatusCode::FORBIDDEN);
    declined.says("The administrator declined.");
    declined.says("Ask again with <code>hardmatch auth connect</code>.");
    declined.never_says("`");
    declined.says("0a1b2c3d-0000-4000-8000-00000000abcd");
    assert_eq!(world.contoso.proved(), 0);
    assert_eq!(world.state("contoso").await, (ConnectState::Waiting, Some("AADSTS65004".into())));
    assert_eq!(browser.cookies.len(), 1, "of the link, which may be used again");
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_no_consent_and_not_used_up() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    for with in ["admin_consent=False", "x=1", "code=abc", "admin_consent="] {
        assert_eq!(browser.back(&page, with).await.status, StatusCode::BAD_REQUEST, "{with}");
    }
    assert_eq!(world.contoso.proved(), 0);
    assert_eq!(browser.consented(&page).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_missing_permission_is_named_and_can_be_mended() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    let reading = [&without("User.ReadWrite.All")[..], &["User.Read.All"]].concat();
    world.contoso.will_prove([Ok(grant(CONTOSO, &reading))]);
    let lacking = browser.consented(&page).await;
    assert_eq!(lacking.status, StatusCode::FORBIDDEN);
    lacking.says("Permissions are missing");
    let (_, missing) = lacking.body.split_once("<h2>Missing</h2>").unwrap();
    let (missing, granted) = missing.split_once("<h2>Granted</h2>").unwrap();
    assert!(missing.contains("User.ReadWrite.All") && missing.contains("every write is refused"));
    assert!(missing.contains("App registrations") && !missing.contains("User.Read.All"));
    assert!(granted.contains("User.Read.All"));
    assert_eq!(world.state("contoso").await, (ConnectState::Waiting, Some("permission_missing".into())));
    world.contoso.will_prove([Ok(grant(CONTOSO, &LEAST))]);
    let done = browser.post(lacking.form()).await;
    assert_eq!(done.status, StatusCode::OK);
    assert_eq!(world.state("contoso").await, (ConnectState::Done, None));
    assert_eq!(browser.post(lacking.form()).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn an_optional_permission_may_be_missing_and_is_told() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    world.contoso.will_prove([Ok(grant(CONTOSO, &without("OrgContact.Read.All")))]);
    let done = browser.consented(&page).await;
    assert_eq!(done.status, StatusCode::OK);
    done.says("<h2>Missing</h2>");
    done.says("an address that a contact holds shows only when the write is refused");
    assert_eq!(world.contoso.proved(), 1);
}

#[tokio::test]
async fn more_than_needed_is_told() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    let granted = [&LEAST[..], &["Mail.Read", "AppRoleAssignment.ReadWrite.All"]].concat();
    world.contoso.will_prove([Ok(grant(CONTOSO, &granted))]);
    let done = browser.consented(&page).await;
    assert_eq!(done.status, StatusCode::OK);
    let (_, more) = done.body.split_once("<h2>More than needed</h2>").unwrap();
    assert!(more.contains("dangerous in wrong hands: <b>AppRoleAssignment.ReadWrite.All</b>"), "{more}");
    assert!(more.contains("used for nothing: <b>Mail.Read</b>"), "{more}");
}

#[tokio::test]
async fn a_consent_that_has_not_spread_is_waited_for() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    let began = world.clock.now();
    let no_roles = grant(CONTOSO, &[]);
    world.contoso.will_prove([Err(refused("AADSTS700016")), Ok(no_roles), Ok(grant(CONTOSO, &LEAST))]);
    assert_eq!(browser.consented(&page).await.status, StatusCode::OK);
    assert_eq!(world.contoso.proved(), 3);
    assert_eq!(world.clock.now().duration_since(began).as_secs(), 6);
}

#[tokio::test]
async fn a_consent_that_takes_minutes_can_be_looked_at_again() {
    let world = World::new().await;
    for code in ["AADSTS700016", "AADSTS65001", "AADSTS7000229"] {
        let (mut browser, page) = world.started("contoso").await;
        let asked = world.contoso.proved();
        world.contoso.will_prove([Err(refused(code))]);
        let not_yet = browser.consented(&page).await;
        assert_eq!(not_yet.status, StatusCode::ACCEPTED);
        not_yet.says("Not there yet");
        not_yet.says(code);
        assert_eq!(world.contoso.proved() - asked, 3, "tries are bounded");
        assert_eq!(world.state("contoso").await, (ConnectState::Waiting, Some(code.into())));
        assert_eq!(browser.post(not_yet.form()).await.status, StatusCode::ACCEPTED);
        world.clock.advance(Duration::from_mins(20));
        world.contoso.will_prove([Ok(grant(CONTOSO, &LEAST))]);
        assert_eq!(browser.post(not_yet.form()).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_token_without_any_permission_is_one_from_before_the_consent() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    world.contoso.will_prove([Ok(grant(CONTOSO, &[]))]);
    let not_yet = browser.consented(&page).await;
    assert_eq!(not_yet.status, StatusCode::ACCEPTED);
    not_yet.says("Not there yet");
    assert_eq!(world.state("contoso").await, (ConnectState::Waiting, Some("no_permissions".into())));
}

#[tokio::test]
async fn only_the_browser_that_brought_the_consent_may_look_again_and_not_for_ever() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    world.contoso.will_prove([Err(refused("AADSTS700016"))]);
    let not_yet = browser.consented(&page).await;
    let asked = world.contoso.proved();
    assert_eq!(world.browser().post(not_yet.form()).await.status, StatusCode::FORBIDDEN);
    let cross = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    assert_eq!(browser.ask(Method::POST, not_yet.form(), &cross).await.status, StatusCode::FORBIDDEN);
    world.clock.advance(Duration::from_mins(30));
    assert_eq!(browser.post(not_yet.form()).await.status, StatusCode::GONE);
    assert_eq!(world.contoso.proved(), asked);
}

#[tokio::test]
async fn nothing_can_be_looked_at_before_the_answer() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    let id = world.store.connect_id(hardmatch_store::connecting::ConnectSecret::State, &parameter(&page, "state"));
    assert_eq!(browser.post(&format!("/connect/check/{id}")).await.status, StatusCode::GONE);
    assert_eq!(world.contoso.proved(), 0);
    assert_eq!(browser.consented(&page).await.status, StatusCode::OK);
}

#[tokio::test]
async fn wrong_credentials_of_ours_are_explained_without_asking_for_consent_again() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    world.contoso.will_prove([Err(refused("AADSTS7000215"))]);
    let refused = browser.consented(&page).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.says("The identity platform refused (AADSTS7000215).");
    refused.says("11111111-2222-4333-8444-555555555555");
    assert_eq!(world.contoso.proved(), 1);
    world.contoso.will_prove([Ok(grant(CONTOSO, &LEAST))]);
    assert_eq!(browser.post(refused.form()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_platform_that_is_busy_is_asked_again() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    let busy = TenantError { retry: Retry::After(Duration::from_mins(1)), ..refused("AADSTS90055") };
    world.contoso.will_prove([Err(busy)]);
    let busy = browser.consented(&page).await;
    assert_eq!(busy.status, StatusCode::ACCEPTED);
    busy.says("Microsoft does not answer just now");
    assert_eq!(world.contoso.proved(), 3);
    world.contoso.will_prove([Ok(grant(CONTOSO, &LEAST))]);
    assert_eq!(browser.post(busy.form()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn tokens_from_before_a_consent_are_forgotten() {
    let world = World::new().await;
    let old = KeptToken { secret: "old".to_owned().into(), obtained: world.clock.now(), expires: None, mark: None };
    world.token_store.keep(TokenKind::Access, &old, None).await.unwrap();
    let (mut browser, page) = world.started("contoso").await;
    assert_eq!(browser.consented(&page).await.status, StatusCode::OK);
    assert_eq!(world.token_store.secret(TokenKind::Access), None);
}

#[tokio::test]
async fn news_of_an_older_link_do_not_overwrite_a_newer_one_s() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    let newer = world.link("contoso").await;
    browser.back(&page, "error=access_denied").await;
    let told = world.told("contoso").await;
    assert_eq!((told.state, told.ticket), (ConnectState::Waiting, newer.id.clone()));
    let mut browser = world.browser();
    let page = browser.start(&newer).await;
    browser.consented(&page).await;
    let again = world.link("contoso").await;
    let told = world.told("contoso").await;
    assert_eq!((told.state, told.ticket), (ConnectState::Waiting, again.id));
    assert_eq!(told.connected.unwrap().tenant, CONTOSO, "a new link takes nothing away");
}

#[tokio::test]
async fn a_connection_that_was_taken_away_cannot_be_connected() {
    let world = World::new().await;
    let link = world.link("gone").await;
    let mut browser = world.browser();
    assert_eq!(browser.get(link.url.path()).await.status, StatusCode::GONE);
    let page = browser.post(&format!("{}/start", link.url.path())).await;
    page.says("This connection is not there any more");
}

#[tokio::test]
async fn two_attempts_in_one_browser_do_not_disturb_each_other() {
    let world = World::new().await;
    let (mut browser, first) = world.started("contoso").await;
    let second = browser.start(&world.link("contoso").await).await;
    assert_eq!(browser.cookies.len(), 4);
    assert_eq!(browser.consented(&second).await.status, StatusCode::OK);
    assert_eq!(browser.consented(&first).await.status, StatusCode::OK);
}

#[tokio::test]
async fn of_two_who_use_a_link_at_once_one_goes_on() {
    let world = World::new().await;
    let start = format!("{}/start", world.link("contoso").await.url.path());
    let (mut one, mut other) = (world.browser(), world.browser());
    let (one, other) = tokio::join!(one.post(&start), other.post(&start));
    let mut statuses = [one.status, other.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::FORBIDDEN]);
    let id = ConnectionId::from("contoso");
    assert!(world.store.connecting(&id).await.unwrap().is_some());
}
