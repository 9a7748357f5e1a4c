//! The first pass over a listing: what must be known of all entries before the first is understood.

use hardmatch_domain::ids::PersonKey;

use crate::columns::Columns;
use crate::index::Index;
use crate::interpreter::Interpreter;
use crate::row::Row;
use crate::translate::{self, Translation};

/// Notes keys, names by which managers are given, and what columns as a whole say.
pub struct FirstPass {
    columns: Columns,
    index: Index,
    now: i64,
}

impl FirstPass {
    /// Over entries of these columns; `now` (Unix seconds) tells whose account has expired.
    pub fn new(columns: Columns, now: i64) -> Self {
        Self { columns, index: Index::default(), now }
    }

    /// The columns.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Notes an entry.
    pub fn note(&mut self, row: &Row) {
        if translate::is_system(row, &self.columns) {
            return;
        }
        translate::note_columns(row, &self.columns, &mut self.index);
        let Ok(key) = translate::key(row, &self.columns) else { return };
        let nothing = Index::default();
        let translation = Translation { columns: &self.columns, index: &nothing, now: self.now };
        self.index.note(&key, row.line, translation.says_disabled(row));
        if !self.columns.manager.is_empty() {
            self.index.person(&key);
            translate::note_names(row, &self.columns, &mut self.index);
        }
    }

    /// Notes the key of a broken entry: nobody knows which of two entries with one key is right, least of all when one of
    /// them is broken.
    pub fn note_broken(&mut self, key: &PersonKey, line: u64) {
        self.index.note(key, line, false);
    }

    /// Forgets all entries, for a pass that begins again.
    #[must_use]
    pub fn again(self) -> Self {
        Self { index: Index::default(), ..self }
    }

    /// Everything is noted: entries can be understood from here on.
    pub fn complete(mut self) -> Interpreter {
        self.index.complete();
        Interpreter::new(self.columns, self.index, self.now)
    }
}
