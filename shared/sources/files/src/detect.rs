//! What a file nobody described yet seems to be: for a first configuration. Suggests, never decides.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use hardmatch_domain::attribute::Attr;
use hardmatch_ports::source::SourceError;

use crate::entries::{self, Entries};
use crate::known::{self, Meaning};
use crate::row::{Read, Row};
use crate::shape::{Format, Shape};
use crate::text::{self, Survey, Text};
use crate::value::{self, Lines};
use crate::{guid, header};

/// What a file seems to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// Its format.
    pub format: Format,
    /// Its text encoding, as [`Shape::encoding`] would say it.
    pub encoding: String,
    /// What stands between the cells (CSV only).
    pub delimiter: Option<char>,
    /// Its columns or attributes, in order.
    pub columns: Vec<DetectedColumn>,
    /// Columns that could be the key, best first: filled in every entry, and nowhere the same.
    pub keys: Vec<String>,
    /// Columns that could anchor accounts, best first: each value that there is could be an immutable ID.
    pub anchors: Vec<String>,
    /// Entries that could be taken apart.
    pub entries: u64,
    /// Entries that could not.
    pub refused: u64,
}

/// A column of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectedColumn {
    /// As the file has it.
    pub name: String,
    /// The known attribute it is understood as.
    pub understood: Option<&'static str>,
}

/// Reads the whole file. Blocks.
pub fn detect(path: &Path) -> Result<Detected, SourceError> {
    text::readable(&std::fs::metadata(path).map_err(text::unreadable)?)?;
    let mut file = File::open(path).map_err(text::unreadable)?;
    let survey = text::survey(&mut file, None)?;
    let shape = Shape::new(path, format(&file, &survey)?);
    let delimiter = match shape.format {
        Format::Csv => Some(header::open(&file, &survey, &shape)?.delimiter),
        Format::JsonLines | Format::Ldif => None,
    };
    let names = entries::columns(&file, &survey, &shape)?;
    let mut trials: Vec<Trial> = names.iter().map(|name| Trial::new(name)).collect();
    let mut entries = Entries::open(&file, &survey, &shape, &names)?;
    let mut row = Row::default();
    let (mut count, mut refused) = (0, 0);
    loop {
        match entries.read(&mut row)? {
            Read::Row => {
                count += 1;
                trials.iter_mut().enumerate().for_each(|(column, trial)| trial.feed(&row, column));
            }
            Read::Fault(_) => refused += 1,
            Read::Footer => {}
            Read::End => break,
        }
    }
    let best = |fits: fn(&Trial) -> Option<u8>| {
        let mut found: Vec<(u8, usize)> =
            trials.iter().enumerate().filter_map(|(at, trial)| Some((fits(trial)?, at))).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, at)| names[at].clone()).collect()
    };
    Ok(Detected {
        format: shape.format,
        encoding: survey.encoding.name(),
        delimiter,
        keys: best(Trial::key_rank),
        anchors: best(Trial::anchor_rank),
        columns: names
            .iter()
            .map(|name| DetectedColumn { name: name.clone(), understood: known::canonical(name) })
            .collect(),
        entries: count,
        refused,
    })
}

/// By the first line that says something.
fn format(file: &File, survey: &Survey) -> Result<Format, SourceError> {
    let mut text = Text::new(file, survey)?;
    let start = String::from_utf8_lossy(text.fill()?).into_owned();
    let Some(first) = start.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("# ")) else {
        return Ok(Format::Csv);
    };
    let lower = first.to_ascii_lowercase();
    if lower.starts_with('[') {
        return Err(SourceError {
            problem: "The file is a JSON array, or JSON over several lines".into(),
            cure: "Write one object a line, for example with: jq -c '.[]' people.json > people.jsonl".into(),
            retry: false,
        });
    }
    Ok(if lower.starts_with('{') {
        Format::JsonLines
    } else if lower.starts_with("dn:") || lower.starts_with("version:") {
        Format::Ldif
    } else {
        Format::Csv
    })
}

/// What the values of one column have in common.
struct Trial {
    meaning: Option<Meaning>,
    /// Hashes of the values; `None` once one is missing or repeated.
    unique: Option<HashSet<[u8; 16]>>,
    filled: bool,
    guids: bool,
    immutable: bool,
}

impl Trial {
    fn new(name: &str) -> Self {
        let meaning = known::meaning(name);
        Self { meaning, unique: Some(HashSet::new()), filled: false, guids: true, immutable: true }
    }

    fn feed(&mut self, row: &Row, column: usize) {
        let value = row.values(column).next().unwrap_or_default().trim_ascii();
        if value.is_empty() {
            self.unique = None;
            return;
        }
        self.filled = true;
        if let Some(seen) = &mut self.unique {
            let hash = blake3::hash(value);
            if !seen.insert(hash.as_bytes().as_chunks::<16>().0[0]) {
                self.unique = None;
            }
        }
        self.guids = self.guids && guid::parse(value).is_some();
        self.immutable = self.immutable
            && (self.guids || value::clean(value, Lines::One).is_ok_and(|text| value::immutable_text(&text).is_ok()));
    }

    /// Names and addresses are unique too, but they change.
    fn key_rank(&self) -> Option<u8> {
        let rank = match self.meaning {
            Some(Meaning::ObjectGuid) => 0,
            Some(Meaning::EntryUuid) => 1,
            Some(Meaning::Text(Attr::EmployeeId, _)) => 2,
            Some(Meaning::EmployeeNumber) => 3,
            Some(Meaning::Id) => 4,
            None if self.guids => 5,
            None => 6,
            Some(Meaning::Uid | Meaning::Sam) => 7,
            Some(_) => return None,
        };
        (self.filled && self.unique.is_some()).then_some(rank)
    }

    fn anchor_rank(&self) -> Option<u8> {
        match self.meaning {
            Some(Meaning::ConsistencyGuid) => (self.filled && self.guids).then_some(0),
            Some(Meaning::ObjectGuid) => (self.filled && self.guids).then_some(1),
            _ => self.key_rank().filter(|_| self.immutable).map(|rank| rank + 2),
        }
    }
}
