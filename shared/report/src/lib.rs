#![doc = include_str!("../README.md")]

mod beside;
mod bill;
pub mod cost;
mod documents;
mod explain;
mod html;
mod pages;
mod standing;
mod steps;
mod tables;
mod view;
mod visible;
mod words;

pub use beside::{CsvRows, JsonRows, ReportError};
pub use bill::Forecast;
pub use documents::{json_text, plan_document, row_document, run_document};
pub use explain::{explain_text, summary_lines};
pub use hardmatch_ports::{Check, CheckState};
pub use html::{FileNames, MAX_ROWS, Report, ReportBuilder};
pub use pages::{ReasonPage, page};
pub use standing::{Standing, Tally};
pub use tables::{Color, Style, doctor_table, outcome_table, plan_table, runs_table};
pub use visible::{spreadsheet_safe, visible};
