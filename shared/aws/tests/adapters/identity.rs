//! The role's own identity against the stand-in.

use std::sync::Arc;

use hardmatch_aws::Aws;
use hardmatch_ports::credentials::WebIdentity as _;
use secrecy::ExposeSecret as _;

use crate::support::{Answer, QuickClock, Stub, account, always};

const AUDIENCE: &str = "api://AzureADTokenExchange";

#[tokio::test]
async fn a_token_has_three_parts() {
    let aws = account().aws(Arc::new(QuickClock::default())).await;
    let token = aws.web_identity().token(AUDIENCE).await.unwrap();
    assert_eq!(token.expose_secret().split('.').count(), 3);
}

#[tokio::test]
async fn an_account_that_gives_no_tokens_is_told_how_to() {
    let disabled = "<ErrorResponse><Error><Type>Sender</Type><Code>OutboundWebIdentityFederationDisabled</Code>\
                    <Message>x</Message></Error></ErrorResponse>";
    let stub = Stub::start(vec![always(|| Answer::Says(403, disabled.to_owned()))]).await;
    let aws = Aws::with(stub.config.clone(), Arc::new(QuickClock::default()));
    let error = aws.web_identity().token(AUDIENCE).await.unwrap_err();
    assert!(error.to_string().contains("aws iam enable-outbound-web-identity-federation"), "{error}");
    let asked = stub.requests()[0].as_str().unwrap().to_owned();
    assert!(asked.contains("DurationSeconds=300") && asked.contains("SigningAlgorithm=RS256"), "{asked}");
    assert!(asked.contains("Audience.member.1=api%3A%2F%2FAzureADTokenExchange"), "{asked}");
}
