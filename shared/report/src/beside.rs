//! The rows that lie beside a report, whole and streamed: JSON Lines for programs, CSV for spreadsheets.

use std::io::Write;

use hardmatch_domain::change::Join;
use hardmatch_ports::run::{Outcome, PlanRow};

use crate::attention::Acknowledged;
use crate::documents::{self, RowDocument};
use crate::list::List;
use crate::row::{account, reasons};
use crate::row_status::RowStatus;
use crate::steps;
use crate::visible::spreadsheet_safe;
use crate::words;

/// A report could not be written. Holds no value of a row.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The place for CSV or JSON Lines does not take more.
    #[error("the rows beside the report could not be written: {0}. Look for free space and try again")]
    Write(#[from] std::io::Error),
    /// The page could not be put together.
    #[error("the page could not be put together: {0}. Report this with the run id")]
    Page(#[from] askama::Error),
}

impl From<csv::Error> for ReportError {
    fn from(error: csv::Error) -> Self {
        Self::Write(error.into())
    }
}

impl From<serde_json::Error> for ReportError {
    fn from(error: serde_json::Error) -> Self {
        Self::Write(error.into())
    }
}

/// Rows as CSV (RFC 4180), UTF-8 with a header. Safe to open: see [`spreadsheet_safe`].
#[derive(Debug)]
pub struct CsvRows<W: Write> {
    out: csv::Writer<W>,
    begun: Begun,
}

#[derive(Clone, Copy, Debug)]
enum Begun {
    NotYet,
    Header,
}

impl<W: Write> CsvRows<W> {
    /// The columns. Stable: new ones are added at the end.
    pub const HEADER: [&str; 21] = [
        "key",
        "name",
        "upn",
        "action",
        "outcome",
        "join",
        "rule",
        "account",
        "reason",
        "sentence",
        "detail",
        "remedy",
        "other_reasons",
        "changes",
        "hold",
        "removals",
        "change",
        "graph_code",
        "graph_request_id",
        "acknowledged",
        "list",
    ];

    /// Writes to `out`, beginning with the header.
    pub fn new(out: W) -> Self {
        let out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        Self { out, begun: Begun::NotYet }
    }

    /// One more row, of which no operator said anything.
    pub fn row(&mut self, row: &PlanRow, outcome: Option<&Outcome>) -> Result<(), ReportError> {
        self.noted(row, outcome, None)
    }

    /// One more row, with what an operator said of it.
    pub(crate) fn noted(
        &mut self,
        row: &PlanRow,
        outcome: Option<&Outcome>,
        acknowledged: Option<&Acknowledged>,
    ) -> Result<(), ReportError> {
        self.begin()?;
        let decision = &row.decision;
        let change = decision.change.as_deref();
        let mut reasons = reasons(row, outcome);
        let main = reasons.next();
        let others: Vec<&str> = reasons.map(|reason| reason.code.as_str()).collect();
        let rule = match &decision.join {
            Join::Joined { rule, .. } => words::join_rule_name(*rule),
            Join::None | Join::Refused { .. } | Join::NotLooked => "",
        };
        let refusal = outcome.and_then(|outcome| outcome.refusal.as_ref());
        let fields: [&str; 21] = [
            decision.key.as_str(),
            &row.name,
            &row.upn,
            decision.action.name(),
            RowStatus::of(row, outcome).name(),
            words::join_name(&decision.join),
            rule,
            account(row, outcome).map_or("", AsRef::as_ref),
            main.map_or("", |reason| reason.code.as_str()),
            main.map_or("", |reason| reason.code.sentence()),
            main.and_then(|reason| reason.detail.as_deref()).unwrap_or_default(),
            main.map_or("", |reason| reason.code.remedy()),
            &others.join(" "),
            &change.map(changes).unwrap_or_default(),
            change.and_then(|change| change.hold.as_ref()).map_or("", words::hold),
            &change.map(|change| words::removals(change.removals)).unwrap_or_default(),
            change.map_or("", |change| change.id.as_str()),
            refusal.map_or("", |refusal| &refusal.code),
            refusal.map_or("", |refusal| &refusal.request_id),
            &acknowledged.map(words::acknowledged).unwrap_or_default(),
            List::of(row, outcome, acknowledged).name(),
        ];
        for field in fields {
            self.out.write_field(spreadsheet_safe(field).as_bytes())?;
        }
        self.out.write_record(None::<&[u8]>)?;
        Ok(())
    }

    /// Ends, and gives the place back. Without rows the header alone is there.
    pub fn finish(mut self) -> Result<W, ReportError> {
        self.begin()?;
        self.out.into_inner().map_err(|error| ReportError::Write(error.into_error()))
    }

    fn begin(&mut self) -> Result<(), ReportError> {
        match self.begun {
            Begun::Header => Ok(()),
            Begun::NotYet => {
                self.begun = Begun::Header;
                Ok(self.out.write_record(Self::HEADER)?)
            }
        }
    }
}

/// A change in one cell: `jobTitle: Clerk → Engineer; …`.
fn changes(change: &hardmatch_domain::change::Change) -> String {
    let steps: Vec<String> = steps::of(&change.steps)
        .into_iter()
        .flat_map(|step| {
            if step.lines.is_empty() {
                return vec![step.title];
            }
            step.lines
                .iter()
                .map(|line| format!("{}: {} → {}", line.what, line.before.text(), line.after.text()))
                .collect()
        })
        .collect();
    steps.join("; ")
}

/// Rows as JSON Lines: one object a line, the keys of [`crate::row_document`] in the same order.
#[derive(Debug)]
pub struct JsonRows<W: Write> {
    out: W,
}

impl<W: Write> JsonRows<W> {
    /// Writes to `out`. Small writes: give something buffered.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// One more row, of which no operator said anything.
    pub fn row(&mut self, row: &PlanRow, outcome: Option<&Outcome>) -> Result<(), ReportError> {
        self.noted(row, outcome, None)
    }

    /// One more row, with what an operator said of it.
    pub(crate) fn noted(
        &mut self,
        row: &PlanRow,
        outcome: Option<&Outcome>,
        acknowledged: Option<&Acknowledged>,
    ) -> Result<(), ReportError> {
        let document = RowDocument::of(row, outcome, acknowledged);
        let mut line = documents::terminal_safe(&serde_json::to_string(&document)?);
        line.push('\n');
        Ok(self.out.write_all(line.as_bytes())?)
    }

    /// Ends, and gives the place back.
    pub fn finish(mut self) -> Result<W, ReportError> {
        self.out.flush()?;
        Ok(self.out)
    }
}
