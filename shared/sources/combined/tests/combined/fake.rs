//! Sources whose listing a test writes.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hardmatch_domain::attribute::{Attr, Texts};
use hardmatch_domain::ids::{ImmutableId, PersonKey};
use hardmatch_domain::person::{Address, Addresses, Anchor, Extra, Person};
use hardmatch_ports::source::{
    AbsenceEvidence, Asked, Completeness, Entry, Read, RefusedEntry, Source, SourceCursor, SourceError, Spool,
    WriteBack, WrittenBack, read_whole,
};
use hardmatch_sources_combined::{CombinedSettings, CombinedSource, Disabled, JoinBy, KnownPlace, Part, Precedence};

/// A person with a key, and with attributes as pairs.
pub(crate) fn person(key: &str, attributes: &[(Attr, &str)]) -> Person {
    let primary = attributes.iter().find(|(attr, _)| *attr == Attr::Mail).and_then(|(_, mail)| Address::parse(mail));
    Person {
        key: key.into(),
        anchors: vec![Anchor { from: "objectGUID".into(), id: ImmutableId::new(format!("id-of-{key}")) }],
        attributes: attributes.iter().copied().collect(),
        addresses: Addresses::new(primary, Texts::default()),
        groups: Texts::default(),
        manager: None,
        enabled: None,
        password_expired: None,
        extra: Extra::default(),
        given_by: None,
    }
}

/// Somebody with an employee number.
pub(crate) fn numbered(key: &str, number: &str) -> Person {
    person(key, &[(Attr::EmployeeId, number)])
}

#[derive(Default)]
pub(crate) struct Said {
    pub(crate) people: Vec<Person>,
    pub(crate) refused: Vec<RefusedEntry>,
    pub(crate) completeness: Completeness,
    pub(crate) broken: bool,
    pub(crate) gone: bool,
    pub(crate) writable: bool,
    pub(crate) written: Vec<WriteBack>,
}

#[derive(Clone, Default)]
pub(crate) struct Fake(pub(crate) Arc<Mutex<Said>>);

impl Fake {
    pub(crate) fn of(people: impl IntoIterator<Item = Person>) -> Self {
        let fake = Self::default();
        fake.set(people);
        fake
    }

    pub(crate) fn set(&self, people: impl IntoIterator<Item = Person>) {
        self.0.lock().unwrap().people = people.into_iter().collect();
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.0.lock().unwrap());
    }
}

#[async_trait]
impl Source for Fake {
    async fn read(&self, to: &mut dyn Spool, _: Option<SourceCursor>) -> Result<Read, SourceError> {
        let said = self.0.lock().unwrap();
        let entries = said.people.iter().map(|person| Entry::Person(Box::new(person.clone())));
        to.put(entries.chain(said.refused.iter().cloned().map(Entry::Refused)).collect())?;
        if said.broken {
            return Err(SourceError { problem: "no answer".to_owned(), cure: "Wait".to_owned(), retry: true });
        }
        Ok(Read::Complete(said.completeness.clone()))
    }

    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError> {
        let said = self.0.lock().unwrap();
        let found = said.people.iter().find(|person| person.key == *key);
        Ok(found.map_or(Asked::Nobody, |person| Asked::Found(Entry::Person(Box::new(person.clone())))))
    }

    async fn probe(&self) -> Result<(), SourceError> {
        Ok(())
    }

    async fn write_back(&self, values: &[WriteBack]) -> Result<Vec<WrittenBack>, SourceError> {
        let mut said = self.0.lock().unwrap();
        if !said.writable {
            return Ok(vec![WrittenBack::ByHand; values.len()]);
        }
        said.written.extend(values.iter().cloned());
        Ok(vec![WrittenBack::Written; values.len()])
    }

    async fn absence_evidence(&self, people: &[PersonKey]) -> Result<Vec<AbsenceEvidence>, SourceError> {
        let gone = self.0.lock().unwrap().gone;
        Ok(vec![if gone { AbsenceEvidence::Gone } else { AbsenceEvidence::ListingOnly }; people.len()])
    }

    fn location(&self) -> String {
        "a fake".to_owned()
    }
}

/// What is kept between readings.
#[derive(Default)]
pub(crate) struct Place(pub(crate) Mutex<Option<Vec<u8>>>);

#[async_trait]
impl KnownPlace for Place {
    async fn load(&self) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn keep(&self, bytes: Vec<u8>) -> Result<(), SourceError> {
        *self.0.lock().unwrap() = Some(bytes);
        Ok(())
    }
}

/// Two sources, `corp` and `hr`, joined by the employee number.
pub(crate) struct Two {
    pub(crate) corp: Fake,
    pub(crate) hr: Fake,
    pub(crate) place: Arc<Place>,
    pub(crate) join: Option<JoinBy>,
    pub(crate) precedence: Precedence,
    pub(crate) disabled: Disabled,
    pub(crate) hr_has_people: bool,
    pub(crate) accepted: bool,
}

impl Two {
    pub(crate) fn of(corp: impl IntoIterator<Item = Person>, hr: impl IntoIterator<Item = Person>) -> Self {
        Self {
            corp: Fake::of(corp),
            hr: Fake::of(hr),
            place: Arc::default(),
            join: Some(JoinBy::Attribute(Attr::EmployeeId)),
            precedence: Precedence::default(),
            disabled: Disabled::First,
            hr_has_people: true,
            accepted: false,
        }
    }

    pub(crate) fn source(&self) -> CombinedSource {
        let part = |name: &str, source: &Fake, plain_keys| Part {
            name: name.into(),
            source: Arc::new(source.clone()),
            adds_people: name == "corp" || self.hr_has_people,
            plain_keys,
            join: self.join.clone(),
        };
        let settings = CombinedSettings {
            parts: vec![part("corp", &self.corp, true), part("hr", &self.hr, false)],
            precedence: self.precedence.clone(),
            disabled: self.disabled,
        };
        let source = CombinedSource::new(settings, Some(self.place.clone()));
        if self.accepted {
            source.accept_as_it_is();
        }
        source
    }

    pub(crate) async fn read(&self) -> Listed {
        self.read_with(&self.source()).await
    }

    pub(crate) async fn read_with(&self, source: &CombinedSource) -> Listed {
        let mut entries: Vec<Entry> = Vec::new();
        let completeness = read_whole(source, &mut entries).await.unwrap();
        Listed { entries, completeness }
    }
}

pub(crate) struct Listed {
    pub(crate) entries: Vec<Entry>,
    pub(crate) completeness: Completeness,
}

impl Listed {
    /// Keys of people, then of refused people with an exclamation mark.
    pub(crate) fn keys(&self) -> String {
        let mut keys: Vec<String> = self
            .entries
            .iter()
            .map(|entry| match entry {
                Entry::Person(person) => person.key.as_str().to_owned(),
                Entry::Refused(refused) => format!("!{}", refused.key.as_ref().map_or("", |key| key.as_str())),
            })
            .collect();
        keys.sort();
        keys.join(" ")
    }

    pub(crate) fn person(&self, key: &str) -> &Person {
        let found = self.entries.iter().find_map(|entry| match entry {
            Entry::Person(person) if person.key.as_str() == key => Some(&**person),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{key} is not among {}", self.keys()))
    }

    pub(crate) fn refusal(&self, key: &str) -> &RefusedEntry {
        let found = self.entries.iter().find_map(|entry| match entry {
            Entry::Refused(refused) if refused.key.as_ref().is_some_and(|have| have.as_str() == key) => Some(refused),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{key} is not refused: {}", self.keys()))
    }
}
