//! A directory that takes values: the people of a file, and what was written to their entries since.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hardmatch_domain::ids::{Guid, ImmutableId, PersonKey};
use hardmatch_domain::person::{Anchor, Extra, Person};
use hardmatch_domain::write_back::CONSISTENCY_GUID;
use hardmatch_ports::source::{Asked, OnePerson, Read, SourceCursor, Spool, WriteBack, WrittenBack};
use hardmatch_ports::{Entry, Source, SourceError};

/// Values by attribute.
pub type Values = BTreeMap<String, Vec<Vec<u8>>>;

/// What was written to entries, and how the directory answers. Clones are one directory.
#[derive(Clone, Default)]
pub struct Taught(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    entries: BTreeMap<PersonKey, Values>,
    writes: Vec<(PersonKey, String)>,
    unreadable: bool,
    forbidden: bool,
    breaks_after: Option<usize>,
    calls: usize,
}

impl Taught {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The values of a person's attribute.
    pub fn values(&self, key: &str, attribute: &str) -> Vec<Vec<u8>> {
        let entries = &self.inner().entries;
        entries.get(&PersonKey::new(key)).and_then(|values| values.get(attribute)).cloned().unwrap_or_default()
    }

    /// Somebody else writes a value.
    pub fn put(&self, key: &str, attribute: &str, value: &[u8]) {
        let mut inner = self.inner();
        inner.entries.entry(PersonKey::new(key)).or_default().insert(attribute.to_owned(), vec![value.to_vec()]);
    }

    /// What was really written, in order.
    pub fn writes(&self) -> Vec<(PersonKey, String)> {
        self.inner().writes.clone()
    }

    /// How often anything was to be written.
    pub fn calls(&self) -> usize {
        self.inner().calls
    }

    /// From now on the account may write nothing, or may again.
    pub fn forbid(&self, forbidden: bool) {
        self.inner().forbidden = forbidden;
    }

    /// After so many more values the connection breaks, before the answer is told; `None`: it holds.
    pub fn break_after(&self, values: Option<usize>) {
        self.inner().breaks_after = values;
    }

    /// From now on a reading does not show what was written.
    pub fn hide(&self, hidden: bool) {
        self.inner().unreadable = hidden;
    }

    /// The directory over the people of a file.
    pub fn over(&self, people: Arc<dyn Source>) -> Arc<dyn Source> {
        Arc::new(Directory { taught: self.clone(), people })
    }

    fn shown(&self, entry: Entry) -> Entry {
        let Entry::Person(mut person) = entry else { return entry };
        let inner = self.inner();
        if let Some(values) = inner.entries.get(&person.key).filter(|_| !inner.unreadable) {
            enter(&mut person, values);
        }
        Entry::Person(person)
    }

    fn write(&self, value: &WriteBack) -> Result<WrittenBack, SourceError> {
        let mut inner = self.inner();
        let there = inner.entries.get(&value.key).and_then(|values| values.get(&*value.attribute));
        match there {
            Some(there) if *there == value.values => return Ok(WrittenBack::AlreadyThere),
            Some(_) => return Ok(WrittenBack::Kept),
            None if inner.forbidden => {
                let problem = format!("svc-sync may not write {}", value.attribute);
                return Ok(WrittenBack::Refused { problem, cure: "Grant it: dsacls".to_owned() });
            }
            None => {}
        }
        let entry = inner.entries.entry(value.key.clone()).or_default();
        entry.insert(value.attribute.to_string(), value.values.clone());
        inner.writes.push((value.key.clone(), value.attribute.to_string()));
        match inner.breaks_after.as_mut() {
            Some(0) | None => Ok(WrittenBack::Written),
            Some(left) => {
                *left -= 1;
                if *left > 0 {
                    return Ok(WrittenBack::Written);
                }
                let problem = "the connection broke".to_owned();
                Err(SourceError { problem, cure: "It is tried again".to_owned(), retry: true })
            }
        }
    }
}

fn enter(person: &mut Person, values: &Values) {
    let mut extra: Vec<(Box<str>, Box<str>)> =
        person.extra.iter().map(|(name, value)| (name.into(), value.into())).collect();
    for (attribute, values) in values {
        if attribute == CONSISTENCY_GUID {
            let bytes = values.first().and_then(|value| <[u8; 16]>::try_from(value.as_slice()).ok());
            let id = bytes.map(|bytes| ImmutableId::from_guid(&Guid::from_ad_bytes(bytes)));
            let anchor = id.map(|id| Anchor { from: attribute.as_str().into(), id });
            person.anchors.splice(0..0, anchor);
        } else {
            let texts: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value)).collect();
            extra.push((attribute.as_str().into(), texts.join(";").into()));
        }
    }
    person.extra = Extra::new(extra);
}

struct Directory {
    taught: Taught,
    people: Arc<dyn Source>,
}

#[async_trait]
impl Source for Directory {
    async fn read(&self, to: &mut dyn Spool, resume: Option<SourceCursor>) -> Result<Read, SourceError> {
        let mut entries: Vec<Entry> = Vec::new();
        let read = self.people.read(&mut entries, resume).await?;
        to.put(entries.into_iter().map(|entry| self.taught.shown(entry)).collect())?;
        Ok(read)
    }

    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError> {
        Ok(match self.people.ask(key).await? {
            Asked::Found(entry) => Asked::Found(self.taught.shown(entry)),
            asked @ (Asked::Nobody | Asked::Unknown(_)) => asked,
        })
    }

    async fn probe(&self) -> Result<(), SourceError> {
        self.people.probe().await
    }

    async fn write_back(&self, values: &[WriteBack]) -> Result<Vec<WrittenBack>, SourceError> {
        self.taught.inner().calls += 1;
        values.iter().map(|value| self.taught.write(value)).collect()
    }

    fn one_person(&self) -> OnePerson {
        self.people.one_person()
    }

    fn location(&self) -> String {
        self.people.location()
    }
}
