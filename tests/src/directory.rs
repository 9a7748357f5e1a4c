//! The source that tests edit: people in a CSV file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The columns of a new directory.
pub const COLUMNS: [&str; 12] = [
    "objectGUID",
    "userPrincipalName",
    "mail",
    "displayName",
    "givenName",
    "sn",
    "title",
    "department",
    "employeeID",
    "enabled",
    "passwordExpired",
    "manager",
];

/// The GUID of the n-th person.
pub fn guid(number: usize) -> String {
    format!("{number:08x}-1111-4222-8333-{number:012x}")
}

/// People of a source, each under a short name of the test's own.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// The file's columns, in order.
    pub columns: Vec<String>,
    rows: BTreeMap<String, BTreeMap<String, String>>,
    /// The file as it is instead, when somebody spoilt it.
    spoilt: Option<Vec<u8>>,
    hired: usize,
}

impl Directory {
    pub(crate) fn new(path: PathBuf) -> Self {
        let columns = COLUMNS.iter().map(|&column| column.to_owned()).collect();
        Self { path, columns, rows: BTreeMap::new(), spoilt: None, hired: 0 }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A person with the usual values: `ada@contoso.com` for `ada`. Each has a GUID of their own.
    pub fn hire(&mut self, name: &str) -> &mut Self {
        self.hired += 1;
        let upn = format!("{name}@contoso.com");
        let capital = name[..1].to_uppercase() + &name[1..];
        let number = self.hired;
        let values = [
            ("objectGUID", guid(number)),
            ("userPrincipalName", upn.clone()),
            ("mail", upn),
            ("displayName", format!("{capital} Contoso")),
            ("givenName", capital),
            ("sn", "Contoso".to_owned()),
            ("title", "Engineer".to_owned()),
            ("department", "Research".to_owned()),
            ("employeeID", format!("E{number:04}")),
            ("enabled", "true".to_owned()),
            ("passwordExpired", "false".to_owned()),
            ("manager", String::new()),
        ];
        let row = values.into_iter().map(|(column, value)| (column.to_owned(), value)).collect();
        self.rows.insert(name.to_owned(), row);
        self
    }

    /// Changes a value of a person who is there.
    pub fn set(&mut self, name: &str, column: &str, value: &str) -> &mut Self {
        if let Some(row) = self.rows.get_mut(name) {
            row.insert(column.to_owned(), value.to_owned());
        }
        self
    }

    /// Changes sign-in name and address.
    pub fn rename(&mut self, name: &str, upn: &str) -> &mut Self {
        self.set(name, "userPrincipalName", upn).set(name, "mail", upn)
    }

    /// A value of a person.
    pub fn get(&self, name: &str, column: &str) -> &str {
        self.rows.get(name).and_then(|row| row.get(column)).map_or("", String::as_str)
    }

    /// Takes a person out of the file; `put_back` has them again as they were.
    pub fn remove(&mut self, name: &str) -> Option<BTreeMap<String, String>> {
        self.rows.remove(name)
    }

    /// Puts a person back who was taken out.
    pub fn put_back(&mut self, name: &str, row: BTreeMap<String, String>) {
        self.rows.insert(name.to_owned(), row);
    }

    /// Everybody's short names.
    pub fn names(&self) -> Vec<String> {
        self.rows.keys().cloned().collect()
    }

    /// How many people are in the file.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// From now on the file is this, whatever the people are; `None`: the people again.
    pub fn spoil(&mut self, text: Option<String>) {
        self.spoilt = text.map(String::into_bytes);
    }

    /// From now on the source is a file of this name, in the same folder, with these bytes.
    pub fn hand_in(&mut self, name: &str, bytes: Vec<u8>) {
        self.path.set_file_name(name);
        self.spoilt = Some(bytes);
    }

    /// The file as CSV.
    pub fn csv(&self) -> String {
        let mut text = self.columns.join(",");
        text.push('\n');
        for row in self.rows.values() {
            let cells: Vec<&str> =
                self.columns.iter().map(|column| row.get(column).map_or("", String::as_str)).collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }

    /// Writes the file, as each command finds it.
    pub fn write(&self) -> std::io::Result<()> {
        let text = self.spoilt.clone().unwrap_or_else(|| self.csv().into_bytes());
        std::fs::write(&self.path, text)
    }
}
