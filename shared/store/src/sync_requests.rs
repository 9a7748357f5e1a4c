//! People who are wanted now: somebody pushed them, a hook named them, or an operator asked for them. A request is one item
//! a person, so that several events of one person are one, and it says nothing but who: the function that answers it asks the source
//! for the person as they are then. An older event cannot overtake a newer one, because no request carries facts.

use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_ports::{Condition, Write};
use serde::{Deserialize, Serialize};

use crate::hashes::PersonHash;
use crate::{Result, Store, Stored, json, keys};

/// One person of a connection who is to be read from the source, decided and written now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRequest {
    /// The person's key at the source.
    pub key: PersonKey,
    /// When it was asked last (Unix milliseconds).
    pub asked_ms: i64,
}

impl Store {
    /// The write that asks for a person. A second request for the same person replaces the first under a new revision: a
    /// reader that has answered the first finds that the item has changed, and answers again.
    pub fn request_sync(&self, c: &ConnectionId, request: &SyncRequest) -> Write {
        Write::put(keys::sync_request(c, self.secret.pid(&request.key)), json(request))
    }

    /// Open requests of a connection, in the order of places in keys; at most `limit`.
    pub async fn sync_requests(
        &self,
        c: &ConnectionId,
        limit: usize,
    ) -> Result<Vec<(PersonHash, Stored<SyncRequest>)>> {
        let found = self.read_all(keys::sync_requests(c).limit(limit), "sync request").await?;
        Ok(found.into_iter().filter_map(|(key, stored)| Some((PersonHash::parse(&key.sk)?, stored))).collect())
    }

    /// The open request for one person.
    pub async fn sync_request(&self, c: &ConnectionId, pid: PersonHash) -> Result<Option<Stored<SyncRequest>>> {
        self.read(&keys::sync_request(c, pid), "sync request").await
    }

    /// The write that ends a request as it was read. It is refused as a conflict where the person was asked for again
    /// since.
    pub fn end_sync_request(&self, c: &ConnectionId, pid: PersonHash, revision: u64) -> Write {
        Write::Delete { key: keys::sync_request(c, pid), condition: Condition::Revision(revision) }
    }
}
