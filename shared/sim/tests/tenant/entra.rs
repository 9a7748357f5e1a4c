//! Trouble at sign-in by plan, and what the tenant remembers of secrets.

use std::time::Duration;

use hardmatch_sim::{
    AccessPolicy, CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID, Demand, Fault, FaultRule, Seed, Sim,
};
use serde_json::json;

use crate::desk::{Desk, Got};
use crate::door::{ADMIN, Back, VERIFIER, people};
use crate::signer::Signer;

const TOKEN: &str = "POST /{tenant}/oauth2/v2.0/token";

async fn app_token(desk: &Desk) -> Got {
    let form = [
        ("client_id", CONTOSO_CLIENT_ID),
        ("client_secret", CONTOSO_SECRET),
        ("scope", "https://graph.microsoft.com/.default"),
        ("grant_type", "client_credentials"),
    ];
    desk.token_request(CONTOSO_TENANT_ID, &form).await
}

#[tokio::test]
async fn every_code_can_be_planned_in_its_shape() {
    let cases: &[(&str, u16, &[u32])] = &[
        (
            "invalid_request",
            400,
            &[90002, 90038, 50059, 90019, 50128, 9001023, 90124, 90130, 50194, 50147, 50196, 900144, 9000411, 50011],
        ),
        ("unsupported_grant_type", 400, &[70003]),
        ("unauthorized_client", 400, &[700016, 700011, 7000112, 70001, 650052]),
        (
            "invalid_client",
            401,
            &[
                7000215, 7000222, 7000218, 700025, 700027, 700024, 700030, 50012, 50013, 50027, 50048, 70021, 700211,
                700212, 700213, 700229, 900382, 900432,
            ],
        ),
        ("invalid_client", 400, &[650056, 500112]),
        ("invalid_resource", 400, &[65005, 650057, 500011]),
        ("invalid_scope", 400, &[70011, 700022, 700023, 1002012]),
        ("consent_required", 400, &[65001]),
        ("access_denied", 400, &[65004, 90093, 90094, 90095]),
        (
            "invalid_grant",
            400,
            &[
                50034, 51004, 90072, 90020, 50107, 50057, 54005, 501481, 70008, 70000, 50173, 700082, 700084, 50089,
                70043, 50132, 50133,
            ],
        ),
        ("login_required", 400, &[50058]),
        ("interaction_required", 400, &[53003, 53000, 530032, 530034, 50074, 50076, 50079]),
        ("temporarily_unavailable", 429, &[90055]),
        ("temporarily_unavailable", 503, &[90024, 90006, 90033, 90090, 50033, 90012]),
    ];
    let desk = Desk::open(Seed::contoso()).await;
    for (error, status, codes) in cases {
        for code in *codes {
            desk.world().inject(FaultRule::once(TOKEN, Fault::Entra { code: *code }));
            let got = app_token(&desk).await;
            got.denied(*code);
            assert_eq!((got.status, got.body["error"].as_str()), (*status, Some(*error)), "{code}");
            let text = got.body["error_description"].as_str().unwrap();
            assert!(text.starts_with(&format!("AADSTS{code}: ")) && text.contains(" Trace ID: "), "{text}");
            assert_eq!(got.body["error_uri"], format!("https://login.microsoftonline.com/error?code={code}"));
            assert_eq!(got.body["timestamp"], "2026-01-15 12:00:00Z");
        }
    }
    app_token(&desk).await.ok(200);
    let unknown = json!({ "rules": [{ "route": TOKEN, "fault": { "kind": "entra", "code": 1 } }] });
    let mut seed = Seed::contoso();
    seed.faults = serde_json::from_value(unknown).unwrap();
    assert!(Sim::new(seed).start_local().await.unwrap_err().to_string().contains("AADSTS1 "));
}

#[tokio::test]
async fn faults_of_the_wire_reach_sign_in_when_it_is_named() {
    let desk = Desk::open(people()).await;
    let world = desk.world();
    let everything = FaultRule { route: None, ..FaultRule::new("", Fault::Throttled { retry_after: None }) };
    world.inject(everything);
    world.inject(FaultRule::new("POST *", Fault::Dropped));
    app_token(&desk).await.ok(200);
    world.clear_faults();
    world.inject(FaultRule::once(TOKEN, Fault::Throttled { retry_after: Some("7".into()) }));
    let got = app_token(&desk).await;
    assert_eq!((got.status, got.header("retry-after")), (429, Some("7")));
    world.inject(FaultRule::once(TOKEN, Fault::Truncated));
    assert!(app_token(&desk).await.body.is_string(), "JSON that ends in the middle");
    world.inject(FaultRule::once("GET /{tenant}/oauth2/v2.0/authorize", Fault::Entra { code: 90095 }));
    Back::of(&desk.authorize(&[], &[]).await).refused("access_denied", 90095);
    world.inject(FaultRule::once("* /{tenant}/v2.0/.well-known/*", Fault::Entra { code: 90033 }));
    let path = format!("/{CONTOSO_TENANT_ID}/v2.0/.well-known/openid-configuration");
    desk.visit(&path, &[], &[]).await.denied(90033);
    world.inject(FaultRule::once(TOKEN, Fault::DroppedAfter));
    let issued = world.counters().tokens_issued;
    let url = format!("{}/{CONTOSO_TENANT_ID}/oauth2/v2.0/token", desk.running.url());
    let form = [
        ("client_id", CONTOSO_CLIENT_ID),
        ("client_secret", CONTOSO_SECRET),
        ("scope", "https://graph.microsoft.com/.default"),
        ("grant_type", "client_credentials"),
    ];
    assert!(desk.http.post(url).form(&form).send().await.is_err());
    assert_eq!(world.counters().tokens_issued, issued + 1, "the answer was lost, not the work");
}

#[tokio::test]
async fn a_policy_can_block_an_app() {
    let desk = Desk::open(Seed::contoso()).await;
    let policy = AccessPolicy { principal: CONTOSO_CLIENT_ID.into(), demand: Demand::Block };
    desk.world().configure(|o| o.conditional_access.push(policy));
    app_token(&desk).await.denied(53003);
}

#[tokio::test]
async fn a_client_that_keeps_asking_is_stopped_for_a_while() {
    let desk = Desk::open(Seed::contoso().with(|o| o.client_loop_limit = 3)).await;
    app_token(&desk).await.ok(200);
    app_token(&desk).await.ok(200);
    app_token(&desk).await.denied(50196);
    desk.pass(Duration::from_secs(300));
    app_token(&desk).await.ok(200);
}

#[tokio::test]
async fn unknown_paths_parameters_and_headers_of_sign_in_are_not_answered() {
    let desk = Desk::open(people()).await;
    let url = desk.running.url();
    let token = format!("{url}/{CONTOSO_TENANT_ID}/oauth2/v2.0/token");
    let tries = [
        desk.http.get(&token),
        desk.http.post(format!("{url}/{CONTOSO_TENANT_ID}/oauth2/token")),
        desk.http.get(format!("{url}/{CONTOSO_TENANT_ID}/oauth2/v2.0/logout")),
        desk.http.post(format!("{url}/{CONTOSO_TENANT_ID}/oauth2/v2.0/devicecode")),
        desk.http.get(format!("{url}/{CONTOSO_TENANT_ID}/discovery/v2.0/keys?x=1")),
        desk.http.post(&token).header("x-surprise", "1").form(&[("a", "b")]),
    ];
    for (n, request) in tries.into_iter().enumerate() {
        assert_eq!(crate::desk::send(request).await.status, 501, "{n}");
    }
    assert_eq!(desk.world().take_violations().len(), 6);
    let form = [("grant_type", "client_credentials"), ("surprise", "1")];
    desk.token_request(CONTOSO_TENANT_ID, &form).await.denied(900144);
    assert_eq!(desk.world().take_violations(), ["the token parameter 'surprise'"]);
}

#[tokio::test]
async fn everything_secret_can_be_looked_for() {
    let desk = Desk::open(people()).await;
    let code = desk.code_for(ADMIN, &[]).await;
    let tokens = desk.redeem(&code, &[]).await.ok(200);
    let old = tokens["refresh_token"].as_str().unwrap().to_owned();
    let newer = desk.refresh(&old, &[]).await.ok(200);
    let claims = json!({ "iss": CONTOSO_CLIENT_ID, "sub": CONTOSO_CLIENT_ID, "jti": "1" });
    let assertion = Signer::ours().sign(&json!({ "alg": "PS256" }), &claims);
    let form = [
        ("client_id", CONTOSO_CLIENT_ID),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
        ("scope", "https://graph.microsoft.com/.default"),
        ("grant_type", "client_credentials"),
    ];
    desk.token_request(CONTOSO_TENANT_ID, &form).await.denied(700027);
    desk.refresh(&old, &[("client_secret", "mistyped-secret")]).await.denied(7000215);
    let secrets = desk.world().issued_secrets();
    let text = |v: &serde_json::Value, name: &str| v[name].as_str().unwrap().to_owned();
    let expected = [
        CONTOSO_SECRET.to_owned(),
        "mistyped-secret".to_owned(),
        VERIFIER.to_owned(),
        assertion.clone(),
        desk.token.clone(),
        code,
        old,
        text(&tokens, "access_token"),
        text(&tokens, "id_token"),
        text(&newer, "access_token"),
        text(&newer, "refresh_token"),
        text(&newer, "id_token"),
    ];
    for secret in &expected {
        assert!(secrets.contains(secret));
    }
    assert_eq!(secrets.len(), expected.len());
}
