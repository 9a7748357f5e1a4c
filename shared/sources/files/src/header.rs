//! The first row of a CSV file: the delimiter, and whether it is a header at all.

use hardmatch_ports::source::SourceError;

use crate::aliases;
use crate::csv::Csv;
use crate::read::Read;
use crate::shape::Shape;
use crate::text::{Survey, Text};
use hardmatch_sources_entry::guid;
use hardmatch_sources_entry::row::Row;
use hardmatch_sources_entry::value::{self, Lines};
use hardmatch_sources_entry::{columns::NAMELESS, known, names};
use std::fs::File;

/// Rows that decide on the delimiter.
const SAMPLE: usize = 20;

/// A CSV file whose header is read.
pub(crate) struct Header {
    /// Behind the header.
    pub(crate) csv: Csv,
    /// The columns.
    pub(crate) names: Vec<String>,
    /// Between the cells.
    pub(crate) delimiter: char,
}

/// Opens a CSV file behind its header.
pub(crate) fn open(file: &File, survey: &Survey, shape: &Shape) -> Result<Header, SourceError> {
    let prelude = prelude(&mut Text::new(file, survey)?)?;
    let delimiter = match shape.delimiter.or(prelude.delimiter) {
        Some(delimiter) if delimiter.is_ascii() && !matches!(delimiter, '"' | '\n' | '\r') => delimiter,
        Some(_) => {
            return Err(SourceError {
                problem: "`delimiter` in [source] is not one ASCII character".into(),
                cure: "Write \",\", \";\" or \"\\t\", or leave it out".into(),
                retry: false,
            });
        }
        None => sniff(file, survey, prelude.lines, shape)?,
    };
    let mut csv = start(file, survey, delimiter, prelude.lines)?;
    let mut row = Row::default();
    let names = match csv.read(&mut row)? {
        Read::Row => names(&row)?,
        Read::Footer | Read::Header | Read::End => {
            return Err(wrong("The file is empty", "Write the export again; the first row names the columns"));
        }
        Read::Fault(fault) => return Err(wrong(&format!("The header: {}", fault.problem), &fault.cure)),
    };
    refuse_data(&names, shape)?;
    Ok(Header { csv, names, delimiter })
}

fn start(file: &File, survey: &Survey, delimiter: char, lines: usize) -> Result<Csv, SourceError> {
    let mut csv = Csv::new(Text::new(file, survey)?, u8::try_from(delimiter).unwrap_or(b','));
    for _ in 0..lines {
        csv.skip_line()?;
    }
    Ok(csv)
}

/// Lines before the header that programs write for themselves.
struct Prelude {
    lines: usize,
    delimiter: Option<char>,
}

/// `#TYPE …` by old PowerShell, `sep=;` for Excel.
fn prelude(text: &mut Text) -> Result<Prelude, SourceError> {
    let start = text.fill()?;
    if start.starts_with(b"#TYPE ") {
        return Ok(Prelude { lines: 1, delimiter: None });
    }
    if start.len() > 5 && start[..4].eq_ignore_ascii_case(b"sep=") && matches!(start[5], b'\r' | b'\n') {
        return Ok(Prelude { lines: 1, delimiter: Some(start[4] as char) });
    }
    Ok(Prelude { lines: 0, delimiter: None })
}

/// The delimiter that gives the best table: known names in the header first, then rows as wide as the header.
fn sniff(file: &File, survey: &Survey, lines: usize, shape: &Shape) -> Result<char, SourceError> {
    let mut best = (',', (0, 0, 1));
    let mut row = Row::default();
    for delimiter in [',', ';', '\t', '|'] {
        let mut csv = start(file, survey, delimiter, lines)?;
        let Read::Row = csv.read(&mut row)? else { continue };
        let width = row.value_count();
        let known = (0..width).filter(|column| cell(&row, *column).is_ok_and(|name| is_named(&name, shape))).count();
        let mut even = 0;
        for _ in 0..SAMPLE {
            match csv.read(&mut row)? {
                Read::Row => even += 1,
                Read::Fault(_) | Read::Footer | Read::Header => {}
                Read::End => break,
            }
        }
        // With one column every row fits.
        let score = (known, if width > 1 { even } else { 0 }, width);
        if score > best.1 {
            best = (delimiter, score);
        }
    }
    Ok(best.0)
}

fn is_named(name: &str, shape: &Shape) -> bool {
    known::meaning(name).is_some()
        || !aliases::suggested(name).is_empty()
        || shape
            .mapping
            .columns
            .values()
            .chain(&shape.mapping.key)
            .chain(&shape.mapping.extra)
            .any(|column| column.eq_ignore_ascii_case(name))
        || shape.mapping.anchor_from.iter().any(|column| column.eq_ignore_ascii_case(name))
}

fn cell(row: &Row, column: usize) -> Result<String, SourceError> {
    let value = row.values(column).next().unwrap_or_default();
    value::clean(value, Lines::One)
        .map(std::borrow::Cow::into_owned)
        .map_err(|fault| wrong(&format!("Column {}, in the header: {}", column + 1, fault.problem), &fault.cure))
}

fn names(row: &Row) -> Result<Vec<String>, SourceError> {
    if row.value_count() > names::MOST {
        let problem = format!("The header has {} columns, more than {}", row.value_count(), names::MOST);
        return Err(wrong(&problem, "Export only the columns that are used"));
    }
    let mut names: Vec<String> = Vec::with_capacity(row.value_count());
    for column in 0..row.value_count() {
        let name = cell(row, column)?;
        if name.is_empty() {
            names.push(format!("{NAMELESS}{})", column + 1));
            continue;
        }
        names.push(name);
    }
    Ok(names)
}

/// A file without a header would lose its first person and understand nobody.
fn refuse_data(names: &[String], shape: &Shape) -> Result<(), SourceError> {
    let data = |name: &String| {
        name.contains('@') || name.parse::<f64>().is_ok() || (name.len() > 21 && guid::parse_text(name).is_some())
    };
    if names.iter().any(|name| is_named(name, shape)) || !names.iter().any(data) {
        return Ok(());
    }
    // Not the values: they are somebody's data.
    Err(wrong("The first row looks like data, not like a header", "Begin the file with a row of column names"))
}

fn wrong(problem: &str, cure: &str) -> SourceError {
    SourceError { problem: problem.into(), cure: cure.into(), retry: false }
}
