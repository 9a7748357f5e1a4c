//! Tokens with which identity providers and HR systems may push people, send hooks or ask for a person. Only hashes are
//! kept: a token is told once, when it is made.

use hardmatch_domain::ids::ConnectionId;
pub use hardmatch_ports::api_token::{ApiToken, SigningStates, TokenScope};
use hardmatch_ports::{Condition, TableError, Write};

use crate::{Result, Store, json, keys};

impl Store {
    /// Stores a new token; a conflict where there is one of its public part.
    pub async fn put_api_token(
        &self,
        c: &ConnectionId,
        token: &ApiToken,
        signing: Option<&SigningStates>,
    ) -> Result<()> {
        let mut writes = vec![Write::put_if(keys::api_token(c, &token.id), json(token), Condition::Absent)];
        writes.extend(signing.map(|states| Write::put(keys::signing(c, &token.id), json(states))));
        self.table.transact(writes).await?;
        Ok(())
    }

    /// What signatures of a connection's hooks are checked with, by the public part of each token.
    pub async fn signing_states(&self, c: &ConnectionId) -> Result<Vec<(String, SigningStates)>> {
        let found = self.read_all::<SigningStates>(keys::all_signing(c), "signing states").await?;
        Ok(found.into_iter().map(|(key, stored)| (key.sk, stored.value)).collect())
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
        let token = Write::Delete { key: keys::api_token(c, id), condition: Condition::Present };
        match self.table.transact(vec![token, Write::delete(keys::signing(c, id))]).await {
            Ok(()) => Ok(true),
            Err(TableError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
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
