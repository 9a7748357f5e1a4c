#![doc = include_str!("../README.md")]

mod attention;
mod beside;
mod bill;
pub mod cost;
mod digest;
mod documents;
mod explain;
mod html;
mod kind;
mod lines;
mod pages;
mod past;
mod row_status;
mod seen_ids;
mod steps;
mod tables;
mod visible;
mod words;

pub use attention::{Acknowledged, RowNotes, RowStage, needs_attention};
pub use beside::{CsvRows, JsonRows, ReportError};
pub use bill::Forecast;
pub use digest::{Around, Digest, SHOWN};
pub use documents::{json_text, plan_document, row_document, run_document};
pub use explain::{closing_lines, explain_text, summary_lines};
pub use hardmatch_ports::{Check, CheckState};
pub use html::{FileNames, Report, ReportBuilder, Surroundings};
pub use kind::attention_reason;
pub use pages::{ReasonPage, folded, page};
pub use past::Past;
pub use row_status::{RowStatus, Tally};
pub use seen_ids::{SeenAt, SeenId, seen_ids, seen_ids_text};
pub use steps::step_lines;
pub use tables::{Color, ColumnRow, Style, columns_table, doctor_table, outcome_table, plan_table, runs_table};
pub use visible::{Colors, printable, printable_json, spreadsheet_safe, visible};
pub use words::{number, whole_duration};
