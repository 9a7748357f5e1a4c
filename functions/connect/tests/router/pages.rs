//! What every page keeps: headers, methods, escaping, and silence.

use std::io;
use std::sync::{Arc, Mutex};

use axum::http::header::{ALLOW, LOCATION};
use axum::http::{Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::platform::{LEAST, grant, parameter};
use crate::world::{NORTHWIND, Page, World};

/// One of each kind.
async fn pages(world: &World) -> Vec<Page> {
    let link = world.link("contoso").await;
    let mut browser = world.browser();
    let mut pages = vec![browser.get("/connect").await, browser.get(link.url.path()).await];
    let start = format!("{}/start", link.url.path());
    let sent = browser.post(&start).await;
    let at = sent.leads_to();
    pages.push(sent);
    pages.push(browser.get(link.url.path()).await);
    pages.push(browser.consented(&at).await);
    pages.push(browser.get("/nowhere").await);
    pages.push(browser.ask(Method::DELETE, "/connect", &[]).await);
    pages
}

#[tokio::test]
async fn every_response_tells_browsers_to_be_careful() {
    let world = World::new().await;
    let local = World::at("http://127.0.0.1:8400").await;
    for (world, transport) in [(&world, "max-age=31536000"), (&local, "")] {
        for page in pages(world).await {
            assert_eq!(page.header("referrer-policy"), "no-referrer");
            assert_eq!(page.header("cache-control"), "no-store");
            assert_eq!(page.header("x-content-type-options"), "nosniff");
            assert_eq!(page.header("strict-transport-security"), transport);
            let policy = page.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
        }
    }
}

#[tokio::test]
async fn the_policy_allows_the_one_style_and_forms_to_ourselves() {
    let world = World::new().await;
    for page in pages(&world).await.into_iter().filter(|page| !page.body.is_empty()) {
        let policy = page.header("content-security-policy");
        let (_, style) = page.body.split_once("<style>").unwrap();
        let (style, rest) = style.split_once("</style>").unwrap();
        let hash = STANDARD.encode(Sha256::digest(style));
        assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{policy}");
        assert!(!rest.contains("<style") && !page.body.contains("style="));
        // The one page that tells a time has the one script that shows it in the reader's time zone.
        match rest.split_once("<script>") {
            Some((before, script)) => {
                assert!(before.contains("<time datetime=\"2"), "{before}");
                let (script, after) = script.split_once("</script>").unwrap();
                let hash = STANDARD.encode(Sha256::digest(script));
                assert!(policy.contains(&format!("; script-src 'sha256-{hash}';")), "{policy}");
                assert!(!after.contains("<script"));
            }
            None => assert!(!page.body.contains("<script") && !policy.contains("script-src"), "{policy}"),
        }
        assert!(policy.contains("base-uri 'none'"));
        assert!(policy.contains("form-action 'self';"), "{policy}");
        for must in ["<html lang=\"en\">", "<main", "<h1>", "<title>", "name=\"viewport\""] {
            page.says(must);
        }
        assert_eq!(page.body.matches("<h1>").count(), 1);
    }
}

#[tokio::test]
async fn strangers_learn_nothing() {
    let world = World::new().await;
    world.link("contoso").await;
    let page = world.browser().get("/connect").await;
    assert_eq!(page.status, StatusCode::OK);
    page.says("you need a link");
    for name in ["contoso", "fabrikam", "99999999"] {
        page.never_says(name);
    }
    let guessed = format!("/connect/{}", "A".repeat(43));
    assert_eq!(world.browser().get(&guessed).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn wrong_addresses_and_methods_get_plain_pages() {
    let world = World::new().await;
    let mut browser = world.browser();
    for path in ["/", "/connect/", "/connect/short", "/connect/%ff", "/connect/check/1", "/connect/a/b/c", "/login"] {
        let page = browser.get(path).await;
        let status = if path == "/connect/check/1" { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::NOT_FOUND };
        assert_eq!(page.status, status, "{path}");
        page.says("<h1>");
    }
    for path in ["/connect/check/1", "/connect/check/%ff", "/connect/x/start"] {
        assert_eq!(browser.post(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let ticket = world.link("contoso").await.url.path().to_owned();
    let start = format!("{ticket}/start");
    for (method, path, allow) in [
        (Method::POST, "/connect", "GET,HEAD"),
        (Method::OPTIONS, "/connect", "GET,HEAD"),
        (Method::PUT, ticket.as_str(), "GET,HEAD"),
        (Method::OPTIONS, ticket.as_str(), "GET,HEAD"),
        (Method::GET, start.as_str(), "POST"),
        (Method::HEAD, start.as_str(), "POST"),
        (Method::OPTIONS, start.as_str(), "POST"),
        (Method::HEAD, "/connect/return", "GET"),
    ] {
        let page = browser.ask(method.clone(), path, &[]).await;
        assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_eq!(page.headers[ALLOW], allow, "{method} {path}");
        assert_eq!(page.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn a_look_at_the_redirect_uses_nothing_up() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    let path = format!("/connect/return?admin_consent=True&state={}", parameter(&page, "state"));
    for method in [Method::HEAD, Method::OPTIONS, Method::POST] {
        assert_eq!(browser.ask(method, &path, &[]).await.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(world.contoso.proved(), 0);
    assert_eq!(browser.get(&path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let world = World::new().await;
    let link = world.link("contoso").await;
    let start = format!("{}/start", link.url.path());
    let mut browser = world.browser();
    let ours = "https://connect.example.com";
    for headers in [
        &[][..],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("origin", "http://connect.example.com")],
        &[("origin", "https://connect.example.com.evil.example")],
        &[("origin", ours), ("sec-fetch-site", "cross-site")],
        &[("origin", "null"), ("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
    ] {
        let page = browser.ask(Method::POST, &start, headers).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{headers:?}");
        page.says("This request came from another site");
        assert!(browser.cookies.is_empty());
    }
    let sent = browser.ask(Method::POST, &start, &[("origin", ours)]).await;
    assert_eq!(sent.status, StatusCode::OK, "an older browser, without Sec-Fetch-Site");
}

#[tokio::test]
async fn nobody_can_make_us_send_a_browser_elsewhere() {
    let world = World::new().await;
    let link = world.link("contoso").await;
    let evil = "redirect_uri=https://evil.example&return=https://evil.example&state=x";
    let start = format!("{}/start?{evil}", link.url.path());
    let headers = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example"),
        ("sec-fetch-site", "same-origin"),
    ];
    let mut browser = world.browser();
    let sent = browser.ask(Method::POST, &start, &headers).await;
    let to = sent.leads_to();
    assert_eq!(to.origin(), world.contoso.authority.origin());
    assert_eq!(parameter(&to, "redirect_uri"), "https://connect.example.com/connect/return");
    sent.never_says("evil.example");
    let with = "admin_consent=True&redirect_uri=https://evil.example&next=//evil.example";
    let done = browser.back(&to, with).await;
    assert_eq!(done.status, StatusCode::OK);
    assert_eq!(done.headers.get(LOCATION), None);
    done.never_says("evil.example");
}

#[tokio::test]
async fn what_a_redirect_says_never_becomes_markup() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    let hostile = "%3Cscript%3Ealert(1)%3C/script%3E%22%27%3E%3Cimg%20src=x%20onerror=alert(1)%3E";
    let refused = browser.back(&page, &format!("error=echo&error_description={hostile}")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.never_says("<script");
    refused.never_says("<img");
    refused.says("&#60;script&#62;");
    let told = world.told("contoso").await;
    assert_eq!(told.code.as_deref(), Some("unknown_error"), "only codes are stored");
}

#[tokio::test]
async fn an_unknown_error_is_told_without_repeating_it() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    let with = "error=odd+%3Cb%3E&error_description=AADSTS99999%3a+User+kim%40contoso.com+said+no.+Correlation+ID%3a+0a1b2c3d-0000-4000-8000-00000000abcd&error_uri=https://evil.example&kim=1";
    let refused = browser.back(&page, with).await;
    refused.says("Microsoft refused for a reason of its own.");
    refused.says("unknown_error");
    refused.says("0a1b2c3d-0000-4000-8000-00000000abcd");
    for part in ["kim", "said no", "odd", "evil.example"] {
        refused.never_says(part);
    }
}

#[tokio::test]
async fn doubled_parameters_are_refused_and_use_nothing_up() {
    let world = World::new().await;
    let (mut browser, page) = world.started("contoso").await;
    for with in ["admin_consent=True&state=other", "error=a&error=b", "admin_consent=False&admin_consent=True"] {
        assert_eq!(browser.back(&page, with).await.status, StatusCode::BAD_REQUEST, "{with}");
    }
    for path in ["/connect/return", "/connect/return?state=", "/connect/return?admin_consent=True"] {
        assert_eq!(browser.get(path).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
    assert_eq!(browser.consented(&page).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_cookie_is_the_browser_s_own() {
    for (url, prefix, secure) in [
        ("https://connect.example.com", "__Host-hardmatch-connect-", true),
        ("http://127.0.0.1:8400", "hardmatch-connect-", false),
    ] {
        let world = World::at(url).await;
        let link = world.link("contoso").await;
        let sent = world.browser().post(&format!("{}/start", link.url.path())).await;
        let cookie = sent.header("set-cookie");
        assert!(cookie.starts_with(prefix), "{cookie}");
        for part in ["; Path=/;", "; HttpOnly", "; SameSite=Lax"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert_eq!(cookie.ends_with("; Secure"), secure, "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
        let offered = world.browser().get(world.link("contoso").await.url.path()).await;
        assert_eq!(offered.header("set-cookie"), "", "no cookie before the button");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_secret_is_logged_or_stored() {
    // A second subscriber: with one alone, a call of another test that comes first decides for all of them whether a line is
    // wanted, and that test has none. <https://docs.rs/tracing-core/latest/tracing_core/callsite/index.html>
    let all = tracing_subscriber::fmt().with_writer(io::sink).with_max_level(tracing::Level::TRACE).finish();
    drop(tracing::subscriber::set_global_default(all));
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer({
        let log = log.clone();
        move || log.clone()
    });
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let world = World::new().await;
    let mut secrets = Vec::new();
    for answer in ["agree", "decline", "other tenant"] {
        let link = world.link("northwind").await;
        secrets.push(link.url.path().trim_start_matches("/connect/").to_owned());
        assert!(!format!("{link:?}").contains(&secrets[secrets.len() - 1]), "{link:?}");
        let mut browser = world.browser();
        let page = browser.start(&link).await;
        secrets.push(parameter(&page, "state"));
        secrets.push(parameter(&page, "nonce"));
        secrets.extend(browser.cookies.values().cloned());
        secrets.extend(world.sealed.all().iter().map(|kept| kept.split_once('.').unwrap().0.to_owned()));
        let code = world.northwind.agree(&page);
        secrets.push(code.clone());
        let with = match answer {
            "decline" => "error=access_denied&error_description=kim%40contoso.com+declined".to_owned(),
            _ => format!("code={code}&session_state=kim"),
        };
        browser.back(&page, &with).await;
        world.northwind.will_sign(Ok(grant(if answer == "agree" { NORTHWIND } else { "x" }, &LEAST)));
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let written = world.written.lock().unwrap().clone();
    assert!(log.contains("connected") && log.contains("northwind"), "{log}");
    assert!(written.contains("CONNECT#") && written.contains("\"done\""), "{written}");
    secrets.extend(["kim", "access-token-text", "refresh-token-text", "connect/return"].map(str::to_owned));
    assert!(secrets.len() > 15 && secrets.iter().all(|secret| secret.len() >= 3));
    for secret in secrets {
        assert!(!log.contains(&secret), "the log has {secret}:\n{log}");
        assert!(!written.contains(&secret), "the table has {secret}:\n{written}");
    }
}
