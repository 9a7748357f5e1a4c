//! Batches: what is sent, and what each part's answer means, in any order.

use crate::support::{Say, Stub};
use hardmatch_domain::attribute::{Attr, Attributes};
use hardmatch_domain::ids::{ImmutableId, ObjectId};
use hardmatch_graph::GraphClient;
use hardmatch_ports::tenant::{Answer, Call, LaterCause, Priority, RefusalKind, TenantWrite};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) fn id(id: &str) -> ObjectId {
    ObjectId::from(id)
}

fn ada(manager: Option<&str>) -> Call {
    Call::Create {
        attributes: Attributes::from_pairs([
            (Attr::UserPrincipalName, "ada@contoso.com"),
            (Attr::DisplayName, "Ada \"L\""),
            (Attr::MailNickname, "ada"),
            (Attr::Department, "Mathematics"),
            (Attr::JobTitle, ""),
            (Attr::BusinessPhones, "+44 1"),
            (Attr::ExtensionAttribute3, "x3"),
        ]),
        immutable_id: Some(ImmutableId::from("Z0UjAauJ780BI0VniavN7w==")),
        enabled: true,
        manager: manager.map(id),
        password: SecretString::from("p\\w"),
    }
}

#[expect(clippy::option_option, reason = "the shape of the port: untouched, cleared, set")]
fn update(pairs: &[(Attr, &str)], immutable_id: Option<Option<&str>>) -> Call {
    Call::Update {
        account: id("a"),
        immutable_id: immutable_id.map(|id| id.map(ImmutableId::from)),
        attributes: Attributes::from_pairs(pairs.iter().copied()),
    }
}

pub(crate) async fn perform(client: &GraphClient, calls: &[Call]) -> Vec<Answer> {
    client.perform(calls, Priority::High).await
}

/// What one call sends when it is alone: method, path and body.
pub(crate) async fn sent(call: Call) -> (String, String, Value) {
    let stub = Stub::start(|_, _| Say::status(204)).await;
    perform(&stub.client(), &[call]).await;
    let seen = stub.seen().remove(0);
    assert_eq!(seen.header("x-ms-throttle-priority"), Some("High"));
    let body = if seen.body.is_empty() { Value::Null } else { serde_json::from_str(&seen.body).unwrap() };
    let path = seen.path.strip_prefix("/v1.0").unwrap().split('?').next().unwrap().to_owned();
    let json = seen.header("content-type") == Some("application/json");
    assert_eq!(json, !seen.body.is_empty());
    assert_eq!(json, matches!(seen.method.as_str(), "POST" | "PATCH" | "PUT"));
    (seen.method, path, body)
}

#[tokio::test]
async fn each_call_is_sent_as_graph_documents_it() {
    let check = |call: Call, method: &'static str, path: &'static str, body: Value| async move {
        assert_eq!(sent(call).await, (method.to_owned(), path.to_owned(), body));
    };
    let create = json!({
        "accountEnabled": true, "onPremisesImmutableId": "Z0UjAauJ780BI0VniavN7w==",
        "passwordProfile": {"password": "p\\w", "forceChangePasswordNextSignIn": true},
        "userPrincipalName": "ada@contoso.com", "displayName": "Ada \"L\"", "mailNickname": "ada",
        "department": "Mathematics", "businessPhones": ["+44 1"],
        "onPremisesExtensionAttributes": {"extensionAttribute3": "x3"},
    });
    check(ada(None), "POST", "/users", create).await;
    let (_, _, bound) = sent(ada(Some("boss"))).await;
    assert!(bound["manager@odata.bind"].as_str().unwrap().ends_with("/v1.0/users/boss"), "{bound}");
    let cleared = json!({
        "onPremisesImmutableId": null, "jobTitle": null, "businessPhones": [], "city": "London",
        "onPremisesExtensionAttributes": {"extensionAttribute1": null, "extensionAttribute2": "x"},
    });
    let pairs = [
        (Attr::JobTitle, ""),
        (Attr::BusinessPhones, ""),
        (Attr::City, "London"),
        (Attr::ExtensionAttribute1, ""),
        (Attr::ExtensionAttribute2, "x"),
    ];
    check(update(&pairs, Some(None)), "PATCH", "/users/a", cleared).await;
    check(update(&[], Some(Some("id=="))), "PATCH", "/users/a", json!({"onPremisesImmutableId": "id=="})).await;
    let (account, manager) = (id("a"), Some(id("boss")));
    check(
        Call::SetEnabled { account: account.clone(), enabled: false },
        "PATCH",
        "/users/a",
        json!({"accountEnabled": false}),
    )
    .await;
    check(Call::RevokeSessions { account: account.clone() }, "POST", "/users/a/revokeSignInSessions", json!({})).await;
    let (method, path, body) = sent(Call::SetManager { account: account.clone(), manager }).await;
    assert_eq!((method.as_str(), path.as_str()), ("PUT", "/users/a/manager/$ref"));
    assert!(body["@odata.id"].as_str().unwrap().ends_with("/v1.0/users/boss"), "{body}");
    check(Call::SetManager { account: account.clone(), manager: None }, "DELETE", "/users/a/manager/$ref", Value::Null)
        .await;
    check(Call::Delete { account: account.clone() }, "DELETE", "/users/a", Value::Null).await;
    let restore = json!({"autoReconcileProxyConflict": true});
    check(Call::Restore { account: account.clone(), upn: None }, "POST", "/directory/deletedItems/a/restore", restore)
        .await;
    check(Call::Purge { account: account.clone() }, "DELETE", "/directory/deletedItems/a", Value::Null).await;
    check(Call::Read { account }, "GET", "/users/a", Value::Null).await;
}

#[tokio::test]
async fn a_call_that_changes_nothing_is_not_sent() {
    let stub = Stub::start(|_, _| Say::status(204)).await;
    assert!(matches!(perform(&stub.client(), &[update(&[], None)]).await[..], [Answer::Done(None)]));
    assert!(stub.seen().is_empty() && stub.tokens().is_empty());
}

#[tokio::test]
async fn a_batch_is_one_request_whose_writes_all_have_a_body() {
    let stub = Stub::start(|_, _| Say::ok(r#"{"responses":[]}"#)).await;
    let account = id("a");
    let calls = [
        ada(None),
        Call::RevokeSessions { account: account.clone() },
        Call::Restore { account: account.clone(), upn: None },
        Call::Delete { account: account.clone() },
        Call::FindByImmutableId { immutable_id: ImmutableId::from("a+b/c==") },
    ];
    perform(&stub.client(), &calls).await;
    let seen = &stub.seen()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1.0/$batch"));
    let parts: Value = serde_json::from_str(&seen.body).unwrap();
    let parts = parts["requests"].as_array().unwrap();
    assert_eq!(parts.len(), 5);
    for part in parts {
        let writes = matches!(part["method"].as_str().unwrap(), "POST" | "PATCH" | "PUT");
        assert_eq!(part["headers"]["Content-Type"] == "application/json", writes, "{part}");
        assert_eq!(part["body"].is_object(), writes, "{part}");
        assert!(part["url"].as_str().unwrap().starts_with('/') && part.get("dependsOn").is_none());
    }
    assert!(parts[4]["url"].as_str().unwrap().ends_with("%27a%2Bb%2Fc%3D%3D%27"));
    // More than a hand is several requests, never a larger one.
    let many: Vec<Call> = (0..45).map(|n| Call::Delete { account: id(&n.to_string()) }).collect();
    assert_eq!(perform(&stub.client(), &many).await.len(), 45);
    let sizes: Vec<usize> = stub.seen()[1..].iter().map(|seen| seen.body.matches("\"method\"").count()).collect();
    assert_eq!(sizes, [20, 20, 5]);
}

#[tokio::test]
async fn answers_find_their_calls_in_any_order() {
    let stub = Stub::start(|_, _| {
        Say::ok(
            r#"{"responses":[
            {"id":"6","status":503,"headers":{"retry-after":"4"}},
            {"id":"5","status":429,"headers":{"Retry-After":"2.128"},"body":{"error":{"code":"TooManyRequests","message":""}}},
            {"id":"2","status":404,"headers":{"request-id":"inner"},"body":{"error":{"code":"Request_ResourceNotFound","message":"x"}}},
            {"id":"0","status":201,"headers":{"Content-Type":"application/json"},"body":{"id":"NEW","userPrincipalName":"ada@contoso.com","displayName":"Ada L","mail":null,"businessPhones":["+44 1"]}},
            {"id":"4","status":504,"body":null},
            {"id":"3","status":400,"headers":{},"body":{"error":{"code":"Request_BadRequest","message":"Another object with the same value for property proxyAddresses already exists.","details":[{"code":"ObjectConflict","target":"proxyAddresses"},{"code":"ConflictingObjects","target":"User_605d1257-ffff-40b6-8e6f-528a53f5dc55"}],"innerError":{"request-id":"r3"}}}},
            {"id":"99","status":204},
            {"id":"1","status":204,"body":""}]}"#,
        )
    })
    .await;
    let client = stub.client();
    let calls = [
        ada(Some("boss")),
        Call::Delete { account: id("d") },
        Call::Read { account: id("r") },
        update(&[(Attr::Mail, "x@contoso.com")], None),
        Call::SetEnabled { account: id("e"), enabled: true },
        Call::SetEnabled { account: id("t"), enabled: true },
        Call::SetEnabled { account: id("s"), enabled: true },
        Call::SetEnabled { account: id("left out"), enabled: true },
        Call::Read { account: id("left out") },
    ];
    let answers = perform(&client, &calls).await;
    let Answer::Done(Some(created)) = &answers[0] else { panic!("{:?}", answers[0]) };
    assert_eq!(created.id.as_str(), "new");
    assert_eq!(created.immutable_id.as_ref().unwrap().as_str(), "Z0UjAauJ780BI0VniavN7w==");
    assert_eq!(created.attributes.get(Attr::DisplayName), Some("Ada L"));
    assert_eq!(created.attributes.get(Attr::Department), Some("Mathematics"));
    assert_eq!(created.attributes.get(Attr::JobTitle), None);
    assert_eq!((created.enabled, created.manager.as_ref().map(ObjectId::as_str)), (Some(true), Some("boss")));
    assert!(matches!(answers[1], Answer::Done(None)));
    assert!(matches!(answers[2], Answer::NotFound));
    let Answer::Refused(refusal) = &answers[3] else { panic!("{:?}", answers[3]) };
    assert_eq!((refusal.kind, refusal.status, refusal.request_id.as_str()), (RefusalKind::Conflict, 400, "r3"));
    assert_eq!(refusal.conflict.as_ref().unwrap().as_str(), "605d1257-ffff-40b6-8e6f-528a53f5dc55");
    assert_eq!(refusal.property.as_deref(), Some("proxyAddresses"));
    assert!(matches!(answers[4], Answer::Unknown(_)));
    // A 429 is for everybody, a 503 for the call that it answers.
    for (put_off, seconds, cause) in [(&answers[5], 3, LaterCause::Throttled), (&answers[6], 4, LaterCause::MaybeDone)]
    {
        let Answer::Later(later) = put_off else { panic!("{put_off:?}") };
        assert_eq!((later.after, later.cause), (Duration::from_secs(seconds), cause));
    }
    assert!(matches!(answers[7], Answer::Unknown(_)));
    assert!(matches!(&answers[8], Answer::Later(later) if later.cause == LaterCause::Unavailable));
    let counters = client.counters();
    assert_eq!((counters.requests, counters.batches, counters.batched_calls), (1, 1, 9));
    assert_eq!((counters.writes, counters.throttles), (7, 1));
    assert_eq!(client.pressure().closed_for, Duration::from_secs(3));
}

#[tokio::test]
async fn parts_whose_token_was_refused_are_sent_once_more_and_only_they() {
    let stub = Stub::start(|seen, _| {
        let refused = r#"{"error":{"code":"InvalidAuthenticationToken","message":"expired"}}"#;
        Say::ok(match seen.header("authorization") {
            Some("Bearer token-0") => format!(
                r#"{{"responses":[{{"id":"1","status":401,"body":{refused}}},{{"id":"0","status":204}},{{"id":"2","status":401,"body":{refused}}}]}}"#
            ),
            _ => format!(r#"{{"responses":[{{"id":"2","status":401,"body":{refused}}},{{"id":"1","status":204}}]}}"#),
        })
    })
    .await;
    let client = stub.client();
    let calls = ["a", "b", "c"].map(|account| Call::Delete { account: id(account) });
    let answers = perform(&client, &calls).await;
    assert!(matches!(&answers[..2], [Answer::Done(None), Answer::Done(None)]), "{answers:?}");
    assert!(
        matches!(&answers[2], Answer::Refused(refusal) if refusal.kind == RefusalKind::Forbidden && refusal.status == 401)
    );
    let again = &stub.seen()[1].body;
    assert!(!again.contains("/users/a") && again.contains("/users/b") && again.contains("/users/c"), "{again}");
    assert_eq!((stub.seen().len(), stub.tokens().len(), client.counters().batched_calls), (2, 2, 5));
}

#[tokio::test]
async fn the_whole_batch_can_fail_in_each_way() {
    let hand = [Call::Delete { account: id("a") }, Call::Read { account: id("b") }];
    let answers = async |say: fn() -> Say| {
        let stub = Stub::start(move |_, _| say()).await;
        perform(&stub.client(), &hand).await
    };
    let cause = |answer: &Answer| match answer {
        Answer::Later(later) => later.cause,
        other => panic!("{other:?}"),
    };
    for throttled in [|| Say::status(429).with("retry-after", "5"), || Say::status(429), || Say::status(424)] {
        let answers = answers(throttled).await;
        assert!(answers.iter().all(|answer| cause(answer) == LaterCause::Throttled), "{answers:?}");
    }
    let answers_503 = answers(|| Say::status(503)).await;
    assert!(answers_503.iter().all(|answer| cause(answer) == LaterCause::Unavailable));
    // The whole batch is to come again then; nothing was said of the quota.
    let answers_503 = answers(|| Say::status(503).with("retry-after", "5")).await;
    let put_off = |answer: &Answer| matches!(answer, Answer::Later(later) if later.after == Duration::from_secs(5));
    assert!(answers_503.iter().all(|answer| put_off(answer) && cause(answer) == LaterCause::Unavailable));
    for lost in [|| Say::status(500), || Say::status(504), || Say::Drop, || Say::ok("{\"responses\":[{\"id\":\"0\"")] {
        let answers = answers(lost).await;
        assert!(matches!(answers[0], Answer::Unknown(_)), "{answers:?}");
        assert_eq!(cause(&answers[1]), LaterCause::Unavailable);
    }
    // Malformed envelope: no part ran.
    let answers =
        answers(|| Say::error(400, "BadRequest", "Write request id : 1 does not contain Content-Type header or body."))
            .await;
    assert!(
        answers.iter().all(|answer| matches!(answer, Answer::Refused(refusal) if refusal.kind == RefusalKind::Other))
    );
}

pub(crate) async fn answer_to(call: Call, status: u16, code: &str, message: &str) -> Answer {
    let (code, message) = (code.to_owned(), message.to_owned());
    let stub = Stub::start(move |_, _| Say::error(status, &code, &message)).await;
    perform(&stub.client(), &[call]).await.remove(0)
}

#[tokio::test]
async fn gone_means_what_the_call_makes_of_it() {
    let gone = |call| answer_to(call, 404, "Request_ResourceNotFound", "Resource 'x' does not exist");
    assert!(matches!(gone(Call::Delete { account: id("a") }).await, Answer::Done(None)));
    assert!(matches!(gone(Call::SetManager { account: id("a"), manager: None }).await, Answer::Done(None)));
    assert!(matches!(gone(Call::SetManager { account: id("a"), manager: Some(id("b")) }).await, Answer::NotFound));
    assert!(matches!(gone(Call::Purge { account: id("a") }).await, Answer::NotFound));
    assert!(matches!(gone(Call::Restore { account: id("a"), upn: None }).await, Answer::NotFound));
    assert!(matches!(gone(update(&[(Attr::City, "x")], None)).await, Answer::NotFound));
    let bound = gone(ada(Some("boss"))).await;
    assert!(
        matches!(bound, Answer::Refused(refusal) if refusal.kind == RefusalKind::ManagerBind && refusal.status == 404)
    );
}

#[tokio::test]
async fn a_create_that_stumbles_over_its_manager_says_so() {
    let kind = async |call: Call, message: &str| match answer_to(call, 400, "Request_BadRequest", message).await {
        Answer::Refused(refusal) => refusal.kind,
        other => panic!("{other:?}"),
    };
    let text = "A navigation property 'manager' with 'odata.bind' is not supported while creating a User.";
    assert_eq!(kind(ada(Some("boss")), text).await, RefusalKind::ManagerBind);
    assert_eq!(kind(ada(Some("boss")), "Unexplained.").await, RefusalKind::ManagerBind);
    assert_eq!(kind(ada(None), "Unexplained.").await, RefusalKind::Other);
    let generic = "One or more properties contains invalid values.";
    assert_eq!(kind(ada(Some("boss")), generic).await, RefusalKind::ManagerBind);
    assert_eq!(kind(ada(None), generic).await, RefusalKind::Federated);
    assert_eq!(kind(ada(Some("boss")), "Property userPrincipalName is invalid.").await, RefusalKind::InvalidValue);
}

#[tokio::test]
async fn a_conflict_with_oneself_is_a_lagging_cache() {
    let own = "605d1257-ffff-40b6-8e6f-528a53f5dc55";
    let body = format!(
        r#"{{"error":{{"code":"Request_BadRequest","message":"Another object with the same value for property userPrincipalName already exists.",
        "details":[{{"code":"ObjectConflict","target":"userPrincipalName"}},{{"code":"ConflictingObjects","target":"User_{own}"}}]}}}}"#
    );
    let stub = Stub::start(move |_, _| Say::Answer(400, vec![], body.clone())).await;
    let rename = |account: &str| Call::Update {
        account: id(account),
        immutable_id: None,
        attributes: Attributes::from_pairs([(Attr::UserPrincipalName, "a@contoso.com")]),
    };
    let answers = perform(&stub.client(), &[rename(own)]).await;
    assert!(matches!(&answers[0], Answer::Later(later) if later.cause == LaterCause::Lagging), "{answers:?}");
    let answers = perform(&stub.client(), &[rename("86462606-fde0-4fc4-9e0c-a20eb73e54c6")]).await;
    assert!(matches!(&answers[0], Answer::Refused(refusal) if refusal.kind == RefusalKind::Conflict));
}

#[tokio::test]
async fn racing_writers_come_again() {
    let answer =
        answer_to(update(&[(Attr::City, "x")], None), 409, "Directory_ConcurrencyViolation", "concurrent").await;
    assert!(matches!(answer, Answer::Later(later) if later.cause == LaterCause::Unavailable && !later.after.is_zero()));
}

#[tokio::test]
async fn look_ups_compare_what_the_filter_found() {
    let body = r#"{"value":[{"id":"a","onPremisesImmutableId":"Z0UJAAUJ780BI0VNIAVN7W=="},{"id":"b","onPremisesImmutableId":"Z0UjAauJ780BI0VniavN7w==","userPrincipalName":"Ada@contoso.com"}]}"#;
    let stub = Stub::start(move |_, _| Say::ok(body)).await;
    let client = stub.client();
    let find = async |call: Call| match perform(&client, &[call]).await.remove(0) {
        Answer::Done(Some(account)) => account.id.to_string(),
        Answer::NotFound => "nobody".to_owned(),
        other => panic!("{other:?}"),
    };
    let by_id = |text: &str| Call::FindByImmutableId { immutable_id: ImmutableId::from(text) };
    assert_eq!(find(by_id("Z0UjAauJ780BI0VniavN7w==")).await, "b");
    assert_eq!(find(by_id("z0ujaauj780bi0vniavn7w==")).await, "nobody");
    assert_eq!(find(Call::FindByUpn { upn: "ada@contoso.com".to_owned() }).await, "b");
    assert_eq!(find(Call::FindByUpn { upn: "other@contoso.com".to_owned() }).await, "nobody");
    let sent = stub.seen().len();
    let long = perform(&client, &[by_id(&"x".repeat(121))]).await.remove(0);
    assert!(matches!(long, Answer::Refused(refusal) if refusal.code == "filter_too_long"));
    assert_eq!(stub.seen().len(), sent);
}

#[tokio::test]
async fn a_created_account_without_an_id_is_unknown() {
    for body in ["", "{}", "{\"id\":\"a"] {
        let stub = Stub::start(move |_, _| Say::Answer(201, vec![], body.to_owned())).await;
        assert!(matches!(perform(&stub.client(), &[ada(None)]).await[..], [Answer::Unknown(_)]), "{body}");
    }
}
