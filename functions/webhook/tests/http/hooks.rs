use hardmatch_store::api_tokens::TokenScope;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Answer, Lab, ada};

const HOOKS: &str = "/connections/lab/hooks";

pub(crate) fn sign(token: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(format!("v0:{timestamp}:{body}").as_bytes());
    let bytes: [u8; 32] = mac.finalize().into_bytes().into();
    format!("v0={}", hardmatch_store::hashes::hex(&bytes))
}

async fn hook(lab: &Lab, path: &str, token: &str, at: i64, signed: &str, sent: &str) -> Answer {
    let (timestamp, signature) = (at.to_string(), sign(token, at, signed));
    let headers = [("x-hardmatch-timestamp", timestamp.as_str()), ("x-hardmatch-signature", signature.as_str())];
    lab.send("POST", path, &headers, sent.to_owned()).await
}

pub(crate) fn now(lab: &Lab) -> i64 {
    use hardmatch_ports::Clock as _;
    lab.clock.now_seconds()
}

#[tokio::test]
async fn a_signed_hook_asks_for_a_person_or_pushes_one() {
    let lab = Lab::new().await;
    let body = json!({ "key": "E7" }).to_string();
    let told = hook(&lab, HOOKS, &lab.token, now(&lab), &body, &body).await.is(200).json();
    assert_eq!((&told["asked"], &told["ignored"]), (&json!(1), &json!(0)));
    assert_eq!(lab.wanted().await, ["E7"]);
    let body = json!({ "person": ada() }).to_string();
    hook(&lab, HOOKS, &lab.token, now(&lab), &body, &body).await.is(200);
    assert_eq!(lab.users("GET", "", None).await.json()["totalResults"], 1);
    let body = json!({ "person": { "externalId": "E1", "active": false } }).to_string();
    hook(&lab, HOOKS, &lab.token, now(&lab), &body, &body).await.is(200);
    let told = lab.users("GET", "", None).await.json();
    assert_eq!((&told["totalResults"], &told["Resources"][0]["active"]), (&json!(1), &json!(false)));
}

#[tokio::test]
async fn old_replayed_tampered_and_foreign_hooks_are_refused() {
    let lab = Lab::new().await;
    let body = json!({ "key": "E7" }).to_string();
    let at = now(&lab);
    hook(&lab, HOOKS, &lab.token, at - 299, &body, &body).await.is(200);
    hook(&lab, HOOKS, &lab.token, at - 299, &body, &body).await.is(409);
    lab.satisfy().await;
    hook(&lab, HOOKS, &lab.token, at - 301, &body, &body).await.is(401);
    hook(&lab, HOOKS, &lab.token, at + 301, &body, &body).await.is(401);
    hook(&lab, HOOKS, &lab.token, at, &body, r#"{"key":"E8"}"#).await.is(401);
    hook(&lab, HOOKS, &lab.files, at, &body, &body).await.is(401);
    hook(&lab, "/connections/nobody/hooks", &lab.token, at, &body, &body).await.is(401);
    let scim = lab.make_token("lab", &[TokenScope::Scim]).await;
    hook(&lab, HOOKS, &scim, at, &body, &body).await.is(401);
    for (timestamp, signature) in [("", "v0=00"), ("soon", "v0=zz"), ("1", ""), ("1", "v1=00")] {
        let headers = [("x-hardmatch-timestamp", timestamp), ("x-hardmatch-signature", signature)];
        lab.send("POST", HOOKS, &headers, body.clone()).await.is(401);
    }
    assert!(lab.wanted().await.is_empty());
}

#[tokio::test]
async fn two_keys_sign_while_they_are_rotated() {
    let lab = Lab::new().await;
    let (old, new) =
        (lab.make_token("lab", &[TokenScope::Hook]).await, lab.make_token("lab", &[TokenScope::Hook]).await);
    for token in [&old, &new] {
        let body = json!({ "key": "E7" }).to_string();
        hook(&lab, HOOKS, token, now(&lab), &body, &body).await.is(200);
    }
}

#[tokio::test]
async fn oktas_event_hooks_are_verified_deduplicated_and_read_for_keys() {
    let lab = Lab::new().await;
    let headers = [("authorization", lab.token.as_str()), ("x-okta-verification-challenge", "chal-1")];
    let told = lab.send("GET", HOOKS, &headers, "").await.is(200).json();
    assert_eq!(told, json!({ "verification": "chal-1" }));
    let challenge = [("x-okta-verification-challenge", "chal-1")];
    lab.send("GET", HOOKS, &challenge, "").await.is(401);
    let event = |uuid: &str, kind: &str, user: &str| {
        json!({ "uuid": uuid, "eventType": kind, "outcome": { "result": "SUCCESS" },
                "target": [{ "id": "app", "type": "AppInstance" }, { "id": user, "type": "User" }] })
    };
    let body = |events: Value| json!({ "eventType": "com.okta.event_hook", "data": { "events": events } });
    let send = async |body: Value| {
        lab.send("POST", HOOKS, &[("authorization", lab.token.as_str())], body.to_string()).await.is(200).json()
    };
    let events = json!([
        event("1", "user.lifecycle.deactivate", "00u1"),
        event("2", "user.account.update_profile", "00u2"),
        event("3", "user.session.start", "00u3"),
    ]);
    let told = send(body(events.clone())).await;
    assert_eq!((&told["asked"], &told["ignored"]), (&json!(2), &json!(1)));
    assert_eq!(lab.wanted().await, ["00u1", "00u2"]);
    lab.satisfy().await;
    assert_eq!(send(body(events)).await["repeated"], 3);
    assert!(lab.wanted().await.is_empty());
    assert_eq!(send(json!({ "something": "else" })).await["ignored"], 1);
    assert_eq!(send(json!([{ "uuid": "9", "event_type_id": 13, "user_id": 77 }])).await["asked"], 1);
    assert_eq!(lab.wanted().await, ["77"]);
}

#[tokio::test]
async fn where_people_are_read_a_hook_carries_a_key_alone() {
    let lab = Lab::new().await;
    let body = json!({ "person": { "externalId": "E7", "userName": "x@contoso.com" } }).to_string();
    let told = hook(&lab, "/connections/files/hooks", &lab.files, now(&lab), &body, &body).await.is(200).json();
    assert_eq!(told["asked"], 1);
    let files = hardmatch_domain::ids::ConnectionId::new("files");
    assert_eq!(lab.store.sync_requests(&files, 9).await.unwrap()[0].1.value.key.as_str(), "E7");
    assert!(lab.store.pushed_ids(&files).await.unwrap().is_empty());
}
