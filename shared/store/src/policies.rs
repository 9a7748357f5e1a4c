//! A connection's policies: texts that never change, and which of them is active.

use std::sync::{Arc, PoisonError};

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::{Condition, Item, TableError, Write};

use crate::connection::Meta;
use crate::{Result, Store, json, keys};

/// Policy texts that a process keeps: a few kilobytes each, and more than the connections it works for at a time.
const KEPT_TEXTS: usize = 64;

impl Store {
    /// Stores a policy text as a connection's next revision and makes it the active one, in one transaction with the state
    /// that `meta` was read as and `change` changes: nothing is left behind when somebody else changes that state meanwhile.
    /// `None` then.
    pub async fn activate_policy(
        &self,
        c: &ConnectionId,
        meta: &Meta,
        text: &str,
        hash: &str,
        change: impl FnOnce(&mut Meta),
    ) -> Result<Option<Meta>> {
        let mut revision = meta.policy.revision + 1;
        // A process that ended between two writes of an earlier version left a text behind that nobody activated.
        while self.policy(c, revision).await?.is_some() {
            revision += 1;
        }
        let mut next = meta.clone();
        change(&mut next);
        (next.policy.revision, next.policy.hash) = (revision, hash.to_owned());
        // It may name another secret or certificate.
        next.credential.asked = None;
        let mut writes = Self::meta_writes(c, meta, &next);
        writes.push(Write::put_if(keys::policy(c, revision), json(&text), Condition::Absent));
        match self.table.transact(writes).await {
            Ok(()) => Ok(Some(next)),
            Err(TableError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives texts of earlier revisions an end, counted from a time (Unix seconds), where they have none yet.
    pub async fn end_policies(&self, c: &ConnectionId, before: u64, now: i64) -> Result<()> {
        let mut ended = Vec::new();
        self.each(keys::policies(c, before), |Item { key, body, expires, .. }| {
            if expires.is_none() {
                ended.push(Write::Put { key, body, expires: Some(self.end_of(now)), condition: Condition::None });
            }
            Ok(())
        })
        .await?;
        if ended.is_empty() { Ok(()) } else { self.write_all(ended).await }
    }

    /// Stores a policy text under its revision. Policies are never changed.
    pub async fn put_policy(&self, c: &ConnectionId, revision: u64, text: &str) -> Result<()> {
        match self.table.write(Write::put_if(keys::policy(c, revision), json(&text), Condition::Absent)).await {
            Ok(_) | Err(TableError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A policy's text. Read once by each process: it never changes.
    pub async fn policy(&self, c: &ConnectionId, revision: u64) -> Result<Option<Arc<str>>> {
        let place = (c.clone(), revision);
        if let Some(text) = self.texts.lock().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return Ok(Some(Arc::clone(text)));
        }
        let key = keys::policy(c, revision);
        let Some(stored) = self.read::<String>(&key, "policy").await? else { return Ok(None) };
        let text: Arc<str> = stored.value.into();
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if texts.len() >= KEPT_TEXTS {
            texts.clear();
        }
        texts.insert(place, Arc::clone(&text));
        Ok(Some(text))
    }
}
