//! The second pass over a listing: from each entry to a person or a refusal, and what the listing may be trusted for.

use std::collections::BTreeMap;

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::source::{Completeness, Entry, RefusedEntry};

use crate::columns::{Columns, NAMELESS};
use crate::index::Index;
use crate::row::{EntryFault, Layout, Reach, Row};
use crate::translate::{self, Translation};

/// Values left out that are named, and no more.
const NAMED: usize = 1_000;

/// An attribute that so many entries have is part of how the listing looks; its loss is an accident of the export. One
/// that fewer have may go with the last person who had it.
const FIRM: u32 = 10;

/// Understands entries, and counts what cannot be understood.
pub struct Interpreter {
    columns: Columns,
    index: Index,
    now: i64,
    count: u64,
    /// Entries refused without a key, and the line of the first.
    keyless: (u64, u64),
    /// Entries with a key whose structure is damaged, and the line of the first.
    damaged: (u64, u64),
    cut: Option<(u64, String)>,
    left_out: Vec<RefusedEntry>,
    /// What was passed over, by what one and several of it are called: how often, and the line of the first.
    passed: BTreeMap<(String, String), (u64, u64)>,
    /// How many entries have each column at all. A header speaks for all entries; without one, attributes come and go.
    filled: Vec<u32>,
}

impl Interpreter {
    pub(crate) fn new(columns: Columns, index: Index, now: i64) -> Self {
        Self {
            columns,
            index,
            now,
            count: 0,
            keyless: (0, 0),
            damaged: (0, 0),
            cut: None,
            left_out: Vec::new(),
            passed: BTreeMap::new(),
            filled: Vec::new(),
        }
    }

    /// The columns.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Understands an entry; `raw` gives it as it was written, for a refusal. `None`: it is no person's.
    pub fn take(&mut self, row: &Row, raw: impl FnOnce() -> Vec<u8>) -> Option<Entry> {
        if translate::is_system(row, &self.columns) {
            self.pass("system account", "system accounts", row.line);
            return None;
        }
        self.count_filled(row);
        self.count += 1;
        let key = match translate::key(row, &self.columns) {
            Ok(key) => key,
            Err(fault) => return Some(Entry::Refused(self.refused(row.line, None, fault, &raw()))),
        };
        let translation = Translation { columns: &self.columns, index: &self.index, now: self.now };
        Some(match translation.person(row, key.clone()) {
            Ok((person, left_out)) => {
                self.note_left_out(row, &key, left_out);
                Entry::Person(Box::new(person))
            }
            Err(fault) => {
                let alone = fault.reach == Reach::Entry || row.layout() != Layout::Cells;
                // Of entries with one key nobody knows which is right, so all of them must say it; of one whose structure
                // is damaged, nobody knows whose word it is.
                let twin = self.index.twin(&key, row.line);
                let disabled = match twin {
                    Some((_, all_say_so)) => all_say_so,
                    None => !fault.structural && translation.says_disabled(row),
                };
                let refused = self.refused(row.line, alone.then_some(key), fault, &raw());
                Entry::Refused(RefusedEntry { disabled: disabled && alone, ..refused })
            }
        })
    }

    /// Refuses what is no entry, under its key where that is certain.
    pub fn refuse(&mut self, line: u64, key: Option<PersonKey>, fault: EntryFault, raw: &[u8]) -> Entry {
        self.count += 1;
        Entry::Refused(self.refused(line, key, fault, raw))
    }

    /// Counts something that is nobody's entry.
    pub fn pass(&mut self, one: &str, many: &str, line: u64) {
        let (count, _) = self.passed.entry((one.to_owned(), many.to_owned())).or_insert((0, line));
        *count += 1;
    }

    /// Where the listing ends too early, and how that shows.
    pub fn cut(&self) -> Option<(u64, &str)> {
        self.cut.as_ref().map(|(line, problem)| (*line, problem.as_str()))
    }

    fn count_filled(&mut self, row: &Row) {
        if row.layout() == Layout::Cells {
            return;
        }
        self.filled.resize(self.columns.names.len(), 0);
        for (column, filled) in self.filled.iter_mut().enumerate() {
            *filled += u32::from(row.values(column).next().is_some());
        }
    }

    /// A value that something here would have used is named; what nothing uses is counted.
    fn note_left_out(&mut self, row: &Row, key: &PersonKey, left_out: Vec<EntryFault>) {
        let told: Vec<Option<String>> = left_out.iter().map(|fault| fault.column.clone()).collect();
        let (unused, used): (Vec<EntryFault>, Vec<EntryFault>) =
            left_out.into_iter().partition(|fault| self.columns.is_unused(fault.column.as_deref()));
        for fault in used {
            if self.left_out.len() < NAMED {
                self.left_out.push(RefusedEntry {
                    key: Some(key.clone()),
                    line: row.line,
                    column: fault.column,
                    problem: fault.problem,
                    cure: fault.cure,
                    ..RefusedEntry::default()
                });
            }
        }
        let unread: Vec<String> = row.bad_columns().map(|column| self.columns.name(column).to_owned()).collect();
        let unread = unread.into_iter().filter(|name| !told.contains(&Some(name.clone())));
        for name in unread.chain(unused.into_iter().filter_map(|fault| fault.column)) {
            let one = format!("value of {name} that could not be read and that nothing uses");
            let many = format!("values of {name} that could not be read and that nothing uses");
            self.pass(&one, &many, row.line);
        }
    }

    fn refused(&mut self, line: u64, key: Option<PersonKey>, fault: EntryFault, raw: &[u8]) -> RefusedEntry {
        if fault.reach == Reach::Rest {
            self.cut = Some((line, fault.problem.clone()));
        }
        let count = |(count, first): (u64, u64)| (count + 1, if count == 0 { line } else { first });
        let mut words: Vec<u64> = hardmatch_ports::source::words(raw).collect();
        words.sort_unstable();
        words.dedup();
        let claims = if key.is_none() { claims(raw) } else { Vec::new() };
        if key.is_none() {
            self.keyless = count(self.keyless);
        } else if fault.structural {
            self.damaged = count(self.damaged);
        }
        let hides = (key.is_none() || fault.structural).then(|| blake3::hash(raw).as_bytes().as_chunks::<16>().0[0]);
        RefusedEntry {
            key,
            line,
            column: fault.column,
            problem: fault.problem,
            cure: fault.cure,
            disabled: false,
            fault: hides,
            words,
            claims,
        }
    }

    /// What may be concluded from the entries so far. Whether the listing as a whole can be trusted is for its source to
    /// say.
    pub fn completeness(&self) -> Completeness {
        let mut absence = Vec::new();
        let (keyless, line) = self.keyless;
        if keyless > 0 {
            absence.push(format!("{keyless} refused without a readable key, the first in line {line}"));
        }
        let (damaged, line) = self.damaged;
        if damaged > 0 {
            absence.push(format!("{damaged} refused whose structure is damaged, the first in line {line}"));
        }
        let mut notes: Vec<String> = self
            .passed
            .iter()
            .map(|((one, many), (count, line))| match count {
                1 => format!("Passed over: 1 {one} in line {line}"),
                _ => format!("Passed over: {count} {many}, the first in line {line}"),
            })
            .collect();
        let nameless = |name: &&String| name.starts_with(NAMELESS);
        notes.extend(
            self.columns
                .names
                .iter()
                .filter(nameless)
                .map(|name| format!("Passed over: a column without a name {name}")),
        );
        notes.extend(
            self.columns
                .repeated()
                .into_iter()
                .map(|name| format!("Several columns are called {name:?}: the first filled one counts")),
        );
        notes.extend(self.columns.may_mean_leaving().map(|name| {
            format!(
                "The column {name:?} is not understood. If it says who leaves, name it under [source.columns] as enabled or accountExpires"
            )
        }));
        let columns: Vec<String> = self.columns.names.iter().map(|name| name.to_lowercase()).collect();
        let firm = |column: usize| self.filled.get(column).is_none_or(|filled| *filled >= FIRM);
        let named = columns.iter().enumerate().filter(|(_, name)| !name.starts_with(NAMELESS));
        let expected = named.filter(|(column, _)| firm(*column)).map(|(_, name)| name.clone()).collect();
        Completeness {
            doubts: Vec::new(),
            absence,
            notes,
            left_out: self.left_out.clone(),
            guessed: None,
            columns,
            expected,
            entries: self.count,
        }
    }
}

/// The names and addresses in an entry that nobody knows whose it is.
fn claims(raw: &[u8]) -> Vec<u64> {
    let parts = raw.split(|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b',' | b'|' | b'"' | b':' | 0));
    let mut claims: Vec<u64> =
        parts.filter(|part| part.contains(&b'@')).flat_map(hardmatch_ports::source::words).collect();
    claims.sort_unstable();
    claims.dedup();
    claims
}
