//! What is wrong with a file: every problem with its place, its words and its cure. Never a secret: whatever could be
//! one is blanked out of the text before a picture of it is drawn.

use std::fmt::{self, Write as _};
use std::ops::Range;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceCode};
use serde::Serialize;

/// Everything that is wrong with one file, in the order of its lines. Prints as pictures without colour.
#[derive(Clone, PartialEq, Eq)]
pub struct Problems {
    origin: String,
    /// The text with whatever may be a secret blanked out.
    shown: String,
    list: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// What kind of thing; stable.
    pub kind: ProblemKind,
    /// Line, counted from one.
    pub line: usize,
    /// Column in characters, counted from one.
    pub column: usize,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do about it.
    pub cure: String,
    /// What is written under the place in the picture.
    #[serde(skip)]
    pub(crate) label: String,
    #[serde(skip)]
    pub(crate) span: Range<usize>,
}

/// Kinds of problems, for programs that read them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// Not TOML.
    Syntax,
    /// A key nobody knows.
    UnknownKey,
    /// A key that must be there is not.
    MissingKey,
    /// Text where a number belongs, and the like.
    WrongType,
    /// A value that cannot be meant.
    BadValue,
    /// A secret written into the file.
    LiteralSecret,
    /// Known, and not in this version.
    NotAvailable,
    /// Written for a newer hardmatch.
    NewerSchema,
    /// An expression that cannot work.
    Expression,
}

impl ProblemKind {
    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            ProblemKind::Syntax => "syntax",
            ProblemKind::UnknownKey => "unknown-key",
            ProblemKind::MissingKey => "missing-key",
            ProblemKind::WrongType => "wrong-type",
            ProblemKind::BadValue => "bad-value",
            ProblemKind::LiteralSecret => "literal-secret",
            ProblemKind::NotAvailable => "not-available",
            ProblemKind::NewerSchema => "newer-schema",
            ProblemKind::Expression => "expression",
        }
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How pictures are painted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paint {
    /// Without colour.
    Plain,
    /// With terminal colours.
    Colour,
}

impl Problems {
    pub(crate) fn new(origin: &str, text: &str, hidden: &[Range<usize>], mut list: Vec<Problem>) -> Self {
        list.sort_by(|a, b| (a.span.start, a.kind, &a.message).cmp(&(b.span.start, b.kind, &b.message)));
        list.dedup();
        for problem in &mut list {
            (problem.line, problem.column) = place(text, problem.span.start);
        }
        Self { origin: origin.to_owned(), shown: blanked(text, hidden), list }
    }

    /// The problems, in the order of their lines.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none; never true of what [`crate::Config::load`] returns.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// One line each: `hardmatch.toml:3:1: unknown-key: … (cure)`.
    pub fn lines(&self) -> String {
        let mut out = String::new();
        for p in &self.list {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}:{}:{}: {}: {}", self.origin, p.line, p.column, p.kind, p.message);
            let _ = match p.cure.as_str() {
                "" => writeln!(out),
                cure => writeln!(out, " ({cure})"),
            };
        }
        out
    }

    /// A picture of each place, with the problem and its cure.
    pub fn pictures(&self, paint: Paint) -> String {
        let theme = match paint {
            Paint::Plain => GraphicalTheme::unicode_nocolor(),
            Paint::Colour => GraphicalTheme::unicode(),
        };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
        let source = NamedSource::new(&self.origin, self.shown.clone());
        let mut out = String::new();
        for problem in &self.list {
            let picture = Picture { problem, source: &source };
            // Writing to a String cannot fail, and a picture that cannot be drawn must not hide the words.
            if handler.render_report(&mut out, &picture).is_err() {
                let _ = writeln!(out, "{}: {}\n  help: {}", problem.line, problem.message, problem.cure);
            }
            out.push('\n');
        }
        out
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pictures(Paint::Plain))?;
        match self.list.len() {
            1 => write!(f, "1 problem in {}", self.origin),
            n => write!(f, "{n} problems in {}", self.origin),
        }
    }
}

/// Without the text of the file.
impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problems").field("origin", &self.origin).field("list", &self.list).finish_non_exhaustive()
    }
}

impl std::error::Error for Problems {}

struct Picture<'a> {
    problem: &'a Problem,
    source: &'a NamedSource<String>,
}

impl fmt::Debug for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Picture<'_> {}

impl Diagnostic for Picture<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(self.problem.kind))
    }

    fn severity(&self) -> Option<Severity> {
        Some(Severity::Error)
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        (!self.problem.cure.is_empty()).then(|| Box::new(&self.problem.cure) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = (!self.problem.label.is_empty()).then(|| self.problem.label.clone());
        let span = LabeledSpan::new(label, self.problem.span.start, self.problem.span.len());
        Some(Box::new(std::iter::once(span)))
    }
}

/// Line and column, both from one, of a byte offset.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}

/// The text with the hidden ranges starred out, byte for byte, so that every offset keeps its meaning.
fn blanked(text: &str, hidden: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for range in hidden {
        for byte in bytes.iter_mut().take(range.end).skip(range.start) {
            if *byte != b'\n' && *byte != b'\r' {
                *byte = b'*';
            }
        }
    }
    // A range that cut a character in half leaves stray bytes: better a mangled picture than a secret.
    String::from_utf8(bytes).unwrap_or_else(|bad| {
        bad.into_bytes().into_iter().map(|byte| if byte.is_ascii() { byte as char } else { '*' }).collect()
    })
}
