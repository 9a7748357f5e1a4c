//! The token endpoint.

use std::time::Duration;

use base64::Engine;
use hardmatch_sim::{CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID, FULL_LIFECYCLE, Seed};
use serde_json::{Value, json};

use crate::desk::{Desk, send};

const SCOPE: &str = "https://graph.microsoft.com/.default";

fn form<'a>(id: &'a str, secret: &'a str, scope: &'a str, grant: &'a str) -> Vec<(&'static str, &'a str)> {
    let all = [("client_id", id), ("client_secret", secret), ("scope", scope), ("grant_type", grant)];
    all.into_iter().filter(|(_, v)| !v.is_empty()).collect()
}

#[tokio::test]
async fn refusals_carry_their_codes() {
    let desk = Desk::open(Seed::contoso().with(|o| o.other_cloud_tenants = vec!["contoso.cn".into()])).await;
    let (id, secret, cc) = (CONTOSO_CLIENT_ID, CONTOSO_SECRET, "client_credentials");
    let tenant = CONTOSO_TENANT_ID;
    let cases = [
        (tenant, form(id, "wrong", SCOPE, cc), 401, "invalid_client", 7000215),
        (tenant, form(id, "", SCOPE, cc), 401, "invalid_client", 7000218),
        (tenant, form("00000009-0000-4000-8000-000000000000", secret, SCOPE, cc), 400, "unauthorized_client", 700016),
        ("nobody.example", form(id, secret, SCOPE, cc), 400, "invalid_request", 90002),
        ("unverified.contoso.com", form(id, secret, SCOPE, cc), 400, "invalid_request", 90002),
        ("common", form(id, secret, SCOPE, cc), 400, "invalid_request", 9001023),
        (tenant, form(id, secret, "User.Read.All", cc), 400, "invalid_scope", 1002012),
        (
            tenant,
            form(id, secret, "https://graph.microsoft.com/.default https://other/.default", cc),
            400,
            "invalid_scope",
            700022,
        ),
        (tenant, form(id, secret, "https://other.example/.default", cc), 400, "invalid_resource", 500011),
        (
            tenant,
            form(id, secret, "https://graph.microsoft.com/.default https://graph.microsoft.com/User.Read.All", cc),
            400,
            "invalid_scope",
            70011,
        ),
        (tenant, form(id, secret, "User.Read.All!", cc), 400, "invalid_scope", 70011),
        (tenant, form(id, secret, "openid", cc), 400, "invalid_scope", 700023),
        ("organizations", form(id, secret, SCOPE, cc), 400, "invalid_request", 50059),
        ("consumers", form(id, secret, SCOPE, cc), 400, "invalid_request", 9001023),
        ("nowhere", form(id, secret, SCOPE, cc), 400, "invalid_request", 50128),
        ("contoso.cn", form(id, secret, SCOPE, cc), 400, "invalid_request", 90038),
        (tenant, form(id, secret, "", cc), 400, "invalid_request", 900144),
        (tenant, form(id, secret, SCOPE, "password"), 400, "unsupported_grant_type", 70003),
        (tenant, form(id, secret, SCOPE, ""), 400, "invalid_request", 900144),
    ];
    for (tenant, form, status, error, code) in cases {
        let got = desk.token_request(tenant, &form).await;
        assert_eq!(got.status, status, "{}", got.body);
        assert_eq!(got.body["error"], error);
        assert_eq!(got.body["error_codes"], json!([code]));
        let text = got.body["error_description"].as_str().unwrap();
        assert!(text.starts_with(&format!("AADSTS{code}: ")), "{text}");
        for part in ["Trace ID: ", "Correlation ID: ", "Timestamp: 2026-01-15 12:00:00Z"] {
            assert!(text.contains(part), "{text}");
        }
        for name in ["timestamp", "trace_id", "correlation_id"] {
            assert!(got.body[name].is_string());
        }
    }
    assert_eq!(desk.world().counters().tokens_refused, 19);
}

#[tokio::test]
async fn an_expired_secret_and_a_disabled_app_are_told_apart() {
    let desk = Desk::open(Seed::contoso()).await;
    let form = form(CONTOSO_CLIENT_ID, CONTOSO_SECRET, SCOPE, "client_credentials");
    desk.world().change_app(CONTOSO_CLIENT_ID, |a| a.secret_expired = true).unwrap();
    assert_eq!(desk.token_request(CONTOSO_TENANT_ID, &form).await.body["error_codes"], json!([7000222]));
    desk.world().change_app(CONTOSO_CLIENT_ID, |a| a.disabled = true).unwrap();
    assert_eq!(desk.token_request(CONTOSO_TENANT_ID, &form).await.body["error_codes"], json!([7000112]));
}

#[tokio::test]
async fn a_verified_domain_names_the_tenant_and_the_token_says_who_we_are() {
    let desk = Desk::open(Seed::contoso()).await;
    let form = form(CONTOSO_CLIENT_ID, CONTOSO_SECRET, SCOPE, "client_credentials");
    let body = desk.token_request("contoso.onmicrosoft.com", &form).await.ok(200);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 3599);
    let token = body["access_token"].as_str().unwrap();
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["aud"], "https://graph.microsoft.com");
    assert_eq!(claims["tid"], CONTOSO_TENANT_ID);
    assert_eq!(claims["appid"], CONTOSO_CLIENT_ID);
    assert_eq!(claims["oid"], desk.world().principal_of(CONTOSO_CLIENT_ID).to_string());
    assert_eq!(claims["roles"], json!(FULL_LIFECYCLE));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3599);
}

#[tokio::test]
async fn basic_authentication_is_accepted() {
    let desk = Desk::open(Seed::contoso()).await;
    let url = format!("{}/{CONTOSO_TENANT_ID}/oauth2/v2.0/token", desk.running.url());
    let form = [("scope", SCOPE), ("grant_type", "client_credentials")];
    let request = desk.http.post(url).basic_auth(CONTOSO_CLIENT_ID, Some(CONTOSO_SECRET)).form(&form);
    send(request).await.ok(200);
}

#[tokio::test]
async fn without_consent_there_is_a_token_without_roles_and_graph_refuses() {
    let mut seed = Seed::contoso();
    seed.apps[0].roles.clear();
    let desk = Desk::open(seed).await;
    desk.get("/users").await.refused(403, "Authorization_RequestDenied", "Insufficient privileges");
}

#[tokio::test]
async fn graph_refuses_missing_expired_and_foreign_tokens() {
    let mut desk = Desk::open(Seed::contoso()).await;
    desk.pass(Duration::from_secs(3600));
    let got = desk.get("/users").await;
    got.refused(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.");
    assert!(got.header("www-authenticate").unwrap().starts_with("Bearer"));
    desk.sign_in().await;
    desk.get("/users").await.ok(200);
    desk.token.push('x');
    desk.get("/users").await.refused(401, "InvalidAuthenticationToken", "signature");
    let bare = desk.http.get(format!("{}/v1.0/users", desk.running.url()));
    send(bare).await.refused(401, "InvalidAuthenticationToken", "empty");
}
