//! How a client proves who it is.

use std::time::Duration;

use hardmatch_sim::{
    App, AppSecret, CONTOSO_CLIENT_ID, CONTOSO_TENANT_ID, KeyCredential, RegisteredCredential, Seed, Signature, Sim,
};
use serde_json::{Value, json};

use crate::desk::{Desk, Got};
use crate::signer::Signer;

const SCOPE: &str = "https://graph.microsoft.com/.default";
const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ISSUER: &str = "https://0123.tokens.sts.global.api.aws";
const SUBJECT: &str = "arn:aws:iam::111122223333:role/writer";
/// The clock of a desk, in seconds.
const NOW: i64 = 1_768_478_400;

async fn assert_with(desk: &Desk, assertion: &str) -> Got {
    let form = [
        ("client_id", CONTOSO_CLIENT_ID),
        ("client_assertion_type", BEARER),
        ("client_assertion", assertion),
        ("scope", SCOPE),
        ("grant_type", "client_credentials"),
    ];
    desk.token_request(CONTOSO_TENANT_ID, &form).await
}

fn header(alg: &str) -> Value {
    json!({ "alg": alg, "typ": "JWT", "x5t#S256": Signer::ours().sha256() })
}

fn own_claims(id: &str) -> Value {
    json!({
        "aud": format!("https://login.microsoftonline.com/{CONTOSO_TENANT_ID}/oauth2/v2.0/token"),
        "iss": CONTOSO_CLIENT_ID,
        "sub": CONTOSO_CLIENT_ID,
        "jti": id,
        "nbf": NOW,
        "iat": NOW,
        "exp": NOW + 300,
    })
}

fn with(mut value: Value, name: &str, new: Value) -> Value {
    if new.is_null() {
        value.as_object_mut().unwrap().remove(name);
    } else {
        value[name] = new;
    }
    value
}

fn certified(keys: &[String]) -> Seed {
    let mut seed = Seed::contoso();
    seed.apps[0].key_credentials =
        keys.iter().map(|key| KeyCredential { key: key.clone(), ..Default::default() }).collect();
    seed
}

#[tokio::test]
async fn a_registered_certificate_signs_for_a_token() {
    let ours = Signer::ours();
    // Two may overlap while one takes the other's place; both spellings are read.
    let desk = Desk::open(certified(&[Signer::theirs().pem.clone(), ours.base64()])).await;
    for (n, alg) in ["PS256", "RS256"].into_iter().enumerate() {
        let body = assert_with(&desk, &ours.sign(&header(alg), &own_claims(&format!("a{n}")))).await.ok(200);
        assert!(body.get("refresh_token").is_none());
        desk.world().take_violations();
    }
    let old = json!({ "alg": "RS256", "typ": "JWT", "x5t": ours.sha1() });
    assert_with(&desk, &ours.sign(&old, &own_claims("b"))).await.ok(200);
    let theirs = with(header("PS256"), "x5t#S256", json!(Signer::theirs().sha256()));
    assert_with(&desk, &Signer::theirs().sign(&theirs, &own_claims("c"))).await.ok(200);
    // The endpoint may be named by domain, or as it really is.
    let here = format!("{}/contoso.com/oauth2/v2.0/token", desk.running.url());
    assert_with(&desk, &ours.sign(&header("PS256"), &with(own_claims("d"), "aud", json!(here)))).await.ok(200);
}

#[tokio::test]
async fn each_flaw_of_an_assertion_has_its_code() {
    let ours = Signer::ours();
    let desk = Desk::open(certified(std::slice::from_ref(&ours.pem))).await;
    let ps = || header("PS256");
    let cases: Vec<(&str, Value, Value, u32)> = vec![
        ("thumbprint", with(ps(), "x5t#S256", json!(Signer::theirs().sha256())), own_claims("1"), 700027),
        ("no thumbprint", with(ps(), "x5t#S256", json!(null)), own_claims("2"), 700027),
        ("old thumbprint", json!({ "alg": "PS256", "typ": "JWT", "x5t": ours.sha1() }), own_claims("3"), 700027),
        ("over", ps(), with(own_claims("4"), "exp", json!(NOW - 301)), 700024),
        ("no end", ps(), with(own_claims("5"), "exp", json!(null)), 700024),
        ("to come", ps(), with(own_claims("6"), "nbf", json!(NOW + 301)), 700024),
        (
            "audience",
            ps(),
            with(own_claims("7"), "aud", json!("https://login.microsoftonline.com/x.example/oauth2/v2.0/token")),
            50013,
        ),
        ("subject", ps(), with(own_claims("8"), "sub", json!("somebody")), 50048),
        ("no id", ps(), with(own_claims("9"), "jti", json!(null)), 50027),
        ("algorithm", with(ps(), "alg", json!("HS256")), own_claims("10"), 50027),
        ("none", with(ps(), "alg", json!("none")), own_claims("11"), 50027),
        ("issuer", ps(), with(own_claims("12"), "iss", json!("somebody")), 50027),
        ("issuer", header("RS256"), with(own_claims("13"), "iss", json!("somebody")), 70021),
    ];
    for (what, header, claims, code) in cases {
        let got = assert_with(&desk, &ours.sign(&header, &claims)).await;
        got.denied(code);
        assert_eq!((got.status, &got.body["error"]), (401, &json!("invalid_client")), "{what}");
    }
    // Right header, another's key.
    assert_with(&desk, &Signer::theirs().sign(&ps(), &own_claims("20"))).await.denied(700027);
    // A signature of the other scheme.
    let signed = ours.sign(&header("RS256"), &own_claims("21"));
    let renamed = ours.sign(&ps(), &own_claims("21"));
    let mixed = format!("{}.{}", renamed.rsplit_once('.').unwrap().0, signed.rsplit_once('.').unwrap().1);
    assert_with(&desk, &mixed).await.denied(700027);
    for garbage in ["x", "a.b.c", "e30.e30", "W10.W10.AA"] {
        assert_with(&desk, garbage).await.denied(50027);
    }
    let good = ours.sign(&ps(), &own_claims("22"));
    let form = [
        ("client_id", CONTOSO_CLIENT_ID),
        ("client_assertion", &good),
        ("scope", SCOPE),
        ("grant_type", "client_credentials"),
    ];
    desk.token_request(CONTOSO_TENANT_ID, &form).await.denied(900144);
    let mut both = form.to_vec();
    both.extend([("client_secret", hardmatch_sim::CONTOSO_SECRET), ("client_assertion_type", BEARER)]);
    desk.token_request(CONTOSO_TENANT_ID, &both).await.denied(7000218);
    let mut twice = form.to_vec();
    twice.push(("scope", SCOPE));
    desk.token_request(CONTOSO_TENANT_ID, &twice).await.denied(9000411);
}

#[tokio::test]
async fn an_assertion_is_for_one_use() {
    let ours = Signer::ours();
    let desk = Desk::open(certified(std::slice::from_ref(&ours.pem))).await;
    let assertion = ours.sign(&header("PS256"), &own_claims("once"));
    assert_with(&desk, &assertion).await.ok(200);
    assert_with(&desk, &assertion).await.denied(50013);
    desk.world().configure(|o| o.assertion_replay = hardmatch_sim::Reaction::Accept);
    assert_with(&desk, &assertion).await.ok(200);
    // Time runs out by the tenant's clock, a little later than it says.
    desk.pass(Duration::from_secs(599));
    assert_with(&desk, &assertion).await.ok(200);
    desk.pass(Duration::from_secs(1));
    assert_with(&desk, &assertion).await.denied(700024);
}

#[tokio::test]
async fn a_certificate_ends() {
    let ours = Signer::ours();
    let desk = Desk::open(certified(std::slice::from_ref(&ours.pem))).await;
    let at = |time: &str, id: &str| {
        desk.clock.set(time.parse().unwrap());
        let now = desk.clock.now().as_second();
        ours.sign(&header("PS256"), &with(with(own_claims(id), "nbf", json!(now)), "exp", json!(now + 300)))
    };
    let last = at("2026-12-31T23:59:59Z", "1");
    assert_with(&desk, &last).await.ok(200);
    let over = at("2027-01-01T00:00:00Z", "2");
    let got = assert_with(&desk, &over).await;
    assert!(got.denied(700027).body["error_description"].as_str().unwrap().contains("expired"));
    let early = at("2024-12-31T23:59:59Z", "3");
    assert_with(&desk, &early).await.denied(700027);
}

fn trusting(change: impl FnOnce(&mut RegisteredCredential)) -> Seed {
    let mut seed = Seed::contoso();
    let mut record = RegisteredCredential {
        name: "writer".into(),
        issuer: ISSUER.into(),
        subject: SUBJECT.into(),
        audiences: vec!["api://AzureADTokenExchange".into()],
        jwks: Some(Signer::ours().jwks("k1")),
        signature: Signature::Verified,
        created: None,
    };
    change(&mut record);
    seed.apps[0].federated_identity_credentials = vec![record];
    seed
}

fn foreign() -> Value {
    json!({
        "aud": "api://AzureADTokenExchange", "iss": ISSUER, "sub": SUBJECT, "jti": "j",
        "iat": NOW, "exp": NOW + 300,
    })
}

fn kid(kid: &str) -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": kid })
}

#[tokio::test]
async fn a_token_of_a_trusted_issuer_is_a_proof() {
    let ours = Signer::ours();
    let desk = Desk::open(trusting(|_| {})).await;
    let good = ours.sign(&kid("k1"), &foreign());
    assert_with(&desk, &good).await.ok(200);
    // The same token serves until it ends.
    assert_with(&desk, &good).await.ok(200);
    let listed = with(foreign(), "aud", json!(["api://AzureADTokenExchange"]));
    assert_with(&desk, &ours.sign(&kid("k1"), &listed)).await.ok(200);
    let own = with(foreign(), "iss", json!(format!("https://sts.windows.net/{CONTOSO_TENANT_ID}/")));
    let cases = [
        (kid("k1"), with(foreign(), "iss", json!("https://0123.TOKENS.sts.global.api.aws")), 700211),
        (kid("k1"), with(foreign(), "sub", json!("arn:aws:iam::111122223333:role/Writer")), 700213),
        (kid("k1"), with(foreign(), "aud", json!("sts.amazonaws.com")), 700212),
        (kid("k1"), with(foreign(), "exp", json!(NOW - 301)), 700024),
        (kid("k2"), foreign(), 50013),
        (with(kid("k1"), "alg", json!("PS256")), foreign(), 50027),
        (with(kid("k1"), "alg", json!("ES384")), foreign(), 50027),
        (kid("k1"), own, 700229),
    ];
    for (header, claims, code) in cases {
        let got = assert_with(&desk, &ours.sign(&header, &claims)).await;
        assert_eq!(got.denied(code).body["error"], "invalid_client");
    }
    assert_with(&desk, &Signer::theirs().sign(&kid("k1"), &foreign())).await.denied(50013);
    let none = Desk::open(Seed::contoso()).await;
    assert_with(&none, &good).await.denied(70021);
}

#[tokio::test]
async fn a_stand_in_for_a_token_service_needs_no_key() {
    let desk = Desk::open(trusting(|r| (r.signature, r.jwks) = (Signature::Unverified, None))).await;
    assert_with(&desk, &Signer::theirs().sign(&kid("any"), &foreign())).await.ok(200);
    let other = with(foreign(), "sub", json!("another"));
    assert_with(&desk, &Signer::theirs().sign(&kid("any"), &other)).await.denied(700213);
}

#[tokio::test]
async fn a_new_trust_is_not_known_everywhere_at_once() {
    let desk = Desk::open(trusting(|r| r.created = Some("2026-01-15T12:00:00Z".parse().unwrap()))).await;
    let ours = Signer::ours();
    let mut seen = Vec::new();
    for _ in 0..30 {
        let got = assert_with(&desk, &ours.sign(&kid("k1"), &foreign())).await;
        seen.push(got.status);
        if got.status != 200 {
            got.denied(70021);
        }
    }
    assert!(seen.contains(&200) && seen.contains(&401), "{seen:?}");
    desk.pass(Duration::from_secs(300));
    for _ in 0..20 {
        assert_with(&desk, &ours.sign(&kid("k1"), &foreign())).await.ok(200);
    }
}

#[tokio::test]
async fn secrets_end_by_the_clock() {
    let mut seed = Seed::contoso();
    seed.apps[0].secret = None;
    seed.apps[0].secrets = vec![
        AppSecret { value: "old".into(), expires: Some("2026-01-15T12:00:01Z".parse().unwrap()) },
        AppSecret { value: "new".into(), expires: None },
    ];
    // A desk signs in with the usual secret.
    seed.apps.push(App::new("00000001-0000-4000-8000-00000000c11f", "x", &[]));
    seed.apps[0].secrets.push(AppSecret { value: hardmatch_sim::CONTOSO_SECRET.into(), expires: None });
    let desk = Desk::open(seed).await;
    let ask = async |secret: &str| {
        let form = [
            ("client_id", CONTOSO_CLIENT_ID),
            ("client_secret", secret),
            ("scope", SCOPE),
            ("grant_type", "client_credentials"),
        ];
        desk.token_request(CONTOSO_TENANT_ID, &form).await
    };
    ask("old").await.ok(200);
    ask("new").await.ok(200);
    ask("other").await.denied(7000215);
    desk.pass(Duration::from_secs(1));
    ask("old").await.denied(7000222);
    ask("new").await.ok(200);
}

#[tokio::test]
async fn a_public_client_shows_no_credential() {
    let mut seed = Seed::contoso();
    let public = "00000001-0000-4000-8000-00000000c11f";
    seed.apps.push(App { public_client: true, ..App::new(public, "x", &[]) });
    let desk = Desk::open(seed).await;
    let mut form = vec![("client_id", public), ("scope", SCOPE), ("grant_type", "client_credentials")];
    desk.token_request(CONTOSO_TENANT_ID, &form).await.denied(7000218);
    form.push(("client_secret", "x"));
    desk.token_request(CONTOSO_TENANT_ID, &form).await.denied(700025);
}

#[tokio::test]
async fn a_registration_that_cannot_be_read_does_not_start() {
    let mut unreadable = certified(&["not a certificate".to_owned()]);
    let keyless = trusting(|r| r.jwks = None);
    let wide = trusting(|r| r.audiences.push("another".into()));
    unreadable.apps[0].display_name.clear();
    for (seed, says) in [(unreadable, "X.509"), (keyless, "jwks"), (wide, "exactly one audience")] {
        let error = Sim::new(seed).start_local().await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
