//! Marks: people to be looked at by the next run, because their facts changed or because they are not converged.
//!
//! Whoever is marked for a reason of their own has an item of their own. Where many people's facts change together, fifty
//! share one item, a crowd: it is put before the facts and goes as a whole, once a run that saw it has decided everybody in
//! it and marked by themselves those who need more. A mark is never the only thing that says what to do: one that stays
//! costs a look.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::ids::{ConnectionId, PersonRef};
use hardmatch_ports::{Condition, Item, Key, Query, Write};
use serde::{Deserialize, Serialize};

use crate::keys::PersonHash;
use crate::runs::{pack, unpack};
use crate::{Result, Store, json, keys, parse};

/// People of one crowd: so many places fit into one unit of the table.
const CROWD: usize = 50;
/// Crowds that a run notes in one item.
const NOTED: usize = 500;
const SHARDS: usize = 16;

/// Everybody who is marked.
#[derive(Debug, Default)]
pub struct DirtyPeople {
    /// By themselves.
    alone: BTreeSet<PersonHash>,
    /// With others.
    crowded: BTreeSet<PersonHash>,
    crowds: Vec<Crowd>,
}

/// One item of many people, as it was read.
#[derive(Debug, Serialize, Deserialize)]
struct Crowd {
    shard: usize,
    name: String,
    revision: u64,
}

impl DirtyPeople {
    fn add(&mut self, shard: usize, item: Item) {
        if let Some(pid) = PersonHash::parse(&item.key.sk) {
            self.alone.insert(pid);
        } else {
            self.crowded.extend(unpack(&item.body));
            self.crowds.push(Crowd { shard, name: item.key.sk, revision: item.revision });
        }
    }

    /// All of them, sorted.
    pub fn everybody(&self) -> Vec<PersonHash> {
        self.alone.union(&self.crowded).copied().collect()
    }

    /// Whether somebody is marked with others and not by themselves.
    pub fn is_crowded(&self, pid: PersonHash) -> bool {
        self.crowded.contains(&pid) && !self.alone.contains(&pid)
    }
}

impl Store {
    /// The write that marks one person.
    pub fn mark_dirty(&self, c: &ConnectionId, pid: PersonHash) -> Write {
        Write::put(dirty_key(c, pid), Vec::new())
    }

    /// The writes that mark people whose facts change together, to be made before the facts are.
    pub fn mark_together(&self, c: &ConnectionId, mut pids: Vec<PersonHash>) -> Vec<Write> {
        pids.sort_unstable();
        pids.dedup();
        let marks = pids.chunks(CROWD).map(|some| match some {
            [one] => self.mark_dirty(c, *one),
            some => {
                let shard = some.first().map_or(0, |first| shard(*first));
                Write::put(crowd_key(c, shard, &crowd_name(some)), pack(some))
            }
        });
        marks.collect()
    }

    /// The same for people of any connections.
    pub fn mark_people<'p>(&self, people: impl IntoIterator<Item = &'p PersonRef>) -> Vec<Write> {
        let mut by_connection: BTreeMap<&ConnectionId, Vec<PersonHash>> = BTreeMap::new();
        for who in people {
            by_connection.entry(&who.connection).or_default().push(self.pid(who));
        }
        by_connection.into_iter().flat_map(|(c, pids)| self.mark_together(c, pids)).collect()
    }

    /// The write that marks a person who is not marked by themselves; fails for one who is.
    pub fn mark_new(&self, c: &ConnectionId, pid: PersonHash) -> Write {
        Write::put_if(dirty_key(c, pid), Vec::new(), Condition::Absent)
    }

    /// The revisions of people's own marks; those without one are left out. To be read before anything that a decision
    /// rests on: a mark of a later revision says that something changed since.
    pub async fn marks(&self, c: &ConnectionId, pids: &[PersonHash]) -> Result<BTreeMap<PersonHash, u64>> {
        let wanted: Vec<Key> = pids.iter().map(|pid| dirty_key(c, *pid)).collect();
        let items = self.table.batch_get(&wanted).await?;
        Ok(items.iter().filter_map(|item| Some((PersonHash::parse(&item.key.sk)?, item.revision))).collect())
    }

    /// The write that takes a person's own mark away, unless they were marked again since that revision.
    pub fn clear_dirty(&self, c: &ConnectionId, pid: PersonHash, revision: u64) -> Write {
        Write::Delete { key: dirty_key(c, pid), condition: Condition::Revision(revision) }
    }

    /// Everybody who is marked, and how.
    pub async fn marked(&self, c: &ConnectionId) -> Result<DirtyPeople> {
        let mut marked = DirtyPeople::default();
        for shard in 0..SHARDS {
            self.each(Query::prefix(dirty_pk(c, shard), ""), |item| {
                marked.add(shard, item);
                Ok(())
            })
            .await?;
        }
        Ok(marked)
    }

    /// Everybody who is marked, sorted.
    pub async fn dirty_people(&self, c: &ConnectionId) -> Result<Vec<PersonHash>> {
        Ok(self.marked(c).await?.everybody())
    }

    /// Notes the crowds that a run saw, beside the slices it will decide them in.
    pub(crate) fn note_crowds(run: &str, marked: &DirtyPeople) -> Vec<Write> {
        let notes = marked.crowds.chunks(NOTED).enumerate();
        notes
            .map(|(number, some)| Write::put(keys::run(run, "todo", format!("{SEEN}{number:06}")), json(&some)))
            .collect()
    }

    /// The writes that take away the crowds of a note: everybody in them was decided, and who needs more is marked alone.
    /// A crowd that was put again since the run saw it stays.
    pub(crate) fn drop_crowds(c: &ConnectionId, note: &Item) -> Result<Vec<Write>> {
        if !note.key.sk.starts_with(SEEN) {
            return Ok(Vec::new());
        }
        let crowds = parse::<Vec<Crowd>>(note, "crowds")?.value.into_iter();
        let gone = crowds.map(|Crowd { shard, name, revision }| Write::Delete {
            key: crowd_key(c, shard, &name),
            condition: Condition::Revision(revision),
        });
        Ok(gone.collect())
    }
}

/// How the names of a run's notes of crowds begin: behind all slices, which are numbers.
const SEEN: &str = "seen#";

fn dirty_pk(c: &ConnectionId, shard: usize) -> String {
    format!("DIRTY#{c}#{shard:x}")
}

/// Sixteen partitions, so that a large first run does not write into one.
fn shard(pid: PersonHash) -> usize {
    pid.prefix(4)
}

fn dirty_key(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(dirty_pk(c, shard(pid)), pid.hex())
}

fn crowd_key(c: &ConnectionId, shard: usize, name: &str) -> Key {
    Key::new(dirty_pk(c, shard), name)
}

/// The same people are the same crowd, so that marking them twice leaves one item.
fn crowd_name(pids: &[PersonHash]) -> String {
    format!("crowd#{}", keys::hex(&blake3::hash(&pack(pids)).as_bytes()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_an_item_of_their_own_and_many_share_them() {
        let c = ConnectionId::new("contoso");
        assert!(
            PersonHash::parse(&crowd_name(&[PersonHash::from_bytes([7; 16])])).is_none(),
            "a crowd is not taken for a person"
        );
        let places = |of: &Key| crowd_key(&c, 3, "crowd#x").pk == of.pk;
        assert!(places(&dirty_key(&c, PersonHash::from_bytes([0x3f; 16]))), "both are found by one question");
    }
}
