//! How the application proves who it is. Secrets travel only inside [`secrecy`] types and print redacted.

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

/// Gives the proof for a token request, each time it is asked: a secret, or an assertion made for the occasion.
#[async_trait]
pub trait Credential: Send + Sync {
    /// The proof to send. `token_url` is the audience of an assertion.
    async fn proof(&self, client_id: &str, token_url: &str) -> Result<Proof, CredentialError>;

    /// `secret`, `certificate`, `federated`, `delegated`: for `doctor`.
    fn method(&self) -> &'static str;

    /// What tells this proof from another and gives nothing of it away: a hash. A kept token is used only with the proof
    /// that it was got with, so that a wrong secret shows at once and not when the token ends. `None`: nothing tells
    /// them apart.
    async fn mark(&self) -> Result<Option<String>, CredentialError> {
        Ok(None)
    }

    /// When the proof ends, as far as it can be known from the proof itself: a certificate says so, a secret does not.
    async fn expires(&self) -> Option<Timestamp> {
        None
    }
}

/// The platform's own identity for the function that runs, as a signed token for one audience.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html>
#[async_trait]
pub trait WebIdentity: Send + Sync {
    /// A fresh token for this audience.
    async fn token(&self, audience: &str) -> Result<SecretString, CredentialError>;
}

/// Reads secrets from where an operator keeps them.
#[async_trait]
pub trait SecretReader: Send + Sync {
    /// The value behind a reference (an ARN of AWS Secrets Manager).
    async fn read(&self, reference: &str) -> Result<SecretString, CredentialError>;
}

/// What an application proves itself with, once.
#[derive(Debug)]
pub enum Proof {
    /// A shared secret.
    Secret(SecretString),
    /// A signed JWT (`client_assertion`).
    Assertion(SecretString),
    /// None: a public client, which only a signed-in administrator's refresh token speaks for.
    Public,
}

/// The proof could not be had. The message names where it was looked for and the cure, never the value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CredentialError(pub String);

/// Where initial passwords of new accounts in managed domains go. Never a log, a plan or a report.
#[async_trait]
pub trait PasswordSink: Send + Sync {
    /// Hands over one password, once the account exists. `upn` names the account to the operator.
    async fn deliver(&self, upn: &str, password: &SecretString) -> Result<(), CredentialError>;

    /// Whether somebody waits for passwords: one that was lost is told then.
    fn is_kept(&self) -> bool {
        true
    }
}

/// Forgets passwords: people sign in at another identity provider, or by self-service reset.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiscardPasswords;

#[async_trait]
impl PasswordSink for DiscardPasswords {
    async fn deliver(&self, _upn: &str, _password: &SecretString) -> Result<(), CredentialError> {
        Ok(())
    }

    fn is_kept(&self) -> bool {
        false
    }
}
