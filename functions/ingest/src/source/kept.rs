//! The entries of one reading, kept in a temporary file so that later passes see exactly what the scan saw: a directory does
//! not say the same thing twice. The file has no name and goes with the process.

use std::io::{BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::{Mutex, PoisonError};

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::RefusedEntry;
use hardmatch_ports::{Entry, SourceError};
use hardmatch_store::Secret;
use hardmatch_store::fingerprints::content_hash;
use tempfile::SpooledTempFile;

/// A listing of so many bytes stays in memory.
const IN_MEMORY: usize = 1024 * 1024;

/// An entry with a readable key, as the scan takes it.
pub(super) struct Scanned {
    /// The hash of the key.
    pub(super) name: [u8; 16],
    /// The hash of everything else.
    pub(super) content: [u8; 8],
    kind: u8,
    body: Vec<u8>,
}

/// What the bytes behind a record's head are.
const PERSON: u8 = 0;
const REFUSED: u8 = 1;
const REFUSED_DISABLED: u8 = 2;
/// An entry without a readable key: it has its place in the order and nothing else.
const KEYLESS: u8 = 3;

impl Scanned {
    /// `None` when the entry has no readable key.
    pub(super) fn of(entry: &Entry, secret: &Secret) -> Option<Self> {
        let name = *secret.pid(entry.key()?).bytes();
        Some(match entry {
            Entry::Person(person) => {
                let body = serde_json::to_vec(person).unwrap_or_default();
                Self { name, content: content_hash(&body), kind: PERSON, body }
            }
            Entry::Refused(refused) => {
                // The store keeps that the entry was refused, and nothing else; the run says why. Two entries with one key,
                // each refused because of the other, must have one fingerprint in every reading, and an entry that moved to
                // another line is unchanged.
                let (said, kind): (&[u8], u8) =
                    if refused.disabled { (b"refused, disabled", REFUSED_DISABLED) } else { (b"refused", REFUSED) };
                let body = entry.key().map_or_else(Vec::new, |key| key.as_str().as_bytes().to_vec());
                Self { name, content: content_hash(said), kind, body }
            }
        })
    }
}

/// Entries in the order of the listing.
pub(super) struct KeptListing {
    /// A pass moves the place in the file, so passes go one after the other.
    file: Mutex<BufWriter<SpooledTempFile>>,
}

impl KeptListing {
    pub(super) fn new() -> Self {
        Self { file: Mutex::new(BufWriter::with_capacity(1 << 16, SpooledTempFile::new(IN_MEMORY))) }
    }

    /// Keeps the next entry; `None` is one without a readable key.
    pub(super) fn put(&mut self, scanned: Option<&Scanned>) -> Result<(), SourceError> {
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        let (kind, name, body) = scanned.map_or((KEYLESS, [0; 16], &[][..]), |one| (one.kind, one.name, &one.body));
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        file.write_all(&[kind])
            .and_then(|()| file.write_all(&length.to_le_bytes()))
            .and_then(|()| file.write_all(&name))
            .and_then(|()| file.write_all(body))
            .map_err(|error| unkept(&error))
    }

    /// Everything is kept.
    pub(super) fn finish(mut self) -> Result<Self, SourceError> {
        self.file.get_mut().unwrap_or_else(PoisonError::into_inner).flush().map_err(|error| unkept(&error))?;
        Ok(self)
    }

    /// One pass: the ordinal (1 is the first of the listing), the name and the entry of each that is wanted by name. Others
    /// are passed over without being looked into.
    pub(super) fn each(
        &self,
        wanted: impl Fn(&[u8; 16]) -> bool,
        mut take: impl FnMut(u64, [u8; 16], Entry),
    ) -> Result<(), SourceError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = file.get_mut();
        file.seek(SeekFrom::Start(0)).map_err(|error| unkept(&error))?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let mut body = Vec::new();
        let mut ordinal = 0;
        let mut head = [0; 21];
        while read_head(&mut file, &mut head).map_err(|error| unkept(&error))? {
            ordinal += 1;
            let (kind, length) = (head[0], u32::from_le_bytes([head[1], head[2], head[3], head[4]]));
            let mut name = [0; 16];
            name.copy_from_slice(&head[5..]);
            if kind == KEYLESS || !wanted(&name) {
                file.seek_relative(i64::from(length)).map_err(|error| unkept(&error))?;
                continue;
            }
            body.resize(length as usize, 0);
            file.read_exact(&mut body).map_err(|error| unkept(&error))?;
            take(ordinal, name, entry(kind, &body).map_err(|error| unkept(&error))?);
        }
        Ok(())
    }
}

/// Whether there is another record.
fn read_head(file: &mut impl std::io::BufRead, head: &mut [u8; 21]) -> std::io::Result<bool> {
    if file.fill_buf()?.is_empty() {
        return Ok(false);
    }
    file.read_exact(head).map(|()| true)
}

fn entry(kind: u8, body: &[u8]) -> std::io::Result<Entry> {
    if kind == PERSON {
        return Ok(Entry::Person(serde_json::from_slice(body)?));
    }
    let key = std::str::from_utf8(body).map_err(std::io::Error::other)?;
    Ok(Entry::Refused(RefusedEntry {
        key: Some(PersonKey::new(key)),
        disabled: kind == REFUSED_DISABLED,
        ..RefusedEntry::default()
    }))
}

fn unkept(error: &std::io::Error) -> SourceError {
    SourceError {
        problem: format!("The listing cannot be kept while it is read: {error}"),
        cure: "Make room in the folder for temporary files (TMPDIR), which takes about 2 KB a person".to_owned(),
        retry: true,
    }
}
