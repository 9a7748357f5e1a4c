//! Who waits for somebody else to have an account: people whose manager is out of scope, deleted or not there yet. When
//! that person is decided, those who wait are decided with them.

use std::collections::BTreeSet;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::{Key, Write};

use crate::hashes::PersonHash;
use crate::{Result, Store, keys};

/// One person who waits for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The person who is waited for.
    pub target: PersonHash,
    /// The person who waits.
    pub who: PersonHash,
    key: Key,
}

impl Store {
    /// The write that notes that a person waits for another. Repeated, it is the same note.
    pub fn note_waiting(&self, c: &ConnectionId, who: PersonHash, target: PersonHash) -> Write {
        Write::put(keys::waiting(c, target, who), Vec::new())
    }

    /// Everybody who waits for one of these people.
    pub async fn waiting_for(&self, c: &ConnectionId, targets: &BTreeSet<PersonHash>) -> Result<Vec<Waiting>> {
        let mut found = Vec::new();
        if targets.is_empty() {
            return Ok(found);
        }
        self.each(keys::all_waiting(c), |item| {
            if let Some((target, who)) = keys::waiting_of(&item.key)
                && targets.contains(&target)
            {
                found.push(Waiting { target, who, key: item.key });
            }
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// The write that takes a note away: a person who waits on after being decided is noted again.
    pub fn forget_waiting(&self, waiting: &Waiting) -> Write {
        Write::delete(waiting.key.clone())
    }
}
