//! The client against a server that misbehaves on purpose: waits, tokens, half answers, foreign links.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{EMPTY, Say, Secret, Stub, TestClock, options, token};
use hardmatch_domain::ids::ObjectId;
use hardmatch_graph::GraphClient;
use hardmatch_ports::tenant::{
    Answer, Call, Cursor, LaterCause, Priority, RefusalKind, Retry, TenantRead, TenantWrite,
};
use url::Url;

fn page(ids: &[&str], next: Option<&str>) -> String {
    let users: Vec<String> = ids.iter().map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
    let link = next.map_or(String::new(), |next| format!(r#""@odata.nextLink":"{next}","#));
    format!(r#"{{{link}"value":[{}]}}"#, users.join(","))
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn enable(id: &str) -> Call {
    Call::SetEnabled { account: ObjectId::from(id), enabled: true }
}

fn read(id: &str) -> Call {
    Call::Read { account: ObjectId::from(id) }
}

async fn one(client: &GraphClient, call: Call) -> Answer {
    client.perform(&[call], Priority::High).await.remove(0)
}

#[track_caller]
fn later(answer: &Answer) -> (Duration, LaterCause) {
    match answer {
        Answer::Later(later) => (later.after, later.cause),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refusal(answer: &Answer) -> (RefusalKind, u16) {
    match answer {
        Answer::Refused(refusal) => (refusal.kind, refusal.status),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_listing_follows_links_to_its_end_with_the_headers_graph_wants() {
    let stub = Stub::start(|seen, _| {
        let host = seen.header("host").unwrap();
        let next = format!("http://{host}/v1.0/users?$skiptoken=2");
        Say::ok(if seen.path.contains("skiptoken") { page(&["c"], None) } else { page(&["a", "b"], Some(&next)) })
    })
    .await;
    let client = stub.client();
    let first = client.users(None).await.unwrap();
    let second = client.users(first.next.as_ref()).await.unwrap();
    let ids: Vec<String> = first.items.iter().chain(&second.items).map(|account| account.id.to_string()).collect();
    assert_eq!((ids.concat().as_str(), second.next.is_none()), ("abc", true));
    let seen = &stub.seen()[0];
    assert!(seen.path.starts_with("/v1.0/users?$select=id,accountEnabled,"), "{}", seen.path);
    assert!(seen.path.ends_with("&$expand=manager($select=id)&$top=999"), "{}", seen.path);
    assert_eq!(seen.header("authorization"), Some("Bearer token-0"));
    assert_eq!(seen.header("x-ms-throttle-priority"), Some("Low"));
    assert_eq!(seen.header("accept"), Some("application/json"));
    assert!(seen.header("user-agent").unwrap().starts_with("hardmatch/"));
    assert_eq!(seen.header("client-request-id").unwrap().len(), 36);
    assert_eq!(seen.header("consistencylevel"), None);
    assert_ne!(stub.seen()[1].header("client-request-id"), seen.header("client-request-id"));
}

#[tokio::test]
async fn a_link_to_another_host_is_an_error_and_no_request() {
    let stub = Stub::start(|_, _| Say::ok(page(&["a"], Some("http://127.0.0.1:9/v1.0/users?$skiptoken=2")))).await;
    let client = stub.client();
    let error = client.users(None).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retry), ("foreign_link", Retry::Never));
    let other = Stub::start(|_, _| Say::ok(EMPTY)).await;
    let error = client.delta(&Cursor(other.at("/v1.0/users/delta?$deltatoken=x"))).await.unwrap_err();
    assert_eq!(error.code, "foreign_link");
    assert_eq!((stub.seen().len(), other.seen().len()), (1, 0));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Stub::start(|_, _| Say::ok(EMPTY)).await;
    let to = other.at("/v1.0/users");
    let stub = Stub::start(move |_, _| Say::status(302).with("location", to.clone())).await;
    assert_eq!(stub.client().users(None).await.unwrap_err().status, 302);
    assert_eq!(refusal(&one(&stub.client(), enable("a")).await), (RefusalKind::Other, 302));
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_throttled_read_waits_exactly_as_long_as_it_is_told() {
    for (header, wait) in [("7", secs(7)), ("2.128", secs(3)), ("Thu, 15 Jan 2026 12:00:20 GMT", secs(20))] {
        let stub = Stub::start(move |_, before| match before {
            0 => Say::status(429).with("retry-after", header),
            _ => Say::ok(EMPTY),
        })
        .await;
        let client = stub.client();
        client.users(None).await.unwrap();
        let seen = stub.seen();
        assert_eq!(seen.len(), 2);
        let waited = Duration::from_millis(u64::try_from(seen[1].at - seen[0].at).unwrap());
        assert_eq!(waited, wait, "{header}");
        assert_eq!(client.counters().throttles, 1);
    }
}

#[tokio::test]
async fn a_long_wait_is_handed_back_and_nothing_is_sent_before_it_is_over() {
    let stub = Stub::start(|_, before| match before {
        0 => Say::status(429).with("retry-after", "120"),
        _ => Say::ok(EMPTY),
    })
    .await;
    let client = stub.client();
    let error = client.users(None).await.unwrap_err();
    let Retry::After(wait) = error.retry else { panic!("{error:?}") };
    assert_eq!(wait, secs(120));
    assert!(stub.clock.slept().is_empty());
    // Everything of this client keeps away, writes and other reads too.
    stub.clock.advance(secs(80));
    assert_eq!(client.skus().await.unwrap_err().retry, Retry::After(secs(40)));
    assert_eq!(later(&one(&client, read("a")).await), (secs(40), LaterCause::Throttled));
    assert_eq!(stub.seen().len(), 1);
    stub.clock.advance(secs(39));
    client.users(None).await.unwrap();
    let seen = stub.seen();
    assert_eq!((seen.len(), seen[1].at - seen[0].at), (2, 120_000));
}

#[tokio::test]
async fn a_throttled_write_closes_the_client_for_everybody() {
    let stub = Stub::start(|seen, _| match seen.method.as_str() {
        "PATCH" => Say::error(429, "TooManyRequests", "").with("retry-after", "90"),
        _ => Say::ok(EMPTY),
    })
    .await;
    let client = stub.client();
    assert_eq!(later(&one(&client, enable("a")).await), (secs(90), LaterCause::Throttled));
    stub.clock.advance(secs(60));
    assert_eq!(later(&one(&client, enable("b")).await), (secs(30), LaterCause::Throttled));
    assert_eq!(client.pressure().closed_for, secs(30));
    // A read waits its turn.
    client.users(None).await.unwrap();
    let seen = stub.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].at - seen[0].at, 90_000);
    assert_eq!((client.counters().writes, client.counters().requests), (1, 2));
}

#[tokio::test]
async fn throttling_without_a_time_backs_off_further_each_time() {
    let stub = Stub::start(|_, _| Say::status(429)).await;
    let client = stub.client();
    let mut last = Duration::ZERO;
    for _ in 0..4 {
        let (after, cause) = later(&one(&client, enable("a")).await);
        assert!(cause == LaterCause::Throttled && after > last, "{after:?} after {last:?}");
        last = after;
        stub.clock.advance(after + secs(1));
    }
    assert_eq!(stub.seen().len(), 4);
}

#[tokio::test]
async fn trouble_of_a_read_is_tried_four_times_and_then_handed_back() {
    for trouble in ["500", "502", "504", "drop", "cut", "json", "empty"] {
        let say = move || match trouble {
            "drop" => Say::Drop,
            "cut" => Say::Cut(r#"{"value":[{"id":"#.to_owned()),
            "json" => Say::ok(r#"{"value":[{"id":"a"}"#),
            "empty" => Say::ok(""),
            status => Say::status(status.parse().unwrap()),
        };
        let passing = Stub::start(move |_, before| if before < 3 { say() } else { Say::ok(EMPTY) }).await;
        passing.client().users(None).await.unwrap_or_else(|error| panic!("{trouble}: {error}"));
        let slept = passing.clock.slept();
        assert!(slept.len() == 3 && slept.windows(2).all(|two| two[1] > two[0]), "{trouble}: {slept:?}");

        let lasting = Stub::start(move |_, _| say()).await;
        let error = lasting.client().users(None).await.unwrap_err();
        // An answer that is cut off each time is more likely a proxy's doing than an outage: it is asked again sooner, so
        // that a run on one machine ends with a cure.
        let least = if ["cut", "json", "empty"].contains(&trouble) { secs(15) } else { secs(60) };
        assert!(matches!(error.retry, Retry::After(wait) if wait >= least), "{trouble}: {error:?}");
        assert_eq!(lasting.seen().len(), 4, "{trouble}");
    }
}

#[tokio::test]
async fn nobody_listening_is_an_error_to_try_later() {
    let clock = TestClock::default();
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    let mut nowhere = options(&stub.url, &clock);
    // The discard port: nothing listens there.
    nowhere.graph = Url::parse("http://127.0.0.1:9").unwrap();
    let client = GraphClient::new(nowhere).unwrap();
    let error = client.users(None).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.status), ("unreachable", 0));
    let answers = client.perform(&[enable("a"), read("b")], Priority::Low).await;
    assert!(answers.iter().all(|answer| later(answer).1 == LaterCause::Unavailable));
    assert_eq!(client.counters().writes, 0);
}

#[tokio::test]
async fn a_lost_answer_to_a_write_is_unknown_and_to_a_read_is_later() {
    for say in [|| Say::Drop, || Say::Cut("{}".to_owned()), || Say::status(500), || Say::status(504)] {
        let stub = Stub::start(move |_, _| say()).await;
        let client = stub.client();
        assert!(matches!(one(&client, enable("a")).await, Answer::Unknown(_)));
        assert_eq!(later(&one(&client, read("a")).await).1, LaterCause::Unavailable);
        let answers = client.perform(&[enable("a"), read("b")], Priority::Low).await;
        assert!(matches!(answers[0], Answer::Unknown(_)));
        assert_eq!(later(&answers[1]).1, LaterCause::Unavailable);
        // Never sent twice by the client itself.
        assert_eq!(stub.seen().len(), 3);
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let stub = Stub::start(|seen, _| match seen.header("authorization") {
        Some("Bearer token-0") => Say::error(401, "InvalidAuthenticationToken", "Access token has expired."),
        _ => Say::ok(EMPTY),
    })
    .await;
    let client = stub.client();
    client.users(None).await.unwrap();
    client.users(None).await.unwrap();
    assert_eq!((stub.seen().len(), stub.tokens().len(), client.counters().tokens), (3, 2, 2));

    let stub = Stub::start(|_, _| Say::error(401, "InvalidAuthenticationToken", "Invalid audience.")).await;
    let client = stub.client();
    let error = client.users(None).await.unwrap_err();
    assert_eq!((error.status, error.retry), (401, Retry::Never));
    assert_eq!((stub.seen().len(), stub.tokens().len()), (2, 2));
    assert_eq!(refusal(&one(&client, enable("a")).await), (RefusalKind::Forbidden, 401));
}

#[tokio::test]
async fn a_claims_challenge_goes_into_the_next_token_request() {
    let challenge = r#"Bearer realm="", error="insufficient_claims", claims="eyJhIjoxfQ==""#;
    let stub = Stub::start(move |_, before| match before {
        0 => Say::status(401).with("www-authenticate", challenge),
        _ => Say::ok(EMPTY),
    })
    .await;
    stub.client().users(None).await.unwrap();
    assert!(!stub.tokens()[0].body.contains("claims="));
    assert!(stub.tokens()[1].body.contains("claims=%7B%22a%22%3A1%7D"), "{}", stub.tokens()[1].body);
}

#[tokio::test]
async fn many_tasks_share_one_token_request_and_one_failure() {
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    let client = Arc::new(stub.client());
    let tasks = (0..20).map(|_| {
        let client = Arc::clone(&client);
        async move { client.users(None).await.is_ok() }
    });
    assert!(futures::future::join_all(tasks).await.into_iter().all(|good| good));
    assert_eq!(stub.tokens().len(), 1);

    let refusing = Stub::start_whole(|_, _| {
        Say::Answer(401, vec![], r#"{"error":"invalid_client","error_codes":[7000215]}"#.to_owned())
    })
    .await;
    let client = Arc::new(refusing.client());
    let tasks = (0..20).map(|_| {
        let client = Arc::clone(&client);
        async move { client.users(None).await.unwrap_err().code }
    });
    let codes = futures::future::join_all(tasks).await;
    assert!(codes.iter().all(|code| code == "AADSTS7000215"));
    assert_eq!((refusing.tokens().len(), refusing.seen().len()), (1, 0));
    // A later caller asks again: somebody may have mended the secret.
    client.users(None).await.unwrap_err();
    assert_eq!(refusing.tokens().len(), 2);
    assert_eq!(refusal(&one(&client, enable("a")).await).0, RefusalKind::Credentials);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_serves_on_while_the_login_service_fails() {
    let stub = Stub::start_whole(|seen, before| match (seen.is_token(), before) {
        (true, 0) => token(0),
        (true, 1..=3) => Say::status(503),
        (true, later) => token(later),
        (false, _) => Say::ok(EMPTY),
    })
    .await;
    let client = stub.client();
    client.users(None).await.unwrap();
    stub.clock.advance(secs(3299));
    client.users(None).await.unwrap();
    assert_eq!(stub.tokens().len(), 1);
    stub.clock.advance(secs(2));
    client.users(None).await.unwrap();
    assert_eq!(stub.tokens().len(), 4);
    assert_eq!(stub.seen()[2].header("authorization"), Some("Bearer token-0"));
    stub.clock.advance(secs(61));
    client.users(None).await.unwrap();
    assert_eq!(stub.seen()[3].header("authorization"), Some("Bearer token-4"));
}

#[tokio::test]
async fn the_login_service_is_left_alone_until_the_time_it_states() {
    let stub = Stub::start_whole(|seen, before| match (seen.is_token(), before) {
        (true, 0) => Say::status(429).with("retry-after", "300"),
        (true, later) => token(later),
        (false, _) => Say::ok(EMPTY),
    })
    .await;
    let client = stub.client();
    for advance in [0, 100, 199] {
        stub.clock.advance(secs(advance));
        assert!(matches!(client.users(None).await.unwrap_err().retry, Retry::After(_)));
        assert!(matches!(one(&client, enable("a")).await, Answer::Later(_)));
    }
    assert_eq!(stub.tokens().len(), 1);
    stub.clock.advance(secs(2));
    client.users(None).await.unwrap();
}

#[tokio::test]
async fn the_token_request_carries_the_proof_in_its_body() {
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    stub.client().users(None).await.unwrap();
    let asked = &stub.tokens()[0];
    assert_eq!(asked.path, "/contoso.onmicrosoft.com/oauth2/v2.0/token");
    for part in ["grant_type=client_credentials", "client_id=client", "client_secret=s3cret"] {
        assert!(asked.body.contains(part), "{}", asked.body);
    }
    assert!(asked.body.contains("scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"), "{}", asked.body);
    assert_eq!(asked.header("authorization"), None);

    let mut options = stub.options();
    options.credential = Arc::new(Secret("jwt:a.b.c"));
    options.scope = Some("https://graph.example/.default".to_owned());
    GraphClient::new(options).unwrap().users(None).await.unwrap();
    let asked = &stub.tokens()[1];
    assert!(!asked.body.contains("client_secret"));
    for part in [
        "client_assertion=a.b.c",
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
        "scope=https%3A%2F%2Fgraph.example%2F.default",
    ] {
        assert!(asked.body.contains(part), "{}", asked.body);
    }
}

#[tokio::test]
async fn a_stand_in_that_goes_by_its_own_root_is_asked_by_it_from_then_on() {
    let refused = r#"{"error":"invalid_scope","error_description":"AADSTS70011: no","error_codes":[70011]}"#;
    let stub = Stub::start_whole(move |seen, before| match seen.is_token() {
        true if seen.body.contains("scope=https%3A%2F%2Fgraph.microsoft.com") => {
            Say::Answer(400, vec![], refused.into())
        }
        true => token(before),
        false => Say::ok(EMPTY),
    })
    .await;
    let client = stub.client();
    client.users(None).await.unwrap();
    stub.clock.advance(secs(3590));
    client.users(None).await.unwrap();
    let asked: Vec<bool> =
        stub.tokens().iter().map(|asked| asked.body.contains("scope=http%3A%2F%2F127.0.0.1")).collect();
    assert_eq!(asked, [false, true, true]);
    let mut options = stub.options();
    options.scope = Some("https://graph.microsoft.com/.default".to_owned());
    let error = GraphClient::new(options).unwrap().users(None).await.unwrap_err();
    assert_eq!(error.code, "AADSTS70011", "a configured scope is the only one");
}

#[tokio::test]
async fn a_token_that_is_no_jwt_grants_nothing_that_we_know_of() {
    let stub = Stub::start(|_, _| Say::ok(EMPTY)).await;
    assert!(stub.client().granted().await.unwrap().permissions.is_empty());
}

#[tokio::test]
async fn the_pressure_header_is_kept_until_writes_are_free_again() {
    let stub = Stub::start(|seen, before| match (seen.method.as_str(), before) {
        ("PATCH", 0) => Say::status(204).with("x-ms-throttle-limit-percentage", "1.2"),
        ("PATCH", _) => Say::status(204),
        _ => Say::ok(EMPTY),
    })
    .await;
    let client = stub.client();
    assert_eq!(client.pressure().percent, 0);
    one(&client, enable("a")).await;
    client.users(None).await.unwrap();
    assert_eq!(client.pressure().percent, 120);
    one(&client, enable("a")).await;
    assert_eq!(client.pressure().percent, 0);
}

#[tokio::test]
async fn nothing_that_is_shown_holds_a_secret_or_a_url() {
    let stub = Stub::start(|_, _| Say::error(403, "Authorization_RequestDenied", "Insufficient privileges")).await;
    let client = stub.client();
    let error = client.users(None).await.unwrap_err();
    assert!(error.is_forbidden());
    let shown = format!("{error} {error:?} {client:?} {:?}", stub.options());
    for hidden in ["s3cret", "token-0", "$select", "Bearer"] {
        assert!(!shown.contains(hidden), "{hidden} in {shown}");
    }
    assert!(error.message.contains("GET /users (403 Authorization_RequestDenied)"), "{}", error.message);
}
