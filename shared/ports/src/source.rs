//! The directory people come from.

use async_trait::async_trait;
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::Person;
use serde::{Deserialize, Serialize};

/// A directory that can be listed.
#[async_trait]
pub trait Source: Send + Sync {
    /// Begins a listing.
    async fn open(&self) -> Result<Box<dyn Listing>, SourceError>;

    /// Where it is, for people: a path, a host.
    fn location(&self) -> String;
}

/// A listing under way.
#[async_trait]
pub trait Listing: Send {
    /// The next entries, some hundreds at a time; empty at the end.
    async fn next(&mut self) -> Result<Vec<Entry>, SourceError>;

    /// How complete the listing was; to be asked after the end.
    fn finish(&mut self) -> Completeness;
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Understood. No other entry of the listing has the same key: of two with one key both are refused.
    Person(Box<Person>),
    /// Not understood: a refusal that names where and how to cure it.
    Refused(Refused),
}

/// An entry that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The key, when that much was readable: the person counts as seen.
    pub key: Option<PersonKey>,
    /// Line (files; 1 is the first) or ordinal of the entry.
    pub line: u64,
    /// Column or attribute.
    pub column: Option<String>,
    /// What is wrong. Names the shape, never the value.
    pub problem: String,
    /// What to do.
    pub cure: String,
}

/// What a listing may be trusted for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completeness {
    /// Why nobody may be taken for absent; empty when the listing is complete as far as the source can tell.
    pub doubts: Vec<String>,
    /// The columns or attributes that the listing had, in order.
    pub columns: Vec<String>,
    /// Those of them that the next listing must have too: without one of these it is incomplete. A form without a
    /// header expects only what many entries have.
    #[serde(default)]
    pub expected: Vec<String>,
    /// Entries read, refused ones included.
    pub entries: u64,
}

/// The listing could not be had at all.
#[derive(Debug, thiserror::Error)]
#[error("{problem}. {cure}")]
pub struct SourceError {
    /// What happened.
    pub problem: String,
    /// What to do.
    pub cure: String,
    /// Whether trying again later can help.
    pub retry: bool,
}
