//! What the last reading says of people whom it lacks.

use std::collections::{BTreeMap, HashSet};

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::AbsenceEvidence;

use crate::gathered::Gathered;
use crate::groups::Group;
use crate::held::Lacking;
use crate::known::{EntryName, Known};

/// The last reading, as far as absence is judged by it.
#[derive(Clone)]
pub(crate) struct LastReading {
    /// What was known before it.
    pub(crate) known: Known,
    /// Entries that it has, of persons with other keys than before.
    moved: HashSet<EntryName>,
    /// Sources that may hide people, and why.
    doubtful: BTreeMap<usize, String>,
}

impl LastReading {
    pub(crate) fn new(
        groups: &[Group],
        keys: &[PersonKey],
        gathered: &Gathered,
        known: &Known,
        lacking: &Lacking,
    ) -> Self {
        let mut moved = HashSet::new();
        for (group, key) in groups.iter().zip(keys) {
            for slot in group.slots.iter().map(|slot| &gathered.slots[*slot]) {
                let entry = (slot.part, slot.native.clone());
                if known.person(&entry).is_some_and(|before| before != key) {
                    moved.insert(entry);
                }
            }
        }
        Self { known: known.clone(), moved, doubtful: lacking.doubtful.clone() }
    }

    /// What the reading itself shows of an entry; `None` where its source has to be asked.
    pub(crate) fn shown(&self, entry: &EntryName) -> Option<AbsenceEvidence> {
        if self.moved.contains(entry) {
            let why = "an entry that was the person's now belongs to somebody who is known, too. Look at both; if they are one person, run once with --accept-source";
            return Some(AbsenceEvidence::Unclear(why.to_owned()));
        }
        self.doubtful.get(&entry.0).map(|why| AbsenceEvidence::Unclear(why.clone()))
    }
}
