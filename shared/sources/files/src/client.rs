//! Reads the file: one pass for what must be known of all rows, one that hands people out. Decides nothing about them.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::source::{Completeness, Entry, Listing, RefusedEntry, Source, SourceError};

use crate::columns::Columns;
use crate::entries::{self, Entries};
use crate::header::NAMELESS;
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

/// Values left out that are named, and no more.
const NAMED: usize = 1_000;

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
    /// Rows with a key whose structure is damaged, and the line of the first.
    damaged: (u64, u64),
    cut: Option<String>,
    left_out: Vec<RefusedEntry>,
    /// What was passed over, by what it was: how often, and the line of the first.
    passed: BTreeMap<String, (u64, u64)>,
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
        let mut first = Entries::open(&file, &survey, shape, &columns.names)?;
        let mut index = index(&mut first, &columns, &survey, now)?;
        let mut entries = Entries::open(&file, &survey, shape, &columns.names)?;
        let short = first.short();
        if short.filled_up {
            // Rows that were too short for the first reading have keys and names too.
            let mut again = Entries::open(&file, &survey, shape, &columns.names)?;
            again.set_short(short);
            index = self::index(&mut again, &columns, &survey, now)?;
        }
        entries.set_short(short);
        Ok(Self {
            survey,
            entries,
            columns,
            index,
            now,
            row: Row::default(),
            count: 0,
            keyless: (0, 0),
            damaged: (0, 0),
            cut: None,
            left_out: Vec::new(),
            passed: BTreeMap::new(),
            filled: Vec::new(),
            ended: false,
        })
    }

    fn chunk(&mut self) -> Result<Vec<Entry>, SourceError> {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK && !self.ended {
            match self.entries.read(&mut self.row)? {
                Read::Row if translate::is_system(&self.row, &self.columns) => self.pass("system accounts"),
                Read::Row => {
                    self.count_filled();
                    let entry = self.entry();
                    chunk.push(entry);
                }
                Read::Fault(fault) => {
                    let key = self.entries.certain_key(&self.row, &self.columns, &fault);
                    chunk.push(Entry::Refused(self.refused(key, fault)));
                }
                Read::Footer => self.pass("footers behind the last entry"),
                Read::Header => self.pass("rows that repeat the header"),
                Read::End => {
                    unchanged(&mut self.entries, &self.survey)?;
                    self.ended = true;
                }
            }
        }
        self.count += chunk.len() as u64;
        Ok(chunk)
    }

    fn pass(&mut self, what: &str) {
        let line = self.row.line;
        match self.passed.get_mut(what) {
            Some((count, _)) => *count += 1,
            None => {
                self.passed.insert(what.to_owned(), (1, line));
            }
        }
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
            Ok((person, left_out)) => {
                self.note_left_out(&key, left_out);
                Entry::Person(Box::new(person))
            }
            Err(fault) => {
                let alone = fault.reach == Reach::Entry || self.row.layout() != Layout::Cells;
                // Of rows with one key nobody knows which is right, so all of them must say it; of one whose structure is
                // damaged, nobody knows whose word it is.
                let twin = translation.index.twin(&key, self.row.line);
                let disabled = match twin {
                    Some((_, all_say_so)) => all_say_so,
                    None => !fault.structural && translation.says_disabled(&self.row),
                };
                let refused = self.refused(alone.then_some(key), fault);
                Entry::Refused(RefusedEntry { disabled: disabled && alone, ..refused })
            }
        }
    }

    /// A value that something here would have used is named; what nothing uses is counted.
    fn note_left_out(&mut self, key: &PersonKey, left_out: Vec<Fault>) {
        let used: Vec<Option<String>> = left_out.iter().map(|fault| fault.column.clone()).collect();
        for fault in left_out {
            if self.left_out.len() < NAMED {
                self.left_out.push(RefusedEntry {
                    key: Some(key.clone()),
                    line: self.row.line,
                    column: fault.column,
                    problem: fault.problem,
                    cure: fault.cure,
                    ..RefusedEntry::default()
                });
            }
        }
        let unread: Vec<String> = self.row.bad_columns().map(|column| self.columns.name(column).to_owned()).collect();
        for name in unread.into_iter().filter(|name| !used.contains(&Some(name.clone()))) {
            self.pass(&format!("values of {name} that could not be read and that nothing uses"));
        }
    }

    fn refused(&mut self, key: Option<PersonKey>, fault: Fault) -> RefusedEntry {
        let line = self.row.line;
        if fault.reach == Reach::Rest {
            self.cut = Some(format!("The file seems cut off at line {line}: {}", fault.problem));
        }
        let count = |(count, first): (u64, u64)| (count + 1, if count == 0 { line } else { first });
        let raw = self.entries.raw(&self.row);
        let mut words: Vec<u64> = hardmatch_ports::source::words(&raw).collect();
        words.sort_unstable();
        words.dedup();
        let claims = if key.is_none() { claims(&raw) } else { Vec::new() };
        if key.is_none() {
            self.keyless = count(self.keyless);
        } else if fault.structural {
            self.damaged = count(self.damaged);
        }
        let hides = (key.is_none() || fault.structural).then(|| blake3::hash(&raw).as_bytes().as_chunks::<16>().0[0]);
        RefusedEntry {
            key,
            line,
            column: fault.column,
            problem: fault.problem,
            cure: fault.cure,
            disabled: false,
            fault: hides,
            words,
            claims,
        }
    }

    fn completeness(&self) -> Completeness {
        let mut doubts = Vec::new();
        if self.count == 0 {
            doubts.push("The file has no entries".to_owned());
        }
        doubts.extend(self.cut.clone());
        let mut absence = Vec::new();
        let (keyless, line) = self.keyless;
        if keyless > 0 {
            absence.push(format!("{keyless} refused without a readable key, the first in line {line}"));
        }
        let (damaged, line) = self.damaged;
        if damaged > 0 {
            absence.push(format!("{damaged} refused whose structure is damaged, the first in line {line}"));
        }
        let mut notes: Vec<String> = self
            .passed
            .iter()
            .map(|(what, (count, line))| format!("Passed over: {count} {what}, the first in line {line}"))
            .collect();
        let nameless = |name: &&String| name.starts_with(NAMELESS);
        notes.extend(
            self.columns
                .names
                .iter()
                .filter(nameless)
                .map(|name| format!("Passed over: a column without a name {name}")),
        );
        notes.extend(self.columns.may_mean_leaving().map(|name| {
            format!(
                "The column {name:?} is not understood. If it says who leaves, name it under [source.columns] as enabled or accountExpires"
            )
        }));
        let columns: Vec<String> = self.columns.names.iter().map(|name| name.to_lowercase()).collect();
        let firm = |column: usize| self.filled.get(column).is_none_or(|filled| *filled >= FIRM);
        let named = columns.iter().enumerate().filter(|(_, name)| !name.starts_with(NAMELESS));
        let expected = named.filter(|(column, _)| firm(*column)).map(|(_, name)| name.clone()).collect();
        Completeness {
            doubts,
            absence,
            notes,
            left_out: self.left_out.clone(),
            guessed: self.survey.guessed.then(|| self.survey.encoding.name()),
            columns,
            expected,
            entries: self.count,
        }
    }
}

/// The names and addresses in an entry that nobody knows whose it is.
fn claims(raw: &[u8]) -> Vec<u64> {
    let parts = raw.split(|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b',' | b'|' | b'"' | b':' | 0));
    let mut claims: Vec<u64> =
        parts.filter(|part| part.contains(&b'@')).flat_map(hardmatch_ports::source::words).collect();
    claims.sort_unstable();
    claims.dedup();
    claims
}

/// The first pass: keys, names by which managers are given, and what columns as a whole say.
fn index(entries: &mut Entries, columns: &Columns, survey: &Survey, now: i64) -> Result<Index, SourceError> {
    let mut index = Index::default();
    let mut row = Row::default();
    let nothing = Index::default();
    let translation = Translation { columns, index: &nothing, now };
    loop {
        match entries.read(&mut row)? {
            Read::Row => {
                if translate::is_system(&row, columns) {
                    continue;
                }
                translate::note_columns(&row, columns, &mut index);
                let Ok(key) = translate::key(&row, columns) else { continue };
                index.note(&key, row.line, translation.says_disabled(&row));
                if !columns.manager.is_empty() {
                    index.person(&key);
                    translate::note_names(&row, columns, &mut index);
                }
            }
            // Nobody knows which of two rows with one key is right, least of all when one of them is broken.
            Read::Fault(fault) => {
                if let Some(key) = entries.certain_key(&row, columns, &fault) {
                    index.note(&key, row.line, false);
                }
            }
            Read::Footer | Read::Header => {}
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
