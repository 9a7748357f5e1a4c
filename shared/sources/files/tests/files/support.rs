//! A file on disk, read to its end.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::person::Person;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::source::{Completeness, Entry, Refused, Source as _, SourceError};
use hardmatch_sources_files::{FileSource, Format, Shape};
use jiff::Timestamp;

/// 2026-11-21T00:00:00Z.
pub const NOW: i64 = 1_795_219_200;

pub struct Still;

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    async fn sleep(&self, _: Duration) {}
}

/// What a listing gave.
#[derive(Debug)]
pub struct Given {
    pub entries: Vec<Entry>,
    pub completeness: Completeness,
}

impl Given {
    pub fn people(&self) -> Vec<&Person> {
        self.entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Person(person) => Some(person.as_ref()),
                Entry::Refused(_) => None,
            })
            .collect()
    }

    pub fn refused(&self) -> Vec<&Refused> {
        self.entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Refused(refused) => Some(refused),
                Entry::Person(_) => None,
            })
            .collect()
    }

    /// The one person of the file.
    pub fn one(&self) -> &Person {
        assert_eq!(self.entries.len(), 1, "{:?}", self.entries);
        self.people().first().unwrap_or_else(|| panic!("{:?}", self.entries))
    }
}

pub fn read(format: Format, bytes: impl AsRef<[u8]>) -> Result<Given, SourceError> {
    read_as(format, bytes, |_| {})
}

pub fn csv(bytes: impl AsRef<[u8]>) -> Given {
    read(Format::Csv, bytes).unwrap()
}

pub fn read_as(format: Format, bytes: impl AsRef<[u8]>, change: impl FnOnce(&mut Shape)) -> Result<Given, SourceError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes.as_ref()).unwrap();
    file.flush().unwrap();
    let mut shape = Shape::new(file.path(), format);
    change(&mut shape);
    let source = FileSource::new(shape, Arc::new(Still));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut listing = source.open().await?;
        let mut entries = Vec::new();
        loop {
            let chunk = listing.next().await?;
            if chunk.is_empty() {
                return Ok(Given { entries, completeness: listing.finish() });
            }
            entries.extend(chunk);
        }
    })
}
