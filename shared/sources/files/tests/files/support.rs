//! A file on disk, read to its end.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::person::Person;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::source::{Completeness, Entry, RefusedEntry, SourceError, read_whole};
use hardmatch_sources_files::{FileSource, Format, Shape};
use jiff::Timestamp;

/// 2026-11-21T00:00:00Z.
pub(crate) const NOW: i64 = 1_795_219_200;

pub(crate) struct Still;

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    async fn sleep(&self, _: Duration) {}
}

/// What a listing gave.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) entries: Vec<Entry>,
    pub(crate) completeness: Completeness,
}

impl Given {
    pub(crate) fn people(&self) -> Vec<&Person> {
        self.entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Person(person) => Some(person.as_ref()),
                Entry::Refused(_) => None,
            })
            .collect()
    }

    pub(crate) fn refused(&self) -> Vec<&RefusedEntry> {
        self.entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Refused(refused) => Some(refused),
                Entry::Person(_) => None,
            })
            .collect()
    }

    /// The person of that key.
    pub(crate) fn one_of_many(&self, key: &str) -> &Person {
        self.people().into_iter().find(|person| person.key.as_str() == key).unwrap()
    }

    /// The one person of the file.
    pub(crate) fn one(&self) -> &Person {
        assert_eq!(self.entries.len(), 1, "{:?}", self.entries);
        self.people().first().unwrap_or_else(|| panic!("{:?}", self.entries))
    }
}

pub(crate) fn read(format: Format, bytes: impl AsRef<[u8]>) -> Result<Given, SourceError> {
    read_as(format, bytes, |_| {})
}

pub(crate) fn csv(bytes: impl AsRef<[u8]>) -> Given {
    read(Format::Csv, bytes).unwrap()
}

pub(crate) fn read_as(
    format: Format,
    bytes: impl AsRef<[u8]>,
    change: impl FnOnce(&mut Shape),
) -> Result<Given, SourceError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes.as_ref()).unwrap();
    file.flush().unwrap();
    let mut shape = Shape::new(file.path(), format);
    change(&mut shape);
    let source = FileSource::new(shape, Arc::new(Still));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut entries = Vec::new();
    let completeness = runtime.block_on(read_whole(&source, &mut entries))?;
    Ok(Given { entries, completeness })
}
