//! Attribute names of formats without a header: each gets a number when it is first seen.

use std::collections::HashMap;

use crate::row::EntryFault;

/// So many names no directory has. A listing with more of them is not what it should be, and each is kept in memory.
pub const MOST: usize = 4_096;

/// The longest name, in bytes.
const LONGEST: usize = 1_024;

/// As much of a name as an error shows.
const SHOWN: usize = 60;

/// Why an entry is refused whose name finds no room; says which.
pub fn too_many(name: &str) -> EntryFault {
    let column: String = name.chars().take(SHOWN).collect();
    EntryFault::new(
        format!("The entry has names beyond the {MOST} that a file may have, or one that is too long"),
        "Export only the attributes that are used, under names that are the same for everybody",
    )
    .structural()
    .at(column)
}

/// Names in the order of their first appearance, without regard to case.
#[derive(Default)]
pub struct Names {
    all: Vec<String>,
    /// By lower-case name.
    numbers: HashMap<String, usize>,
    lower: String,
}

impl Names {
    /// With the names known so far.
    pub fn new(known: &[String]) -> Self {
        let mut names = Self::default();
        for name in known {
            names.number(name);
        }
        names
    }

    /// The number of a name; `None` when there are too many already.
    pub fn number(&mut self, name: &str) -> Option<usize> {
        self.lower.clear();
        self.lower.extend(name.chars().flat_map(char::to_lowercase));
        if let Some(number) = self.numbers.get(&self.lower) {
            return Some(*number);
        }
        if self.all.len() >= MOST || name.len() > LONGEST {
            return None;
        }
        self.all.push(name.to_owned());
        self.numbers.insert(self.lower.clone(), self.all.len() - 1);
        Some(self.all.len() - 1)
    }

    /// The name of a number.
    pub fn name(&self, number: usize) -> &str {
        self.all.get(number).map_or("", String::as_str)
    }

    /// All names.
    pub fn into_all(self) -> Vec<String> {
        self.all
    }
}
