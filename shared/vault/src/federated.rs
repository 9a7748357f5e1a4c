//! No secret at all: another identity provider vouches for us, and the app registration trusts it.
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>
//!
//! On AWS the provider is the platform itself. On a machine a file that somebody keeps fresh stands in, or a program that
//! prints a token (`program.rs`, in the command line alone).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_ports::credentials::{Credential, CredentialError, Proof, WebIdentity};
use secrecy::{ExposeSecret as _, SecretString};

use crate::place::SecretPlace;

/// Longest token that is taken, in bytes. Tokens of identity providers have a few kilobytes.
pub(crate) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Another provider's token, asked for at each token request and handed on as the client's assertion.
pub struct FederatedCredential {
    identity: Arc<dyn WebIdentity>,
    audience: String,
}

impl FederatedCredential {
    /// Tokens of this identity, for this audience: that of the app registration's federated credential.
    pub fn new(identity: Arc<dyn WebIdentity>, audience: impl Into<String>) -> Self {
        Self { identity, audience: audience.into() }
    }
}

#[async_trait]
impl Credential for FederatedCredential {
    async fn proof(&self, _client_id: &str, _token_url: &str) -> Result<Proof, CredentialError> {
        self.identity.token(&self.audience).await.map(Proof::Assertion)
    }

    fn method(&self) -> &'static str {
        "federated"
    }
}

impl fmt::Debug for FederatedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FederatedCredential({})", self.audience)
    }
}

/// A token in a file that somebody else keeps fresh, such as a projected volume. Read each time. Its audience was chosen
/// by its writer.
#[derive(Debug)]
pub struct FileIdentity(SecretPlace);

impl FileIdentity {
    /// The token in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(SecretPlace::file(path))
    }
}

#[async_trait]
impl WebIdentity for FileIdentity {
    async fn token(&self, _audience: &str) -> Result<SecretString, CredentialError> {
        let text = self.0.read("token").await?;
        token(text.expose_secret(), &format!("{}", self.0))
    }
}

/// A text that looks like a token: three parts of base64url. What else it may be is not sent anywhere.
pub(crate) fn token(text: &str, place: &str) -> Result<SecretString, CredentialError> {
    let text = text.trim();
    let parts = text.split('.').filter(|part| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    });
    if text.len() > MAX_TOKEN_BYTES || parts.count() != 3 || text.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return Err(CredentialError(format!(
            "There is no token (JWT) in {place}. It must hold the token of the identity provider that the app \
             registration trusts, and nothing else."
        )));
    }
    Ok(SecretString::from(text))
}
