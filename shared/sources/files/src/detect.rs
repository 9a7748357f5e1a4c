//! What a file nobody described yet seems to be: for a first configuration. Suggests, never decides.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;

use hardmatch_domain::attribute::Attr;
use hardmatch_ports::source::SourceError;

use crate::aliases::{self, Suggests};
use crate::csv::Short;
use crate::entries::{self, Entries};
use crate::header;
use crate::looks::{Kind, Looks};
use crate::propose::{self, Proposal, ProposedBy};
use crate::read::Read;
use crate::shape::{Format, Shape};
use crate::text::{self, Survey, Text};
use hardmatch_sources_entry::columns::NAMELESS;
use hardmatch_sources_entry::guid;
use hardmatch_sources_entry::known::{self, Meaning};
use hardmatch_sources_entry::row::Row;
use hardmatch_sources_entry::value::{self, Lines};

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
    /// Of the references to managers, how many name somebody of the file; `None`: no column names managers.
    pub managers: Option<Managers>,
    /// Entries that could be taken apart.
    pub entries: u64,
    /// Entries that could not.
    pub refused: u64,
}

/// The column that names managers best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managers {
    /// The column.
    pub column: String,
    /// Entries that name a manager.
    pub named: u64,
    /// Of these, whose manager is found among the people of the file.
    pub found: u64,
}

/// A column of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectedColumn {
    /// As the file has it.
    pub name: String,
    /// The known attribute it is understood as, without a configuration.
    pub understood: Option<&'static str>,
    /// What it is proposed to fill.
    pub proposal: Proposal,
    /// Values of the first entries that have one, as the file has them: personal data, for the operator's eyes.
    pub samples: Vec<String>,
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
    let short = short(&mut Entries::open(&file, &survey, &shape, &names)?)?;
    let mut entries = Entries::open(&file, &survey, &shape, &names)?;
    entries.set_short(short);
    let mut row = Row::default();
    let (mut count, mut refused) = (0, 0);
    loop {
        match entries.read(&mut row)? {
            Read::Row => {
                count += 1;
                let named = trials.iter_mut().enumerate().filter(|(at, _)| !names[*at].starts_with(NAMELESS));
                named.for_each(|(column, trial)| trial.feed(&row, column));
            }
            Read::Fault(_) => refused += 1,
            Read::Footer | Read::Header => {}
            Read::End => break,
        }
    }
    let columns: Vec<propose::Column<'_>> =
        trials.iter().zip(&names).map(|(trial, name)| propose::Column { name, looks: &trial.looks }).collect();
    let mut proposals = propose::assign(&columns);
    let best = |fits: fn(&Trial, &Proposal) -> Option<u8>| -> Vec<String> {
        let ranked = trials.iter().zip(&proposals).enumerate();
        let mut found: Vec<(u8, usize)> =
            ranked.filter_map(|(at, (trial, proposal))| Some((fits(trial, proposal)?, at))).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, at)| names[at].clone()).collect()
    };
    let (keys, anchors) = (best(Trial::key_rank), best(Trial::anchor_rank));
    let referred = |at: usize, name: &String| {
        keys.first() == Some(name)
            || proposals[at]
                .fills
                .iter()
                .any(|fill| matches!(*fill, "userPrincipalName" | "sAMAccountName" | "distinguishedName"))
    };
    let referred: Vec<usize> =
        names.iter().enumerate().filter(|(at, name)| referred(*at, name)).map(|(at, _)| at).collect();
    let mut again = Entries::open(&file, &survey, &shape, &names)?;
    again.set_short(short);
    let managers = managers(&mut again, &names, &referred)?;
    if let Some((at, managers)) = &managers
        && managers.found * 2 >= managers.named
        && managers.found > 0
    {
        proposals[*at].fills.push("manager");
        let native = known::meaning(&names[*at]) == Some(Meaning::Manager);
        proposals[*at].by = proposals[*at].by.or(Some(if native { ProposedBy::Name } else { ProposedBy::UsualName }));
    }
    Ok(Detected {
        format: shape.format,
        encoding: survey.encoding.name(),
        delimiter,
        keys,
        anchors,
        managers: managers.map(|(_, managers)| managers),
        columns: names
            .iter()
            .zip(proposals)
            .zip(trials)
            .map(|((name, proposal), trial)| DetectedColumn {
                name: name.clone(),
                understood: known::canonical(name),
                proposal,
                samples: trial.looks.samples,
            })
            .collect(),
        entries: count,
        refused,
    })
}

/// How rows with too few cells are taken, as a run learns it: by reading everything once. A total below the people is
/// counted as nobody then.
fn short(entries: &mut Entries) -> Result<Short, SourceError> {
    let mut row = Row::default();
    while !matches!(entries.read(&mut row)?, Read::End) {}
    Ok(entries.short())
}

/// Which of the columns that could name managers names people of the file: HR systems export names, which find nobody.
fn managers(
    entries: &mut Entries,
    names: &[String],
    referred: &[usize],
) -> Result<Option<(usize, Managers)>, SourceError> {
    let wanted = |name: &String| {
        known::meaning(name) == Some(Meaning::Manager)
            || aliases::suggested(name).iter().any(|(suggests, _)| *suggests == Suggests::Attribute("manager"))
    };
    let candidates: Vec<usize> = (0..names.len()).filter(|at| wanted(&names[*at])).collect();
    if candidates.is_empty() {
        return Ok(None);
    }
    let read = |row: &Row, column: usize| {
        let value = row.values(column).next().unwrap_or_default();
        value::clean(value, Lines::One).map(|text| text.to_lowercase()).unwrap_or_default()
    };
    let mut known: HashSet<String> = HashSet::new();
    let mut references: Vec<HashMap<String, u64>> = vec![HashMap::new(); candidates.len()];
    let mut row = Row::default();
    loop {
        match entries.read(&mut row)? {
            Read::Row => {
                known.extend(referred.iter().map(|column| read(&row, *column)).filter(|text| !text.is_empty()));
                for (column, counts) in candidates.iter().zip(&mut references) {
                    let text = read(&row, *column);
                    if !text.is_empty() {
                        *counts.entry(text).or_default() += 1;
                    }
                }
            }
            Read::Fault(_) | Read::Footer | Read::Header => {}
            Read::End => break,
        }
    }
    let counted = candidates.iter().zip(&references).map(|(at, counts)| {
        let named = counts.values().sum();
        let found = counts.iter().filter(|(text, _)| known.contains(*text)).map(|(_, count)| count).sum();
        (*at, Managers { column: names[*at].clone(), named, found })
    });
    Ok(counted.max_by_key(|(at, managers)| (managers.found, std::cmp::Reverse(*at))))
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
    looks: Looks,
}

impl Trial {
    fn new(name: &str) -> Self {
        let meaning = known::meaning(name);
        Self {
            meaning,
            unique: (!name.starts_with(NAMELESS)).then(HashSet::new),
            filled: false,
            guids: true,
            immutable: true,
            looks: Looks::default(),
        }
    }

    fn feed(&mut self, row: &Row, column: usize) {
        let value = row.values(column).next().unwrap_or_default().trim_ascii();
        if value.is_empty() {
            self.unique = None;
            return;
        }
        self.filled = true;
        match value::clean(value, Lines::Many) {
            Ok(text) => self.looks.feed(&text),
            // Bytes that are no text are a GUID or nothing that is recognised by its look.
            Err(_) => self.looks.feed(""),
        }
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

    /// Names and addresses are unique too, but they change: an address is the key of last resort.
    fn key_rank(&self, proposal: &Proposal) -> Option<u8> {
        let fills = |attribute: &str| proposal.fills.contains(&attribute);
        let meaning = self.meaning.filter(|meaning| *meaning != Meaning::Plain);
        let kind = self.looks.kind();
        let rank = match meaning {
            Some(Meaning::ObjectGuid) => 0,
            _ if fills("objectGUID") => 0,
            Some(Meaning::EntryUuid) => 1,
            Some(Meaning::Text(Attr::EmployeeId, _)) => 2,
            _ if fills("employeeID") => 2,
            Some(Meaning::EmployeeNumber) => 3,
            Some(Meaning::Id) => 4,
            Some(Meaning::Uid | Meaning::Sam) => 7,
            _ if fills("sAMAccountName") => 7,
            _ if fills("userPrincipalName") => 8,
            _ if fills("mail") => 9,
            None if proposal.by.is_none() && self.guids => 5,
            None if proposal.by.is_none() && self.is_number_of_somebody(kind) => 6,
            Some(_) | None => return None,
        };
        (self.filled && self.unique.is_some()).then_some(rank)
    }

    /// Something that numbers people: short, without blanks, with a digit in it.
    fn is_number_of_somebody(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Number | Kind::Text)
            && self.looks.samples.iter().all(|text| {
                text.len() <= 40 && !text.contains([' ', '@']) && text.bytes().any(|byte| byte.is_ascii_digit())
            })
    }

    fn anchor_rank(&self, proposal: &Proposal) -> Option<u8> {
        match self.meaning {
            Some(Meaning::ConsistencyGuid) => (self.filled && self.guids).then_some(0),
            Some(Meaning::ObjectGuid) => (self.filled && self.guids).then_some(1),
            _ => self.key_rank(proposal).filter(|_| self.immutable).map(|rank| rank + 2),
        }
    }
}
