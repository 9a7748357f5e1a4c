use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use hardmatch_store::api_tokens::TokenScope;
use hardmatch_webhook::{LARGEST_BODY, Limits, Rate};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Lab, SCIM, ada, filter};

#[tokio::test]
async fn an_unknown_connection_and_a_wrong_token_look_the_same() {
    let lab = Lab::new().await;
    let wrong = format!("Bearer {}x", &lab.token[..lab.token.len() - 1]);
    let foreign = format!("Bearer {}", lab.files);
    let own = format!("Bearer {}", lab.token);
    let mut seen = Vec::new();
    for (path, token) in [
        ("/connections/lab/scim/v2/Users", wrong.as_str()),
        ("/connections/lab/scim/v2/Users", foreign.as_str()),
        ("/connections/nobody/scim/v2/Users", own.as_str()),
        ("/connections/lab/scim/v2/Nothing", wrong.as_str()),
        ("/connections/nobody/nothing", own.as_str()),
        ("/connections/a%23b/scim/v2/Users", own.as_str()),
        ("/connections/%ff/scim/v2/Users", own.as_str()),
        ("/connections/lab/hooks", "nothing"),
        ("/connections/nobody/people/x/sync", "Basic YTpi"),
    ] {
        let answer = lab.send("POST", path, &[("authorization", token)], "{").await.is(401);
        let headers: Vec<String> = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        seen.push((headers, answer.text));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    lab.send("GET", "/connections/lab/scim/v2/Users", &[], "").await.is(401);
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say_and_nothing_once_revoked() {
    let lab = Lab::new().await;
    let scim = lab.make_token("lab", &[TokenScope::Scim]).await;
    let bearer = format!("Bearer {scim}");
    let headers = [("authorization", bearer.as_str())];
    lab.send("GET", &format!("{SCIM}/Users"), &headers, "").await.is(200);
    lab.send("POST", "/connections/lab/people/known/sync", &headers, "").await.is(403);
    lab.send("POST", "/connections/lab/hooks", &headers, "{}").await.is(403);
    let files = format!("Bearer {}", lab.files);
    lab.send("GET", "/connections/files/scim/v2/Users", &[("authorization", files.as_str())], "").await.is(403);
    let id = scim.split('_').nth(1).unwrap();
    assert!(lab.store.revoke_api_token(&"lab".into(), id).await.unwrap());
    lab.send("GET", &format!("{SCIM}/Users"), &headers, "").await.is(401);
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let lab = Lab::with_rate(Rate { per_second: 1, burst: 5 }).await;
    for _ in 0..5 {
        lab.users("GET", "?count=0", None).await.is(200);
    }
    let answer = lab.users("GET", "?count=0", None).await.is(429);
    assert_eq!(answer.header("retry-after"), "1");
    let other = format!("Bearer {}", lab.make_token("lab", &TokenScope::ALL).await);
    lab.send("GET", &format!("{SCIM}/Users"), &[("authorization", other.as_str())], "").await.is(200);
    lab.clock.advance(Duration::from_secs(1));
    lab.users("GET", "?count=0", None).await.is(200);
    for _ in 0..300 {
        lab.send("GET", &format!("{SCIM}/Users"), &[], "").await.is(401);
    }
    lab.send("GET", &format!("{SCIM}/Users"), &[], "").await.is(429);
}

#[tokio::test]
async fn bodies_that_are_huge_deep_or_no_text_are_refused() {
    let lab = Lab::new().await;
    let bearer = format!("Bearer {}", lab.token);
    let post = async |body: Body| {
        lab.send("POST", &format!("{SCIM}/Users"), &[("authorization", bearer.as_str())], body).await
    };
    post(Body::from(vec![b' '; LARGEST_BODY + 1])).await.is(413);
    // Nobody believes what is announced.
    let chunks = (0..10).map(|_| Ok::<_, Infallible>(vec![b' '; LARGEST_BODY / 8]));
    post(Body::from_stream(Chunks(chunks.collect()))).await.is(413);
    for body in [
        vec![],
        b"\xff\xfe{}".to_vec(),
        b"{\"userName\":\"\xc3\x28\"}".to_vec(),
        b"[]".to_vec(),
        b"nonsense".to_vec(),
        [b"[".repeat(100_000), b"]".repeat(100_000)].concat(),
        format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000)).into_bytes(),
        b"{\"userName\":{\"a\":1}}".to_vec(),
        b"{\"userName\":\"a\\u0000b\"}".to_vec(),
    ] {
        post(Body::from(body)).await.is(400);
    }
    let deep = format!("{}userName pr{}", "(".repeat(1_000), ")".repeat(1_000));
    lab.users("GET", &filter(&deep), None).await.is(400);
}

struct Chunks(Vec<Result<Vec<u8>, Infallible>>);

impl futures::Stream for Chunks {
    type Item = Result<Vec<u8>, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.pop())
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let mut limits = Limits::new(Rate::default());
    limits.body_time = Duration::ZERO;
    let lab = Lab::with_limits(limits).await;
    let bearer = format!("Bearer {}", lab.token);
    let body = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, Infallible>>());
    lab.send("POST", &format!("{SCIM}/Users"), &[("authorization", bearer.as_str())], body).await.is(408);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn each_call_leaves_one_line_without_anything_personal() {
    // A second subscriber: with one alone, a call of another test that comes first decides for all of them whether a line is
    // wanted, and that test has none. <https://docs.rs/tracing-core/latest/tracing_core/callsite/index.html>
    let all = tracing_subscriber::fmt().with_writer(std::io::sink).with_max_level(tracing::Level::TRACE).finish();
    drop(tracing::subscriber::set_global_default(all));
    let lab = Lab::new().await;
    let lines = Lines::default();
    let subscriber =
        tracing_subscriber::fmt().with_writer(lines.clone()).with_max_level(tracing::Level::TRACE).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let id = lab.ada().await;
    lab.users("GET", &filter("userName eq \"ada@contoso.com\""), None).await.is(200);
    lab.users("POST", "", Some(&ada())).await.is(409);
    lab.users("PATCH", &format!("/{id}"), Some(&json!({ "Operations": [{ "op": "add", "path": "Lovelace[" }] }))).await;
    lab.ask("POST", "/connections/lab/people/ada@contoso.com/sync", None).await.is(202);
    lab.send("POST", &format!("{SCIM}/Users/ada@contoso.com?x=Lovelace"), &[("authorization", "ada")], "Lovelace")
        .await;
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains("http.route")).count(), 6, "{text}");
    assert!(text.contains("/people/{key}/sync") && text.contains("/scim/v2/Users/{id}"));
    // The token's public ID is hexadecimal, and may spell the name by chance.
    let mut parts = lab.token.splitn(3, '_').skip(1);
    let (token_id, secret) = (parts.next().unwrap(), parts.next().unwrap());
    let text = text.replace(token_id, "");
    for personal in ["ada", "Ada", "Lovelace", "contoso", "not-to-be-kept", secret] {
        assert!(!text.contains(personal), "{personal}: {text}");
    }
}
