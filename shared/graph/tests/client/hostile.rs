//! Answers that never end, are too much, or are none: each is one error that names the route and who answered, after a
//! bounded number of requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{EMPTY, Say, Stub};
use flate2::{Compress, Compression, FlushCompress};
use hardmatch_domain::ids::ObjectId;
use hardmatch_graph::EntraPlatform;
use hardmatch_ports::tenant::{
    Answer, Call, Cursor, LaterCause, Priority, Retry, TenantError, TenantRead, TenantWrite,
};

/// So many megabytes of blanks as a gzip stream of a thousandth of that.
fn bomb(megabytes: usize) -> Arc<Vec<u8>> {
    let mut block = Vec::with_capacity(64 * 1024);
    // Blocks behind a full flush stand alone, so one can be repeated.
    Compress::new(Compression::best(), false)
        .compress_vec(&vec![b' '; 1024 * 1024], &mut block, FlushCompress::Full)
        .unwrap();
    let mut stream = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    (0..megabytes).for_each(|_| stream.extend_from_slice(&block));
    Arc::new(stream)
}

#[track_caller]
fn names(error: &TenantError, code: &str, stub: &Stub, route: &str) {
    assert_eq!((error.code.as_str(), error.retry), (code, Retry::Never), "{error:?}");
    let host = format!("127.0.0.1:{}", stub.url.port().unwrap());
    assert!(error.message.contains(&host) && error.message.contains(route), "{}", error.message);
}

#[tokio::test]
async fn two_gigabytes_behind_two_megabytes_are_not_read() {
    let body = bomb(2_048);
    assert!(body.len() < 8 * 1024 * 1024, "{}", body.len());
    let stub = Stub::start(move |_, _| Say::Gzip(Arc::clone(&body))).await;
    let client = stub.client();
    names(&client.users(None).await.unwrap_err(), "answer_too_large", &stub, "/users");
    assert_eq!(stub.seen().len(), 1, "asked once");
    let write = Call::SetEnabled { account: ObjectId::from("a"), enabled: true };
    let answers = client.perform(std::slice::from_ref(&write), Priority::Low).await;
    assert!(
        matches!(&answers[0], Answer::Unknown(_)),
        "a write whose answer cannot be read is looked for: {answers:?}"
    );
}

#[tokio::test]
async fn a_large_page_within_the_bound_is_read() {
    let users: Vec<String> =
        (0..999).map(|n| format!(r#"{{"id":"{n}","jobTitle":"{}"}}"#, "x".repeat(4_000))).collect();
    let page = format!(r#"{{"value":[{}]}}"#, users.join(","));
    let stub = Stub::start(move |_, _| Say::ok(page.clone())).await;
    assert_eq!(stub.client().users(None).await.unwrap().items.len(), 999);
}

#[tokio::test]
async fn an_answer_that_is_none_of_graphs_ends_the_reading() {
    let deep = format!(r#"{{"value":[{}{}]}}"#, r#"{"id":["#.repeat(100_000), "]}".repeat(100_000));
    let many = format!(r#"{{"value":[{}]}}"#, vec![r#"{"id":"a"}"#; 6_000].join(","));
    for body in ["<!DOCTYPE html><title>Sign in</title>", "\u{1}\u{2}garbage", "[1,2]", r#"{"value":7}"#, &deep, &many]
    {
        let answer = body.to_owned();
        let stub = Stub::start(move |_, _| Say::ok(answer.clone())).await;
        let error = stub.client().users(None).await.unwrap_err();
        names(&error, "bad_answer", &stub, "/users");
        assert!(!error.message.contains("Sign in") && !error.message.contains("garbage"), "{}", error.message);
        assert_eq!(stub.seen().len(), 3);
        assert!(stub.clock.slept().iter().sum::<Duration>() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn half_a_million_values_are_too_many() {
    let many = format!(r#"{{"value":[{{"id":"a","proxyAddresses":[{}""]}}]}}"#, r#""","#.repeat(600_000));
    let stub = Stub::start(move |_, _| Say::ok(many.clone())).await;
    names(&stub.client().users(None).await.unwrap_err(), "answer_too_large", &stub, "/users");
}

#[tokio::test]
async fn links_that_go_round_in_any_spelling_are_left() {
    // Each spelling is another text of the same link.
    let spellings =
        ["$skiptoken=a", "%24skiptoken=a", "$skiptoken=%61", "&$skiptoken=a", "$skiptoken=a#1", "$skiptoken=a&"];
    let count = AtomicUsize::new(0);
    let stub = Stub::start(move |seen, _| {
        let spelling = spellings[count.fetch_add(1, Ordering::SeqCst) % spellings.len()];
        let host = seen.header("host").unwrap();
        let path = seen.path.split('?').next().unwrap();
        Say::ok(format!(r#"{{"value":[{{"id":"a"}}],"@odata.nextLink":"http://{host}{path}?{spelling}"}}"#))
    })
    .await;
    let client = stub.client();
    let mut page = None;
    let error = loop {
        match client.users(page.as_ref()).await {
            Ok(list) => page = list.next,
            Err(error) => break error,
        }
    };
    names(&error, "endless_listing", &stub, "/users");
    assert!(stub.seen().len() <= 3, "{}", stub.seen().len());

    let mut cursor = Cursor(stub.at("/v1.0/users/delta?$deltatoken=x"));
    let error = loop {
        match client.delta(&cursor).await {
            Ok(page) => match page.next {
                hardmatch_ports::tenant::DeltaNext::Page(next) => cursor = next,
                hardmatch_ports::tenant::DeltaNext::Done(_) => panic!("it has no end"),
            },
            Err(error) => break error,
        }
    };
    names(&error, "endless_listing", &stub, "/users/delta");
}

#[tokio::test]
async fn a_listing_whose_links_are_always_fresh_and_empty_is_left() {
    let count = AtomicUsize::new(0);
    let stub = Stub::start(move |seen, _| {
        let host = seen.header("host").unwrap();
        let n = count.fetch_add(1, Ordering::SeqCst);
        Say::ok(format!(r#"{{"value":[],"@odata.nextLink":"http://{host}/v1.0/subscribedSkus?$skiptoken={n}"}}"#))
    })
    .await;
    names(&stub.client().skus().await.unwrap_err(), "endless_listing", &stub, "/subscribedSkus");
    assert!(stub.seen().len() <= 251, "{}", stub.seen().len());
}

#[tokio::test]
async fn empty_pages_without_end_are_left_in_every_collection() {
    let count = AtomicUsize::new(0);
    let stub = Stub::start(move |seen, _| {
        let host = seen.header("host").unwrap();
        let path = seen.path.split('?').next().unwrap();
        let n = count.fetch_add(1, Ordering::SeqCst);
        Say::ok(format!(r#"{{"value":[],"@odata.nextLink":"http://{host}{path}?$skiptoken={n}"}}"#))
    })
    .await;
    let client = stub.client();
    for route in ["/users", "/directory/deletedItems/microsoft.graph.user", "/groups", "/contacts"] {
        let before = stub.seen().len();
        let mut page: Option<Cursor> = None;
        let error = loop {
            let next = match route {
                "/users" => client.users(page.as_ref()).await.map(|list| list.next),
                "/groups" => client.group_addresses(page.as_ref()).await.map(|list| list.next),
                "/contacts" => client.contact_addresses(page.as_ref()).await.map(|list| list.next),
                _ => client.deleted_users(page.as_ref()).await.map(|list| list.next),
            };
            match next {
                Ok(next) => page = next,
                Err(error) => break error,
            }
        };
        names(&error, "endless_listing", &stub, route);
        let pages = stub.seen().len() - before;
        assert!((200..=251).contains(&pages), "{route}: {pages}");
    }
}

#[tokio::test]
async fn a_wait_of_thirty_years_is_a_wait_of_a_day() {
    let day = Duration::from_hours(24);
    let stub = Stub::start(|_, _| Say::status(429).with("retry-after", "1000000000")).await;
    let error = stub.client().users(None).await.unwrap_err();
    assert_eq!(error.retry, Retry::After(day));
    assert!(error.message.contains("/users") && error.message.contains("86400 s"), "{}", error.message);
    assert!(stub.clock.slept().is_empty());
    let stub = Stub::start_whole(|_, _| Say::status(429).with("retry-after", "1000000000")).await;
    let error = stub.client().users(None).await.unwrap_err();
    assert_eq!(error.retry, Retry::After(day), "the login service's too");
    assert!(error.message.contains("86400 s"), "{}", error.message);
}

#[tokio::test]
async fn the_login_services_answers_have_a_bound_too() {
    let body = bomb(256);
    let large = Stub::start_whole(move |_, _| Say::Gzip(Arc::clone(&body))).await;
    let error = large.client().users(None).await.unwrap_err();
    assert_eq!(error.code, "answer_too_large");
    let platform = EntraPlatform::new(&large.options()).unwrap();
    assert_eq!(platform.metadata().await.unwrap_err().code, "answer_too_large");
    let html = Stub::start_whole(|_, _| Say::ok("<html>")).await;
    let error = html.client().users(None).await.unwrap_err();
    assert!(error.code == "bad_answer" && error.message.contains("login service"), "{error:?}");
    assert!(html.tokens().len() <= 3);
    assert_eq!(EntraPlatform::new(&html.options()).unwrap().metadata().await.unwrap_err().code, "bad_answer");
}

#[tokio::test]
async fn a_web_page_in_answer_to_a_write_is_not_taken_for_success() {
    let stub = Stub::start(|_, _| Say::ok("<html>Welcome to the guest network</html>")).await;
    let client = stub.client();
    let enable = |id: &str| Call::SetEnabled { account: ObjectId::from(id), enabled: true };
    for calls in [vec![enable("a")], vec![enable("a"), enable("b")]] {
        let answers = client.perform(&calls, Priority::Low).await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Unknown(_))), "{answers:?}");
    }
}

#[tokio::test]
async fn a_503_puts_off_what_it_was_said_of_and_nothing_else() {
    let stub = Stub::start(|seen, before| match (seen.method.as_str(), before) {
        ("PATCH", 0) => Say::status(503).with("retry-after", "90"),
        ("PATCH", _) => Say::status(204),
        _ => Say::ok(EMPTY),
    })
    .await;
    let client = stub.client();
    let enable = |id: &str| Call::SetEnabled { account: ObjectId::from(id), enabled: true };
    let first = client.perform(&[enable("a")], Priority::Low).await;
    let Answer::Later(later) = &first[0] else { panic!("{first:?}") };
    assert_eq!((later.after, later.cause), (Duration::from_secs(90), LaterCause::MaybeDone));
    assert_eq!(client.pressure().closed_for, Duration::ZERO);
    client.users(None).await.unwrap();
    assert!(matches!(client.perform(&[enable("b")], Priority::Low).await[0], Answer::Later(_)));
    assert!(matches!(client.perform(&[enable("b")], Priority::Low).await[0], Answer::Done(_)));
    assert!(stub.clock.slept().is_empty());
    assert_eq!(client.counters().throttles, 0);
}
