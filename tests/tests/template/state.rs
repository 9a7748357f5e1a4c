//! How data is kept: tables, bucket, keys.

use serde_json::json;

use crate::expanded::{is_tagged, list, of_type, properties, resource, target};

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
fn people_and_tokens_are_encrypted_under_keys_of_their_own() {
    for (table, key) in [("WorkTable", "DataKey"), ("TokenTable", "TokenKey")] {
        let sealed = &properties(table)["SSESpecification"];
        assert_eq!((&sealed["SSEEnabled"], &sealed["SSEType"]), (&json!(true), &json!("KMS")), "{table}");
        assert_eq!(target(&sealed["KMSMasterKeyId"]), Some(key), "{table}");
    }
    for (name, key) in of_type("AWS::KMS::Key") {
        assert_eq!(key["EnableKeyRotation"], true, "{name}");
    }
    assert_eq!(target(&properties("Topic")["KmsMasterKeyId"]), Some("DataKey"));
}

#[test]
fn the_bucket_is_closed_encrypted_and_forgets() {
    let bucket = properties("Bucket");
    for lock in ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"] {
        assert_eq!(bucket["PublicAccessBlockConfiguration"][lock], true, "{lock}");
    }
    let rule = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
    assert_eq!(rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"], "aws:kms");
    assert_eq!(target(&rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]), Some("DataKey"));
    assert_eq!(rule["BucketKeyEnabled"], true, "without it each object is a call to the key service");
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
