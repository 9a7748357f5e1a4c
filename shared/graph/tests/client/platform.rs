//! Consent, sign-in and the questions anybody may ask the login service.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hardmatch_graph::aadsts::{SignInErrorKind, explain, kind_of};
use hardmatch_graph::{EntraPlatform, OptionsError};
use hardmatch_ports::identity::{Authorization, IdentityPlatform};
use hardmatch_ports::tenant::Retry;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use crate::drawer::Drawer;
use crate::support::{Say, Secret, Stub, TENANT, TestClock, jwt, options};
use crate::tokens::refused;

/// The example of <https://www.rfc-editor.org/rfc/rfc7636#appendix-B>.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const GRAPH: &str = "00000003-0000-0000-c000-000000000000";

fn authorization() -> Authorization {
    Authorization {
        redirect: Url::parse("https://connect.example/callback?x=1").unwrap(),
        state: "a state".to_owned(),
        verifier: SecretString::from(VERIFIER),
        nonce: "a nonce".to_owned(),
    }
}

/// Of the cloud at these roots.
fn at(login: &str, graph: &str) -> EntraPlatform {
    let mut options = options(&Url::parse(login).unwrap(), &TestClock::default());
    options.graph = Url::parse(graph).unwrap();
    EntraPlatform::new(&options).unwrap()
}

fn query(url: &Url) -> BTreeMap<String, String> {
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    let map: BTreeMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(map.len(), pairs.len(), "nothing is said twice: {url}");
    map
}

fn by_id(stub: &Stub) -> EntraPlatform {
    let mut options = stub.options();
    options.tenant = TENANT.to_uppercase();
    EntraPlatform::new(&options).unwrap()
}

fn answer(access: &str, rest: &serde_json::Value) -> Say {
    let mut body = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": access });
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    Say::ok(body.to_string())
}

fn access(tenant: &str, rest: &str) -> String {
    jwt(&format!(r#"{{"aud":"{GRAPH}","tid":"{tenant}","exp":1768482000{rest}}}"#))
}

fn id_token(tenant: &str, nonce: &str) -> String {
    let issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
    jwt(&json!({ "iss": issuer, "aud": "client", "exp": 1_768_482_000, "tid": tenant, "nonce": nonce }).to_string())
}

#[test]
fn consent_is_asked_for_at_the_tenants_own_page_of_its_cloud() {
    for (login, graph) in [
        ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
        ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
        ("https://login.example:8443", "https://graph.example"),
    ] {
        let url = at(login, graph).consent_url(&authorization().redirect, "a state&x=1");
        assert!(url.as_str().starts_with(&format!("{login}/contoso.onmicrosoft.com/v2.0/adminconsent?")), "{url}");
        let query = query(&url);
        assert_eq!(query["scope"], format!("{graph}/.default"));
        assert_eq!((query["client_id"].as_str(), query["state"].as_str()), ("client", "a state&x=1"));
        assert_eq!((query["redirect_uri"].as_str(), query.len()), ("https://connect.example/callback?x=1", 4));
    }
}

#[test]
fn a_sign_in_carries_the_hash_of_its_verifier_and_never_the_verifier() {
    let platform = at("https://login.microsoftonline.us", "https://graph.microsoft.us");
    let scopes = ["User.ReadWrite.All", "Domain.Read.All"].map(str::to_owned).into();
    let url = platform.sign_in_url(&authorization(), &scopes);
    assert!(
        url.as_str().starts_with("https://login.microsoftonline.us/contoso.onmicrosoft.com/oauth2/v2.0/authorize?"),
        "{url}"
    );
    assert!(!url.as_str().contains(VERIFIER));
    let query = query(&url);
    let expected = [
        ("client_id", "client"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("nonce", "a nonce"),
        ("prompt", "select_account"),
        ("redirect_uri", "https://connect.example/callback?x=1"),
        ("response_mode", "query"),
        ("response_type", "code"),
        (
            "scope",
            "openid profile https://graph.microsoft.us/Domain.Read.All https://graph.microsoft.us/User.ReadWrite.All \
             offline_access",
        ),
        ("state", "a state"),
    ];
    let expected: BTreeMap<_, _> =
        expected.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(query, expected);
}

#[test]
fn a_platform_is_made_under_the_same_checks_as_a_client() {
    let made = |login: &str, tenant: &str| {
        let mut options = options(&Url::parse(login).unwrap(), &TestClock::default());
        tenant.clone_into(&mut options.tenant);
        EntraPlatform::new(&options).map(|_| ())
    };
    assert!(made("https://login.microsoftonline.com", "contoso.com").is_ok());
    assert!(matches!(made("http://login.microsoftonline.com", "contoso.com"), Err(OptionsError::Scheme { .. })));
    assert!(matches!(made("https://login.microsoftonline.com/x", "contoso.com"), Err(OptionsError::Root { .. })));
    assert!(matches!(made("https://login.microsoftonline.com", "common"), Err(OptionsError::Tenant)));
}

#[tokio::test]
async fn a_code_is_redeemed_for_tokens_with_verifier_and_proof() {
    let rest = json!({
        "id_token": id_token(TENANT, "a nonce"), "refresh_token": "r", "scope": "x y", "refresh_token_expires_in": 86_400
    });
    let stub =
        Stub::start_whole(move |_, _| answer(&access(TENANT, r#","scp":"User.ReadWrite.All openid""#), &rest)).await;
    for platform in [by_id(&stub), EntraPlatform::new(&stub.options()).unwrap()] {
        let signed_in = platform.redeem(&authorization(), &SecretString::from("the code")).await.unwrap();
        assert_eq!(signed_in.grant.tenant, TENANT);
        assert!(signed_in.grant.permissions.contains("User.ReadWrite.All"));
        assert_eq!(signed_in.refresh.secret.expose_secret(), "r");
        assert_eq!(signed_in.access.secret.expose_secret(), access(TENANT, r#","scp":"User.ReadWrite.All openid""#));
        let life = |token: &hardmatch_ports::tokens::KeptToken| {
            token.expires.unwrap().duration_since(token.obtained).as_secs()
        };
        assert_eq!((life(&signed_in.access), life(&signed_in.refresh)), (3600, 86_400));
        assert!(!format!("{signed_in:?} {platform:?}").contains("e30."), "tokens print redacted");
    }
    let body = &stub.tokens()[0].body;
    for part in [
        "grant_type=authorization_code",
        "code=the+code",
        &format!("code_verifier={VERIFIER}"),
        "redirect_uri=https%3A%2F%2Fconnect.example%2Fcallback%3Fx%3D1",
        "client_id=client",
        "client_secret=s3cret",
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
}

#[tokio::test]
async fn a_sign_in_that_is_not_the_one_we_began_or_of_another_tenant_is_refused() {
    let other = "0d4b1a2c-0000-4000-8000-000000000002";
    let good = json!({ "id_token": id_token(TENANT, "a nonce"), "refresh_token": "r" });
    let check = async |access: String, rest: serde_json::Value| {
        let stub = Stub::start_whole(move |_, _| answer(&access, &rest)).await;
        by_id(&stub).redeem(&authorization(), &SecretString::from("c")).await.unwrap_err().code
    };
    let ours = || access(TENANT, "");
    assert_eq!(
        check(access(other, ""), json!({ "id_token": id_token(other, "a nonce"), "refresh_token": "r" })).await,
        "wrong_tenant"
    );
    assert_eq!(check(access(other, ""), good.clone()).await, "id_token");
    assert_eq!(check(ours(), json!({ "id_token": id_token(TENANT, "other"), "refresh_token": "r" })).await, "id_token");
    assert_eq!(check(ours(), json!({ "refresh_token": "r" })).await, "id_token");
    assert_eq!(check(ours(), json!({ "id_token": id_token(TENANT, "a nonce") })).await, "no_refresh_token");
    assert_eq!(check("opaque".to_owned(), good).await, "opaque_token");
}

#[tokio::test]
async fn a_code_is_presented_once_whatever_becomes_of_it() {
    for say in ["drop", "503", "54005"] {
        let stub = Stub::start_whole(move |_, _| match say {
            "drop" => Say::Drop,
            "503" => Say::status(503),
            _ => refused("invalid_grant", 54005),
        })
        .await;
        let error = by_id(&stub).redeem(&authorization(), &SecretString::from("c")).await.unwrap_err();
        assert_eq!(stub.tokens().len(), 1, "{error}");
        assert_eq!(error.retry == Retry::Never, say == "54005");
    }
}

#[tokio::test]
async fn consent_is_proved_by_a_fresh_token_each_time() {
    let stub =
        Stub::start_whole(|_, _| answer(&access(TENANT, r#","roles":["User.ReadWrite.All"]"#), &json!({}))).await;
    let mut options = stub.options();
    let drawer = Drawer::default();
    options.token_store = Some(Arc::new(drawer.clone()));
    let platform = EntraPlatform::new(&options).unwrap();
    for _ in 0..2 {
        let grant = platform.prove().await.unwrap();
        assert_eq!((grant.tenant.as_str(), grant.permissions.len()), (TENANT, 1));
        assert_eq!(grant.expires.as_second(), 1_768_482_000);
    }
    assert_eq!((stub.tokens().len(), drawer.loads(), drawer.handed().len()), (2, 0, 0));
    assert!(stub.clock.slept().is_empty());
}

#[tokio::test]
async fn a_consent_that_has_not_spread_is_waited_for() {
    for trouble in ["700016", "65001", "70021", "90033", "no roles"] {
        let stub = Stub::start_whole(move |_, before| match trouble.parse() {
            _ if before >= 3 => answer(&access(TENANT, r#","roles":["User.ReadWrite.All"]"#), &json!({})),
            Ok(number) => refused("unauthorized_client", number),
            Err(_) => answer(&access(TENANT, ""), &json!({})),
        })
        .await;
        let grant = by_id(&stub).prove().await.unwrap();
        assert_eq!((grant.permissions.len(), stub.tokens().len()), (1, 4), "{trouble}");
    }
}

#[tokio::test]
async fn the_wait_for_a_consent_is_bounded_and_a_lasting_fault_is_not_waited_for() {
    let after = Duration::from_mins(1);
    for (number, retry, most) in
        [(700016, Retry::After(after), 20), (70021, Retry::After(after), 20), (7000215, Retry::Never, 0)]
    {
        let stub = Stub::start_whole(move |_, _| refused("unauthorized_client", number)).await;
        let error = by_id(&stub).prove().await.unwrap_err();
        assert_eq!((error.code, error.retry), (format!("AADSTS{number}"), retry));
        let slept: Duration = stub.clock.slept().iter().sum();
        assert!(slept <= Duration::from_secs(most) && slept >= Duration::from_secs(most) / 3, "{number}: {slept:?}");
        // Who did not just set anything up is told at once, or after the usual tries.
        let calm = Stub::start_whole(move |_, _| refused("unauthorized_client", number)).await;
        by_id(&calm).settling(Duration::ZERO).prove().await.unwrap_err();
        assert_eq!(calm.tokens().len(), if number == 70021 { 3 } else { 1 });
    }
    // No permission after all that is an answer: the caller compares it with what is needed.
    let stub = Stub::start_whole(|_, _| answer(&access(TENANT, ""), &json!({}))).await;
    assert!(by_id(&stub).prove().await.unwrap().permissions.is_empty());
    let slept: Duration = stub.clock.slept().iter().sum();
    assert!(slept <= Duration::from_secs(20) && stub.tokens().len() > 3, "{slept:?}");
}

#[tokio::test]
async fn a_proof_of_another_tenant_or_one_that_cannot_be_read_is_none() {
    let other = access("0d4b1a2c-0000-4000-8000-000000000002", r#","roles":["x"]"#);
    for (access, code) in [(other, "wrong_tenant"), ("opaque".to_owned(), "opaque_token")] {
        let stub = Stub::start_whole(move |_, _| answer(&access, &json!({}))).await;
        let error = by_id(&stub).prove().await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retry), (code, Retry::Never));
    }
}

#[tokio::test]
async fn the_redirect_of_a_token_request_is_not_followed() {
    let other = Stub::start_whole(|_, _| answer(&access(TENANT, r#","roles":["x"]"#), &json!({}))).await;
    let to = other.at("/x/oauth2/v2.0/token");
    let stub = Stub::start_whole(move |_, _| Say::status(307).with("location", to.clone())).await;
    assert_eq!(by_id(&stub).prove().await.unwrap_err().status, 307);
    assert_eq!(by_id(&stub).metadata().await.unwrap_err().status, 307);
    assert!(other.tokens().is_empty() && other.seen().is_empty());
}

#[tokio::test]
async fn the_metadata_tells_tenant_and_cloud_without_a_proof() {
    let stub = Stub::start(|_, _| {
        Say::ok(json!({
            "issuer": format!("https://login.microsoftonline.us/{}/v2.0", TENANT.to_uppercase()),
            "token_endpoint": "https://login.microsoftonline.us/x/oauth2/v2.0/token",
            "tenant_region_scope": "USGov", "cloud_instance_name": "microsoftonline.us", "msgraph_host": "graph.microsoft.us"
        }).to_string())
    })
    .await;
    let found = EntraPlatform::new(&stub.options()).unwrap().metadata().await.unwrap();
    assert_eq!(found.tenant.as_deref(), Some(TENANT));
    assert_eq!((found.region.as_deref(), found.cloud.as_deref()), (Some("USGov"), Some("microsoftonline.us")));
    let asked = &stub.seen()[0];
    assert_eq!(asked.path, "/contoso.onmicrosoft.com/v2.0/.well-known/openid-configuration");
    assert_eq!((asked.method.as_str(), asked.header("authorization")), ("GET", None));
    let elsewhere = |graph: &str| found.is_of_another_cloud(&Url::parse(graph).unwrap());
    assert!(elsewhere("https://graph.microsoft.com"));
    assert!(!elsewhere("https://GRAPH.microsoft.us") && !elsewhere("http://127.0.0.1:9"));
}

#[tokio::test]
async fn an_unknown_tenant_and_one_of_another_cloud_are_told_apart() {
    for (number, kind) in [(90002, SignInErrorKind::WrongTenant), (90038, SignInErrorKind::WrongCloud)] {
        let stub = Stub::start(move |_, _| refused("invalid_tenant", number)).await;
        let error = EntraPlatform::new(&stub.options()).unwrap().metadata().await.unwrap_err();
        assert_eq!((kind_of(&error.code), error.status, error.retry), (kind, 400, Retry::Never));
        assert!(error.message.starts_with("The tenant could not be looked up: "), "{}", error.message);
    }
    let stub = Stub::start(|_, _| Say::Answer(400, vec![], r#"{"error":"invalid_tenant"}"#.to_owned())).await;
    let error = EntraPlatform::new(&stub.options()).unwrap().metadata().await.unwrap_err();
    assert_eq!(kind_of(&error.code), SignInErrorKind::WrongTenant);
    for body in ["", "<html>", "{}"] {
        let stub = Stub::start(move |_, _| Say::ok(body)).await;
        assert_eq!(EntraPlatform::new(&stub.options()).unwrap().metadata().await.unwrap_err().code, "bad_answer");
    }
}

#[tokio::test]
async fn the_clock_is_compared_with_the_login_services() {
    for (date, skew) in [
        ("Thu, 15 Jan 2026 12:00:00 GMT", 0),
        ("Thu, 15 Jan 2026 11:50:00 GMT", 600),
        ("Thu, 15 Jan 2026 12:00:07 GMT", -7),
    ] {
        // It says what time it is even to those it refuses.
        let stub = Stub::start(move |_, _| Say::status(400).with("date", date)).await;
        let found = EntraPlatform::new(&stub.options()).unwrap().clock_skew().await.unwrap();
        assert_eq!(found.as_secs(), skew, "{date}");
    }
    let silent = Stub::start(|_, _| Say::status(200)).await;
    assert_eq!(EntraPlatform::new(&silent.options()).unwrap().clock_skew().await.unwrap_err().code, "bad_answer");
}

#[test]
fn what_a_redirect_carries_is_explained() {
    let platform = at("https://login.microsoftonline.com", "https://graph.microsoft.com");
    let explained = platform.explain("consent_required", "AADSTS65004: User declined to consent. Trace ID: t");
    assert_eq!(explained.code, "AADSTS65004");
    assert_eq!(explained, explain("consent_required", "AADSTS65004").1);
    assert_eq!(platform.explain("access_denied", "").code, "access_denied");
}

#[tokio::test]
async fn a_certificates_assertion_proves_the_application_at_every_request() {
    let rest = json!({ "id_token": id_token(TENANT, "a nonce"), "refresh_token": "r" });
    let stub = Stub::start_whole(move |_, _| answer(&access(TENANT, r#","roles":["x"]"#), &rest)).await;
    let mut options = stub.options();
    options.credential = Arc::new(Secret("jwt:a.b.c"));
    let platform = EntraPlatform::new(&options).unwrap();
    platform.redeem(&authorization(), &SecretString::from("c")).await.unwrap();
    platform.prove().await.unwrap();
    for asked in stub.tokens() {
        assert!(asked.body.contains("client_assertion=a.b.c") && !asked.body.contains("client_secret"));
    }
}
