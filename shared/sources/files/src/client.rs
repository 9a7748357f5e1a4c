//! Reads the file: one pass for what must be known of all rows, one that hands people out. Decides nothing about them.

use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::source::{Completeness, Entry, Listing, Refused, Source, SourceError};

use crate::columns::Columns;
use crate::entries::{self, Entries};
use crate::index::Index;
use crate::row::{Fault, Layout, Reach, Read, Row};
use crate::shape::Shape;
use crate::text::{self, Survey};
use crate::translate::{self, Translation};

/// Entries handed out at a time.
const CHUNK: usize = 500;

/// A file of people.
pub struct FileSource {
    shape: Shape,
    clock: Arc<dyn Clock>,
}

impl FileSource {
    /// Reads nothing yet. The clock tells whose account has expired.
    pub fn new(shape: Shape, clock: Arc<dyn Clock>) -> Self {
        Self { shape, clock }
    }
}

#[async_trait]
impl Source for FileSource {
    async fn open(&self) -> Result<Box<dyn Listing>, SourceError> {
        let (shape, now) = (self.shape.clone(), self.clock.now_seconds());
        let reading = blocking(move || Reading::open(&shape, now)).await?;
        Ok(Box::new(FileListing { completeness: Completeness::default(), reading: Some(Box::new(reading)) }))
    }

    fn location(&self) -> String {
        self.shape.path.display().to_string()
    }
}

struct FileListing {
    /// `None`: read to the end, or failed.
    reading: Option<Box<Reading>>,
    completeness: Completeness,
}

#[async_trait]
impl Listing for FileListing {
    async fn next(&mut self) -> Result<Vec<Entry>, SourceError> {
        let Some(mut reading) = self.reading.take() else { return Ok(Vec::new()) };
        let (reading, chunk) = blocking(move || {
            let chunk = reading.chunk()?;
            Ok((reading, chunk))
        })
        .await?;
        if chunk.is_empty() {
            self.completeness = reading.completeness();
        } else {
            self.reading = Some(reading);
        }
        Ok(chunk)
    }

    fn finish(&mut self) -> Completeness {
        let mut completeness = std::mem::take(&mut self.completeness);
        if let Some(reading) = self.reading.take() {
            completeness = reading.completeness();
            completeness.doubts.push("The file was not read to its end".into());
        } else if completeness.columns.is_empty() {
            completeness.doubts.push("The file could not be read to its end".into());
        }
        completeness
    }
}

/// Files block; the runtime must not.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(SourceError {
            problem: "Reading the file was interrupted".into(),
            cure: "Try again; if it stays so, report it with a file that shows it".into(),
            retry: true,
        })
    })
}

/// The second pass.
struct Reading {
    survey: Survey,
    entries: Entries,
    columns: Columns,
    index: Index,
    now: i64,
    row: Row,
    count: u64,
    /// Rows refused without a key, and the line of the first.
    keyless: (u64, u64),
    cut: Option<String>,
    /// How many entries have each column at all. A header speaks for all rows; without one, attributes come and go.
    filled: Vec<u32>,
    ended: bool,
}

/// An attribute that so many entries have is part of how the listing looks; its loss is an accident of the export. One
/// that fewer have may go with the last person who had it.
const FIRM: u32 = 10;

impl Reading {
    fn open(shape: &Shape, now: i64) -> Result<Self, SourceError> {
        // Opening a pipe would wait for somebody to write into it.
        text::readable(&std::fs::metadata(&shape.path).map_err(text::unreadable)?)?;
        let mut file = File::open(&shape.path).map_err(text::unreadable)?;
        let survey = text::survey(&mut file, shape.encoding.as_deref())?;
        let columns = Columns::new(entries::columns(&file, &survey, shape)?, shape)?;
        let index = index(&mut Entries::open(&file, &survey, shape, &columns.names)?, &columns, &survey)?;
        let entries = Entries::open(&file, &survey, shape, &columns.names)?;
        Ok(Self {
            survey,
            entries,
            columns,
            index,
            now,
            row: Row::default(),
            count: 0,
            keyless: (0, 0),
            cut: None,
            filled: Vec::new(),
            ended: false,
        })
    }

    fn chunk(&mut self) -> Result<Vec<Entry>, SourceError> {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK && !self.ended {
            match self.entries.read(&mut self.row)? {
                Read::Row => {
                    self.count_filled();
                    chunk.push(self.entry());
                }
                Read::Fault(fault) => {
                    let key = self.entries.certain_key(&self.row, &self.columns, &fault);
                    chunk.push(Entry::Refused(self.refused(key, fault)));
                }
                Read::End => {
                    unchanged(&mut self.entries, &self.survey)?;
                    self.ended = true;
                }
            }
        }
        self.count += chunk.len() as u64;
        Ok(chunk)
    }

    fn count_filled(&mut self) {
        if self.row.layout() == Layout::Cells {
            return;
        }
        self.filled.resize(self.columns.names.len(), 0);
        for (column, filled) in self.filled.iter_mut().enumerate() {
            *filled += u32::from(self.row.values(column).next().is_some());
        }
    }

    fn entry(&mut self) -> Entry {
        let key = match translate::key(&self.row, &self.columns) {
            Ok(key) => key,
            Err(fault) => return Entry::Refused(self.refused(None, fault)),
        };
        let translation = Translation { columns: &self.columns, index: &self.index, now: self.now };
        match translation.person(&self.row, key.clone()) {
            Ok(person) => Entry::Person(Box::new(person)),
            Err(fault) => {
                let alone = fault.reach == Reach::Entry || self.row.layout() != Layout::Cells;
                Entry::Refused(self.refused(alone.then_some(key), fault))
            }
        }
    }

    fn refused(&mut self, key: Option<PersonKey>, fault: Fault) -> Refused {
        let line = self.row.line;
        if fault.reach == Reach::Rest {
            self.cut = Some(format!("The file seems cut off at line {line}: {}", fault.problem));
        }
        if key.is_none() {
            self.keyless = (self.keyless.0 + 1, if self.keyless.0 == 0 { line } else { self.keyless.1 });
        }
        Refused { key, line, column: fault.column, problem: fault.problem, cure: fault.cure }
    }

    fn completeness(&self) -> Completeness {
        let mut doubts = Vec::new();
        if self.count == 0 {
            doubts.push("The file has no entries".to_owned());
        }
        doubts.extend(self.cut.clone());
        let (keyless, line) = self.keyless;
        if keyless > 0 {
            doubts.push(format!("{keyless} refused without a readable key, the first in line {line}"));
        }
        let columns: Vec<String> = self.columns.names.iter().map(|name| name.to_lowercase()).collect();
        let firm = |column: usize| self.filled.get(column).is_none_or(|filled| *filled >= FIRM);
        let expected =
            columns.iter().enumerate().filter(|(column, _)| firm(*column)).map(|(_, name)| name.clone()).collect();
        Completeness { doubts, columns, expected, entries: self.count }
    }
}

/// The first pass: keys, and names by which managers are given.
fn index(entries: &mut Entries, columns: &Columns, survey: &Survey) -> Result<Index, SourceError> {
    let mut index = Index::default();
    let mut row = Row::default();
    loop {
        match entries.read(&mut row)? {
            Read::Row => {
                let Ok(key) = translate::key(&row, columns) else { continue };
                index.note(&key, row.line);
                if columns.manager.is_some() {
                    index.person(&key);
                    translate::note_names(&row, columns, &mut index);
                }
            }
            // Nobody knows which of two rows with one key is right, least of all when one of them is broken.
            Read::Fault(fault) => {
                if let Some(key) = entries.certain_key(&row, columns, &fault) {
                    index.note(&key, row.line);
                }
            }
            Read::End => break,
        }
    }
    unchanged(entries, survey)?;
    index.complete();
    Ok(index)
}

/// Passes over a file that is being written do not fit together.
fn unchanged(entries: &mut Entries, survey: &Survey) -> Result<(), SourceError> {
    if entries.text().finish()? == survey.hash {
        return Ok(());
    }
    Err(SourceError {
        problem: "The file changed while it was read".into(),
        cure: "Write the export to another name and rename it when it is complete".into(),
        retry: true,
    })
}
