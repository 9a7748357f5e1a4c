//! Tokens with which identity providers and HR systems may push people, send hooks or ask for a person. Only hashes are
//! kept: a token is told once, when it is made.

use std::collections::BTreeSet;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::{Condition, Write};
use serde::{Deserialize, Serialize};

use crate::{Result, Store, json, keys};

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// The public part of the token, by which it is found and revoked.
    pub id: String,
    /// What the operator calls it.
    pub name: String,
    /// What it may be used for.
    pub scopes: BTreeSet<TokenScope>,
    /// SHA-256 of the whole token, as hex.
    pub hash: String,
    /// The two states of HMAC-SHA256 keyed with the token, as hex: signatures can be checked with them, and the token
    /// cannot be computed from them. Only where the token may send hooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<String>,
    /// When it was made (Unix milliseconds).
    pub created_ms: i64,
}

impl Store {
    /// Stores a new token.
    pub async fn put_api_token(&self, c: &ConnectionId, token: &ApiToken) -> Result<()> {
        let key = keys::api_token(c, &token.id);
        self.write(Write::put_if(key, json(token), Condition::Absent)).await?;
        Ok(())
    }

    /// The token of this public part.
    pub async fn api_token(&self, c: &ConnectionId, id: &str) -> Result<Option<ApiToken>> {
        Ok(self.read::<ApiToken>(&keys::api_token(c, id), "token").await?.map(|stored| stored.value))
    }

    /// A connection's tokens, oldest first.
    pub async fn api_tokens(&self, c: &ConnectionId) -> Result<Vec<ApiToken>> {
        let found = self.read_all::<ApiToken>(keys::api_tokens(c), "token").await?;
        let mut tokens: Vec<ApiToken> = found.into_iter().map(|(_, stored)| stored.value).collect();
        tokens.sort_by(|a, b| (a.created_ms, &a.id).cmp(&(b.created_ms, &b.id)));
        Ok(tokens)
    }

    /// Forgets a token; `false` when there is none of this public part.
    pub async fn revoke_api_token(&self, c: &ConnectionId, id: &str) -> Result<bool> {
        let write = Write::Delete { key: keys::api_token(c, id), condition: Condition::Present };
        match self.write(write).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Forgets a delivery that could not be carried out: it may come again.
    pub async fn forget_delivery(&self, c: &ConnectionId, hash: &str) -> Result<()> {
        self.write(Write::delete(keys::delivery(c, hash))).await?;
        Ok(())
    }

    /// Remembers a delivery of a hook until a time (Unix seconds); `false` when it is remembered already: the same was
    /// delivered before.
    pub async fn note_delivery(&self, c: &ConnectionId, hash: &str, until: i64) -> Result<bool> {
        let write = Write::Put {
            key: keys::delivery(c, hash),
            body: b"{}".to_vec(),
            expires: Some(until),
            condition: Condition::Absent,
        };
        match self.write(write).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }
}
