//! CSV: cells, quotes and lines. Knows nothing of people; the header is just the first row.
//!
//! Read here and not by a library, because a quote that is never closed and the true line of a row decide whether a
//! listing is complete, and CSV libraries forgive the one and hide the other.

use hardmatch_ports::source::SourceError;

use crate::footer;
use crate::read::Read;
use crate::text::Text;
use hardmatch_sources_entry::row::{EntryFault, Layout, Reach, Row};

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
    /// The header as it stands there.
    header: Vec<u8>,
    /// How rows of too few cells are taken.
    short: Short,
    /// What the rows so far say about the writer.
    habit: Habit,
    ended: bool,
}

/// What tells a writer that leaves out empty cells at the end of a row from damage.
#[derive(Clone, Copy, Debug, Default)]
struct Habit {
    full: u64,
    short: u64,
    /// A row as wide as the header ends with an empty cell: this writer leaves out none.
    writes_empty: bool,
    last_full: u64,
}

/// Rows that have fewer cells than the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Short {
    /// The writer leaves out empty cells at the end of a row: they are read as empty.
    pub(crate) filled_up: bool,
    /// The last line whose row has several cells: what has one cell behind it is a footer.
    pub(crate) last_full: u64,
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
        Self {
            text,
            delimiter,
            line: 1,
            after_return: false,
            width: 0,
            header: Vec::new(),
            short: Short::default(),
            habit: Habit::default(),
            ended: false,
        }
    }

    /// How rows of too few cells are to be taken, after all rows were read once. One or two short rows among hundreds are
    /// damage; a writer's habit shows in several, and then no row ends with an empty cell.
    pub(crate) fn short(&self) -> Short {
        const SEVERAL: u64 = 2;
        const SHARE: u64 = 20;
        let Habit { full, short, writes_empty, last_full } = self.habit;
        let filled_up = short >= SEVERAL && short * SHARE >= full && !writes_empty;
        Short { filled_up, last_full }
    }

    /// How rows of too few cells are taken from here on.
    pub(crate) fn set_short(&mut self, short: Short) {
        self.short = short;
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
                self.width = row.value_count();
                self.header = row.text();
            } else if row.value_count() == self.width && self.repeats_header(row) {
                return Ok(Read::Header);
            }
            let lines = if self.ended { self.line } else { self.line - 1 };
            if let Some(fault) = swallowed(row, self.delimiter, self.width, lines) {
                return Ok(Read::Fault(fault));
            }
            let behind = self.short.last_full > 0 && row.line > self.short.last_full;
            let summary = footer::is_summary(row, self.width);
            if behind && (summary || (row.filled() == 1 && self.is_footer(row))) {
                return Ok(Read::Footer);
            }
            if row.value_count() == self.width {
                self.habit.full += 1;
                if (row.filled() > 1 || self.width == 1) && !summary {
                    self.habit.last_full = row.line;
                }
                self.habit.writes_empty |= row.values(self.width - 1).all(|cell| cell.trim_ascii().is_empty());
                return Ok(Read::Row);
            }
            if !summary {
                self.habit.short += u64::from(row.value_count() > 1 && row.value_count() < self.width);
                if row.filled() > 1 {
                    self.habit.last_full = row.line;
                }
            }
            if row.value_count() < self.width && self.short.filled_up {
                row.fill_up(self.width);
                return Ok(Read::Row);
            }
            let problem = format!("The row has {} cells, the header {}", row.value_count(), self.width);
            let fault =
                EntryFault::new(problem, "Put cells that hold the delimiter or a line break into quotes").structural();
            let cut = self.ended && row.value_count() < self.width;
            return Ok(Read::Fault(if cut {
                let cure =
                    "The file was cut off: write it again. If the last line is a remark or a total, leave it out";
                EntryFault { reach: Reach::Rest, cure: cure.into(), ..fault }
            } else {
                self.reaching(row, fault)
            }));
        }
    }

    /// Whether the row is the header once more: several exports stand in one file, each with its own byte order mark.
    fn repeats_header(&self, row: &Row) -> bool {
        let bare = |text: &[u8]| text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text).to_vec();
        let first = row.values(0).next().unwrap_or_default();
        let first = first.strip_prefix("\u{feff}".as_bytes()).unwrap_or(first);
        self.width > 1 && bare(&self.header).starts_with(first) && bare(&row.text()) == bare(&self.header)
    }

    /// One cell at the end of a file: a total, a count, a time. A row of only a key, or the beginning of one that was cut
    /// off, looks like it, unless it reads as words.
    fn is_footer(&self, row: &Row) -> bool {
        let text = row.text();
        let words = text.trim_ascii().iter().any(|byte| matches!(byte, b' ' | b'(' | b':'));
        words || (row.value_count() == 1 && !self.ended)
    }

    /// A broken row of several lines may have swallowed others.
    fn reaching(&self, row: &Row, fault: EntryFault) -> EntryFault {
        let next = if self.ended { row.line } else { row.line + 1 };
        if self.line > next && fault.reach == Reach::Entry { fault.near() } else { fault }
    }

    fn cells(&mut self, row: &mut Row) -> Result<Option<EntryFault>, SourceError> {
        let mut at = At::Start;
        let mut fault = None;
        loop {
            if row.size() > LONGEST {
                self.ended = true;
                return Ok(Some(EntryFault::cut(
                    "The row is longer than 1 MiB; everything after it was not read",
                    "Look for a quote at the beginning of a cell of this row that is never closed",
                )));
            }
            let part = self.text.fill()?;
            if part.is_empty() {
                self.ended = true;
                if at == At::Quoted {
                    return Ok(Some(EntryFault::cut(
                        "The file ends inside quotes",
                        "The file was cut off, or a quote is never closed: write it again",
                    )));
                }
                if at == At::Plain {
                    row.drop_end_mark();
                }
                if at != At::Start || row.value_count() > 0 {
                    row.end_value(row.value_count());
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
                    At::Start if byte == b'\n' && self.after_return && row.value_count() == 0 => {
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
                    let problem = format!("Cell {} goes on after its closing quote", row.value_count() + 1);
                    fault = Some(EntryFault::new(problem, "Double the quotes inside a quoted cell").near());
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
                row.end_value(row.value_count());
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

/// A row that holds more than its own cells: NUL bytes, or lines of other rows inside a cell whose quote was never
/// closed.
fn swallowed(row: &Row, delimiter: u8, width: usize, last_line: u64) -> Option<EntryFault> {
    let text = row.text();
    if text.contains(&0) {
        let problem = "The row has NUL bytes: a part of the file was overwritten or lost";
        return Some(EntryFault::new(problem, "Write the export again, and check the disk or the share").near());
    }
    if last_line <= row.line || width < 3 {
        return None;
    }
    // Free text has commas too: a short line of another row begins as this one does.
    let begins = |line: &[u8]| {
        let first = line.split(|byte| *byte == delimiter).next().unwrap_or_default();
        row.values(0).any(|own| is_alike(own, first))
    };
    let of_a_row = |line: &[u8]| {
        let cells = line.split(|byte| *byte == delimiter).count();
        cells >= width && (width >= 5 || begins(line))
    };
    let swallows = (0..row.value_count()).any(|column| {
        row.values(column).any(|cell| cell.split(|byte| matches!(byte, b'\n' | b'\r')).skip(1).any(of_a_row))
    });
    swallows.then(|| {
        let problem = "A cell of the row holds whole lines of the file";
        EntryFault::new(problem, "Look for a quote at the beginning of a cell that is never closed").near()
    })
}

/// Whether two keys are written alike: letters, digits and marks at the same places.
fn is_alike(one: &[u8], other: &[u8]) -> bool {
    let class = |byte: &u8| match byte {
        b'0'..=b'9' => b'0',
        b'a'..=b'z' | b'A'..=b'Z' => b'a',
        other => *other,
    };
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    !one.is_empty() && ((digits(one) && digits(other)) || one.iter().map(class).eq(other.iter().map(class)))
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
