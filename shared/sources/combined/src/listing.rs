//! The listing of all sources: people, and refusals, in the order in which the sources give them.

use std::collections::HashMap;

use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::Manager;
use hardmatch_ports::SourceError;
use hardmatch_ports::source::{Completeness, Entry, RefusedEntry, Spool};

use crate::gathered::{Gathered, Hash, hash};
use crate::groups::Group;
use crate::held::{Hold, Lacking};
use crate::known::{EntryName, Known};
use crate::merged::merged;
use crate::refusals;
use crate::settings::{CombinedSettings, Disabled, Part};

/// Entries that are handed on at once.
const CHUNK: usize = 500;

/// One reading of all sources.
pub(crate) struct Listing<'l> {
    pub(crate) settings: &'l CombinedSettings,
    pub(crate) gathered: Gathered,
    pub(crate) groups: &'l [Group],
    pub(crate) keys: &'l [PersonKey],
    pub(crate) known: &'l Known,
    pub(crate) lacking: &'l Lacking,
}

/// People by their entries and names, for managers.
struct People<'l> {
    by_entry: HashMap<EntryName, &'l PersonKey>,
    /// `None` where several people have the name.
    by_name: HashMap<Hash, Option<&'l PersonKey>>,
}

impl<'l> Listing<'l> {
    /// Hands every person and every refusal on, and says what the listing may be trusted for.
    pub(crate) fn hand_on(
        mut self,
        listings: Vec<Completeness>,
        to: &mut dyn Spool,
    ) -> Result<Completeness, SourceError> {
        let parts = &self.settings.parts;
        let mut chunk: Vec<Entry> = Vec::with_capacity(CHUNK);
        let mut entries = 0;
        let mut put = |entry: Entry, to: &mut dyn Spool| -> Result<(), SourceError> {
            entries += 1;
            chunk.push(entry);
            if chunk.len() >= CHUNK { to.put(std::mem::take(&mut chunk)) } else { Ok(()) }
        };
        let refused = std::mem::take(&mut self.gathered.refused);
        let mut refused_people: HashMap<PersonKey, (usize, bool)> = HashMap::new();
        for (place, entry) in &refused {
            if let Some(key) = self.key_of(*place, entry) {
                refused_people.insert(key, (*place, entry.disabled));
            }
        }
        let slots_of: HashMap<&PersonKey, usize> =
            self.keys.iter().enumerate().map(|(number, key)| (key, number)).collect();
        for (place, entry) in refused {
            let key = self.key_of(place, &entry);
            let mut entry = refusals::of_source(&parts[place], key, entry);
            if let Some(number) = entry.key.as_ref().and_then(|key| slots_of.get(key)) {
                entry.disabled = self.is_disabled(&self.groups[*number], place, entry.disabled);
            }
            put(Entry::Refused(entry), to)?;
        }
        let people = self.people();
        let mut nobody: Vec<u64> = vec![0; parts.len()];
        for (number, (group, key)) in self.groups.iter().zip(self.keys).enumerate() {
            if refused_people.contains_key(key) {
                continue;
            }
            let place = self.gathered.slots[group.slots[0]].part;
            let makes = group.slots.iter().any(|slot| parts[self.gathered.slots[*slot].part].adds_people);
            if !makes {
                nobody[place] += 1;
                continue;
            }
            if let Some(fault) = group.fault {
                put(Entry::Refused(refusals::of_fault(parts, place, key.clone(), fault)), to)?;
                continue;
            }
            if let Some(hold) = self.lacking.held.get(key) {
                let mut entry = self.held(key, *hold);
                entry.disabled = self.settings.disabled == Disabled::Any && self.says_disabled(&self.groups[number]);
                put(Entry::Refused(entry), to)?;
                continue;
            }
            let mut found = Vec::with_capacity(group.slots.len());
            for slot in &group.slots {
                found.push((self.gathered.slots[*slot].part, self.gathered.person(*slot)?));
            }
            let manager = |place: usize, named: &Manager| self.manager(&people, place, named);
            put(Entry::Person(Box::new(merged(self.settings, key.clone(), &found, manager))), to)?;
        }
        if !chunk.is_empty() {
            to.put(chunk)?;
        }
        let mut all = self.together(listings);
        all.entries = entries;
        for (part, count) in parts.iter().zip(nobody).filter(|(_, count)| *count > 0) {
            all.notes.push(format!("{count} entries of source {} belong to nobody whom another source has", part.name));
        }
        all.notes.extend(self.lacking.doubtful.values().cloned());
        Ok(all)
    }

    /// The key of the person whose entry was refused.
    fn key_of(&self, place: usize, entry: &RefusedEntry) -> Option<PersonKey> {
        let native = entry.key.clone()?;
        let own = self.settings.parts[place].own_key(&native);
        Some(self.known.person(&(place, native)).cloned().unwrap_or(own))
    }

    fn held(&self, key: &PersonKey, hold: Hold) -> RefusedEntry {
        let (Hold::Hidden(place) | Hold::Unjoined(place)) = hold;
        let why = self.lacking.doubtful.get(&place).map(String::as_str);
        refusals::of_hold(&self.settings.parts, key.clone(), hold, why)
    }

    fn says_disabled(&self, group: &Group) -> bool {
        group.slots.iter().any(|slot| self.gathered.slots[*slot].enabled == Some(false))
    }

    /// Whether a person is plainly disabled of whom one source refused the entry. What that entry says beside is not known.
    fn is_disabled(&self, group: &Group, refused: usize, disabled: bool) -> bool {
        let slots = || group.slots.iter().map(|slot| &self.gathered.slots[*slot]);
        match self.settings.disabled {
            Disabled::Any => disabled || self.says_disabled(group),
            Disabled::All => disabled && slots().all(|slot| slot.enabled != Some(true)),
            Disabled::First => {
                let mut there: Vec<usize> = slots().map(|slot| slot.part).chain([refused]).collect();
                there.sort_unstable();
                there.dedup();
                let said = self.settings.precedence.of("enabled", &there).into_iter().find_map(|place| {
                    if place == refused {
                        return Some(disabled);
                    }
                    slots().find(|slot| slot.part == place)?.enabled.map(|enabled| !enabled)
                });
                said.unwrap_or(false)
            }
        }
    }

    fn people(&self) -> People<'l> {
        let mut people = People { by_entry: HashMap::new(), by_name: HashMap::new() };
        for (group, key) in self.groups.iter().zip(self.keys) {
            for slot in group.slots.iter().map(|slot| &self.gathered.slots[*slot]) {
                people.by_entry.insert((slot.part, slot.native.clone()), key);
                for name in slot.claims.iter().chain(&slot.join) {
                    let there = people.by_name.entry(*name).or_insert(Some(key));
                    *there = there.filter(|there| *there == key);
                }
            }
        }
        people
    }

    /// A manager, by the key of the person: whom the entry's own source does not know, another may.
    fn manager(&self, people: &People<'_>, place: usize, named: &Manager) -> Manager {
        match named {
            Manager::Nobody => Manager::Nobody,
            Manager::Person(native) => match people.by_entry.get(&(place, native.clone())) {
                Some(key) => Manager::Person((*key).clone()),
                None => known_manager(&self.settings.parts, self.known, place, named),
            },
            Manager::Unknown(text) => {
                let lower = text.trim().to_lowercase();
                let names = [hash("name", &lower), hash("join", &lower)];
                let found = names.iter().find_map(|name| people.by_name.get(name).copied().flatten());
                found.map_or_else(|| named.clone(), |key| Manager::Person(key.clone()))
            }
        }
    }

    /// What the listing may be trusted for: as much as each of the sources.
    fn together(&self, listings: Vec<Completeness>) -> Completeness {
        let mut all = Completeness::default();
        for (place, (part, listing)) in self.settings.parts.iter().zip(listings).enumerate() {
            let said = |lines: Vec<String>| lines.into_iter().map(|line| format!("source {}: {line}", part.name));
            let named = |columns: Vec<String>| {
                let name = |column: String| if part.plain_keys { column } else { format!("{}: {column}", part.name) };
                columns.into_iter().map(name)
            };
            all.doubts.extend(said(listing.doubts));
            all.absence.extend(said(listing.absence));
            all.notes.extend(said(listing.notes));
            all.left_out.extend(listing.left_out.into_iter().map(|entry| {
                let key = self.key_of(place, &entry);
                refusals::of_source(part, key, entry)
            }));
            all.guessed = all.guessed.or(listing.guessed);
            all.columns.extend(named(listing.columns));
            all.expected.extend(named(listing.expected));
        }
        all
    }
}

/// A manager of whom nothing is known but what the entry says: the key that they had, or that the entry has by itself.
pub(crate) fn known_manager(parts: &[Part], known: &Known, place: usize, named: &Manager) -> Manager {
    match named {
        Manager::Person(native) => {
            let before = known.person(&(place, native.clone())).cloned();
            Manager::Person(before.unwrap_or_else(|| parts[place].own_key(native)))
        }
        Manager::Nobody | Manager::Unknown(_) => named.clone(),
    }
}
