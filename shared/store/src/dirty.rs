//! Dirty marks: people whom the next run decides, because their facts changed or because they are not converged. A person has
//! one item. A mark is never the only thing that says what to do: one that stays costs a look.

use std::collections::BTreeMap;

use hardmatch_domain::ids::{ConnectionId, PersonRef};
use hardmatch_ports::{Condition, Key, Write};

use crate::hashes::PersonHash;
use crate::{Result, Store, keys};

impl Store {
    /// The write that marks one person, whether they are marked already or not: the mark has a new revision after it.
    pub fn mark_dirty(&self, c: &ConnectionId, pid: PersonHash) -> Write {
        Write::put(keys::dirty(c, pid), Vec::new())
    }

    /// The writes that mark people of any connections.
    pub fn mark_people<'p>(&self, people: impl IntoIterator<Item = &'p PersonRef>) -> Vec<Write> {
        people.into_iter().map(|who| self.mark_dirty(&who.connection, self.pid(who))).collect()
    }

    /// The write that marks a person who is not marked; fails for one who is.
    pub fn mark_new(&self, c: &ConnectionId, pid: PersonHash) -> Write {
        Write::put_if(keys::dirty(c, pid), Vec::new(), Condition::Absent)
    }

    /// The revisions of people's marks; people without one are left out. To be read before anything that a decision
    /// rests on: a mark of a later revision says that something changed since.
    pub async fn marks(&self, c: &ConnectionId, pids: &[PersonHash]) -> Result<BTreeMap<PersonHash, u64>> {
        let wanted: Vec<Key> = pids.iter().map(|pid| keys::dirty(c, *pid)).collect();
        let items = self.table.batch_get(&wanted).await?;
        Ok(items.iter().filter_map(|item| Some((PersonHash::parse(&item.key.sk)?, item.revision))).collect())
    }

    /// The write that takes a person's mark away, unless they were marked again since that revision.
    pub fn clear_dirty(&self, c: &ConnectionId, pid: PersonHash, revision: u64) -> Write {
        Write::Delete { key: keys::dirty(c, pid), condition: Condition::Revision(revision) }
    }

    /// Everybody who is marked, sorted.
    pub async fn dirty_people(&self, c: &ConnectionId) -> Result<Vec<PersonHash>> {
        let mut found = Vec::new();
        for query in keys::all_dirty(c) {
            self.each(query, |item| {
                found.extend(PersonHash::parse(&item.key.sk));
                Ok(())
            })
            .await?;
        }
        found.sort_unstable();
        Ok(found)
    }
}
