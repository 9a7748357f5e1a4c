//! The entries of a file, whatever its format.

use std::fs::File;

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::SourceError;

use crate::columns::Columns;
use crate::csv::Csv;
use crate::header;
use crate::row::{Cut, Fault, Read, Row};
use crate::shape::{Format, Shape};
use crate::text::{Survey, Text};
use crate::translate;

/// A file that is read entry by entry.
pub(crate) enum Entries {
    /// Cells with a header row.
    Csv(Csv),
}

impl Entries {
    /// From the first entry on, with the columns.
    pub(crate) fn open(file: &File, survey: &Survey, shape: &Shape) -> Result<(Self, Vec<String>), SourceError> {
        match shape.format {
            Format::Csv => {
                let (csv, names) = header::open(file, survey, shape)?;
                Ok((Entries::Csv(csv), names))
            }
        }
    }

    /// The next entry.
    pub(crate) fn read(&mut self, row: &mut Row) -> Result<Read, SourceError> {
        match self {
            Entries::Csv(csv) => csv.read(row),
        }
    }

    /// The text, for its hash.
    pub(crate) fn text(&mut self) -> &mut Text {
        match self {
            Entries::Csv(csv) => csv.text(),
        }
    }

    /// The key of an entry with a fault, when the fault cannot have touched it: of cells that may have moved, the first
    /// has not.
    pub(crate) fn certain_key(&self, row: &Row, columns: &Columns, fault: &Fault) -> Option<PersonKey> {
        match self {
            Entries::Csv(_) if columns.key == 0 && fault.cut == Cut::No => translate::key(row, columns).ok(),
            Entries::Csv(_) => None,
        }
    }
}
