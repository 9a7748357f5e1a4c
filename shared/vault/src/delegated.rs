//! An administrator's sign-in. The refresh token that came of it speaks for the administrator; what the application
//! itself proves beside it is optional.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_ports::credentials::{Credential, CredentialError, Proof};
use jiff::Timestamp;

/// The client's proof beside an administrator's refresh token: a secret's, a certificate's, or none.
#[derive(Clone)]
pub struct DelegatedCredential(Option<Arc<dyn Credential>>);

impl DelegatedCredential {
    /// A confidential client: it proves itself as well.
    pub fn confidential(client: Arc<dyn Credential>) -> Self {
        Self(Some(client))
    }

    /// A public client: registered to prove nothing.
    /// <https://learn.microsoft.com/entra/identity-platform/msal-client-applications>
    pub fn public() -> Self {
        Self(None)
    }
}

#[async_trait]
impl Credential for DelegatedCredential {
    async fn proof(&self, client_id: &str, token_url: &str) -> Result<Proof, CredentialError> {
        match &self.0 {
            Some(client) => client.proof(client_id, token_url).await,
            None => Ok(Proof::Public),
        }
    }

    fn method(&self) -> &'static str {
        "delegated"
    }

    async fn mark(&self) -> Result<Option<String>, CredentialError> {
        match &self.0 {
            Some(client) => client.mark().await,
            None => Ok(None),
        }
    }

    async fn expires(&self) -> Option<Timestamp> {
        match &self.0 {
            Some(client) => client.expires().await,
            None => None,
        }
    }
}

impl fmt::Debug for DelegatedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DelegatedCredential({})", self.0.as_ref().map_or("public", |client| client.method()))
    }
}
