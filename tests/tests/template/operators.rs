//! What people may do from the command line: look, ask through queues, accept. Nobody writes into a table.

use std::collections::BTreeSet;

use crate::expanded::{of_type, properties, target, template};
use crate::rights::{Statement, needed, statements};

const POLICIES: [&str; 3] = ["ViewerPolicy", "OperatorPolicy", "ApproverPolicy"];

fn policy(name: &str) -> Vec<Statement> {
    statements(&properties(name)["PolicyDocument"])
}

/// What of the template a policy lets do this with.
fn may(action: &str, name: &str) -> BTreeSet<String> {
    let rights = policy(name);
    let of = rights.iter().filter(|statement| statement.actions.contains(action));
    of.flat_map(Statement::targets).map(str::to_owned).collect()
}

/// Queues that a policy lets ring.
fn rings(name: &str) -> BTreeSet<String> {
    may("sqs:SendMessage", name)
}

/// Queues whose messages a policy lets see.
fn looks_into(name: &str) -> BTreeSet<String> {
    may("sqs:ReceiveMessage", name)
}

#[test]
fn who_looks_reads_work_and_reports_and_no_token() {
    for name in POLICIES {
        let rights = policy(name);
        let table = rights.iter().filter(|statement| statement.targets().contains("WorkTable"));
        let table: BTreeSet<String> = table.flat_map(|statement| statement.actions.clone()).collect();
        assert_eq!(table, needed("DynamoTable", &["get", "batch_get", "query"]), "{name}");
        let bucket = rights.iter().filter(|statement| statement.targets().contains("Bucket"));
        let bucket: BTreeSet<String> = bucket.flat_map(|statement| statement.actions.clone()).collect();
        assert_eq!(bucket, needed("S3Blobs", &["get", "list"]), "{name}");
        for statement in &rights {
            assert!(!statement.targets().iter().any(|one| one.starts_with("Token")), "{name}: {}", statement.sid);
            for service in ["sts", "secretsmanager", "iam", "lambda"] {
                assert!(!statement.is_of(service), "{name}: {}", statement.sid);
            }
        }
        let keys = rights.iter().filter(|statement| statement.is_of("kms"));
        let keys: BTreeSet<String> = keys.flat_map(|statement| statement.actions.clone()).collect();
        assert_eq!(keys, BTreeSet::from(["kms:Decrypt".to_owned()]), "{name} reads, and writes nothing at rest");
    }
}

#[test]
fn a_viewer_asks_for_nothing() {
    assert_eq!(rings("ViewerPolicy"), BTreeSet::new());
    let may: BTreeSet<String> = policy("ViewerPolicy").into_iter().flat_map(|statement| statement.actions).collect();
    assert!(!may.contains("sqs:ReceiveMessage") && !may.contains("sqs:DeleteMessage"));
}

#[test]
fn accepting_a_plan_takes_an_approver() {
    assert!(!rings("OperatorPolicy").contains("ApproveQueue"), "an operator could accept a plan");
    let mut with = rings("OperatorPolicy");
    with.insert("ApproveQueue".to_owned());
    assert_eq!(rings("ApproverPolicy"), with, "an approver is an operator who also accepts");
    // Whoever could take letters from the dead and send them where they came from could accept what an approver began.
    assert!(!looks_into("OperatorPolicy").contains("ApproveDeadLetters"));
    let letters = |name: &str| may("sqs:DeleteMessage", name);
    assert!(!letters("OperatorPolicy").contains("ApproveDeadLetters"));
    assert!(letters("ApproverPolicy").contains("ApproveDeadLetters"));
    for name in ["OperatorPolicy", "ApproverPolicy"] {
        assert!(letters(name).iter().all(|queue| queue.ends_with("DeadLetters")), "{name} could take live bells");
        // Every letter can be sent back to where it came from.
        let back: BTreeSet<String> = letters(name).iter().map(|queue| queue.replace("DeadLetters", "Queue")).collect();
        assert!(back.is_subset(&rings(name)), "{name}: {back:?}");
    }
}

#[test]
fn every_dead_letter_can_be_found_counted_and_looked_at() {
    let dead: BTreeSet<String> = of_type("AWS::SQS::Queue")
        .into_iter()
        .filter(|(_, queue)| queue["RedrivePolicy"].is_null())
        .map(|(name, _)| name.to_owned())
        .collect();
    assert!(dead.contains("SchedulerDeadLetters"), "{dead:?}");
    for queue in &dead {
        let output = &template()["Outputs"][queue]["Value"];
        assert_eq!(target(output), Some(queue.as_str()), "the command finds {queue} by its output");
        for name in POLICIES {
            assert!(may("sqs:GetQueueAttributes", name).contains(queue), "{name} cannot tell whether {queue} is empty");
        }
    }
    assert_eq!(looks_into("ApproverPolicy"), dead);
    // What an approver asked for is an approver's to see.
    let operators = dead.iter().filter(|queue| *queue != "ApproveDeadLetters").cloned().collect();
    assert_eq!(looks_into("OperatorPolicy"), operators);
    // A start that came too late is not sent back, so nobody takes it.
    for name in POLICIES {
        assert!(!may("sqs:DeleteMessage", name).contains("SchedulerDeadLetters"), "{name}");
    }
}

#[test]
fn policies_of_two_regions_do_not_meet() {
    for name in POLICIES {
        // Policies belong to the account: two stacks of one name in two regions would fight for one.
        let called = properties(name)["ManagedPolicyName"]["Fn::Sub"].as_str().unwrap_or_default();
        assert!(called.contains("${AWS::StackName}") && called.contains("${AWS::Region}"), "{name} is called {called}");
    }
}
