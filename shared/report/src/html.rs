//! The report: one self-contained page. Rows are rendered as they come and only so many are kept, so a run of 200,000
//! people needs the memory of a page, not of its people.

mod page;

use std::collections::BTreeSet;
use std::io::Write;

use askama::Template;
use hardmatch_domain::reason::{Code, Weight};
use hardmatch_ports::run::{Outcome, PlanRow, Run};

use self::page::PageView;
use crate::beside::{CsvRows, JsonRows, ReportError};
use crate::row_status::{self, RowStatus, Tally};
use crate::view::RowView;

/// Most rows of each of the page's three tables. Browsers stay quick up to here; the rest lies beside the page.
pub const MAX_ROWS: usize = 5_000;

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
    refused: Section,
    removals: Section,
    others: Section,
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
            refused: Section::default(),
            removals: Section::default(),
            others: Section::default(),
        }
    }

    /// One more person, in the order in which they are to be shown.
    pub fn row(&mut self, row: &PlanRow, outcome: Option<&Outcome>) -> Result<(), ReportError> {
        self.csv.row(row, outcome)?;
        self.jsonl.row(row, outcome)?;
        self.tally.add(row, outcome);
        let section = if RowStatus::of(row, outcome) == RowStatus::Refused || any_refused(row, outcome) {
            &mut self.refused
        } else if row_status::is_removal(row) {
            &mut self.removals
        } else {
            &mut self.others
        };
        section.total += 1;
        if section.shown < MAX_ROWS {
            section.push(&RowView::of(row, outcome))?;
            self.used.extend(row_status::codes(row, outcome));
        }
        Ok(())
    }

    /// Ends: the page, and the places of the rows beside it. The run comes last: how it ended is known when all its rows
    /// are, and they are read once.
    pub fn finish(self, run: &Run) -> Result<Report<C, J>, ReportError> {
        let page = PageView::of(&self, run);
        let rows: usize = [&self.refused, &self.removals, &self.others].map(Section::len).iter().sum();
        let mut html = String::with_capacity(rows + 65_536);
        page.render_into(&mut html)?;
        Ok(Report { html, csv: self.csv.finish()?, jsonl: self.jsonl.finish()?, tally: self.tally })
    }
}

fn any_refused(row: &PlanRow, outcome: Option<&Outcome>) -> bool {
    let said = outcome.map(Outcome::said).unwrap_or_default();
    said.iter().any(|reason| reason.code.weight() == Weight::Refused)
        || (row.decision.change.is_none()
            && row.decision.reasons.iter().any(|reason| reason.code.weight() == Weight::Refused))
}

/// Rows of one table. A browser lays out only the tables that are on the screen, so a long list is many short ones.
const ROWS_A_TABLE: usize = 100;

/// People under one heading, already rendered, in tables of a hundred.
#[derive(Debug, Default)]
struct Section {
    tables: Vec<String>,
    shown: usize,
    total: u64,
}

impl Section {
    fn push(&mut self, row: &RowView) -> Result<(), ReportError> {
        if self.shown.is_multiple_of(ROWS_A_TABLE) {
            self.tables.push(String::new());
        }
        self.shown += 1;
        if let Some(table) = self.tables.last_mut() {
            row.render_into(table)?;
        }
        Ok(())
    }

    /// Bytes of HTML.
    fn len(&self) -> usize {
        self.tables.iter().map(String::len).sum()
    }
}
