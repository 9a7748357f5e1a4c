//! A directory in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::{Addresses, Extra, Person};
use hardmatch_ports::source::Completeness;
use hardmatch_ports::{Entry, Listing, Source, SourceError};

/// The directory, and how often it was listed.
pub(crate) struct People(pub(crate) Mutex<BTreeMap<usize, String>>, pub(crate) AtomicU64);

impl People {
    pub(super) fn new(count: usize) -> Self {
        let all: BTreeMap<usize, String> = (0..count).map(|number| (number, "Engineer".to_owned())).collect();
        Self(all.into(), AtomicU64::new(0))
    }
}

struct Rows(Vec<Entry>, u64);

#[async_trait]
impl Listing for Rows {
    async fn next(&mut self) -> Result<Vec<Entry>, SourceError> {
        let rest = self.0.split_off(self.0.len().min(300));
        Ok(std::mem::replace(&mut self.0, rest))
    }

    fn finish(&mut self) -> Completeness {
        Completeness { entries: self.1, ..Completeness::default() }
    }
}

#[async_trait]
impl Source for People {
    async fn open(&self) -> Result<Box<dyn Listing>, SourceError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        let rows: Vec<Entry> = self.0.lock().unwrap().iter().map(|(number, title)| person(*number, title)).collect();
        let count = rows.len() as u64;
        Ok(Box::new(Rows(rows, count)))
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }
}

fn person(number: usize, title: &str) -> Entry {
    let upn = format!("p{number}@contoso.com");
    Entry::Person(Box::new(Person {
        key: PersonKey::new(format!("key-{number}")),
        anchors: Vec::new(),
        attributes: Attributes::from_pairs([(Attr::UserPrincipalName, upn.as_str()), (Attr::JobTitle, title)]),
        addresses: Addresses::default(),
        groups: Texts::default(),
        manager: None,
        enabled: Some(true),
        password_expired: None,
        extra: Extra::default(),
    }))
}
