//! Text by lines, with their numbers.

use hardmatch_ports::source::SourceError;

use crate::text::Text;

/// The longest line, and the longest entry of several lines: photographs are the longest values there are.
pub(crate) const LONGEST: usize = 16 * 1024 * 1024;

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With a line break.
    Break,
    /// With the file.
    File,
    /// It is longer than [`LONGEST`]; the rest is not read.
    TooLong,
    /// There was no line.
    Nothing,
}

/// A text read line by line.
pub(crate) struct Lines {
    text: Text,
    /// Lines read.
    count: u64,
}

impl Lines {
    /// From the first line on.
    pub(crate) fn new(text: Text) -> Self {
        Self { text, count: 0 }
    }

    /// The text, for its hash.
    pub(crate) fn text(&mut self) -> &mut Text {
        &mut self.text
    }

    /// The number of the last line read; 1 is the first.
    pub(crate) fn number(&self) -> u64 {
        self.count
    }

    /// Adds the next line to the buffer, without its break.
    pub(crate) fn read(&mut self, line: &mut Vec<u8>) -> Result<Ending, SourceError> {
        let start = line.len();
        self.count += 1;
        loop {
            let part = self.text.fill()?;
            if part.is_empty() {
                // What DOS programs end a file with.
                if line[start..] == [0x1a] {
                    line.truncate(start);
                }
                if line.len() > start {
                    return Ok(Ending::File);
                }
                self.count -= 1;
                return Ok(Ending::Nothing);
            }
            let end = part.iter().position(|byte| *byte == b'\n');
            line.extend_from_slice(&part[..end.unwrap_or(part.len())]);
            let used = end.map_or(part.len(), |end| end + 1);
            self.text.consume(used);
            if line.len() - start > LONGEST {
                return Ok(Ending::TooLong);
            }
            if end.is_some() {
                if line.len() > start && line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Ending::Break);
            }
        }
    }
}
