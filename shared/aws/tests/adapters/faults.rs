//! What DynamoDB does on a bad day, and no stand-in does: throttling, transactions that meet, what is left unprocessed,
//! errors of its own, and answers that never arrive.

use std::sync::Arc;
use std::time::Duration;

use hardmatch_aws::{Aws, DynamoTable};
use hardmatch_ports::table::{Condition, Key, Query, Table as _, TableError, Units, Write};
use serde_json::{Value, json};

use crate::support::{Answer, QuickClock, Script, Stub, always, ok, refusal};

struct Day {
    stub: Stub,
    clock: Arc<QuickClock>,
    table: DynamoTable,
}

async fn day(script: Vec<Script>) -> Day {
    let stub = Stub::start(script).await;
    let clock = Arc::new(QuickClock::default());
    let table = Aws::with(stub.config.clone(), Arc::clone(&clock) as _).table("work");
    Day { stub, clock, table }
}

fn key(sk: &str) -> Key {
    Key::new("p", sk)
}

fn put(sk: &str) -> Write {
    Write::put(key(sk), sk.as_bytes().to_vec())
}

fn throttled() -> Script {
    always(|| refusal(400, "ProvisionedThroughputExceededException", json!({})))
}

fn done() -> Script {
    always(|| ok(&json!({})))
}

fn stored(sk: &str) -> Value {
    json!({"pk": {"S": "p"}, "sk": {"S": sk}, "rev": {"N": "7"}, "body": {"B": "eA=="}})
}

fn cancelled(codes: &'static [&'static str]) -> Script {
    always(move || {
        let reasons: Vec<Value> = codes.iter().map(|code| json!({"Code": code})).collect();
        refusal(400, "TransactionCanceledException", json!({"CancellationReasons": reasons}))
    })
}

#[tokio::test]
async fn what_is_left_unprocessed_is_written_by_the_next_call() {
    let left_over: Script = Box::new(|requests| {
        let items = requests[0]["RequestItems"]["work"].as_array().unwrap();
        ok(&json!({
            "UnprocessedItems": {"work": &items[1..]},
            "ConsumedCapacity": [{"TableName": "work", "CapacityUnits": 1.0}],
        }))
    });
    let rest = always(|| ok(&json!({"ConsumedCapacity": [{"TableName": "work", "CapacityUnits": 2.0}]})));
    let day = day(vec![left_over, rest]).await;
    day.table.batch_write(vec![put("a"), put("b"), Write::delete(key("c"))]).await.unwrap();
    let requests = day.stub.requests();
    assert_eq!(requests.len(), 2);
    let again = requests[1]["RequestItems"]["work"].as_array().unwrap();
    assert_eq!(again.as_slice(), &requests[0]["RequestItems"]["work"].as_array().unwrap()[1..]);
    assert_eq!(day.clock.waits().len(), 1, "not at once");
    assert_eq!(day.table.units(), Units { read: 0, write: 3 });
}

#[tokio::test]
async fn what_is_left_unread_is_read_by_the_next_call() {
    let half = always(|| {
        ok(&json!({
            "Responses": {"work": [stored("a")]},
            "UnprocessedKeys": {"work": {"Keys": [{"pk": {"S": "p"}, "sk": {"S": "b"}}], "ConsistentRead": true}},
        }))
    });
    let rest = always(|| ok(&json!({"Responses": {"work": [stored("b")]}})));
    let day = day(vec![half, rest]).await;
    let mut found = day.table.batch_get(&[key("a"), key("b"), key("a")]).await.unwrap();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found.iter().map(|item| item.key.sk.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let again = &day.stub.requests()[1]["RequestItems"]["work"];
    assert_eq!(again["Keys"], json!([{"pk": {"S": "p"}, "sk": {"S": "b"}}]));
    assert_eq!(again["ConsistentRead"], json!(true), "the rest is read as strongly as the first");
}

#[tokio::test]
async fn a_batch_that_gets_nowhere_is_given_up() {
    let nothing: Script = Box::new(|requests| ok(&json!({"UnprocessedItems": requests[0]["RequestItems"]})));
    let day = day(vec![nothing]).await;
    let error = day.table.batch_write(vec![put("a")]).await.unwrap_err();
    assert!(matches!(&error, TableError::Unavailable(text) if text.contains("throttled")), "{error:?}");
    assert_eq!(day.stub.requests().len(), 10);
}

#[tokio::test]
async fn throttling_is_waited_for_longer_each_time_and_not_for_ever() {
    let day = day(vec![throttled(), throttled(), throttled(), always(|| ok(&json!({"Item": stored("a")})))]).await;
    assert_eq!(day.table.get(&key("a")).await.unwrap().map(|item| item.revision), Some(7));
    let waits = day.clock.waits();
    assert_eq!(waits.len(), 3);
    for (wait, longest) in waits.iter().zip([50, 100, 200].map(Duration::from_millis)) {
        assert!(*wait >= longest / 2 && *wait <= longest, "{waits:?}");
    }

    for script in [throttled, || always(|| refusal(400, "ThrottlingException", json!({})))] {
        let day = self::day(vec![script()]).await;
        let error = day.table.write(put("a")).await.unwrap_err();
        assert!(matches!(&error, TableError::Unavailable(text) if text.contains("dynamodb:PutItem")), "{error:?}");
        assert_eq!(day.stub.requests().len(), 10);
        assert!(day.clock.waits().iter().sum::<Duration>() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn a_role_without_the_right_is_told_which_at_once() {
    let day = day(vec![always(|| refusal(400, "AccessDeniedException", json!({"message": "x"})))]).await;
    let error = day.table.query(&Query::prefix("p", "")).await.unwrap_err();
    assert!(matches!(&error, TableError::Unavailable(text) if text.contains("Allow dynamodb:Query")), "{error:?}");
    assert_eq!((day.stub.requests().len(), day.clock.waits().len()), (1, 0));
}

#[tokio::test]
async fn without_credentials_or_a_region_nobody_waits() {
    let stub = Stub::start(vec![done()]).await;
    let mut no_credentials = stub.config.to_builder();
    no_credentials.set_credentials_provider(None);
    for config in [no_credentials.build(), stub.config.to_builder().region(None).build()] {
        let clock = Arc::new(QuickClock::default());
        let error = Aws::with(config, Arc::clone(&clock) as _).table("work").get(&key("a")).await.unwrap_err();
        assert!(
            matches!(&error, TableError::Unavailable(text) if text.contains("Check region and credentials")),
            "{error:?}"
        );
        assert!(clock.waits().is_empty());
    }
    assert!(stub.requests().is_empty());
}

#[tokio::test]
async fn a_transaction_that_met_another_is_no_conflict_of_ours() {
    let in_progress = always(|| refusal(400, "TransactionInProgressException", json!({})));
    let day = day(vec![
        cancelled(&["None", "TransactionConflict"]),
        cancelled(&["ThrottlingError", "None"]),
        in_progress,
        done(),
    ])
    .await;
    let writes = vec![put("a"), Write::put_if(key("b"), vec![], Condition::Absent)];
    day.table.transact(writes).await.unwrap();
    let requests = day.stub.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|request| *request == requests[0]), "under one token, word for word");

    let day = self::day(vec![cancelled(&["TransactionConflict"])]).await;
    let error = day.table.transact(vec![put("a")]).await.unwrap_err();
    assert!(matches!(error, TableError::Unavailable(_)), "{error:?}");
    assert_eq!(day.stub.requests().len(), 10);
}

#[tokio::test]
async fn a_condition_that_failed_beside_a_meeting_is_a_conflict() {
    let day = day(vec![cancelled(&["TransactionConflict", "ConditionalCheckFailed", "None"])]).await;
    let writes = vec![put("a"), Write::put_if(key("b"), vec![], Condition::Absent), put("c")];
    let error = day.table.transact(writes).await.unwrap_err();
    assert!(matches!(error, TableError::Conflict { at: 1 }), "{error:?}");
    assert_eq!(day.stub.requests().len(), 1);
}

#[tokio::test]
async fn a_transaction_called_off_for_good_is_not_repeated() {
    let day = day(vec![cancelled(&["ItemCollectionSizeLimitExceeded", "TransactionConflict"])]).await;
    let error = day.table.transact(vec![put("a"), put("b")]).await.unwrap_err();
    assert!(matches!(error, TableError::Unavailable(_)), "{error:?}");
    assert_eq!(day.stub.requests().len(), 1);
}

#[tokio::test]
async fn a_transaction_whose_answer_was_lost_is_asked_for_again_under_its_token() {
    for lost in [always(|| Answer::HangsUp), always(|| refusal(500, "InternalServerError", json!({})))] {
        let day = day(vec![lost, done()]).await;
        day.table.transact(vec![Write::put_if(key("a"), vec![1], Condition::Revision(3))]).await.unwrap();
        let requests = day.stub.requests();
        assert_eq!((requests.len(), &requests[0]), (2, &requests[1]));
        assert_eq!(requests[0]["ClientRequestToken"].as_str().map(str::len), Some(32));
        assert_eq!(requests[0]["TransactItems"][0]["Put"]["Item"]["rev"], json!({"N": "4"}));
    }
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_knows_its_own_work_again() {
    let own = || -> Script {
        Box::new(|requests| refusal(400, "ConditionalCheckFailedException", json!({"Item": requests[0]["Item"]})))
    };
    for condition in [Condition::Absent, Condition::Revision(3)] {
        let day = day(vec![always(|| Answer::HangsUp), own()]).await;
        let revision = day.table.write(Write::put_if(key("a"), vec![1], condition)).await.unwrap();
        assert_eq!(day.stub.requests()[0]["Item"]["rev"], json!({"N": revision.to_string()}));
    }
    // Without a lost answer the item cannot be ours, whatever it looks like.
    let day = day(vec![own()]).await;
    let error = day.table.write(Write::put_if(key("a"), vec![1], Condition::Absent)).await.unwrap_err();
    assert!(matches!(error, TableError::Conflict { at: 0 }), "{error:?}");
}

#[tokio::test]
async fn a_lost_answer_and_another_writer_are_neither_done_nor_conflict() {
    // The other wrote the same words under the same revision: a counter that both raise to the same number.
    let other: Script = Box::new(|requests| {
        let mut item = requests[0]["Item"].clone();
        item["w"] = json!({"B": "AAAAAAAAAAA="});
        refusal(400, "ConditionalCheckFailedException", json!({"Item": item}))
    });
    let gone = always(|| refusal(400, "ConditionalCheckFailedException", json!({})));
    let revision = Condition::Revision(3);
    for (write, answer) in [
        (Write::put_if(key("a"), vec![1], revision), other),
        (Write::Delete { key: key("a"), condition: revision }, gone),
    ] {
        let day = day(vec![always(|| refusal(500, "InternalServerError", json!({}))), answer]).await;
        let error = day.table.write(write).await.unwrap_err();
        assert!(matches!(error, TableError::Unavailable(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_refused_condition_is_counted_as_it_is_billed() {
    let big = "A".repeat(4 * 3_000);
    let there = always(move || {
        let mut item = stored("a");
        item["body"] = json!({"B": big});
        refusal(400, "ConditionalCheckFailedException", json!({"Item": item}))
    });
    let day = day(vec![there]).await;
    day.table.write(Write::put_if(key("a"), vec![1], Condition::Absent)).await.unwrap_err();
    assert_eq!(day.table.units().write, 9, "9,000 bytes are there");
}

#[tokio::test]
async fn reads_are_counted_as_dynamodb_says() {
    let page = always(|| {
        ok(&json!({
            "Items": [stored("a")],
            "LastEvaluatedKey": {"pk": {"S": "p"}, "sk": {"S": "a"}},
            "ConsumedCapacity": {"TableName": "work", "CapacityUnits": 128.0},
        }))
    });
    let one = always(|| ok(&json!({"ConsumedCapacity": {"TableName": "work", "CapacityUnits": 2.0}})));
    let day = day(vec![page, one]).await;
    let found = day.table.query(&Query::prefix("p", "")).await.unwrap();
    assert_eq!((found.items.len(), found.next.as_deref()), (1, Some("a")), "a page that DynamoDB cut goes on");
    day.table.get(&key("b")).await.unwrap();
    assert_eq!(day.table.units(), Units { read: 130, write: 0 });
    let asked = day.stub.requests();
    assert!(asked.iter().all(|request| request["ConsistentRead"] == json!(true)), "{asked:?}");
}

#[tokio::test]
async fn an_item_of_somebody_else_is_not_taken_for_ours() {
    let day = day(vec![always(|| ok(&json!({"Item": {"pk": {"S": "p"}, "sk": {"S": "s"}, "n": {"N": "1"}}})))]).await;
    let error = day.table.get(&key("s")).await.unwrap_err();
    assert!(
        matches!(&error, TableError::Unavailable(text) if text.contains("give hardmatch one of its own")),
        "{error:?}"
    );
}

#[tokio::test]
async fn nothing_of_an_item_gets_into_an_error() {
    let echo: Script = Box::new(|requests| {
        refusal(400, "ValidationException", json!({"message": "x".repeat(250) + &requests[0].to_string()}))
    });
    let day = day(vec![echo]).await;
    let error = day.table.write(Write::put(key("a"), b"secret".to_vec())).await.unwrap_err();
    assert!(matches!(error, TableError::Invalid(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("c2VjcmV0"), "{error}");
}
