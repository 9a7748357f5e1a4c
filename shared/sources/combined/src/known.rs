//! Entries of earlier readings, and the person that each of them was: a person keeps their key when another source has them,
//! too, or has them no more, and who has entries in a source that lost some of its own is not decided without them.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::SourceError;
use serde::{Deserialize, Serialize};

use crate::settings::Part;

/// Keeps which entries there were, between readings.
#[async_trait]
pub trait KnownPlace: Send + Sync {
    /// What is kept; `None` when nothing is.
    async fn load(&self) -> Result<Option<Vec<u8>>, SourceError>;

    /// Replaces what is kept.
    async fn keep(&self, bytes: Vec<u8>) -> Result<(), SourceError>;
}

/// An entry: the place of its source and its key there.
pub(crate) type EntryName = (usize, PersonKey);

/// Entries that were seen, by name, with the person's key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    by_entry: HashMap<EntryName, PersonKey>,
}

/// As it is kept: by the source's name and the key there, the person's key where it is another.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    sources: BTreeMap<String, BTreeMap<String, Option<String>>>,
}

/// The form that this version keeps.
const VERSION: u32 = 1;

impl Known {
    /// `None` for bytes that are not of this form. Sources that are not there any more are left out.
    pub(crate) fn from_bytes(bytes: &[u8], parts: &[Part]) -> Option<Self> {
        let kept: Kept = serde_json::from_slice(bytes).ok().filter(|kept: &Kept| kept.version == VERSION)?;
        let mut known = Self::default();
        for (name, entries) in kept.sources {
            let Some(place) = parts.iter().position(|part| *part.name == *name) else { continue };
            for (native, key) in entries {
                let native = PersonKey::new(native);
                let key = key.map_or_else(|| parts[place].own_key(&native), PersonKey::new);
                known.by_entry.insert((place, native), key);
            }
        }
        Some(known)
    }

    pub(crate) fn to_bytes(&self, parts: &[Part]) -> Vec<u8> {
        let mut sources: BTreeMap<String, BTreeMap<String, Option<String>>> = BTreeMap::new();
        for ((place, native), key) in &self.by_entry {
            let own = parts[*place].own_key(native) == *key;
            let key = (!own).then(|| key.as_str().to_owned());
            sources.entry(parts[*place].name.to_string()).or_default().insert(native.as_str().to_owned(), key);
        }
        serde_json::to_vec(&Kept { version: VERSION, sources }).unwrap_or_default()
    }

    /// The key of the person whose entry it was.
    pub(crate) fn person(&self, entry: &EntryName) -> Option<&PersonKey> {
        self.by_entry.get(entry)
    }

    pub(crate) fn note(&mut self, entry: EntryName, person: PersonKey) {
        self.by_entry.insert(entry, person);
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&EntryName, &PersonKey)> {
        self.by_entry.iter()
    }

    /// The entries of each person, in the order of their sources.
    pub(crate) fn by_person(&self) -> HashMap<&PersonKey, Vec<&EntryName>> {
        let mut people: HashMap<&PersonKey, Vec<&EntryName>> = HashMap::new();
        for (entry, person) in &self.by_entry {
            people.entry(person).or_default().push(entry);
        }
        for entries in people.values_mut() {
            entries.sort_unstable();
        }
        people
    }
}
