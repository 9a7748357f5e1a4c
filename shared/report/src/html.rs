//! The report: one self-contained page. Rows become data as they come and only so many are kept, so a run of 200,000
//! people needs the memory of a page, not of its people. The page's script draws the rows that are on the screen.

mod data;
mod lists;
mod page;
mod texts;
mod verdict;

use std::collections::BTreeSet;
use std::io::Write;

use askama::Template;
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::{Outcome, PlanRow, Run};

use self::lists::Lists;
use self::page::PageView;
use crate::attention::RowNotes;
use crate::beside::{CsvRows, JsonRows, ReportError};
use crate::row_status;
use crate::tally::Tally;

/// What the files beside the page are called, as seen from the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileNames<'a> {
    /// All rows as CSV.
    pub csv: &'a str,
    /// All rows as JSON Lines.
    pub jsonl: &'a str,
}

/// Takes a run's rows one after the other and makes the page, the CSV and the JSON Lines of them.
#[derive(Debug)]
pub struct ReportBuilder<'a, C: Write, J: Write> {
    names: FileNames<'a>,
    csv: CsvRows<C>,
    jsonl: JsonRows<J>,
    tally: Tally,
    used: BTreeSet<Code>,
    lists: Lists,
}

/// What the page says beside the run and its rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Surroundings<'a> {
    /// The address that an account's object id is put behind, to open the account in the Entra admin center; `None`
    /// where there is no such place.
    pub portal: Option<&'a str>,
}

/// A finished report.
#[derive(Debug)]
pub struct Report<C, J> {
    /// The page.
    pub html: String,
    /// Where CSV was written to.
    pub csv: C,
    /// Where JSON Lines were written to.
    pub jsonl: J,
    /// What the rows add up to.
    pub tally: Tally,
}

impl<'a, C: Write, J: Write> ReportBuilder<'a, C, J> {
    /// Begins a report. Rows go to `csv` and `jsonl` as they come (`std::io::sink()` for one that is not wanted).
    pub fn new(names: FileNames<'a>, csv: C, jsonl: J) -> Self {
        Self {
            names,
            csv: CsvRows::new(csv),
            jsonl: JsonRows::new(jsonl),
            tally: Tally::default(),
            used: BTreeSet::new(),
            lists: Lists::new(),
        }
    }

    /// One more person, in the order in which they are to be shown.
    pub fn row(&mut self, row: &PlanRow, outcome: Option<&Outcome>, notes: RowNotes) -> Result<(), ReportError> {
        self.csv.noted(row, outcome, notes.acknowledged)?;
        self.jsonl.noted(row, outcome, notes.acknowledged)?;
        self.tally.add(row, outcome, notes.acknowledged);
        if self.lists.add(row, outcome, notes)? {
            self.used.extend(row_status::codes(row, outcome));
        }
        Ok(())
    }

    /// What the rows so far add up to.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Ends: the page, and the places of the rows beside it. The run comes last: how it ended is known when all its rows
    /// are, and they are read once.
    pub fn finish(self, run: &Run, around: &Surroundings) -> Result<Report<C, J>, ReportError> {
        let page = PageView::of(&self, run, around);
        let mut html = String::with_capacity(page.data_bytes() + 65_536);
        page.render_into(&mut html)?;
        Ok(Report { html, csv: self.csv.finish()?, jsonl: self.jsonl.finish()?, tally: self.tally })
    }
}
