//! Attribute names of formats without a header: each gets a number when it is first seen.

use std::collections::HashMap;

/// Names in the order of their first appearance, without regard to case.
#[derive(Default)]
pub(crate) struct Names {
    all: Vec<String>,
    /// By lower-case name.
    numbers: HashMap<String, usize>,
    lower: String,
}

impl Names {
    /// With the names known so far.
    pub(crate) fn new(known: &[String]) -> Self {
        let mut names = Self::default();
        for name in known {
            names.number(name);
        }
        names
    }

    /// The number of a name.
    pub(crate) fn number(&mut self, name: &str) -> usize {
        self.lower.clear();
        self.lower.extend(name.chars().flat_map(char::to_lowercase));
        if let Some(number) = self.numbers.get(&self.lower) {
            return *number;
        }
        self.all.push(name.to_owned());
        self.numbers.insert(self.lower.clone(), self.all.len() - 1);
        self.all.len() - 1
    }

    /// The name of a number.
    pub(crate) fn name(&self, number: usize) -> &str {
        self.all.get(number).map_or("", String::as_str)
    }

    /// All names.
    pub(crate) fn into_all(self) -> Vec<String> {
        self.all
    }
}
