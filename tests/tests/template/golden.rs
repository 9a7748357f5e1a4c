//! Every right that the template gives, a line each, held against `infra/rights.txt`: a right that is missing fails, and so
//! does one too many. After a wanted change: `UPDATE_RIGHTS=1 cargo test -p hardmatch-tests --test template golden`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::expanded::{list, path, template, text};

const FILE: &str = "infra/rights.txt";
/// What stands above the lines.
const HEAD: &str = "\
# Every right in template.yaml: who | allow or deny | action | resource | under which condition.
# A test compares it with the template. What a resource's own policy says has the resource's name and its principal as who.
";

/// A value of the template in one word where that can be: names of resources instead of functions.
fn said(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(name) = value["Ref"].as_str() {
        return format!("${{{name}}}");
    }
    match &value["Fn::GetAtt"] {
        Value::Array(parts) => {
            return format!("${{{}.{}}}", said(&parts[0]), said(&parts[1]));
        }
        Value::String(text) => return format!("${{{text}}}"),
        _ => {}
    }
    if let Value::Array(parts) = &value["Fn::If"] {
        return format!("{} (where {}: {})", said(&parts[2]), said(&parts[0]), said(&parts[1]));
    }
    value["Fn::Sub"].as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn condition(statement: &Value) -> String {
    let mut parts = Vec::new();
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        for (key, values) in keys.as_object().into_iter().flatten() {
            let mut values: Vec<String> = list(values).into_iter().map(said).collect();
            values.sort();
            parts.push(format!("{operator} {key} = {}", values.join(", ")));
        }
    }
    parts.sort();
    if parts.is_empty() { "always".to_owned() } else { parts.join("; ") }
}

/// The lines of a policy document.
fn lines(who: &str, document: &Value, found: &mut BTreeSet<String>) {
    for entry in list(&document["Statement"]) {
        let (given, entry) = match &entry["Fn::If"] {
            Value::Array(parts) => (format!("where {}", said(&parts[0])), &parts[1]),
            _ => (String::new(), entry),
        };
        for turned in ["NotAction", "NotResource", "NotPrincipal"] {
            assert!(entry[turned].is_null(), "{who} has {turned}, which this test cannot tell");
        }
        let who = match entry["Principal"].as_object() {
            Some(principals) => {
                let mut named: Vec<String> = principals
                    .iter()
                    .flat_map(|(kind, names)| list(names).into_iter().map(move |name| format!("{kind} {}", said(name))))
                    .collect();
                named.sort();
                format!("{who} for {}", named.join(", "))
            }
            None if entry["Principal"] == "*" => format!("{who} for everybody"),
            None => who.to_owned(),
        };
        let effect = said(&entry["Effect"]).to_lowercase();
        let mut when = condition(entry);
        if !given.is_empty() {
            when = format!("{when} ({given})");
        }
        let resources = list(&entry["Resource"]);
        let resources: Vec<String> =
            if resources.is_empty() { vec!["-".to_owned()] } else { resources.into_iter().map(said).collect() };
        for action in list(&entry["Action"]) {
            for resource in &resources {
                found.insert(format!("{who} | {effect} | {} | {resource} | {when}", said(action)));
            }
        }
    }
}

/// Every right of a template.
pub(crate) fn rights(template: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, resource) in template["Resources"].as_object().expect("resources") {
        let properties = &resource["Properties"];
        match resource["Type"].as_str().expect("a type") {
            "AWS::IAM::Role" => {
                lines(&format!("{name} is taken"), &properties["AssumeRolePolicyDocument"], &mut found);
                for policy in list(&properties["Policies"]) {
                    lines(name, &policy["PolicyDocument"], &mut found);
                }
                for arn in list(&properties["ManagedPolicyArns"]) {
                    found.insert(format!("{name} | has | {}", said(arn)));
                    let shared = &template["Resources"][arn["Ref"].as_str().unwrap_or_default()];
                    lines(name, &shared["Properties"]["PolicyDocument"], &mut found);
                }
                let boundary = &properties["PermissionsBoundary"];
                assert!(boundary.is_null(), "{name} has a boundary, which this test cannot tell");
            }
            "AWS::IAM::ManagedPolicy" | "AWS::S3::BucketPolicy" | "AWS::SNS::TopicPolicy" | "AWS::SQS::QueuePolicy" => {
                lines(name, &properties["PolicyDocument"], &mut found);
                for attached in ["Roles", "Users", "Groups"] {
                    for one in list(&properties[attached]) {
                        found.insert(format!("{name} | is attached to | {}", said(one)));
                    }
                }
            }
            "AWS::KMS::Key" => lines(name, &properties["KeyPolicy"], &mut found),
            "AWS::Lambda::Permission" => {
                let from = said(&properties["SourceArn"]);
                found.insert(format!(
                    "{name} for Service {} | allow | {} | {} | from {from}",
                    said(&properties["Principal"]),
                    said(&properties["Action"]),
                    said(&properties["FunctionName"]),
                ));
            }
            kind if kind.starts_with("AWS::IAM::") || kind.ends_with("Policy") => {
                panic!("{name} is a {kind}, whose rights this test cannot tell")
            }
            _ => {}
        }
    }
    found
}

/// Every right that is meant.
pub(crate) fn kept() -> BTreeSet<String> {
    let lines = text(FILE);
    lines.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn every_right_is_the_one_that_was_meant() {
    let found = rights(template());
    if std::env::var_os("UPDATE_RIGHTS").is_some() {
        let text = found.iter().fold(HEAD.to_owned(), |text, line| format!("{text}{line}\n"));
        std::fs::write(path(FILE), text).expect("the file of rights");
    }
    let kept = kept();
    let missing: Vec<&String> = kept.difference(&found).collect();
    let excess: Vec<&String> = found.difference(&kept).collect();
    assert!(
        missing.is_empty() && excess.is_empty(),
        "rights that are gone: {missing:#?}\nrights that nobody meant: {excess:#?}"
    );
}

/// Statements of the template, by where they stand.
fn statements(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) if map.contains_key("Effect") && map.contains_key("Action") => found.push(at.to_owned()),
        Value::Object(map) => {
            for (key, value) in map {
                statements(value, &format!("{at}/{}", key.replace('/', "~1")), found);
            }
        }
        Value::Array(many) => {
            for (place, value) in many.iter().enumerate() {
                statements(value, &format!("{at}/{place}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn a_right_taken_added_or_loosened_anywhere_is_seen() {
    let (kept, template) = (kept(), template());
    let mut places = Vec::new();
    statements(&template["Resources"], "/Resources", &mut places);
    assert!(places.len() > 45, "only {} statements were found", places.len());
    let mut conditions = 0;
    for place in &places {
        let seen = |what: &str, change: &dyn Fn(&mut Value)| {
            let mut changed = template.clone();
            change(changed.pointer_mut(place).expect("a statement"));
            assert_ne!(rights(&changed), kept, "{place}: {what} is not seen");
        };
        seen("another action", &|statement| {
            let mut actions: Vec<Value> = list(&statement["Action"]).into_iter().cloned().collect();
            actions.push("dynamodb:DeleteTable".into());
            statement["Action"] = actions.into();
        });
        seen("an action less", &|statement| {
            let actions: Vec<Value> = list(&statement["Action"]).into_iter().skip(1).cloned().collect();
            statement["Action"] = actions.into();
        });
        seen("another effect", &|statement| {
            statement["Effect"] = if statement["Effect"] == "Allow" { "Deny" } else { "Allow" }.into();
        });
        seen("another resource", &|statement| {
            let mut resources: Vec<Value> = list(&statement["Resource"]).into_iter().cloned().collect();
            resources.push("arn:aws:s3:::elsewhere".into());
            statement["Resource"] = resources.into();
        });
        if template.pointer(place).expect("a statement")["Condition"].is_object() {
            conditions += 1;
            seen("no condition", &|statement| statement["Condition"] = Value::Null);
        }
    }
    assert!(conditions >= 12, "only {conditions} conditions were found");
}

/// A resource that lies encrypted under a key of ours: its name, the key, the service that asks for the key, and the actions
/// that make the service encrypt.
const UNDER: [(&str, &str, &str, &[&str]); 3] = [
    ("WorkTable", "DataKey", "dynamodb", &["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"]),
    ("TokenTable", "TokenKey", "dynamodb", &["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"]),
    ("Bucket", "DataKey", "s3", &["s3:PutObject"]),
];

#[test]
fn a_key_is_open_through_a_service_to_whom_the_service_is_open_and_to_nobody_else() {
    let rights: Vec<Vec<String>> = kept()
        .iter()
        .map(|line| line.split(" | ").map(str::to_owned).collect::<Vec<_>>())
        .filter(|one| one.len() == 5)
        .collect();
    let who: BTreeSet<&String> = rights.iter().map(|right| &right[0]).filter(|who| !who.contains(' ')).collect();
    assert!(who.len() >= 8, "{who:?}");
    for who in who {
        let of = || rights.iter().filter(|right| right[0] == *who);
        let mut wanted = BTreeSet::new();
        for (resource, key, service, writes) in UNDER {
            let on = |right: &&Vec<String>| right[3].contains(&format!("${{{resource}.Arn}}"));
            // Names of objects are no content: listing them asks for no key.
            if of().filter(on).any(|right| right[2] != "s3:ListBucket") {
                wanted.insert((key, service, "kms:Decrypt"));
            }
            if of().filter(on).any(|right| writes.contains(&right[2].as_str())) {
                wanted.insert((key, service, "kms:GenerateDataKey"));
            }
        }
        let mut given = BTreeSet::new();
        for right in of().filter(|right| right[2].starts_with("kms:")) {
            let key = ["DataKey", "TokenKey"].into_iter().find(|key| right[3] == format!("${{{key}.Arn}}"));
            let key = key.unwrap_or_else(|| panic!("{who} may use {}", right[3]));
            let action = ["kms:Decrypt", "kms:GenerateDataKey"].into_iter().find(|one| right[2] == *one);
            let action = action.unwrap_or_else(|| panic!("{who} may {} with {key}", right[2]));
            // Where people's data lies under a key of AWS's own, nobody needs any.
            // A copy of a directory lies under the same key.
            let there = [" (where HasDataKey)", " (where HasDirectoryKey)"];
            let when = there.iter().find_map(|where_| right[4].strip_suffix(where_));
            assert_eq!(when.is_some(), key == "DataKey", "{who}: {}", right[4]);
            let when = when.unwrap_or(&right[4]);
            match when.strip_prefix("StringLike kms:ViaService = ") {
                Some(services) => {
                    for service in services.split(", ") {
                        assert!(service.ends_with(".${AWS::Region}.amazonaws.com*"), "{who}: {service}");
                        let name = ["dynamodb", "s3"].into_iter().find(|one| service.starts_with(&format!("{one}.")));
                        given.insert((key, name.unwrap_or_else(|| panic!("{who}: {service}")), action));
                    }
                }
                // Sealed by a function itself: the context names the connection and the kind of token.
                None => assert!(
                    key == "TokenKey"
                        && right[4].contains("kms:EncryptionContextKeys = hardmatch:connection, hardmatch:kind")
                        && right[4].contains("Null kms:EncryptionContextKeys = false"),
                    "{who} may use {key} under no condition that names what for: {}",
                    right[4]
                ),
            }
        }
        assert_eq!(given, wanted, "{who}: what the keys are open for, and what for they are needed");
    }
}
