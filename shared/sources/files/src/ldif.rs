//! LDIF content records. Read here and not by a library: those at hand give values as text and lose binary ones.
//! <https://www.rfc-editor.org/rfc/rfc2849>

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardmatch_ports::source::SourceError;

use crate::lines::{Ending, LONGEST, Lines};
use crate::read::Read;
use crate::text::Text;
use hardmatch_sources_entry::names::{self, Names};
use hardmatch_sources_entry::row::{EntryFault, Layout, Row};

/// Entries of people; other entries are passed over.
pub(crate) struct Ldif {
    lines: Lines,
    record: Record,
    /// The first line of a record that began without an empty line before it, and its number.
    ahead: Option<(Vec<u8>, u64)>,
    names: Names,
    ended: bool,
}

/// A record as its unfolded lines, comments left out.
#[derive(Default)]
struct Record {
    bytes: Vec<u8>,
    /// Where each line ends in `bytes`.
    ends: Vec<usize>,
    /// Its first line.
    line: u64,
    ending: Option<Ending>,
    /// No empty line separates the record from another one.
    joined: bool,
}

impl Record {
    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    fn has_dn_before_last(&self) -> bool {
        let lines = self.ends.len().saturating_sub(1);
        self.lines().take(lines).any(|line| line.get(..3).is_some_and(|name| name.eq_ignore_ascii_case(b"dn:")))
    }
}

/// A line taken apart.
struct Line<'a> {
    /// Without options.
    name: &'a str,
    /// `lang-de`, `range=0-1499`, `binary`.
    options: &'a str,
    value: Value<'a>,
}

enum Value<'a> {
    Plain(&'a [u8]),
    Base64(&'a [u8]),
    Url,
}

impl<'a> Line<'a> {
    fn new(line: &'a [u8]) -> Option<Self> {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, rest) = (std::str::from_utf8(&line[..colon]).ok()?, &line[colon + 1..]);
        let (name, options) = name.split_once(';').unwrap_or((name, ""));
        let name = name.trim();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) {
            return None;
        }
        let value = match rest.first() {
            Some(b':') => Value::Base64(rest[1..].trim_ascii()),
            Some(b'<') => Value::Url,
            _ => Value::Plain(rest.trim_ascii_start()),
        };
        Some(Self { name, options, value })
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// A value that only its own characters can spell.
    fn word(&self) -> Cow<'a, str> {
        match self.value {
            Value::Plain(text) => String::from_utf8_lossy(text.trim_ascii()),
            Value::Base64(text) => {
                Cow::Owned(String::from_utf8_lossy(&STANDARD.decode(text).unwrap_or_default()).trim().to_owned())
            }
            Value::Url => Cow::Borrowed(""),
        }
    }
}

/// What a record is.
enum Kind {
    Person,
    /// A group, a computer, the summary of a search.
    Other,
    Fault(EntryFault),
}

impl Ldif {
    /// From the first record on, with the names known so far.
    pub(crate) fn new(text: Text, names: Names) -> Self {
        Self { lines: Lines::new(text), record: Record::default(), ahead: None, names, ended: false }
    }

    /// The text, for its hash.
    pub(crate) fn text(&mut self) -> &mut Text {
        self.lines.text()
    }

    /// The record last read, unfolded.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.record.bytes
    }

    /// The names seen on people.
    pub(crate) fn into_names(self) -> Vec<String> {
        self.names.into_all()
    }

    /// The next person's entry.
    pub(crate) fn read(&mut self, row: &mut Row) -> Result<Read, SourceError> {
        loop {
            if !self.record()? {
                return Ok(Read::End);
            }
            row.clear(self.record.line, Layout::Octets);
            match (kind(&self.record), self.record.ending) {
                (_, Some(Ending::TooLong)) => {
                    let problem = "The entry is longer than 16 MiB; everything after it was not read";
                    return Ok(Read::Fault(EntryFault::cut(problem, "Separate entries by empty lines")));
                }
                (_, Some(Ending::File)) => {
                    let problem = "The file ends inside a line";
                    return Ok(Read::Fault(EntryFault::cut(problem, "The file was cut off: write it again")));
                }
                (Kind::Other, _) => {}
                (Kind::Fault(fault), _) => return Ok(Read::Fault(fault)),
                (Kind::Person, _) => {
                    let fault = self.values(row);
                    if self.record.bytes.contains(&0) {
                        let problem = "The entry has NUL bytes: a part of the file was overwritten or lost";
                        let cure = "Write the export again, and check the disk or the share";
                        return Ok(Read::Fault(EntryFault::new(problem, cure).near()));
                    }
                    if self.record.joined {
                        let problem = "Two entries stand together without an empty line between them";
                        let cure = "Separate entries by empty lines; what stood between them may be lost, so write the export again";
                        return Ok(Read::Fault(EntryFault::new(problem, cure).structural()));
                    }
                    return Ok(fault.map_or(Read::Row, Read::Fault));
                }
            }
        }
    }

    /// Reads the lines up to the next empty one. `false`: there are none.
    fn record(&mut self) -> Result<bool, SourceError> {
        let record = &mut self.record;
        record.bytes.clear();
        record.ends.clear();
        record.ending = None;
        record.joined = false;
        if let Some((line, number)) = self.ahead.take() {
            record.bytes.extend_from_slice(&line);
            record.ends.push(record.bytes.len());
            record.line = number;
            record.joined = true;
        }
        let mut comment = false;
        while !self.ended {
            let start = record.bytes.len();
            let ending = self.lines.read(&mut record.bytes)?;
            let line = &record.bytes[start..];
            match ending {
                Ending::Nothing => self.ended = true,
                Ending::TooLong => {
                    self.ended = true;
                    record.ending = Some(ending);
                    record.ends.push(record.bytes.len());
                    return Ok(true);
                }
                Ending::Break | Ending::File if line.is_empty() => {
                    comment = false;
                    if !record.ends.is_empty() {
                        return Ok(true);
                    }
                }
                Ending::Break | Ending::File if line[0] == b'#' || (line[0] == b' ' && comment) => {
                    comment = true;
                    record.bytes.truncate(start);
                }
                Ending::Break | Ending::File => {
                    comment = false;
                    if ending == Ending::File {
                        record.ending = Some(ending);
                    }
                    let folded = line[0] == b' ';
                    if let (true, Some(last)) = (folded, record.ends.last_mut()) {
                        record.bytes.remove(start);
                        *last = record.bytes.len();
                    } else {
                        if record.ends.is_empty() {
                            record.line = self.lines.number();
                        }
                        record.ends.push(record.bytes.len());
                        let begins =
                            record.bytes[start..].get(..3).is_some_and(|name| name.eq_ignore_ascii_case(b"dn:"));
                        // A second dn can only be a second entry: whatever stood between the two is lost.
                        if begins && record.has_dn_before_last() && ending == Ending::Break {
                            let line = record.bytes.split_off(start);
                            record.ends.pop();
                            record.joined = true;
                            self.ahead = Some((line, self.lines.number()));
                            return Ok(true);
                        }
                    }
                }
            }
            if record.bytes.len() > LONGEST {
                self.ended = true;
                record.ending = Some(Ending::TooLong);
                return Ok(true);
            }
        }
        Ok(!record.ends.is_empty())
    }

    /// Takes the values over. What is wrong with one is noted at its column: the reader of that column meets it.
    fn values(&mut self, row: &mut Row) -> Option<EntryFault> {
        let mut fault = None;
        // A value in a certain language stands behind those for everybody, and counts where there is none of them.
        for translated in [false, true] {
            for line in self.record.lines().filter_map(Line::new) {
                if line.options.to_ascii_lowercase().starts_with("lang-") != translated
                    || ["version", "changetype", "control"].iter().any(|name| line.is(name))
                {
                    continue;
                }
                let Some(column) = self.names.number(line.name) else {
                    fault = fault.or_else(|| Some(names::too_many(line.name)));
                    continue;
                };
                let bad = match line.value {
                    _ if line.options.to_ascii_lowercase().contains("range=") => EntryFault::new(
                        "The attribute has only a part of its values (range)",
                        "Export with a tool that fetches all ranges, or leave the attribute out",
                    ),
                    Value::Plain(value) => {
                        row.push(column, value);
                        continue;
                    }
                    Value::Base64(text) => match STANDARD.decode(text) {
                        Ok(value) => {
                            row.push(column, &value);
                            continue;
                        }
                        Err(_) => EntryFault::new("The value after \"::\" is not base64", "Write the export again")
                            .structural(),
                    },
                    Value::Url => EntryFault::new(
                        "The value is a reference to a URL, which is never fetched",
                        "Export the value itself",
                    ),
                };
                row.push_bad(column, bad.at(line.name));
            }
            row.translated_from_here(translated);
        }
        fault
    }
}

/// Judges a record by its first lines and classes.
fn kind(record: &Record) -> Kind {
    if record.lines().any(|line| Line::new(line).is_none()) {
        let problem = "A line of the entry is not \"name: value\"";
        let cure = "Write the export again; a folded line begins with one space";
        return Kind::Fault(EntryFault::new(problem, cure).structural());
    }
    let mut lines = record.lines().filter_map(Line::new).peekable();
    if lines.next_if(|line| line.is("version")).is_some_and(|version| version.word() != "1") {
        return Kind::Fault(EntryFault::new("The version of LDIF is not 1", "Export as LDIF version 1"));
    }
    match lines.peek() {
        None => return Kind::Other,
        Some(line) if line.is("dn") => {}
        // What ldapsearch says beside the entries: where else to ask, and how the search ended.
        Some(line) if line.is("ref") || line.is("search") || line.is("result") => {
            let result = lines.find(|line| line.is("result")).map(|line| line.word().into_owned());
            return match result {
                Some(result) if !result.starts_with("0 ") && result != "0" => Kind::Fault(EntryFault::cut(
                    "The search that wrote the file did not end well (its result is not 0)",
                    "Search again with paging (-E pr=500/noprompt) and enough rights",
                )),
                _ => Kind::Other,
            };
        }
        Some(_) => {
            let problem = "The entry does not begin with \"dn:\"";
            return Kind::Fault(
                EntryFault::new(problem, "Begin every entry with its dn, and separate entries by empty lines")
                    .structural(),
            );
        }
    }
    let mut classes: Vec<String> = Vec::new();
    let mut person = false;
    for line in lines {
        if line.is("changetype") && !line.word().eq_ignore_ascii_case("add") {
            return Kind::Fault(EntryFault::new(
                "The entry is a change and not a person",
                "Export entries (content records), not changes",
            ));
        }
        if line.is("isDeleted") && line.word().eq_ignore_ascii_case("true") {
            return Kind::Other;
        }
        if line.is("objectClass") {
            let class = line.word().to_lowercase();
            match class.as_str() {
                "computer" | "contact" | "msds-managedserviceaccount" | "msds-groupmanagedserviceaccount" => {
                    return Kind::Other;
                }
                "person" | "organizationalperson" | "user" | "inetorgperson" => person = true,
                _ => {}
            }
            // A set has nothing twice: https://www.rfc-editor.org/rfc/rfc4512#section-2.2
            if classes.contains(&class) {
                let problem = "The entry has one objectClass twice: two entries stand together";
                let cure = "Begin every entry with its dn, and separate entries by empty lines; write the export again";
                return Kind::Fault(EntryFault::new(problem, cure).structural());
            }
            classes.push(class);
        }
    }
    if person || classes.is_empty() { Kind::Person } else { Kind::Other }
}
