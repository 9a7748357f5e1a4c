//! Entries of all sources: what they are told apart and joined by in memory, everything else in a temporary file without a
//! name that goes with the process.

use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};

use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::Person;
use hardmatch_ports::SourceError;
use hardmatch_ports::source::{Entry, RefusedEntry, Spool};
use tempfile::SpooledTempFile;

use crate::settings::Part;

/// Entries of so many bytes stay in memory.
const IN_MEMORY: usize = 1024 * 1024;

/// A hash of a value that entries are compared by, within one reading.
pub(crate) type Hash = [u8; 16];

/// An entry that its source understood.
pub(crate) struct Slot {
    /// The place of its source.
    pub(crate) part: usize,
    /// Its key in the source.
    pub(crate) native: PersonKey,
    /// What it is joined by.
    pub(crate) join: Option<Hash>,
    /// Names by which one person is known in every source: sign-in name, primary address, immutable IDs.
    pub(crate) claims: Vec<Hash>,
    /// Whether the source lets the person sign in.
    pub(crate) enabled: Option<bool>,
    at: u64,
    length: usize,
}

/// Everything that the sources gave.
pub(crate) struct Gathered {
    pub(crate) slots: Vec<Slot>,
    /// Entries that a source refused, with the place of the source.
    pub(crate) refused: Vec<(usize, RefusedEntry)>,
    /// Entries of each source, refused ones included.
    pub(crate) entries: Vec<u64>,
    file: BufWriter<SpooledTempFile>,
    end: u64,
}

impl Gathered {
    pub(crate) fn new(parts: usize) -> Self {
        Self {
            slots: Vec::new(),
            refused: Vec::new(),
            entries: vec![0; parts],
            file: BufWriter::with_capacity(1 << 16, SpooledTempFile::new(IN_MEMORY)),
            end: 0,
        }
    }

    /// Takes the entries of one source.
    pub(crate) fn spool_of<'g>(&'g mut self, place: usize, part: &'g Part) -> FromPart<'g> {
        FromPart { all: self, place, part }
    }

    fn take(&mut self, place: usize, part: &Part, entry: Entry) -> Result<(), SourceError> {
        self.entries[place] += 1;
        let person = match entry {
            Entry::Refused(refused) => {
                self.refused.push((place, refused));
                return Ok(());
            }
            Entry::Person(person) => person,
        };
        let body = serde_json::to_vec(&person).map_err(|error| unkept(&error.into()))?;
        self.file.write_all(&body).map_err(|error| unkept(&error))?;
        self.slots.push(Slot {
            part: place,
            join: part.join_value(&person).map(|value| hash("join", &value)),
            claims: claims(&person),
            enabled: person.enabled,
            native: person.key,
            at: self.end,
            length: body.len(),
        });
        self.end += body.len() as u64;
        Ok(())
    }

    /// The whole entry of a slot.
    pub(crate) fn person(&mut self, slot: usize) -> Result<Person, SourceError> {
        let Slot { at, length, .. } = self.slots[slot];
        self.file.flush().map_err(|error| unkept(&error))?;
        let mut body = vec![0; length];
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut body)).map_err(|error| unkept(&error))?;
        serde_json::from_slice(&body).map_err(|error| unkept(&error.into()))
    }
}

/// The spool of one source.
pub(crate) struct FromPart<'g> {
    all: &'g mut Gathered,
    place: usize,
    part: &'g Part,
}

impl Spool for FromPart<'_> {
    fn put(&mut self, entries: Vec<Entry>) -> Result<(), SourceError> {
        entries.into_iter().try_for_each(|entry| self.all.take(self.place, self.part, entry))
    }
}

/// The hash of a value of some kind.
pub(crate) fn hash(kind: &str, value: &str) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_bytes()).update(&[0]).update(value.as_bytes());
    hasher.finalize().as_bytes().as_chunks::<16>().0[0]
}

fn claims(person: &Person) -> Vec<Hash> {
    let names = person.upn().into_iter().chain(person.addresses.primary());
    let mut all: Vec<Hash> = names.map(|name| hash("name", &name.trim().to_lowercase())).collect();
    all.extend(person.anchors.iter().map(|anchor| hash("anchor", anchor.id.as_str())));
    all.sort_unstable();
    all.dedup();
    all
}

fn unkept(error: &std::io::Error) -> SourceError {
    SourceError {
        problem: format!("The entries of the sources cannot be kept in a temporary file ({error})"),
        cure: "Look at the free space of the folder for temporary files (TMPDIR)".to_owned(),
        retry: true,
    }
}
