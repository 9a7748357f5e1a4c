//! What people may do from the command line: look, ask through queues, accept. Nobody writes into a table.

use std::collections::BTreeSet;

use crate::expanded::properties;
use crate::rights::{Statement, needed, statements};

const POLICIES: [&str; 3] = ["ViewerPolicy", "OperatorPolicy", "ApproverPolicy"];

fn policy(name: &str) -> Vec<Statement> {
    statements(&properties(name)["PolicyDocument"])
}

/// Queues that a policy lets ring.
fn rings(name: &str) -> BTreeSet<String> {
    let rights = policy(name);
    let send = rights.iter().filter(|statement| statement.actions.contains("sqs:SendMessage"));
    send.flat_map(Statement::targets).map(str::to_owned).collect()
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
    let letters = |name: &str| -> BTreeSet<String> {
        let rights = policy(name);
        let take = rights.iter().filter(|statement| statement.actions.contains("sqs:ReceiveMessage"));
        take.flat_map(Statement::targets).map(str::to_owned).collect()
    };
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
fn policies_of_two_regions_do_not_meet() {
    for name in POLICIES {
        // Policies belong to the account: two stacks of one name in two regions would fight for one.
        let called = properties(name)["ManagedPolicyName"]["Fn::Sub"].as_str().unwrap_or_default();
        assert!(called.contains("${AWS::StackName}") && called.contains("${AWS::Region}"), "{name} is called {called}");
    }
}
