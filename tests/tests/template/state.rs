//! How data is kept: tables, bucket, keys.

use serde_json::json;

use crate::expanded::{is_tagged, list, of_type, properties, resource, target, template};

/// What outlives the stack.
const KEPT: [&str; 5] = ["WorkTable", "TokenTable", "Bucket", "DataKey", "TokenKey"];

#[test]
fn what_cannot_be_had_again_outlives_the_stack() {
    let logs = of_type("AWS::Logs::LogGroup");
    for name in KEPT.into_iter().chain(logs.into_iter().map(|(name, _)| name)) {
        let one = resource(name);
        // What was made for a stack that could not be made goes again: a log group that stayed would keep its name from the
        // next attempt, a key would be paid for.
        let kept =
            if properties(name)["DeletionProtectionEnabled"] == true { "Retain" } else { "RetainExceptOnCreate" };
        assert_eq!((&one["DeletionPolicy"], &one["UpdateReplacePolicy"]), (&json!(kept), &json!("Retain")), "{name}");
    }
    assert_eq!(properties("WorkTable")["DeletionProtectionEnabled"], true);
}

#[test]
fn tables_are_what_the_adapters_expect() {
    for (name, table) in of_type("AWS::DynamoDB::Table") {
        assert_eq!(table["BillingMode"], "PAY_PER_REQUEST", "{name}");
        let key = json!([{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]);
        assert_eq!(table["KeySchema"], key, "{name}");
        assert_eq!(table["TimeToLiveSpecification"], json!({"AttributeName": "ttl", "Enabled": true}), "{name}");
        assert!(table["GlobalSecondaryIndexes"].is_null(), "{name}: an index costs another write each time");
    }
}

#[test]
fn the_work_can_be_restored_and_a_forgotten_token_cannot() {
    let recovery =
        |name: &str| properties(name)["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"].clone();
    assert_eq!(recovery("WorkTable"), true);
    assert_eq!(recovery("TokenTable"), false);
}

#[test]
fn tokens_lie_under_a_key_of_ours_and_people_do_where_it_is_asked_for() {
    let sealed = &properties("TokenTable")["SSESpecification"];
    assert_eq!((&sealed["SSEEnabled"], &sealed["SSEType"]), (&json!(true), &json!("KMS")));
    assert_eq!(target(&sealed["KMSMasterKeyId"]), Some("TokenKey"));
    assert!(resource("TokenKey")["Condition"].is_null(), "tokens have their key always");
    let where_asked = |value: &serde_json::Value| {
        let parts = list(&value["Fn::If"]);
        assert_eq!(*parts[0], "HasDataKey", "{value}");
        parts[1].clone()
    };
    let table = where_asked(&properties("WorkTable")["SSESpecification"]);
    assert_eq!((&table["SSEType"], target(&table["KMSMasterKeyId"])), (&json!("KMS"), Some("DataKey")));
    let topic = where_asked(&properties("Topic")["KmsMasterKeyId"]);
    assert_eq!(target(&topic), Some("DataKey"));
    assert_eq!(resource("DataKey")["Condition"], "HasDataKey");
    assert_eq!(template()["Parameters"]["DataKeyOfYours"]["Default"], "false");
    for (name, key) in of_type("AWS::KMS::Key") {
        assert_eq!(key["EnableKeyRotation"], true, "{name}");
    }
}

#[test]
fn a_table_restored_from_a_backup_is_taken_in_by_a_parameter() {
    let functions = of_type("AWS::Lambda::Function");
    for (name, function) in functions {
        let table = &function["Environment"]["Variables"]["HARDMATCH_TABLE"];
        assert_eq!(
            table["Fn::If"],
            json!(["HasRestoredTable", {"Ref": "RestoredTable"}, {"Ref": "WorkTable"}]),
            "{name}"
        );
    }
    assert_eq!(template()["Outputs"]["WorkTable"]["Value"]["Fn::If"][1], json!({"Ref": "RestoredTable"}));
    // A role that may do something with the one table may do it with the other, and with both never.
    let rights = crate::expanded::text("infra/rights.txt");
    let on_table: Vec<&str> = rights.lines().filter(|line| line.contains("${WorkTable.Arn}")).collect();
    assert!(on_table.len() > 20, "{on_table:?}");
    for line in on_table {
        assert!(line.contains("table/${RestoredTable})") && line.contains("(where HasRestoredTable: "), "{line}");
    }
}

#[test]
fn tables_and_a_month_have_a_limit_in_money() {
    for name in ["WorkTable", "TokenTable"] {
        for limit in ["MaxReadRequestUnits", "MaxWriteRequestUnits"] {
            assert_eq!(properties(name)["OnDemandThroughput"][limit], json!({"Ref": "TableUnitsPerSecond"}), "{name}");
        }
    }
    let budget = &properties("Budget")["Budget"];
    assert_eq!(budget["BudgetLimit"]["Amount"], json!({"Ref": "MonthlyBudget"}));
    assert_eq!(resource("Budget")["Condition"], "HasBudget");
    assert_eq!(template()["Parameters"]["MonthlyBudget"]["Default"], 0, "an address and a sum are the owner's to give");
}

#[test]
fn nothing_is_bound_to_one_partition() {
    let text = crate::expanded::text("infra/template.yaml");
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        assert!(!line.contains("arn:aws:"), "only in the partition aws: {line}");
        // Services' names as principals are the same everywhere; their hosts and what the key service calls them are not.
        let principal = line.contains("Principal") || line.contains("Service:");
        assert!(principal || !line.contains("amazonaws.com\""), "only in the partition aws: {line}");
    }
}

#[test]
fn the_bucket_is_closed_encrypted_and_forgets() {
    let bucket = properties("Bucket");
    for lock in ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"] {
        assert_eq!(bucket["PublicAccessBlockConfiguration"][lock], true, "{lock}");
    }
    let rule = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
    let encrypted = list(&rule["ServerSideEncryptionByDefault"]["Fn::If"]);
    assert_eq!((encrypted[0], &encrypted[1]["SSEAlgorithm"]), (&json!("HasDataKey"), &json!("aws:kms")));
    assert_eq!(target(&encrypted[1]["KMSMasterKeyID"]), Some("DataKey"));
    assert_eq!(encrypted[2], &json!({"SSEAlgorithm": "AES256"}));
    let bucket_key = &rule["BucketKeyEnabled"]["Fn::If"];
    assert_eq!(bucket_key[1], true, "without it each object is a call to the key service");
    assert_eq!(bucket["OwnershipControls"]["Rules"][0]["ObjectOwnership"], "BucketOwnerEnforced");
    assert_eq!(bucket["VersioningConfiguration"]["Status"], "Enabled");
    let rules = list(&bucket["LifecycleConfiguration"]["Rules"]);
    assert!(rules.iter().all(|rule| rule["Status"] == "Enabled"));
    for what in ["ExpirationInDays", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"] {
        assert!(rules.iter().any(|rule| !rule[what].is_null()), "no rule with {what}");
    }
}

#[test]
fn the_bucket_speaks_tls_only() {
    let policy = &properties("BucketPolicy");
    assert_eq!(target(&policy["Bucket"]), Some("Bucket"));
    let deny = &policy["PolicyDocument"]["Statement"][0];
    assert_eq!((&deny["Effect"], &deny["Principal"], &deny["Action"]), (&json!("Deny"), &json!("*"), &json!("s3:*")));
    assert_eq!(deny["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
    assert_eq!(list(&deny["Resource"]).len(), 2, "the bucket and what is in it");
}

#[test]
fn whatever_can_be_tagged_is() {
    for kind in [
        "AWS::DynamoDB::Table",
        "AWS::S3::Bucket",
        "AWS::KMS::Key",
        "AWS::SQS::Queue",
        "AWS::Lambda::Function",
        "AWS::IAM::Role",
        "AWS::Logs::LogGroup",
        "AWS::SNS::Topic",
        "AWS::CloudWatch::Alarm",
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Stage",
    ] {
        for (name, properties) in of_type(kind) {
            assert!(is_tagged(properties), "{name} is not tagged: its cost cannot be told apart");
        }
    }
}
