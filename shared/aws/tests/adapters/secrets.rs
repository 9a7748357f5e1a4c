//! Secrets against the stand-in.

use std::sync::Arc;
use std::time::Duration;

use hardmatch_aws::Aws;
use hardmatch_ports::credentials::SecretReader as _;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::support::{QuickClock, Stub, account, always, refusal};

#[tokio::test]
async fn a_secret_is_remembered_for_five_minutes() {
    let account = account();
    let clock = Arc::new(QuickClock::default());
    let aws = account.aws(Arc::clone(&clock) as _).await;
    let arn = account.secret("client-secret", "one").await.unwrap();
    let secrets = aws.secrets();
    assert_eq!(secrets.read(&arn).await.unwrap().expose_secret(), "one");
    let client = aws_sdk_secretsmanager::Client::new(aws.config());
    client.put_secret_value().secret_id(&arn).secret_string("two").send().await.unwrap();
    clock.pass(Duration::from_secs(299));
    assert_eq!(secrets.read(&arn).await.unwrap().expose_secret(), "one");
    clock.pass(Duration::from_secs(1));
    assert_eq!(secrets.read(&arn).await.unwrap().expose_secret(), "two");
}

#[tokio::test]
async fn what_is_not_an_arn_or_not_there_is_refused_with_a_cure() {
    let aws = account().aws(Arc::new(QuickClock::default())).await;
    let error = aws.secrets().read("client-secret").await.unwrap_err();
    assert!(error.to_string().contains("not the ARN of a secret"), "{error}");
    let nowhere = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nowhere-AbCdEf";
    let error = aws.secrets().read(nowhere).await.unwrap_err();
    assert!(error.to_string().contains("Check the name"), "{error}");
    let stub = Stub::start(vec![always(|| refusal(400, "AccessDeniedException", json!({})))]).await;
    let aws = Aws::with(stub.config.clone(), Arc::new(QuickClock::default()));
    let error = aws.secrets().read(nowhere).await.unwrap_err().to_string();
    assert!(error.contains("Allow secretsmanager:GetSecretValue") && error.contains("kms:Decrypt"), "{error}");
}
