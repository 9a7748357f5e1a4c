//! Secrets that an operator keeps in AWS Secrets Manager, read by ARN and remembered for some minutes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata as _;
use hardmatch_ports::Clock;
use hardmatch_ports::credentials::{CredentialError, SecretReader};
use secrecy::{ExposeSecret as _, SecretString};

use crate::failure::{is_denied, sentence};

/// How long a value is used without asking, in seconds. A rotated secret is seen after at most this time; a warm function
/// asks a dozen times an hour and not once a token.
const REMEMBERED: i64 = 300;

/// Secrets by ARN.
pub struct SecretsManager {
    client: Client,
    clock: Arc<dyn Clock>,
    remembered: Mutex<BTreeMap<String, (SecretString, i64)>>,
}

impl SecretsManager {
    /// Over a client.
    pub fn new(client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { client, clock, remembered: Mutex::default() }
    }

    /// Copies a value that is no secret, as certificates that lie beside a password, into a file of this machine.
    pub async fn copy(&self, reference: &str, to: &Path) -> Result<(), CredentialError> {
        let value = self.read(reference).await?;
        let written = tokio::fs::write(to, value.expose_secret()).await;
        written.map_err(|error| CredentialError(format!("{} cannot be written: {error}", to.display())))
    }

    fn remembered(&self, arn: &str, now: i64) -> Option<SecretString> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(arn).filter(|(_, until)| now < *until).map(|(value, _)| value.clone())
    }
}

#[async_trait]
impl SecretReader for SecretsManager {
    async fn read(&self, reference: &str) -> Result<SecretString, CredentialError> {
        // A name alone would mean another secret in another account or region, and a policy cannot be written for it.
        if !(reference.starts_with("arn:") && reference.contains(":secretsmanager:")) {
            return Err(CredentialError(format!(
                "{reference} is not the ARN of a secret. Give the whole ARN: \
                 aws secretsmanager describe-secret --secret-id NAME --query ARN"
            )));
        }
        let now = self.clock.now_seconds();
        if let Some(value) = self.remembered(reference, now) {
            return Ok(value);
        }
        let answer = self.client.get_secret_value().secret_id(reference).send().await.map_err(|error| {
            let text = sentence("secretsmanager:GetSecretValue", reference, &error);
            CredentialError(match error.code() {
                _ if is_denied(&error) => {
                    format!("{text}. If it is encrypted with a key of yours, allow kms:Decrypt too")
                }
                Some("InvalidRequestException") => format!("{text}. A deleted secret can be restored for some days"),
                _ => text,
            })
        })?;
        let value = answer.secret_string.map(SecretString::from).ok_or_else(|| {
            CredentialError(format!("the secret {reference} holds bytes. Store it as text (SecretString)"))
        })?;
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.insert(reference.to_owned(), (value.clone(), now + REMEMBERED));
        Ok(value)
    }
}
