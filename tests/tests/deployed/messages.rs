//! Messages are lost, come twice, and come out of order. For this the story stands between the queues and the functions: it
//! takes messages out of the queues and hands them over as Lambda does, or does not.

use std::collections::BTreeSet;

use hardmatch_aws::stand_in::REGION;
use serde_json::{Value, json};

use crate::Fixture;
use crate::company::{Company, Tenant};
use crate::stack::Stack;

/// Queues, by their outputs, with their functions.
const QUEUES: [(&str, &str); 4] = [
    ("SourceQueue", "ingest-source"),
    ("TenantQueue", "ingest-tenant"),
    ("MatchQueue", "match"),
    ("WriteQueue", "write"),
];
const TICK: &str = r#"{"v":1,"kind":"tick"}"#;
const PEOPLE: u32 = 30;

pub(crate) fn story(fixture: &mut Fixture) {
    let tenant = Tenant::start(fixture);
    let company = Company::new(fixture, "unheard", &tenant);
    let stack = &fixture.stack;
    company.people(stack, 0..PEOPLE, "Sales");
    let first = company.says(stack, &["sync", "--yes"], 0);
    assert_eq!(first["status"], "converged", "{first}");
    // What is on its way to the dead letters is not ours to take.
    stack.until("the poison to be put aside", || stack.holds("DeadLetters") == [2, 0, 0]);

    let between = Between::stand(stack);
    let ended = |department: &str| {
        tenant.count(department) == PEOPLE as usize && company.newest(stack)["status"] == "converged"
    };

    // Every message is lost once; what comes a second time is heard. The tick alone keeps the run going.
    company.people(stack, 0..PEOPLE, "Marketing");
    between.hand_over("MatchQueue", &start("2031-02-01T02:00:00Z"));
    let (mut lost, mut old) = (BTreeSet::new(), Vec::new());
    let mut kinds = BTreeSet::new();
    stack.until("a run whose messages are all lost once", || {
        let taken = between.take();
        for (queue, body) in &taken {
            // Lost, or heard because its like was lost before; its next like is lost again.
            if lost.insert(body.clone()) {
                kinds.insert(kind(body));
            } else {
                lost.remove(body);
                between.hand_over(queue, body);
                old.push((*queue, body.clone()));
            }
        }
        if taken.is_empty() {
            if ended("Marketing") {
                return true;
            }
            between.hand_over("MatchQueue", TICK);
        }
        false
    });
    let all = ["advance", "match", "observe-source", "observe-tenant", "write"];
    assert!(all.iter().all(|kind| kinds.contains(*kind)), "lost: {kinds:?}");

    // The newest first, each of them twice, and behind each one of a run that has ended.
    company.people(stack, 0..PEOPLE, "Support");
    between.hand_over("MatchQueue", &start("2031-02-02T02:00:00Z"));
    let mut echoes = old.iter().cycle();
    stack.until("a run whose messages come twice", || {
        let taken = between.take();
        for (queue, body) in taken.iter().rev() {
            between.hand_over(queue, body);
            let (old_queue, old_body) = echoes.next().unwrap();
            between.hand_over(old_queue, old_body);
            between.hand_over(queue, body);
        }
        taken.is_empty() && ended("Support")
    });
    drop(between);

    // Everything again, through the queues, when all has ended: several at a time.
    let writes = tenant.world().counters().writes;
    let runs = company.says(stack, &["runs", "list"], 0);
    for (queue, body) in old.iter().rev().chain(&old) {
        stack.send(queue, body);
    }
    stack.until("all that to be heard", || QUEUES.iter().all(|(queue, _)| stack.holds(queue)[..2] == [0, 0]));
    assert_eq!(tenant.world().counters().writes, writes, "an old message writes nothing");
    assert_eq!(company.says(stack, &["runs", "list"], 0), runs, "and changes nothing");
    assert_eq!(tenant.world().counters().writes, u64::from(3 * PEOPLE), "nothing was written twice");
    tenant.nobody_twice();
    company.nothing_to_do(stack, &tenant);
}

fn start(slot: &str) -> String {
    json!({ "v": 1, "connection": "unheard", "kind": "start", "slot": slot }).to_string()
}

fn kind(body: &str) -> String {
    let message: Value = serde_json::from_str(body).unwrap();
    message["kind"].as_str().unwrap().to_owned()
}

/// Between queues and functions, whose own connection is cut. Dropped, it is as before.
struct Between<'a> {
    stack: &'a Stack,
    mappings: Vec<String>,
}

impl<'a> Between<'a> {
    fn stand(stack: &'a Stack) -> Self {
        let mappings = QUEUES.iter().map(|(queue, function)| {
            let asked = json!({ "FunctionName": format!("{}-{function}", stack.name) });
            let found = stack.call("lambda", "list_event_source_mappings", &asked);
            let arn = arn(stack, queue);
            let ours = found["EventSourceMappings"].as_array().unwrap().iter().find(|one| one["EventSourceArn"] == arn);
            ours.unwrap()["UUID"].as_str().unwrap().to_owned()
        });
        let between = Self { stack, mappings: mappings.collect() };
        between.switch(false);
        // What was handed over before is answered first.
        stack.until("quiet", || QUEUES.iter().all(|(queue, _)| stack.holds(queue)[1] == 0));
        between
    }

    fn switch(&self, on: bool) {
        for mapping in &self.mappings {
            self.stack.call("lambda", "update_event_source_mapping", &json!({ "UUID": mapping, "Enabled": on }));
        }
    }

    /// Takes what lies in the queues.
    fn take(&self) -> Vec<(&'static str, String)> {
        let mut taken = Vec::new();
        for (queue, _) in QUEUES {
            let url = self.stack.output(queue);
            let asked = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 });
            let received = self.stack.call("sqs", "receive_message", &asked);
            for message in received["Messages"].as_array().into_iter().flatten() {
                let gone = json!({ "QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"] });
                self.stack.call("sqs", "delete_message", &gone);
                taken.push((queue, message["Body"].as_str().unwrap().to_owned()));
            }
        }
        taken
    }

    /// Hands a message over, and has it answered without a failure.
    #[track_caller]
    fn hand_over(&self, queue: &str, body: &str) {
        let function = QUEUES.iter().find(|(name, _)| *name == queue).unwrap().1;
        let message = json!({
            "messageId": format!("{function}-{}", kind(body)),
            "receiptHandle": "by hand",
            "body": body,
            "attributes": { "ApproximateReceiveCount": "1", "SenderId": "story" },
            "eventSource": "aws:sqs",
            "eventSourceARN": arn(self.stack, queue),
            "awsRegion": REGION,
        });
        let event = json!({ "Records": [message] }).to_string();
        let asked = json!({ "FunctionName": format!("{}-{function}", self.stack.name), "Payload": event });
        let answer = self.stack.call("lambda", "invoke", &asked);
        let failed: Value = serde_json::from_str(answer["Payload"].as_str().unwrap()).unwrap();
        assert_eq!(failed, json!({ "batchItemFailures": [] }), "{body}: {answer}");
    }
}

impl Drop for Between<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.switch(true);
        }
    }
}

fn arn(stack: &Stack, queue: &str) -> String {
    let asked = json!({ "QueueUrl": stack.output(queue), "AttributeNames": ["QueueArn"] });
    let answer = stack.call("sqs", "get_queue_attributes", &asked);
    answer["Attributes"]["QueueArn"].as_str().unwrap().to_owned()
}
