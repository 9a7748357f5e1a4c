//! The contract of sources, kept by files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::Source;
use hardmatch_ports::contract::{TestDirectory, people, source_contract};
use hardmatch_ports::source::{Entry, SourceError, Spool, read_whole};
use hardmatch_sources_files::{FileSource, Format, Shape};

use crate::support::Still;

/// A CSV file; cut off in a row while it is broken.
struct Csv {
    path: PathBuf,
    people: Mutex<BTreeMap<u32, String>>,
    _folder: tempfile::TempDir,
}

impl Csv {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("people.csv"), people: Mutex::default(), _folder: folder }
    }

    fn write(&self, broken: bool) {
        let mut text = "id,displayName,title\n".to_owned();
        for (number, title) in self.people.lock().unwrap().iter() {
            writeln!(text, "key-{number},\"Person {number}\",\"{title}\"").unwrap();
        }
        let end = if broken { text.len() / 2 } else { text.len() };
        // The middle may lie anywhere in a row: the last quote of the half is opened and never closed.
        let end = if broken { text[..end].rfind(",\"").map_or(end, |at| at + 5) } else { end };
        std::fs::write(&self.path, &text[..end]).unwrap();
    }
}

#[async_trait]
impl TestDirectory for Csv {
    fn source(&self) -> Arc<dyn Source> {
        Arc::new(FileSource::new(Shape::new(&self.path, Format::Csv), Arc::new(Still)))
    }

    async fn set(&self, people: &BTreeMap<u32, String>) {
        self.people.lock().unwrap().clone_from(people);
        self.write(false);
    }

    fn key(&self, number: u32) -> PersonKey {
        PersonKey::new(format!("key-{number}"))
    }

    async fn break_off(&self, broken: bool) {
        self.write(broken);
    }
}

#[tokio::test]
async fn a_file_keeps_the_contract_of_sources() {
    source_contract(&Csv::new()).await;
}

/// Changes the file as soon as the first entries come.
struct Changes<'a>(&'a Csv);

impl Spool for Changes<'_> {
    fn put(&mut self, _: Vec<Entry>) -> Result<(), SourceError> {
        self.0.people.lock().unwrap().insert(9_999, "Director".to_owned());
        self.0.write(false);
        Ok(())
    }
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_an_error() {
    let file = Csv::new();
    file.set(&people(1..=1_250)).await;
    let error = read_whole(&*file.source(), &mut Changes(&file)).await.unwrap_err();
    assert!(error.retry && error.problem.contains("changed"), "{error}");
}
