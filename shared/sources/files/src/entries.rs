//! The entries of a file, whatever its format.

use std::fs::File;

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::SourceError;

use crate::csv::{Csv, Short};
use crate::header;
use crate::jsonl::JsonLines;
use crate::ldif::Ldif;
use crate::read::Read;
use crate::shape::{Format, Shape};
use crate::text::{Survey, Text};
use hardmatch_sources_entry::columns::Columns;
use hardmatch_sources_entry::names::Names;
use hardmatch_sources_entry::row::{EntryFault, Reach, Row};

/// A file that is read entry by entry.
pub(crate) enum Entries {
    Csv(Csv),
    JsonLines(JsonLines),
    Ldif(Ldif),
}

/// The columns of the file. Without a header, all entries must be read to know what the listing has.
pub(crate) fn columns(file: &File, survey: &Survey, shape: &Shape) -> Result<Vec<String>, SourceError> {
    if shape.format == Format::Csv {
        return header::open(file, survey, shape).map(|header| header.names);
    }
    let mut entries = Entries::open(file, survey, shape, &[])?;
    let mut row = Row::default();
    let mut first = None;
    loop {
        match entries.read(&mut row)? {
            Read::Row | Read::Footer | Read::Header => {}
            Read::Fault(fault) => first = first.or(Some((row.line, fault))),
            Read::End => break,
        }
    }
    let names = match entries {
        Entries::Csv(_) => Vec::new(),
        Entries::JsonLines(lines) => lines.into_names(),
        Entries::Ldif(ldif) => ldif.into_names(),
    };
    if !names.is_empty() {
        return Ok(names);
    }
    let (problem, cure) = match first {
        Some((line, fault)) => {
            (format!("The file has no entry that is understood; line {line}: {}", fault.problem), fault.cure)
        }
        None => ("The file has no people".to_owned(), "Write the export again, and check what it selects".to_owned()),
    };
    Err(SourceError { problem, cure, retry: false })
}

impl Entries {
    /// From the first entry on.
    pub(crate) fn open(file: &File, survey: &Survey, shape: &Shape, columns: &[String]) -> Result<Self, SourceError> {
        let names = Names::new(columns);
        Ok(match shape.format {
            Format::Csv => Entries::Csv(header::open(file, survey, shape)?.csv),
            Format::JsonLines => Entries::JsonLines(JsonLines::new(Text::new(file, survey)?, names)),
            Format::Ldif => Entries::Ldif(Ldif::new(Text::new(file, survey)?, names)),
        })
    }

    /// The next entry.
    pub(crate) fn read(&mut self, row: &mut Row) -> Result<Read, SourceError> {
        match self {
            Entries::Csv(csv) => csv.read(row),
            Entries::JsonLines(lines) => lines.read(row),
            Entries::Ldif(ldif) => ldif.read(row),
        }
    }

    /// What a first reading of all entries learnt of rows with too few cells.
    pub(crate) fn short(&self) -> Short {
        match self {
            Entries::Csv(csv) => csv.short(),
            Entries::JsonLines(_) | Entries::Ldif(_) => Short::default(),
        }
    }

    /// How rows with too few cells are taken from here on.
    pub(crate) fn set_short(&mut self, short: Short) {
        if let Entries::Csv(csv) = self {
            csv.set_short(short);
        }
    }

    /// The entry that was read last, as the file has it as far as that is kept.
    pub(crate) fn raw(&self, row: &Row) -> Vec<u8> {
        match self {
            Entries::Csv(_) => row.text(),
            Entries::JsonLines(lines) => lines.raw().to_vec(),
            Entries::Ldif(ldif) => ldif.raw().to_vec(),
        }
    }

    /// The text, for its hash.
    pub(crate) fn text(&mut self) -> &mut Text {
        match self {
            Entries::Csv(csv) => csv.text(),
            Entries::JsonLines(lines) => lines.text(),
            Entries::Ldif(ldif) => ldif.text(),
        }
    }

    /// The key of an entry with a fault, when the fault cannot have touched it.
    pub(crate) fn certain_key(&self, row: &Row, columns: &Columns, fault: &EntryFault) -> Option<PersonKey> {
        match self {
            // Of cells that may have moved, the first has not.
            Entries::Csv(_) if columns.key > 0 || fault.reach != Reach::Entry => None,
            Entries::Ldif(_) if fault.reach != Reach::Entry => None,
            // Nothing of a broken object is kept, every whole value of an entry is.
            Entries::Csv(_) | Entries::JsonLines(_) | Entries::Ldif(_) => {
                hardmatch_sources_entry::key(row, columns).ok()
            }
        }
    }
}
