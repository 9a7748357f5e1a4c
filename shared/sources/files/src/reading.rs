//! One reading of a file: a pass for what must be known of all rows, and one that hands people out.

use std::fs::File;

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::{Completeness, Entry, SourceError};
use hardmatch_sources_entry::columns::Columns;
use hardmatch_sources_entry::row::Row;
use hardmatch_sources_entry::{FirstPass, Interpreter};

use crate::entries::{self, Entries};
use crate::read::Read;
use crate::shape::Shape;
use crate::text::{self, Survey};

/// Entries handed out at a time.
const CHUNK: usize = 500;

/// The second pass.
pub(crate) struct Reading {
    survey: Survey,
    entries: Entries,
    interpreter: Interpreter,
    row: Row,
    ended: bool,
}

impl Reading {
    /// Makes the first pass.
    pub(crate) fn open(shape: &Shape, now: i64) -> Result<Self, SourceError> {
        // Opening a pipe would wait for somebody to write into it.
        text::readable(&std::fs::metadata(&shape.path).map_err(text::unreadable)?)?;
        let mut file = File::open(&shape.path).map_err(text::unreadable)?;
        let survey = text::survey(&mut file, shape.encoding.as_deref())?;
        let columns = Columns::new(entries::columns(&file, &survey, shape)?, &shape.mapping)?;
        let mut pass = FirstPass::new(columns, now);
        let open = |pass: &FirstPass| Entries::open(&file, &survey, shape, &pass.columns().names);
        let mut first = open(&pass)?;
        note(&mut first, &mut pass, &survey)?;
        let short = first.short();
        if short.filled_up {
            // Rows that were too short for the first reading have keys and names too.
            pass = pass.again();
            let mut again = open(&pass)?;
            again.set_short(short);
            note(&mut again, &mut pass, &survey)?;
        }
        let mut entries = open(&pass)?;
        entries.set_short(short);
        Ok(Self { survey, entries, interpreter: pass.complete(), row: Row::default(), ended: false })
    }

    /// The next entries; empty at the end.
    pub(crate) fn chunk(&mut self) -> Result<Vec<Entry>, SourceError> {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK && !self.ended {
            match self.entries.read(&mut self.row)? {
                Read::Row => {
                    let (entries, row) = (&self.entries, &self.row);
                    chunk.extend(self.interpreter.take(row, || entries.raw(row)));
                }
                Read::Fault(fault) => {
                    let key = self.entries.certain_key(&self.row, self.interpreter.columns(), &fault);
                    let raw = self.entries.raw(&self.row);
                    chunk.push(self.interpreter.refuse(self.row.line, key, fault, &raw));
                }
                Read::Footer => self.interpreter.pass(
                    "footer behind the last entry",
                    "footers behind the last entry",
                    self.row.line,
                ),
                Read::Header => {
                    self.interpreter.pass("row that repeats the header", "rows that repeat the header", self.row.line);
                }
                Read::End => {
                    unchanged(&mut self.entries, &self.survey)?;
                    self.ended = true;
                }
            }
        }
        Ok(chunk)
    }

    /// The entry of that key, and what the file may be trusted for.
    pub(crate) fn find(mut self, key: &PersonKey) -> Result<(Option<Entry>, Completeness), SourceError> {
        let mut found = None;
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok((found, self.completeness()));
            }
            found = found.or(chunk.into_iter().find(|entry| entry.key() == Some(key)));
        }
    }

    /// What the file may be trusted for, once it was read to its end.
    pub(crate) fn completeness(&self) -> Completeness {
        let mut completeness = self.interpreter.completeness();
        if completeness.entries == 0 {
            completeness.doubts.push("The file has no entries".to_owned());
        }
        if let Some((line, problem)) = self.interpreter.cut() {
            completeness.doubts.push(format!("The file seems cut off at line {line}: {problem}"));
        }
        completeness.guessed = self.survey.guessed.then(|| self.survey.encoding.name());
        completeness
    }
}

/// Notes all entries of a file.
fn note(entries: &mut Entries, pass: &mut FirstPass, survey: &Survey) -> Result<(), SourceError> {
    let mut row = Row::default();
    loop {
        match entries.read(&mut row)? {
            Read::Row => pass.note(&row),
            Read::Fault(fault) => {
                if let Some(key) = entries.certain_key(&row, pass.columns(), &fault) {
                    pass.note_broken(&key, row.line);
                }
            }
            Read::Footer | Read::Header => {}
            Read::End => return unchanged(entries, survey),
        }
    }
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
