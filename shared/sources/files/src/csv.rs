//! CSV: cells, quotes and lines. Knows nothing of people; the header is just the first row.
//!
//! Read here and not by a library, because a quote that is never closed and the true line of a row decide whether a
//! listing is complete, and CSV libraries forgive the one and hide the other.

use hardmatch_ports::source::SourceError;

use crate::row::{Fault, Layout, Reach, Read, Row};
use crate::text::Text;

/// The longest row. A longer one has a quote that was opened by mistake.
const LONGEST: usize = 1024 * 1024;

/// Rows of cells. <https://www.rfc-editor.org/rfc/rfc4180>
pub(crate) struct Csv {
    text: Text,
    delimiter: u8,
    /// The line the next byte is on.
    line: u64,
    /// The last byte was a carriage return: a line feed now belongs to it.
    after_return: bool,
    /// Cells of the header; 0 before it is read.
    width: usize,
    ended: bool,
}

/// Where in a cell the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Plain,
    Quoted,
    /// After a quote inside quotes: the end of the cell, or half of a doubled quote.
    Quote,
}

impl Csv {
    /// Reads from the beginning. `delimiter` is an ASCII character.
    pub(crate) fn new(text: Text, delimiter: u8) -> Self {
        Self { text, delimiter, line: 1, after_return: false, width: 0, ended: false }
    }

    /// The text, for its hash.
    pub(crate) fn text(&mut self) -> &mut Text {
        &mut self.text
    }

    /// Passes over one line that is not CSV.
    pub(crate) fn skip_line(&mut self) -> Result<(), SourceError> {
        loop {
            let part = self.text.fill()?;
            if part.is_empty() {
                return Ok(());
            }
            let Some(end) = part.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                let all = part.len();
                self.text.consume(all);
                continue;
            };
            self.after_return = part[end] == b'\r';
            self.line += 1;
            self.text.consume(end + 1);
            return Ok(());
        }
    }

    /// The next row that is not blank. All rows must be as wide as the first.
    pub(crate) fn read(&mut self, row: &mut Row) -> Result<Read, SourceError> {
        loop {
            if self.ended {
                return Ok(Read::End);
            }
            row.clear(self.line, Layout::Cells);
            if let Some(fault) = self.cells(row)? {
                return Ok(Read::Fault(self.reaching(row, fault)));
            }
            if row.is_blank() {
                continue;
            }
            if self.width == 0 {
                self.width = row.len();
            }
            if row.len() == self.width {
                return Ok(Read::Row);
            }
            let problem = format!("The row has {} cells, the header {}", row.len(), self.width);
            let fault = Fault::new(problem, "Put cells that hold the delimiter or a line break into quotes");
            let cut = self.ended && row.len() < self.width;
            return Ok(Read::Fault(if cut {
                Fault { reach: Reach::Rest, ..fault }
            } else {
                self.reaching(row, fault)
            }));
        }
    }

    /// A broken row of several lines may have swallowed others.
    fn reaching(&self, row: &Row, fault: Fault) -> Fault {
        let next = if self.ended { row.line } else { row.line + 1 };
        if self.line > next && fault.reach == Reach::Entry { fault.near() } else { fault }
    }

    fn cells(&mut self, row: &mut Row) -> Result<Option<Fault>, SourceError> {
        let mut at = At::Start;
        let mut fault = None;
        loop {
            if row.size() > LONGEST {
                self.ended = true;
                return Ok(Some(Fault::cut(
                    "The row is longer than 1 MiB; everything after it was not read",
                    "Look for a quote at the beginning of a cell of this row that is never closed",
                )));
            }
            let part = self.text.fill()?;
            if part.is_empty() {
                self.ended = true;
                if at == At::Quoted {
                    return Ok(Some(Fault::cut(
                        "The file ends inside quotes",
                        "The file was cut off, or a quote is never closed: write it again",
                    )));
                }
                if at != At::Start || row.len() > 0 {
                    row.end_value(row.len());
                }
                return Ok(fault);
            }
            let mut used = 0;
            while used < part.len() {
                let byte = part[used];
                match at {
                    At::Quoted => {
                        let end = quoted_end(&part[used..], &mut self.line, &mut self.after_return);
                        row.extend(&part[used..used + end]);
                        used += end;
                        if used < part.len() {
                            used += 1;
                            at = At::Quote;
                        }
                        continue;
                    }
                    At::Quote if byte == b'"' => {
                        row.extend(b"\"");
                        used += 1;
                        self.after_return = false;
                        at = At::Quoted;
                        continue;
                    }
                    At::Start if byte == b'\n' && self.after_return && row.len() == 0 => {
                        // The second half of the line break before this row.
                        self.after_return = false;
                        used += 1;
                        continue;
                    }
                    At::Start if byte == b'"' => {
                        at = At::Quoted;
                        self.after_return = false;
                        used += 1;
                        continue;
                    }
                    At::Start | At::Plain | At::Quote => {}
                }
                let delimiter = self.delimiter;
                let end = part[used..].iter().position(|byte| *byte == delimiter || matches!(byte, b'\n' | b'\r'));
                let cell = &part[used..used + end.unwrap_or(part.len() - used)];
                if at == At::Quote && fault.is_none() && cell.iter().any(|byte| *byte != b' ') {
                    let problem = format!("Cell {} goes on after its closing quote", row.len() + 1);
                    fault = Some(Fault::new(problem, "Double the quotes inside a quoted cell").near());
                }
                if at != At::Quote {
                    row.extend(cell);
                    at = At::Plain;
                }
                used += cell.len();
                if !cell.is_empty() {
                    self.after_return = false;
                }
                if end.is_none() {
                    continue;
                }
                let byte = part[used];
                used += 1;
                row.end_value(row.len());
                at = At::Start;
                self.after_return = byte == b'\r';
                if byte != delimiter {
                    self.line += 1;
                    self.text.consume(used);
                    return Ok(fault);
                }
            }
            self.text.consume(used);
        }
    }
}

/// Where the next quote is, counting the lines up to it.
fn quoted_end(part: &[u8], line: &mut u64, after_return: &mut bool) -> usize {
    for (at, byte) in part.iter().enumerate() {
        match byte {
            b'"' => return at,
            b'\n' if *after_return => *after_return = false,
            b'\n' => *line += 1,
            b'\r' => {
                *line += 1;
                *after_return = true;
            }
            _ => *after_return = false,
        }
    }
    part.len()
}
