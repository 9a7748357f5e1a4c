//! What a run wants of one kind, and the hash that an approval names.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::guard::kind::Kind;
use crate::vocabulary::change::Change;
use crate::vocabulary::ids::{ObjectId, PersonKey, PersonRef};
use crate::vocabulary::step::Step;
use crate::vocabulary::text::hex;

/// What a run wants of one kind: people with what of theirs. Sorted, so that one set has one hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub(super) kind: Kind,
    people: BTreeMap<PersonKey, (Box<str>, u64)>,
    /// Members taken out, by group; the name for people.
    pub(super) groups: BTreeMap<ObjectId, (Box<str>, u64)>,
}

impl Wanted {
    /// A count of nothing, of this kind of change.
    pub fn new(kind: Kind) -> Self {
        Self { kind, people: BTreeMap::new(), groups: BTreeMap::new() }
    }

    /// Adds a change, if it holds any of the kind. Its id says exactly what is done.
    pub fn add(&mut self, change: &Change) {
        let count = self.kind.count(change);
        if count > 0 {
            self.insert(&change.person, change.id.as_str(), count);
        }
        if self.kind == Kind::Removals {
            for step in &change.steps {
                if let Step::LeaveGroup { id, name } = step {
                    self.groups.entry(id.clone()).or_insert_with(|| (name.clone(), 0)).1 += 1;
                }
            }
        }
    }

    /// How many members each group loses.
    pub fn by_group(&self) -> impl Iterator<Item = (&ObjectId, u64)> {
        self.groups.iter().map(|(id, (_, count))| (id, *count))
    }

    /// Adds a person by hand: the change's id, and how many removals it holds.
    pub fn insert(&mut self, person: &PersonRef, change: &str, count: u64) {
        self.people.insert(person.key.clone(), (change.into(), count));
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.people.values().map(|(_, count)| count).sum()
    }

    /// How many people.
    pub fn how_many_people(&self) -> usize {
        self.people.len()
    }

    /// Lower-case hex SHA-256 of who and what: an approval is of exactly this set.
    pub fn hash(&self) -> String {
        let mut digest = Sha256::new();
        digest.update([self.kind as u8]);
        for (key, (change, count)) in &self.people {
            let sizes = [key.as_str().len() as u64, change.len() as u64, *count];
            digest.update(sizes.map(u64::to_be_bytes).concat());
            digest.update(key.as_str());
            digest.update(change.as_bytes());
        }
        hex(&digest.finalize())
    }
}
