//! Twenty-nine mistakes that somebody could make in the template, by name: each changes the rights that `golden` compares, and
//! the line that it changes is found. `golden` tries every statement; this is the table to read.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::expanded::{list, template};
use crate::golden::{kept, rights};

/// What is done to a statement.
enum Mistake {
    /// The statement is left out.
    WithoutStatement,
    /// An action is left out.
    Without(&'static str),
    /// An action is added.
    With(&'static str),
    /// A resource is added.
    On(&'static str),
    /// All resources stand in the place of its own.
    Everywhere,
    /// A condition is left out, by its operator.
    Unless(&'static str),
    /// A condition lets a further value through: operator, key, value.
    Or(&'static str, &'static str, &'static str),
}

use Mistake::{Everywhere, On, Or, Unless, With, Without, WithoutStatement};

/// Name, resource, statement, what is done to it, and a word of the line that is gone or new.
type Row = (&'static str, &'static str, &'static str, Mistake, &'static str);

const REMOVALS: [Row; 11] = [
    (
        "the source's function does not read its queue",
        "SourceRole",
        "TakeMessages",
        Without("sqs:ReceiveMessage"),
        "sqs:ReceiveMessage",
    ),
    (
        "a message is not put back early",
        "WriteRole",
        "TakeMessages",
        Without("sqs:ChangeMessageVisibility"),
        "sqs:ChangeMessageVisibility",
    ),
    (
        "the source's function deletes no marks",
        "SourceRole",
        "WriteTable",
        Without("dynamodb:DeleteItem"),
        "dynamodb:DeleteItem",
    ),
    (
        "the tenant's function writes no accounts",
        "TenantRole",
        "WriteTable",
        Without("dynamodb:BatchWriteItem"),
        "dynamodb:BatchWriteItem",
    ),
    (
        "deciding checks no condition",
        "MatchRole",
        "WorkTable",
        Without("dynamodb:ConditionCheckItem"),
        "dynamodb:ConditionCheckItem",
    ),
    ("a removed connection leaves its reports", "MatchRole", "Blobs", Without("s3:DeleteObject"), "s3:DeleteObject"),
    ("dead letters cannot be put back", "MatchRole", "TakeDeadLetters", WithoutStatement, "${DeadLetters.Arn}"),
    ("nobody proves who a function is", "TenantAccess", "ProveWhoWeAre", WithoutStatement, "sts:GetWebIdentityToken"),
    ("an operator asks for nothing", "OperatorPolicy", "Command", WithoutStatement, "${CommandQueue.Arn}"),
    ("the bucket answers without TLS", "BucketPolicy", "OnlyOverTls", WithoutStatement, "deny"),
    ("the source's function makes network interfaces", "SourceRole", "NotByItself", WithoutStatement, "deny | ec2:"),
];

const ADDITIONS: [Row; 12] = [
    (
        "the pages write connections' state",
        "ConnectRole",
        "WriteLinks",
        Or("ForAllValues:StringLike", "dynamodb:LeadingKeys", "CONN#*"),
        "ConnectRole",
    ),
    (
        "who reads files writes lanes",
        "SourceRole",
        "WriteTable",
        Or("ForAllValues:StringLike", "dynamodb:LeadingKeys", "LANE#*"),
        "SourceRole",
    ),
    ("who reads files reads every bucket", "SourceRole", "PeopleFiles", Everywhere, "SourceRole"),
    ("a function deletes tables", "MatchRole", "WorkTable", With("dynamodb:DeleteTable"), "dynamodb:DeleteTable"),
    ("a function reads the whole table at once", "WriteRole", "ReadTable", With("dynamodb:Scan"), "dynamodb:Scan"),
    (
        "deciding reads tokens",
        "MatchRole",
        "WorkTable",
        On("arn:aws:dynamodb:us-east-1:111122223333:table/tokens"),
        "table/tokens",
    ),
    (
        "an operator accepts plans",
        "OperatorPolicy",
        "Command",
        On("arn:aws:sqs:us-east-1:111122223333:approve"),
        "approve",
    ),
    ("a viewer asks for runs", "ViewerPolicy", "Queues", With("sqs:SendMessage"), "sqs:SendMessage"),
    ("functions read every secret", "TenantAccess", "Secrets", Everywhere, "secretsmanager:GetSecretValue"),
    (
        "who reads directories reads the tenant's secrets",
        "SourceRole",
        "DirectorySecrets",
        Everywhere,
        "secretsmanager:",
    ),
    ("who reads directories writes plans", "SourceRole", "DirectoryCopies", Everywhere, "s3:PutObject"),
    ("functions take other roles", "TenantAccess", "ProveWhoWeAre", With("sts:AssumeRole"), "sts:AssumeRole"),
];

const CONDITIONS: [Row; 6] = [
    ("a request without a partition passes", "SourceRole", "WriteTable", Unless("Null"), "SourceRole"),
    (
        "a key opens more than copies of directories",
        "SourceRole",
        "DirectoryCopiesAtRest",
        Unless("StringLike"),
        "kms:Decrypt",
    ),
    ("the pages write every partition", "ConnectRole", "WriteLinks", Unless("ForAllValues:StringLike"), "ConnectRole"),
    (
        "tokens are opened for no connection",
        "TenantAccess",
        "SealTokens",
        Unless("ForAllValues:StringEquals"),
        "${TokenKey.Arn}",
    ),
    (
        "an identity lasts an hour",
        "TenantAccess",
        "ProveWhoWeAre",
        Unless("NumericLessThanEqualsIfExists"),
        "sts:GetWebIdentityToken",
    ),
    (
        "an identity is shown to anybody",
        "TenantAccess",
        "ProveWhoWeAre",
        Or("ForAllValues:StringLike", "sts:IdentityTokenAudience", "*"),
        "sts:GetWebIdentityToken",
    ),
];

/// Where a statement stands, as a JSON pointer to the list it is in, and its number.
fn place(value: &Value, sid: &str, at: &str, found: &mut Vec<(String, usize)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                place(value, sid, &format!("{at}/{}", key.replace('/', "~1")), found);
            }
        }
        Value::Array(many) => {
            for (number, one) in many.iter().enumerate() {
                let inner = if one["Fn::If"].is_null() { one } else { &one["Fn::If"][1] };
                if inner["Sid"] == sid {
                    found.push((at.to_owned(), number));
                } else {
                    place(one, sid, &format!("{at}/{number}"), found);
                }
            }
        }
        _ => {}
    }
}

/// The template with a mistake in it.
fn with(resource: &str, sid: &str, mistake: &Mistake) -> Value {
    let mut changed = template().clone();
    let mut found = Vec::new();
    place(&changed["Resources"][resource], sid, &format!("/Resources/{resource}"), &mut found);
    let [(at, number)] = &found[..] else { panic!("{resource} has {} statements {sid}", found.len()) };
    let statements = changed.pointer_mut(at).and_then(Value::as_array_mut).expect("statements");
    let one = &mut statements[*number];
    let statement = if one["Fn::If"].is_null() { one } else { &mut one["Fn::If"][1] };
    let more = |values: &Value, value: &str| {
        let mut all: Vec<Value> = list(values).into_iter().cloned().collect();
        all.push(json!(value));
        Value::Array(all)
    };
    match mistake {
        WithoutStatement => _ = statements.remove(*number),
        Without(action) => {
            let left: Vec<Value> =
                list(&statement["Action"]).into_iter().filter(|one| one != action).cloned().collect();
            assert!(left.len() < list(&statement["Action"]).len(), "{resource} may not {action} by {sid}");
            statement["Action"] = left.into();
        }
        With(action) => statement["Action"] = more(&statement["Action"], action),
        On(resource) => statement["Resource"] = more(&statement["Resource"], resource),
        Everywhere => statement["Resource"] = json!("*"),
        Unless(operator) => {
            let gone = statement["Condition"].as_object_mut().and_then(|all| all.remove(*operator));
            assert!(gone.is_some(), "{resource}: {sid} has no {operator}");
        }
        Or(operator, key, value) => {
            let values = &mut statement["Condition"][*operator][*key];
            assert!(!values.is_null(), "{resource}: {sid} has no {operator} of {key}");
            *values = more(values, value);
        }
    }
    changed
}

fn try_all(rows: &[Row]) {
    let (kept, mut names) = (kept(), BTreeSet::new());
    assert_eq!(rights(template()), kept, "the template is as it was meant");
    for (name, resource, sid, mistake, word) in rows {
        let found = rights(&with(resource, sid, mistake));
        let (gone, fresh): (Vec<_>, Vec<_>) = (kept.difference(&found).collect(), found.difference(&kept).collect());
        assert!(!gone.is_empty() || !fresh.is_empty(), "{name}: nobody sees it");
        assert!(gone.iter().chain(&fresh).any(|line| line.contains(word)), "{name}: {gone:#?} {fresh:#?}");
        assert!(names.insert(name), "{name} stands there twice");
    }
}

#[test]
fn eleven_rights_too_few_are_found() {
    try_all(&REMOVALS);
}

#[test]
fn twelve_rights_too_many_are_found() {
    try_all(&ADDITIONS);
}

#[test]
fn six_loosened_conditions_are_found() {
    try_all(&CONDITIONS);
}
