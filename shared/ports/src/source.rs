//! The directory people come from.

use std::hash::Hasher as _;

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

/// The hashes of the words in a text, lower case: names, addresses and numbers can be looked for among them without
/// being kept. They are compared within one process only.
pub fn words(text: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80 || b"@.-_'+!#$&~^%/*".contains(&byte);
    text.split(move |byte| !inside(*byte)).filter(|word| !word.is_empty()).map(|word| {
        let mut hasher = std::hash::DefaultHasher::new();
        match std::str::from_utf8(word) {
            Ok(word) => hasher.write(word.to_lowercase().as_bytes()),
            Err(_) => hasher.write(&word.to_ascii_lowercase()),
        }
        hasher.finish()
    })
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Understood. No other entry of the listing has the same key: of two with one key both are refused.
    Person(Box<Person>),
    /// Not understood: a refusal that names where and how to cure it.
    Refused(RefusedEntry),
}

/// An entry that could not be understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedEntry {
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
    /// Whether the entry says plainly that the person may not sign in: that is carried out although the rest of the
    /// entry is refused. Never so when its structure is damaged.
    #[serde(skip)]
    pub disabled: bool,
    /// Set where the entry may hide others, so that nobody may be taken for absent: its structure is damaged, or it has
    /// no readable key. The same for entries that are byte for byte the same.
    #[serde(skip)]
    pub fault: Option<[u8; 16]>,
    /// [`words`] of the entry: who is named in it is not absent.
    #[serde(skip)]
    pub words: Vec<u64>,
    /// [`words`] that are names or addresses, of an entry without a readable key: they are claimed by somebody.
    #[serde(skip)]
    pub claims: Vec<u64>,
}

/// What a listing may be trusted for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completeness {
    /// Why nothing may be concluded from the listing at all: it is empty, cut off, or not what it was. Empty when it is
    /// whole as far as the source can tell.
    pub doubts: Vec<String>,
    /// Why nobody may be taken for absent, although everybody who was read may be decided.
    #[serde(default)]
    pub absence: Vec<String>,
    /// What was passed over, counted: footers, system accounts, values that nothing uses.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Values that could not be read and were left out; the first thousand. The people they belong to were read.
    #[serde(default)]
    pub left_out: Vec<RefusedEntry>,
    /// The text encoding, where it was neither configured nor certain.
    #[serde(default)]
    pub guessed: Option<String>,
    /// The columns or attributes that the listing had, in order.
    pub columns: Vec<String>,
    /// The columns among them that the next listing must have, too: without one of these it is incomplete. A form without a
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
    /// What is wrong with the entry.
    pub problem: String,
    /// What to do.
    pub cure: String,
    /// Whether trying again later can help.
    pub retry: bool,
}
