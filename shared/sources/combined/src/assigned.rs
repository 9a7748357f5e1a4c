//! The key of each person: the one that an entry of theirs had before, else that of the first entry.

use std::collections::{BTreeSet, HashMap};

use hardmatch_domain::ids::PersonKey;

use crate::gathered::Gathered;
use crate::groups::{Fault, Group};
use crate::known::Known;
use crate::settings::Part;

/// The key of each group, in their order. Groups that cannot have different keys are refused.
pub(crate) fn keys(gathered: &Gathered, parts: &[Part], known: &Known, groups: &mut [Group]) -> Vec<PersonKey> {
    let own = |slot: &usize| {
        let slot = &gathered.slots[*slot];
        parts[slot.part].own_key(&slot.native)
    };
    // The key of an entry that makes a person counts before that of one that adds to somebody.
    let first = |group: &Group| {
        let makes = group.slots.iter().find(|slot| parts[gathered.slots[**slot].part].adds_people);
        makes.or(group.slots.first()).map_or_else(|| PersonKey::new(""), own)
    };
    let remembered = |group: &Group| {
        let mut entries = group.slots.iter().map(|slot| &gathered.slots[*slot]);
        entries.find_map(|slot| known.person(&(slot.part, slot.native.clone()))).cloned()
    };
    let mut keys: Vec<PersonKey> =
        groups.iter().map(|group| remembered(group).unwrap_or_else(|| first(group))).collect();
    // Of several that were one person, the one whose entry has the key by itself keeps it.
    for numbers in same(&keys) {
        let by_itself =
            numbers.iter().find(|number| groups[**number].slots.iter().any(|slot| own(slot) == keys[**number]));
        let keeps = by_itself.copied().unwrap_or(numbers[0]);
        for number in numbers.into_iter().filter(|number| *number != keeps) {
            keys[number] = first(&groups[number]);
        }
    }
    for numbers in same(&keys) {
        let places: BTreeSet<usize> =
            numbers.iter().flat_map(|number| &groups[*number].slots).map(|slot| gathered.slots[*slot].part).collect();
        for number in numbers {
            let here = gathered.slots[groups[number].slots[0]].part;
            let part = places.iter().copied().find(|place| *place != here).unwrap_or(here);
            groups[number].fault.get_or_insert(Fault::SameKey { part });
        }
    }
    keys
}

/// Numbers of groups that have one key, in their order.
fn same(keys: &[PersonKey]) -> Vec<Vec<usize>> {
    let mut by_key: HashMap<&PersonKey, Vec<usize>> = HashMap::new();
    for (number, key) in keys.iter().enumerate() {
        by_key.entry(key).or_default().push(number);
    }
    let mut several: Vec<Vec<usize>> = by_key.into_values().filter(|numbers| numbers.len() > 1).collect();
    several.sort_unstable();
    several
}
