//! The directory people come from, and what keeps a reading of it.

use std::hash::Hasher as _;

use async_trait::async_trait;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::Person;
use serde::{Deserialize, Serialize};

/// A directory that people are read from.
///
/// A reading goes through a source once. What it gives is kept by the reader, who may go through it any number of times: a
/// live directory does not say the same thing twice.
#[async_trait]
pub trait Source: Send + Sync {
    /// Reads everybody into the spool, from the beginning or from where an earlier call stopped. After an error the spool
    /// holds entries from which nothing may be concluded.
    async fn read(&self, to: &mut dyn Spool, resume: Option<SourceCursor>) -> Result<Read, SourceError>;

    /// Asks for one person, as the source has them now.
    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError>;

    /// Whether the source can be read now; looks at as little as shows it.
    async fn probe(&self) -> Result<(), SourceError>;

    /// Writes values that were learnt elsewhere into the source, where it has none. One answer a value, in their order. A
    /// source that nobody writes to, such as a file, leaves them to its owner.
    async fn write_back(&self, values: &[WriteBack]) -> Result<Vec<WrittenBack>, SourceError> {
        Ok(values.iter().map(|_| WrittenBack::ByHand).collect())
    }

    /// What the source itself shows of people whom its last whole listing lacks, one answer a key, in their order. Asked
    /// right after that listing, before anybody is taken for absent.
    async fn absence_evidence(&self, people: &[PersonKey]) -> Result<Vec<AbsenceEvidence>, SourceError> {
        Ok(vec![AbsenceEvidence::ListingOnly; people.len()])
    }

    /// An operator accepts the source as it is: the next reading holds nothing against it that it lacks.
    fn accept_as_it_is(&self) {}

    /// The attribute by which the source falls into parts, each of which may be lost on its own: a part that shrinks at once
    /// has no leavers. `None` where nothing is known of parts.
    fn part(&self) -> Option<Attr> {
        None
    }

    /// Whether the source shows something else than in its last whole listing, by a look at what changed alone; `true` where it
    /// cannot tell, and where the listing is due to be read whole.
    async fn has_changed(&self) -> Result<bool, SourceError> {
        Ok(true)
    }

    /// What an operator should know of how the source is reached, and of rights that are missing.
    async fn examine(&self) -> Result<Vec<SourceFinding>, SourceError> {
        Ok(Vec::new())
    }

    /// Where it is, for people: a path, a host.
    fn location(&self) -> String;

    /// What may be concluded from an answer about one person.
    fn one_person(&self) -> OnePerson {
        OnePerson::ByListing
    }
}

/// What may be concluded when a source is asked for one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnePerson {
    /// Nothing that is written: faults of the source, as of a file, show only where all of it is read.
    ByListing,
    /// The entry is as sure as in a listing. That there is none is not: a filter may have left it out.
    Entry,
    /// People are pushed: the entry is as sure as can be, and where there is none the source itself deleted the person.
    Pushed,
}

/// Takes the entries of one reading, in the order in which the source gives them.
pub trait Spool: Send {
    /// Takes entries, some hundreds at a time. An error ends the reading.
    fn put(&mut self, entries: Vec<Entry>) -> Result<(), SourceError>;
}

impl Spool for Vec<Entry> {
    fn put(&mut self, entries: Vec<Entry>) -> Result<(), SourceError> {
        self.extend(entries);
        Ok(())
    }
}

/// How far a reading came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// To the end of the listing.
    Complete(Completeness),
    /// To a place from which the next call goes on into the same spool.
    More(SourceCursor),
}

/// Where a reading goes on. Only the source that gave it understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCursor(pub Vec<u8>);

/// What a source says of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The person's entry.
    Found(Entry),
    /// The source was asked, and has nobody of that key.
    Nobody,
    /// The source cannot tell, and why: an entry without a readable key may be theirs.
    Unknown(String),
}

/// Something that an operator should know of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFinding {
    /// What was found, as a sentence.
    pub found: String,
    /// What to do: the exact grant where one is missing; `None` where all is well.
    pub cure: Option<String>,
}

/// What a source shows of a person whom its listing lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AbsenceEvidence {
    /// Nothing beyond the listing itself.
    ListingOnly,
    /// The source shows that the person was deleted, or is outside what is read.
    Gone,
    /// The person may be there and hidden: why, as a sentence that names a part of the source and nobody in it.
    Unclear(String),
}

/// Values for an attribute of one person, to be written where the source has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteBack {
    /// The person's key in the source.
    pub key: PersonKey,
    /// The attribute, as the source calls it.
    pub attribute: Box<str>,
    /// The values as the source stores them: the 16 bytes of a GUID, a text as UTF-8. Written together or not at all.
    pub values: Vec<Vec<u8>>,
}

/// What became of a value that was to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrittenBack {
    /// It was written, and read back.
    Written,
    /// The source has these very values already.
    AlreadyThere,
    /// The source has another value, which is never overwritten.
    Kept,
    /// Nobody writes to this source: its owner enters the value.
    ByHand,
    /// The source refused it.
    Refused {
        /// What is wrong.
        problem: String,
        /// What to do.
        cure: String,
    },
}

/// Reads a source from beginning to end, in one go.
pub async fn read_whole(source: &dyn Source, to: &mut dyn Spool) -> Result<Completeness, SourceError> {
    let mut resume = None;
    loop {
        match source.read(to, resume).await? {
            Read::Complete(completeness) => return Ok(completeness),
            Read::More(cursor) => resume = Some(cursor),
        }
    }
}

/// A spool that hands each entry on and keeps none.
pub struct Each<F>(
    /// What is done with an entry.
    pub F,
);

impl<F: FnMut(Entry) + Send> Spool for Each<F> {
    fn put(&mut self, entries: Vec<Entry>) -> Result<(), SourceError> {
        entries.into_iter().for_each(&mut self.0);
        Ok(())
    }
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

impl Entry {
    /// Whose it is; `None` where the key of a refused entry cannot be read.
    pub fn key(&self) -> Option<&PersonKey> {
        match self {
            Entry::Person(person) => Some(&person.key),
            Entry::Refused(refused) => refused.key.as_ref(),
        }
    }
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
