//! JSON Lines: one object a line. A nested object's members are columns with a dot: `manager.id`.

use std::borrow::Cow;
use std::fmt;

use hardmatch_ports::source::SourceError;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::lines::{Ending, Lines};
use crate::read::Read;
use crate::text::Text;
use hardmatch_sources_entry::names::{self, Names};
use hardmatch_sources_entry::row::{EntryFault, Layout, Row};

/// Numbers above are not exact in every program that writes JSON.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Objects, one a line.
pub(crate) struct JsonLines {
    lines: Lines,
    line: Vec<u8>,
    names: Names,
    ended: bool,
}

impl JsonLines {
    /// From the first line on, with the names known so far.
    pub(crate) fn new(text: Text, names: Names) -> Self {
        Self { lines: Lines::new(text), line: Vec::new(), names, ended: false }
    }

    /// The text, for its hash.
    pub(crate) fn text(&mut self) -> &mut Text {
        self.lines.text()
    }

    /// The line last read, as it is.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.line
    }

    /// The names seen.
    pub(crate) fn into_names(self) -> Vec<String> {
        self.names.into_all()
    }

    /// The next object.
    pub(crate) fn read(&mut self, row: &mut Row) -> Result<Read, SourceError> {
        loop {
            self.line.clear();
            if self.ended {
                return Ok(Read::End);
            }
            let ending = self.lines.read(&mut self.line)?;
            row.clear(self.lines.number(), Layout::Values);
            match ending {
                Ending::Nothing => return Ok(Read::End),
                Ending::TooLong => {
                    self.ended = true;
                    return Ok(Read::Fault(EntryFault::cut(
                        "The line is longer than 16 MiB; everything after it was not read",
                        "Write one object a line",
                    )));
                }
                Ending::Break | Ending::File if self.line.trim_ascii().is_empty() => {}
                Ending::Break | Ending::File => return Ok(self.object(row, ending)),
            }
        }
    }

    fn object(&mut self, row: &mut Row, ending: Ending) -> Read {
        let mut fault = None;
        let mut json = serde_json::Deserializer::from_slice(&self.line);
        let object = Object { names: &mut self.names, row, path: String::new(), fault: &mut fault };
        let result = object.deserialize(&mut json).and_then(|()| json.end());
        let Err(error) = result else {
            return if self.line.contains(&0) { Read::Fault(nul()) } else { Read::Row };
        };
        let cut = error.is_eof() && ending == Ending::File;
        row.clear(row.line, Layout::Values);
        Read::Fault(match fault {
            Some(fault) => fault,
            None if cut => EntryFault::cut("The file ends inside an object", "The file was cut off: write it again"),
            None if self.line.trim_ascii().starts_with(b"[") => {
                EntryFault::new("The line is a JSON array", "Write one object a line, without brackets around them")
                    .structural()
            }
            None if error.is_data() => {
                EntryFault::new("The line is not a JSON object", "Write one object a line").structural()
            }
            None => {
                let place = format!("The line is not JSON (at character {})", error.column());
                EntryFault::new(place, "Write one object a line").structural()
            }
        })
    }
}

/// An object whose members go into the row.
struct Object<'a> {
    names: &'a mut Names,
    row: &'a mut Row,
    /// Of the members: empty, or a name and a dot.
    path: String,
    fault: &'a mut Option<EntryFault>,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let mut seen = Vec::new();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let name = format!("{}{}", self.path, name.trim());
            let Some(column) = self.names.number(&name) else {
                *self.fault = Some(names::too_many(&name));
                return Err(M::Error::custom("too many"));
            };
            if seen.contains(&column) {
                let fault = EntryFault::new("The object has the name twice", "Write a list: [\"one\", \"other\"]");
                *self.fault = Some(fault.structural().at(self.names.name(column)));
                return Err(M::Error::custom("twice"));
            }
            seen.push(column);
            let value = Value { names: &mut *self.names, row: &mut *self.row, name, column, fault: &mut *self.fault };
            map.next_value_seed(value)?;
        }
        Ok(())
    }
}

/// A member: one value, a list of them, or an object.
struct Value<'a> {
    names: &'a mut Names,
    row: &'a mut Row,
    name: String,
    column: usize,
    fault: &'a mut Option<EntryFault>,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.row.push(self.column, text.as_bytes());
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.visit_str(if value { "true" } else { "false" })
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.visit_str(&value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        if value.abs() >= EXACT {
            let fault = EntryFault::new("The number is too long to be exact", "Write it in quotes");
            self.row.push_bad(self.column, fault.at(self.names.name(self.column)));
            return Ok(());
        }
        self.visit_str(&value.to_string())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<(), S::Error> {
        loop {
            let value = Value {
                names: &mut *self.names,
                row: &mut *self.row,
                name: self.name.clone(),
                column: self.column,
                fault: &mut *self.fault,
            };
            if list.next_element_seed(value)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<(), M::Error> {
        let path = format!("{}.", self.name);
        Object { names: self.names, row: self.row, path, fault: self.fault }.visit_map(map)
    }
}

fn nul() -> EntryFault {
    let problem = "The line has NUL bytes: a part of the file was overwritten or lost";
    EntryFault::new(problem, "Write the export again, and check the disk or the share").near()
}
