//! What a file source is told about its file. Filled by whoever reads `hardmatch.toml`; nothing is read here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::switch::Words;

/// Where the file is, how it is written and what its columns mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The file.
    pub path: PathBuf,
    /// Its format.
    pub format: Format,
    /// Between the cells of CSV; `None`: found out. One of the ASCII characters.
    pub delimiter: Option<char>,
    /// The text encoding, by a label of the WHATWG Encoding Standard (`utf-8`, `utf-16le`, `windows-1252`, …);
    /// `None`: found out. <https://encoding.spec.whatwg.org/#names-and-labels>
    pub encoding: Option<String>,
    /// Columns that are not called by a known name: known attribute → column.
    pub columns: BTreeMap<String, String>,
    /// The words for yes and no of switches such as `active`: known attribute → words.
    pub words: BTreeMap<String, Words>,
    /// The column (or known attribute) that never changes for a person; `None`: `objectGUID`, `entryUUID`, the first
    /// of `anchor_from`, `employeeID`, `employeeNumber` or `id`, whichever the file has first in this order.
    pub key: Option<String>,
    /// The attributes that anchor accounts, in the order of the policy's `anchor.from`.
    pub anchor_from: Vec<Box<str>>,
    /// Columns that the policy's expressions name: kept as they are in `Person::extra`.
    pub extra: Vec<String>,
}

impl Shape {
    /// A file with columns by their known names, everything else found out.
    pub fn new(path: impl Into<PathBuf>, format: Format) -> Self {
        Self {
            path: path.into(),
            format,
            delimiter: None,
            encoding: None,
            columns: BTreeMap::new(),
            words: BTreeMap::new(),
            key: None,
            anchor_from: vec!["mS-DS-ConsistencyGuid".into(), "objectGUID".into()],
            extra: Vec::new(),
        }
    }
}

/// How the people are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Cells with a header row.
    Csv,
    /// One JSON object a line. <https://jsonlines.org/>
    JsonLines,
    /// The LDAP Data Interchange Format. <https://www.rfc-editor.org/rfc/rfc2849>
    Ldif,
}

impl Format {
    /// As `source.kind` names it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::JsonLines => "jsonl",
            Format::Ldif => "ldif",
        }
    }
}
