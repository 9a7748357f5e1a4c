//! What an operator knows of a person and need not be told every night: until a day, or until the facts change.

use std::collections::BTreeMap;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::{Key, Write};
use serde::{Deserialize, Serialize};

use crate::hashes::PersonHash;
use crate::{Result, Store, json, keys, parse};

/// One person's acknowledged decision. Alters the exit status, never a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgment {
    /// Version of this shape.
    pub v: u32,
    /// Digest of what was acknowledged, in hex: other facts are news.
    pub facts: String,
    /// Until when the acknowledgment holds (Unix seconds).
    pub until: i64,
    /// The operator who acknowledged.
    pub by: String,
    /// When (Unix seconds).
    pub at: i64,
    /// The operator's comment.
    pub comment: String,
}

impl Store {
    /// The write that remembers it; the next one takes its place.
    pub fn put_acknowledgment(&self, c: &ConnectionId, pid: PersonHash, known: &Acknowledgment) -> Write {
        Write::put(keys::acknowledged(c, pid), json(known))
    }

    /// The write that forgets it.
    pub fn drop_acknowledgment(&self, c: &ConnectionId, pid: PersonHash) -> Write {
        Write::delete(keys::acknowledged(c, pid))
    }

    /// What is acknowledged of these people, ended ones included; who has none is left out.
    pub async fn acknowledgments(
        &self,
        c: &ConnectionId,
        pids: &[PersonHash],
    ) -> Result<BTreeMap<PersonHash, Acknowledgment>> {
        let wanted: Vec<Key> = pids.iter().map(|pid| keys::acknowledged(c, *pid)).collect();
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let items = self.table.batch_get(&wanted).await?;
        let mut found = BTreeMap::new();
        for item in items {
            let Some(pid) = keys::pid_of(&item.key) else { continue };
            found.insert(pid, parse::<Acknowledgment>(&item, "acknowledgment")?.value);
        }
        Ok(found)
    }
}
