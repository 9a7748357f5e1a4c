//! What people may do from the command line: look, ask through queues, accept. Nobody writes into a table.

use std::collections::BTreeSet;

use serde_json::json;

use crate::expanded::{list, properties, target, template};
use crate::rights::{Statement, needed, statements};

const POLICIES: [&str; 3] = ["ViewerPolicy", "OperatorPolicy", "ApproverPolicy"];

/// What somebody may do who has a policy and those before it, as the outputs say it is attached.
fn policy(name: &str) -> Vec<Statement> {
    let place = POLICIES.iter().position(|one| *one == name).expect("a policy of people");
    POLICIES[..=place].iter().flat_map(|one| statements(&properties(one)["PolicyDocument"])).collect()
}

/// What of the template a policy lets do this with.
fn may(action: &str, name: &str) -> BTreeSet<String> {
    let rights = policy(name);
    let of = rights.iter().filter(|statement| statement.actions.contains(action));
    of.flat_map(Statement::targets).map(str::to_owned).collect()
}

/// Queues that a policy lets send to.
fn sends(name: &str) -> BTreeSet<String> {
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
fn nobody_who_reads_the_table_reads_what_hooks_are_signed_with() {
    let statements = list(&properties("ViewerPolicy")["PolicyDocument"]["Statement"]);
    let denied = statements.into_iter().find(|one| one["Effect"] == "Deny").expect("a statement that takes away");
    let reading: BTreeSet<String> =
        list(&denied["Action"]).into_iter().filter_map(|action| action.as_str()).map(str::to_owned).collect();
    assert_eq!(reading, needed("DynamoTable", &["get", "batch_get", "query"]));
    assert_eq!(denied["Condition"], json!({"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["SIGNING#*"]}}));
}

#[test]
fn a_viewer_asks_for_nothing() {
    assert_eq!(sends("ViewerPolicy"), BTreeSet::new());
    let may: BTreeSet<String> = policy("ViewerPolicy").into_iter().flat_map(|statement| statement.actions).collect();
    assert!(!may.contains("sqs:ReceiveMessage") && !may.contains("sqs:DeleteMessage"));
}

#[test]
fn operators_send_to_queues_of_commands_alone() {
    assert_eq!(sends("OperatorPolicy"), BTreeSet::from(["CommandQueue".to_owned()]));
    let approvers = BTreeSet::from(["ApproveQueue".to_owned(), "CommandQueue".to_owned()]);
    assert_eq!(sends("ApproverPolicy"), approvers, "an approver is an operator who also accepts");
    // Nobody takes a message out of a queue: a function puts letters back.
    for name in POLICIES {
        assert_eq!(may("sqs:DeleteMessage", name), BTreeSet::new(), "{name}");
        let actions: BTreeSet<String> = policy(name).into_iter().flat_map(|statement| statement.actions).collect();
        let known = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:GetQueueAttributes"];
        assert!(
            actions.iter().filter(|one| one.starts_with("sqs:")).all(|one| known.contains(&one.as_str())),
            "{name}: {actions:?}"
        );
        assert!(looks_into(name).iter().all(|queue| queue.ends_with("DeadLetters")), "{name} could take live messages");
    }
}

#[test]
fn dead_letters_are_found_and_counted_by_everybody_and_seen_by_operators() {
    let output = &template()["Outputs"]["DeadLetters"]["Value"];
    assert_eq!(target(output), Some("DeadLetters"), "the command finds them by its output");
    for name in POLICIES {
        assert!(
            may("sqs:GetQueueAttributes", name).contains("DeadLetters"),
            "{name} cannot tell whether there are any"
        );
    }
    let dead = BTreeSet::from(["DeadLetters".to_owned()]);
    assert_eq!((looks_into("ViewerPolicy"), looks_into("OperatorPolicy")), (BTreeSet::new(), dead));
}

#[test]
fn policies_of_two_regions_do_not_meet() {
    for name in POLICIES {
        // Policies belong to the account: two stacks of one name in two regions would fight for one.
        let called = properties(name)["ManagedPolicyName"]["Fn::Sub"].as_str().unwrap_or_default();
        assert!(called.contains("${AWS::StackName}") && called.contains("${AWS::Region}"), "{name} is called {called}");
    }
}
