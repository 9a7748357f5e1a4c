//! Signing in with a browser, and what the code is worth.

use std::time::Duration;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hardmatch_sim::{AccessPolicy, App, CONTOSO_CLIENT_ID, CONTOSO_TENANT_ID, Demand, LoginHint};
use serde_json::{Value, json};

use crate::desk::{Desk, rows};
use crate::door::{ADMIN, Back, CALLBACK, HELPER, PLAIN, SCOPES, VERIFIER, claims, people};

/// Another app.
const OTHER: &str = "00000001-0000-4000-8000-00000000c11f";

type Pairs = &'static [(&'static str, &'static str)];

/// Whether a key of this set signed the token.
pub(crate) fn verified(token: &Value, jwks: &Value) -> bool {
    let (signed, signature) = token.as_str().unwrap().rsplit_once('.').unwrap();
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split('.').next().unwrap()).unwrap()).unwrap();
    assert_eq!(header["alg"], "RS256");
    let number = |v: &Value| URL_SAFE_NO_PAD.decode(v.as_str().unwrap()).unwrap();
    jwks["keys"].as_array().unwrap().iter().filter(|k| k["kid"] == header["kid"]).any(|k| {
        RsaPublicKeyComponents { n: number(&k["n"]), e: number(&k["e"]) }
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &number(&json!(signature)))
            .is_ok()
    })
}

#[tokio::test]
async fn an_administrator_signs_in_and_graph_believes_it() {
    let mut desk = Desk::open(people()).await;
    let got = desk.authorize(&[], &[]).await;
    let page = got.page(200, "Sign in");
    // Administrators are offered, escaped; others type their name.
    assert!(page.contains("value=\"admin@contoso.com\"") && page.contains("Ada &lt;A&gt;") && page.contains(HELPER));
    assert!(!page.contains(PLAIN) && page.contains("<label for=\"account\">") && page.contains("lang=\"en\""));
    assert!(got.header("content-security-policy").unwrap().contains("default-src 'none'"));

    let back = Back::of(&desk.authorize(&[], &[("account", ADMIN)]).await);
    assert_eq!(back.to, CALLBACK);
    assert_eq!(back.says["state"], "s t/1");
    let tokens = desk.redeem(back.code(), &[]).await.ok(200);
    assert_eq!(tokens["scope"], "User.ReadWrite.All openid profile");
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3599)));
    assert!(tokens["refresh_token"].is_string());

    let id = claims(&tokens["id_token"]);
    assert_eq!(id["nonce"], "n1");
    assert_eq!(id["tid"], CONTOSO_TENANT_ID);
    assert_eq!(id["aud"], CONTOSO_CLIENT_ID);
    assert_eq!(id["iss"], format!("{}/{CONTOSO_TENANT_ID}/v2.0", desk.running.url()));
    assert_eq!(id["oid"], desk.id(ADMIN));
    assert_eq!(id["preferred_username"], ADMIN);
    let jwks = desk.visit(&format!("/{CONTOSO_TENANT_ID}/discovery/v2.0/keys"), &[], &[]).await.ok(200);
    assert!(verified(&tokens["id_token"], &jwks));
    let mut changed = tokens["id_token"].as_str().unwrap().to_owned();
    changed.replace_range(40..41, if &changed[40..41] == "A" { "B" } else { "A" });
    assert!(!std::panic::catch_unwind(|| verified(&json!(changed), &jwks)).unwrap_or(false));

    let access = claims(&tokens["access_token"]);
    assert_eq!((&access["scp"], &access["idtyp"]), (&json!("User.ReadWrite.All"), &json!("user")));
    assert!(access.get("roles").is_none());
    desk.token = tokens["access_token"].as_str().unwrap().to_owned();
    assert_eq!(rows(&desk.get("/users").await.ok(200)).len(), 3);
    desk.patch(&format!("/users/{PLAIN}"), json!({ "jobTitle": "x" })).await.ok(204);
    // Not among the scopes.
    desk.get("/domains").await.refused(403, "Authorization_RequestDenied", "");
    assert!(desk.world().violations().is_empty());
}

#[tokio::test]
async fn an_app_can_do_no_more_than_the_person_behind_it() {
    let mut desk = Desk::open(people()).await;
    desk.token = desk.tokens_for(PLAIN).await["access_token"].as_str().unwrap().to_owned();
    desk.get("/users").await.ok(200);
    desk.patch(&format!("/users/{HELPER}"), json!({ "jobTitle": "x" })).await.refused(
        403,
        "Authorization_RequestDenied",
        "",
    );
    // A user administrator does not reach a global one.
    desk.token = desk.tokens_for(HELPER).await["access_token"].as_str().unwrap().to_owned();
    desk.patch(&format!("/users/{PLAIN}"), json!({ "accountEnabled": false })).await.ok(204);
    desk.patch(&format!("/users/{ADMIN}"), json!({ "accountEnabled": false })).await.refused(
        403,
        "Authorization_RequestDenied",
        "",
    );
    desk.token = desk.tokens_for(ADMIN).await["access_token"].as_str().unwrap().to_owned();
    desk.patch(&format!("/users/{HELPER}"), json!({ "accountEnabled": false })).await.ok(204);
}

#[tokio::test]
async fn what_a_code_must_be_redeemed_with() {
    let mut seed = people();
    seed.apps.push(App { redirect_uris: vec![CALLBACK.into()], ..App::new(OTHER, "x", &[]) });
    let desk = Desk::open(seed).await;
    let code = desk.code_for(ADMIN, &[]).await;
    let cases: &[(Pairs, u32)] = &[
        (&[("code_verifier", "wrong-wrong-wrong-wrong-wrong-wrong-wrong-w")], 501481),
        (&[("code_verifier", "")], 900144),
        (&[("redirect_uri", "http://localhost/callback")], 500112),
        (&[("redirect_uri", "")], 900144),
        (&[("code", "1.unknown")], 70000),
        (&[("client_id", OTHER), ("client_secret", "x")], 70000),
        (&[("client_secret", "")], 7000218),
        (&[("client_secret", "wrong")], 7000215),
        (&[("scope", "Directory.Read.All")], 65001),
    ];
    for (changes, code_) in cases {
        desk.redeem(&code, changes).await.denied(*code_);
    }
    desk.redeem(&code, &[]).await.ok(200);
    let again = desk.redeem(&code, &[]).await;
    assert_eq!((again.status, &again.denied(54005).body["error"]), (400, &json!("invalid_grant")));
    let late = desk.code_for(ADMIN, &[]).await;
    desk.pass(Duration::from_secs(600));
    desk.redeem(&late, &[]).await.denied(70008);
    // Without a challenge no verifier belongs to it.
    let bare = desk.code_for(ADMIN, &[("code_challenge", ""), ("code_challenge_method", "")]).await;
    desk.redeem(&bare, &[]).await.denied(501481);
    desk.redeem(&bare, &[("code_verifier", "")]).await.ok(200);
    let plain = desk.code_for(ADMIN, &[("code_challenge", VERIFIER), ("code_challenge_method", "plain")]).await;
    desk.redeem(&plain, &[]).await.ok(200);
    // A disabled person's code is worth nothing.
    let code = desk.code_for(HELPER, &[]).await;
    desk.world().set_user(HELPER, json!({ "accountEnabled": false })).unwrap();
    desk.redeem(&code, &[]).await.denied(50057);
}

#[tokio::test]
async fn nothing_is_sent_where_nobody_registered() {
    let desk = Desk::open(people()).await;
    let pages: &[(Pairs, u32)] = &[
        (&[("redirect_uri", "https://app.example/callback/")], 50011),
        (&[("redirect_uri", "https://APP.example/callback")], 50011),
        (&[("redirect_uri", "https://app.example:8443/callback")], 50011),
        (&[("redirect_uri", "http://localhost/other")], 50011),
        (&[("redirect_uri", "http://127.0.0.1/callback")], 50011),
        (&[("redirect_uri", "")], 900144),
        (&[("client_id", "00000009-0000-4000-8000-000000000000")], 700016),
        (&[("client_id", "")], 900144),
    ];
    for (changes, code) in pages {
        desk.authorize(changes, &[]).await.page(400, &format!("AADSTS{code}: "));
    }
    let query = crate::door::request(&[]);
    for (tenant, code) in [("nobody.example", 90002), ("common", 50194), ("organizations", 50194), ("consumers", 90130)]
    {
        let got = desk.visit(&format!("/{tenant}/oauth2/v2.0/authorize"), &query, &[]).await;
        got.page(400, &format!("AADSTS{code}: "));
    }
    desk.world().change_app(CONTOSO_CLIENT_ID, |a| a.multi_tenant = true).unwrap();
    desk.visit("/common/oauth2/v2.0/authorize", &query, &[]).await.page(200, "Sign in");
    // Only the port of a loopback address is free.
    let back =
        Back::of(&desk.authorize(&[("redirect_uri", "http://localhost:49152/callback")], &[("account", ADMIN)]).await);
    assert_eq!(back.to, "http://localhost:49152/callback");
    desk.redeem(back.code(), &[("redirect_uri", "http://localhost:49152/callback")]).await.ok(200);
}

#[tokio::test]
async fn what_goes_wrong_at_the_page_goes_back_with_the_state() {
    let desk = Desk::open(people()).await;
    let cases: &[(Pairs, Pairs, &str, u32)] = &[
        (&[], &[("choice", "decline")], "access_denied", 65004),
        (&[("prompt", "none")], &[], "login_required", 50058),
        (&[("code_challenge", "short")], &[], "invalid_request", 50147),
        (&[("code_challenge_method", "S512")], &[], "invalid_request", 50147),
        (&[("scope", "User.Read.All https://other.example/x")], &[], "invalid_scope", 700022),
        (&[("scope", "https://other.example/x")], &[], "invalid_resource", 500011),
        (&[("scope", ".default User.Read.All")], &[], "invalid_scope", 70011),
        (&[("scope", "")], &[], "invalid_request", 900144),
        (&[("response_type", "")], &[], "invalid_request", 900144),
        (&[("prompt", "consent")], &[("account", PLAIN)], "access_denied", 90094),
    ];
    for (changes, answer, error, code) in cases {
        Back::of(&desk.authorize(changes, answer).await).refused(error, *code);
    }
    // What is wrong with the person is told to the person.
    desk.authorize(&[], &[("account", "nobody@contoso.com")]).await.page(400, "AADSTS50034: ");
    desk.world().set_user(HELPER, json!({ "accountEnabled": false })).unwrap();
    desk.authorize(&[], &[("account", HELPER)]).await.page(400, "AADSTS50057: ");
    desk.world().configure(|o| {
        o.conditional_access = vec![AccessPolicy { principal: ADMIN.into(), demand: Demand::Block }];
    });
    desk.authorize(&[], &[("account", ADMIN)]).await.page(400, "AADSTS53003: ");
    assert!(desk.world().violations().is_empty());
    // What is not modelled is not answered.
    for changes in [[("claims", "{}")], [("response_mode", "web_message")], [("response_type", "token")]] {
        assert_eq!(desk.authorize(&changes, &[]).await.status, 501);
    }
    assert_eq!(desk.world().take_violations().len(), 3);
}

#[tokio::test]
async fn answers_travel_as_asked() {
    let desk = Desk::open(people()).await;
    let got = desk.authorize(&[("response_mode", "fragment")], &[("account", ADMIN)]).await;
    assert!(got.header("location").unwrap().starts_with("https://app.example/callback#code="));
    let got = desk.authorize(&[("response_mode", "form_post")], &[("account", ADMIN)]).await;
    let page = got.page(200, "action=\"https://app.example/callback\"");
    let code = page.split("name=\"code\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    desk.redeem(code, &[]).await.ok(200);
    assert!(page.contains("name=\"state\" value=\"s t/1\""));
}

#[tokio::test]
async fn a_login_hint_can_sign_in_at_once() {
    let desk = Desk::open(people()).await;
    desk.authorize(&[("login_hint", ADMIN)], &[]).await.page(200, "value=\"admin@contoso.com\"> ");
    desk.world().configure(|o| o.login_hint = LoginHint::Auto);
    let back = Back::of(&desk.authorize(&[("login_hint", ADMIN)], &[]).await);
    let tokens = desk.redeem(back.code(), &[]).await.ok(200);
    assert_eq!(claims(&tokens["id_token"])["oid"], desk.id(ADMIN));
    desk.authorize(&[], &[]).await.page(200, "Sign in");
}

#[tokio::test]
async fn openid_scopes_decide_which_tokens_come() {
    let desk = Desk::open(people()).await;
    let code = desk.code_for(ADMIN, &[("scope", "https://graph.microsoft.com/.default"), ("nonce", "")]).await;
    let tokens = desk.redeem(&code, &[]).await.ok(200);
    assert_eq!(tokens["scope"], "User.ReadWrite.All Domain.Read.All");
    assert!(tokens.get("id_token").is_none() && tokens.get("refresh_token").is_none());
    let code = desk.code_for(ADMIN, &[("scope", "openid User.ReadWrite.All"), ("nonce", "")]).await;
    let tokens = desk.redeem(&code, &[("scope", SCOPES)]).await.ok(200);
    let id = claims(&tokens["id_token"]);
    assert!(id.get("nonce").is_none() && id.get("name").is_none());
    assert!(tokens.get("refresh_token").is_none(), "the sign-in did not ask for one");
}
