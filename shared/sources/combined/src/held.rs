//! People of whom a source lacks an entry that they had: whether it may be hidden, and the person is not decided without it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::Completeness;

use crate::gathered::Gathered;
use crate::groups::Group;
use crate::known::{EntryName, Known};
use crate::settings::Part;

/// So many entries that a source lacks at once, when they are more than are left there, are no leavers.
const MANY: usize = 5;

/// What a reading lacks, in comparison with the readings before.
#[derive(Default)]
pub(crate) struct Lacking {
    /// Why each source may hide people; nothing for a source that is whole.
    pub(crate) doubtful: BTreeMap<usize, String>,
    /// Why nothing may be concluded from the reading.
    pub(crate) doubts: Vec<String>,
    /// People who are not decided, and the source whose entry they lack or are not joined with any more.
    pub(crate) held: BTreeMap<PersonKey, Hold>,
    /// Known entries that this reading lacks.
    pub(crate) missing: BTreeSet<EntryName>,
}

/// Why a person is not decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// The source may hide the person's entry.
    Hidden(usize),
    /// The source has the entry, without a value that joins it.
    Unjoined(usize),
}

/// Compares a reading with what is known. `keys` are the keys of the groups.
pub(crate) fn lacking(
    gathered: &Gathered,
    parts: &[Part],
    known: &Known,
    groups: &[Group],
    keys: &[PersonKey],
    listings: &[Completeness],
    accepted: bool,
) -> Lacking {
    let mut found = Lacking::default();
    // The person of each entry of this reading, and whether the entry has a value that joins.
    let mut now: HashMap<EntryName, (&PersonKey, bool)> = HashMap::new();
    for (group, key) in groups.iter().zip(keys) {
        for slot in group.slots.iter().map(|slot| &gathered.slots[*slot]) {
            now.insert((slot.part, slot.native.clone()), (key, slot.join.is_some()));
        }
    }
    let refused = refused_entries(gathered);
    let there = |entry: &EntryName| now.contains_key(entry) || refused.contains(entry);
    found.missing = known.entries().map(|(entry, _)| entry).filter(|entry| !there(entry)).cloned().collect();
    for (place, (part, listing)) in parts.iter().zip(listings).enumerate() {
        let before = known.entries().filter(|((of, _), _)| *of == place).count();
        let gone = found.missing.iter().filter(|(of, _)| *of == place).count();
        let left = before - gone;
        if gathered.entries[place] == 0 {
            found.doubts.push(format!("source {} is empty", part.name));
        } else if accepted {
            // An operator has looked at what is missing.
        } else if gone >= MANY && gone > left {
            found.doubtful.insert(
                place,
                format!(
                    "source {} had {before} entries, and now {left} of these. Look why it gives so few; if these people left it, run once with --accept-source",
                    part.name
                ),
            );
        } else if !listing.absence.is_empty() {
            found
                .doubtful
                .insert(place, format!("source {} may hide entries: {}", part.name, listing.absence.join("; ")));
        }
    }
    if accepted {
        return found;
    }
    let mut moved: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (person, entries) in known.by_person().into_iter().filter(|(_, entries)| entries.len() > 1) {
        let is_there = entries.iter().any(|entry| now.get(*entry).is_some_and(|(key, _)| *key == person));
        for entry in entries {
            match now.get(entry) {
                None if is_there && found.doubtful.contains_key(&entry.0) && found.missing.contains(entry) => {
                    found.held.insert(person.clone(), Hold::Hidden(entry.0));
                }
                Some((key, joins)) => {
                    let (apart, all) = moved.entry(entry.0).or_default();
                    *all += 1;
                    *apart += usize::from(*key != person && *joins);
                    if *key != person && !joins {
                        found.held.insert(person.clone(), Hold::Unjoined(entry.0));
                        found.held.insert((*key).clone(), Hold::Unjoined(entry.0));
                    }
                }
                None => {}
            }
        }
    }
    for (place, (apart, all)) in moved {
        if apart >= MANY && apart * 2 > all {
            found.doubts.push(format!(
                "{apart} of {all} entries of source {} that were joined with a person's other entries now belong to others. Look at the attribute of same_person there; if it is right, run once with --accept-source",
                parts[place].name
            ));
        }
    }
    found
}

/// What is known after a reading: its entries, and the missing ones that may be hidden.
pub(crate) fn known_after(
    gathered: &Gathered,
    known: &Known,
    groups: &[Group],
    keys: &[PersonKey],
    lacking: &Lacking,
) -> Known {
    let mut after = Known::default();
    let refused = refused_entries(gathered);
    for (entry, person) in known.entries() {
        let refused = refused.contains(entry);
        let hidden = lacking.missing.contains(entry) && lacking.doubtful.contains_key(&entry.0);
        if refused || hidden {
            after.note(entry.clone(), person.clone());
        }
    }
    for (group, key) in groups.iter().zip(keys) {
        // A person who is held keeps the entries as they were.
        let settled = group.fault.is_none() && !lacking.held.contains_key(key);
        for slot in group.slots.iter().map(|slot| &gathered.slots[*slot]) {
            let entry = (slot.part, slot.native.clone());
            let person = match known.person(&entry) {
                Some(before) if !settled => before.clone(),
                None if !settled => continue,
                _ => key.clone(),
            };
            after.note(entry, person);
        }
    }
    after
}

/// Entries that a source refused and whose key is readable.
fn refused_entries(gathered: &Gathered) -> BTreeSet<EntryName> {
    gathered.refused.iter().filter_map(|(part, refused)| Some((*part, refused.key.clone()?))).collect()
}
