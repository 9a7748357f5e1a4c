//! Tokens kept between two starts of a function, and secrets kept for one use, sealed.

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

/// Which of a connection's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenKind {
    /// Opens Graph, for an hour or so.
    Access,
    /// Gets access tokens for an administrator who signed in; a new one comes with each use.
    /// <https://learn.microsoft.com/entra/identity-platform/refresh-tokens>
    Refresh,
}

impl TokenKind {
    /// The word for it in keys and contexts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Access => "access-token",
            Self::Refresh => "refresh-token",
        }
    }
}

/// A token as it is kept. Prints without its value.
#[derive(Clone, Debug)]
pub struct KeptToken {
    /// The token itself.
    pub secret: SecretString,
    /// When it was given.
    pub obtained: Timestamp,
    /// When it ends, where the giver said so. Never used from then on.
    pub expires: Option<Timestamp>,
    /// The mark of the proof it was got with ([`crate::credentials::Credential::mark`]). `None`: every caller may use it.
    pub mark: Option<String>,
}

/// What became of a token that was to be kept.
#[derive(Debug)]
pub enum Kept {
    /// It is kept, under this revision.
    Ours(u64),
    /// Somebody else kept another since ours was read: theirs, and its revision.
    Theirs(KeptToken, u64),
}

/// Keeps the tokens of one connection.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// What is kept, with its revision. A token past its life is `None`; so is one that cannot be opened any more.
    async fn load(&self, kind: TokenKind) -> Result<Option<(KeptToken, u64)>, TokenError>;

    /// Keeps a token in place of the one of revision `seen` (`None`: where nothing was).
    async fn keep(&self, kind: TokenKind, token: &KeptToken, seen: Option<u64>) -> Result<Kept, TokenError>;

    /// Forgets every token of the connection. Nothing there is no error.
    async fn forget(&self) -> Result<(), TokenError>;
}

/// Keeps small secrets of one connection for one use: what a sign-in must still know when the browser comes back.
#[async_trait]
pub trait Sealed: Send + Sync {
    /// Keeps a secret under a name that nobody else has, until it is taken or its time has come. The name shows in keys:
    /// never a secret, never personal data.
    async fn put(&self, name: &str, secret: &SecretString, expires: Timestamp) -> Result<(), TokenError>;

    /// Takes it out: of two who ask, one gets it. `None` when it is not there, was taken, or is past its time.
    async fn take(&self, name: &str) -> Result<Option<SecretString>, TokenError>;
}

/// Tokens could not be read or kept. Without a token_store work goes on with a fresh token; with a refresh token it cannot.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct TokenError(pub String);
