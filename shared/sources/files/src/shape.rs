//! What a file source is told about its file. Filled by the code that reads `hardmatch.toml`; nothing is read here.

use std::path::PathBuf;

use hardmatch_sources_entry::ColumnMapping;

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
    /// What its columns mean.
    pub mapping: ColumnMapping,
}

impl Shape {
    /// A file with columns by their known names, everything else found out.
    pub fn new(path: impl Into<PathBuf>, format: Format) -> Self {
        Self {
            path: path.into(),
            format,
            delimiter: None,
            encoding: None,
            mapping: ColumnMapping { header: format == Format::Csv, ..ColumnMapping::default() },
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
