//! Which entries are of one person.

use std::collections::{BTreeSet, HashMap};

use crate::gathered::{Gathered, Hash};
use crate::settings::Part;

/// Entries of one person: slots, the first source's first.
pub(crate) struct Group {
    pub(crate) slots: Vec<usize>,
    /// Why nothing is decided about the person.
    pub(crate) fault: Option<Fault>,
}

/// Why entries do not make a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// One source has several entries of the value that joins.
    Ambiguous {
        /// The source of these entries.
        part: usize,
    },
    /// Another source has an entry of the same name, and nothing says that it is the same person.
    Unjoined {
        /// That source.
        part: usize,
    },
    /// Another source has an entry of the same key.
    SameKey {
        /// That source.
        part: usize,
    },
}

/// The groups of a reading, in the order of their first entries.
pub(crate) fn groups(gathered: &Gathered, parts: &[Part]) -> Vec<Group> {
    let mut by_value: HashMap<Hash, Vec<usize>> = HashMap::new();
    for (at, slot) in gathered.slots.iter().enumerate() {
        if let Some(join) = slot.join {
            by_value.entry(join).or_default().push(at);
        }
    }
    let part = |slot: &usize| gathered.slots[*slot].part;
    let mut groups = Vec::new();
    for (at, slot) in gathered.slots.iter().enumerate() {
        let together = slot.join.and_then(|join| by_value.get(&join)).map_or(&[][..], Vec::as_slice);
        let of: BTreeSet<usize> = together.iter().map(part).collect();
        if of.len() < 2 {
            groups.push(Group { slots: vec![at], fault: None });
        } else if of.len() == together.len() {
            // The group stands where its first entry does.
            if together[0] == at {
                groups.push(Group { slots: together.to_vec(), fault: None });
            }
        } else {
            let several = of.iter().find(|one| together.iter().filter(|slot| part(slot) == **one).count() > 1);
            let fault = several.map(|part| Fault::Ambiguous { part: *part });
            groups.push(Group { slots: vec![at], fault });
        }
    }
    mark_unjoined(gathered, parts, &mut groups);
    groups
}

/// Groups of different sources that go by one name are refused: they may be one person. Entries that only add to people are
/// nobody by themselves.
fn mark_unjoined(gathered: &Gathered, parts: &[Part], groups: &mut [Group]) {
    let counts = |slot: &usize| parts[gathered.slots[*slot].part].adds_people;
    let mut by_claim: HashMap<Hash, Vec<(usize, usize)>> = HashMap::new();
    for (number, group) in groups.iter().enumerate() {
        for slot in group.slots.iter().filter(|slot| counts(slot)).map(|slot| &gathered.slots[*slot]) {
            for claim in &slot.claims {
                by_claim.entry(*claim).or_default().push((number, slot.part));
            }
        }
    }
    for (number, group) in groups.iter_mut().enumerate().filter(|(_, group)| group.fault.is_none()) {
        let mut slots = group.slots.iter().filter(|slot| counts(slot)).map(|slot| &gathered.slots[*slot]);
        // Two of one source with one name are that source's matter, and decided as ever.
        let other = slots.find_map(|slot| {
            let others = slot.claims.iter().filter_map(|claim| by_claim.get(claim)).flatten();
            others.copied().find(|(other, part)| *other != number && *part != slot.part)
        });
        group.fault = other.map(|(_, part)| Fault::Unjoined { part });
    }
}
