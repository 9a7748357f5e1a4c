//! Tokens with which identity providers and HR systems may push people, send hooks or ask for a person: what is kept of one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenScope {
    /// Push people and groups: SCIM, and the bulk upload.
    Scim,
    /// Send hooks, signed with it or with it in a header.
    Hook,
    /// Ask for one person, and follow what becomes of it.
    Sync,
}

impl TokenScope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Scim, Self::Hook, Self::Sync];

    /// As it is written on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scim => "scim",
            Self::Hook => "hook",
            Self::Sync => "sync",
        }
    }
}

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ApiToken {
    /// The public part of the token, by which it is found and revoked.
    pub id: String,
    /// What the operator calls it.
    pub name: String,
    /// What it may be used for.
    pub scopes: BTreeSet<TokenScope>,
    /// SHA-256 of the whole token, as hex.
    pub hash: String,
    /// When it was made (Unix milliseconds).
    pub created_ms: i64,
}

/// The two states of HMAC-SHA256 keyed with a token, as hex: signatures are checked with them, and the token cannot be
/// computed from them. Their holder can sign, so they are kept apart from the token, where no reader of the table of
/// work looks.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SigningStates(pub String);

impl std::fmt::Debug for SigningStates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningStates(..)")
    }
}
