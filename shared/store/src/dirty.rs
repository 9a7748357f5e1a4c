//! Dirty marks: people whom the next run decides, because their facts changed or because they are not converged. A person has
//! one item. A mark is never the only thing that says what to do: one that stays costs a look.

use std::collections::BTreeMap;

use hardmatch_domain::ids::{ConnectionId, PersonRef};
use hardmatch_ports::{Condition, Key, Query, Write};

use crate::keys::PersonHash;
use crate::{Result, Store};

const SHARDS: usize = 16;

impl Store {
    /// The write that marks one person, whether they are marked already or not: the mark has a new revision after it.
    pub fn mark_dirty(&self, c: &ConnectionId, pid: PersonHash) -> Write {
        Write::put(dirty_key(c, pid), Vec::new())
    }

    /// The writes that mark people of any connections.
    pub fn mark_people<'p>(&self, people: impl IntoIterator<Item = &'p PersonRef>) -> Vec<Write> {
        people.into_iter().map(|who| self.mark_dirty(&who.connection, self.pid(who))).collect()
    }

    /// The write that marks a person who is not marked; fails for one who is.
    pub fn mark_new(&self, c: &ConnectionId, pid: PersonHash) -> Write {
        Write::put_if(dirty_key(c, pid), Vec::new(), Condition::Absent)
    }

    /// The revisions of people's marks; people without one are left out. To be read before anything that a decision
    /// rests on: a mark of a later revision says that something changed since.
    pub async fn marks(&self, c: &ConnectionId, pids: &[PersonHash]) -> Result<BTreeMap<PersonHash, u64>> {
        let wanted: Vec<Key> = pids.iter().map(|pid| dirty_key(c, *pid)).collect();
        let items = self.table.batch_get(&wanted).await?;
        Ok(items.iter().filter_map(|item| Some((PersonHash::parse(&item.key.sk)?, item.revision))).collect())
    }

    /// The write that takes a person's mark away, unless they were marked again since that revision.
    pub fn clear_dirty(&self, c: &ConnectionId, pid: PersonHash, revision: u64) -> Write {
        Write::Delete { key: dirty_key(c, pid), condition: Condition::Revision(revision) }
    }

    /// Everybody who is marked, sorted.
    pub async fn dirty_people(&self, c: &ConnectionId) -> Result<Vec<PersonHash>> {
        let mut found = Vec::new();
        for shard in 0..SHARDS {
            self.each(Query::prefix(dirty_pk(c, shard), ""), |item| {
                found.extend(PersonHash::parse(&item.key.sk));
                Ok(())
            })
            .await?;
        }
        found.sort_unstable();
        Ok(found)
    }
}

fn dirty_pk(c: &ConnectionId, shard: usize) -> String {
    format!("DIRTY#{c}#{shard:x}")
}

/// Sixteen partitions, so that a large first run does not write into one.
fn dirty_key(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(dirty_pk(c, pid.prefix(4)), pid.hex())
}
