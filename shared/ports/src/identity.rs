//! The identity platform as the connect function meets it: where to send an administrator's browser, and what came
//! back with it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use crate::tenant::TenantError;
use crate::tokens::KeptToken;

/// What a token says about itself. Read from a token that the platform gave us over TLS in answer to our own request;
/// a token from anywhere else proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Directory id of the tenant the token is for (`tid`), in lower case.
    pub tenant: String,
    /// Application permissions (`roles`) or delegated ones (`scp`) it carries.
    pub permissions: BTreeSet<String>,
    /// When it ends.
    pub expires: Timestamp,
}

/// An administrator has signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// What the access token says.
    pub grant: Grant,
    /// The access token of the administrator who signed in.
    pub access: KeptToken,
    /// What gets the next ones.
    pub refresh: KeptToken,
}

/// One authorization, from the page that starts it to the redirect that ends it.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Where the browser comes back to; registered with the application, letter by letter.
    pub redirect: Url,
    /// Single-use; comes back unchanged.
    pub state: String,
    /// Secret of this authorization: its hash goes out first, it follows with the code.
    /// <https://www.rfc-editor.org/rfc/rfc7636>
    pub verifier: SecretString,
    /// Comes back inside the ID token.
    pub nonce: String,
}

/// What an error of the platform means to an administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// `AADSTS…`, or the protocol's own word where the platform gave no number.
    pub code: String,
    /// What the code means, in one sentence.
    pub means: String,
    /// What to do about it.
    pub cure: String,
}

/// Asks for consent and signs administrators in, for one connection.
#[async_trait]
pub trait IdentityPlatform: Send + Sync {
    /// Where an administrator grants the application's permissions to the whole tenant.
    /// <https://learn.microsoft.com/entra/identity-platform/v2-admin-consent>
    fn consent_url(&self, redirect: &Url, state: &str) -> Url;

    /// Where an administrator signs in, so that we act with delegated permissions (`scopes`, without a host).
    fn sign_in_url(&self, authorization: &Authorization, scopes: &BTreeSet<String>) -> Url;

    /// Gets tokens for the code of a redirect.
    async fn redeem(&self, authorization: &Authorization, code: &SecretString) -> Result<SignedIn, TenantError>;

    /// Asks for a fresh token of the application itself and says what it carries: the proof that consent was given, and
    /// in which tenant. Never answered from a cache.
    async fn prove(&self) -> Result<Grant, TenantError>;

    /// Explains what a redirect carried in `error` and `error_description`.
    fn explain(&self, error: &str, description: &str) -> Explained;
}
