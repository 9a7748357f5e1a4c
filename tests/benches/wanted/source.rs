//! People who are pushed, kept in memory: a source that answers for one person as surely as its listing does.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::ids::{Guid, ImmutableId, PersonKey};
use hardmatch_domain::person::{Address, Addresses, Anchor, Extra, Person};
use hardmatch_ports::source::{Asked, Completeness, Read, SourceCursor, Spool};
use hardmatch_ports::{Entry, OnePerson, Source, SourceError};
use hardmatch_tests::guid;

/// Everybody who was pushed.
#[derive(Default)]
pub(crate) struct Pushed(Mutex<BTreeMap<String, Person>>);

pub(crate) fn upn(number: usize) -> String {
    format!("p{number:06}@contoso.com")
}

impl Pushed {
    /// Pushes a person. Their key.
    pub(crate) fn push(&self, number: usize, title: &str) -> PersonKey {
        let key = guid(number + 1);
        let anchor = Guid::parse(&key).map(|guid| ImmutableId::from_guid(&guid));
        let upn = upn(number);
        let attributes = Attributes::from_pairs([
            (Attr::UserPrincipalName, upn.as_str()),
            (Attr::Mail, upn.as_str()),
            (Attr::DisplayName, &format!("Person {number}")),
            (Attr::GivenName, "Person"),
            (Attr::Surname, &number.to_string()),
            (Attr::JobTitle, title),
            (Attr::MailNickname, &format!("p{number:06}")),
        ]);
        let person = Person {
            key: PersonKey::new(key.as_str()),
            anchors: anchor.map(|id| Anchor { from: "externalId".into(), id }).into_iter().collect(),
            attributes,
            addresses: Addresses::new(Address::parse(&upn), Texts::new([upn.as_str()])),
            groups: Texts::default(),
            manager: None,
            enabled: Some(true),
            password_expired: None,
            extra: Extra::default(),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), person);
        PersonKey::new(key)
    }

    fn all(&self) -> Vec<Person> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[async_trait]
impl Source for Pushed {
    async fn read(&self, to: &mut dyn Spool, _: Option<SourceCursor>) -> Result<Read, SourceError> {
        let everybody: Vec<Entry> = self.all().into_iter().map(|person| Entry::Person(Box::new(person))).collect();
        let entries = everybody.len() as u64;
        to.put(everybody)?;
        Ok(Read::Complete(Completeness { entries, ..Completeness::default() }))
    }

    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError> {
        let people = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = people.get(key.as_str());
        Ok(found.map_or(Asked::Nobody, |person| Asked::Found(Entry::Person(Box::new(person.clone())))))
    }

    async fn probe(&self) -> Result<(), SourceError> {
        Ok(())
    }

    fn location(&self) -> String {
        "pushed people".to_owned()
    }

    fn one_person(&self) -> OnePerson {
        OnePerson::Pushed
    }
}
