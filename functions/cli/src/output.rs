//! Results on standard output: a table on a terminal, one JSON document with `--json`. All that a command says goes
//! through here, and nothing that somebody else wrote steers a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use hardmatch_policy::Paint;
use hardmatch_report::{Color, Colors, Style, folded, json_text, printable, printable_json};
use serde_json::Value;

/// Whether only results and errors are said.
static QUIET: AtomicBool = AtomicBool::new(false);
/// Whether a result was printed.
static PRINTED: AtomicBool = AtomicBool::new(false);
/// Why a result could not be printed: the first time that it could not.
static FAILED: OnceLock<String> = OnceLock::new();

/// From now on only results and errors are said.
pub(crate) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

pub(crate) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Whether standard output has a part of the result.
pub(crate) fn has_printed() -> bool {
    PRINTED.load(Ordering::Relaxed)
}

/// Prints a line, or a text of several. Where it does not get there (a full disk, a reader that went away) the command goes
/// on with its work and fails at its end.
pub(crate) fn line(text: impl AsRef<str>) {
    out(&printable(text.as_ref(), Colors::None));
}

/// Prints running text, wrapped on a terminal. Commands to be copied are printed with [`line`].
pub(crate) fn prose(text: impl AsRef<str>) {
    line(folded(text.as_ref(), text_width()));
}

/// Prints a table drawn in [`style`].
pub(crate) fn table(text: impl AsRef<str>) {
    out(&printable(text.as_ref(), colors(std::io::stdout().is_terminal())));
}

/// Prints a document.
pub(crate) fn document(document: &Value) {
    out(&printable_json(&json_text(document)));
}

/// Prints help or the version, in the colours that the command line's library chooses.
pub(crate) fn help(text: &clap::Error) {
    PRINTED.store(true, Ordering::Relaxed);
    keep(text.print());
}

fn out(text: &str) {
    PRINTED.store(true, Ordering::Relaxed);
    keep(writeln!(std::io::stdout(), "{}", text.trim_end()));
}

fn keep(written: std::io::Result<()>) {
    if let Err(error) = written {
        // The first says why; the others only follow from it.
        FAILED.get_or_init(|| error.to_string());
    }
}

/// Flushes standard output and says why the result did not get there whole.
pub(crate) fn finish() -> Option<&'static str> {
    keep(std::io::stdout().flush());
    FAILED.get().map(String::as_str)
}

/// Says something to the person, not to the program that reads the result.
pub(crate) fn note(text: impl AsRef<str>) {
    if !is_quiet() {
        err(&printable(text.as_ref(), Colors::None));
    }
}

/// Says why a command ended; pictures in it are drawn as [`paint`] says.
pub(crate) fn error(text: impl AsRef<str>) {
    err(&printable(text.as_ref(), colors(std::io::stderr().is_terminal())));
}

/// Where standard error cannot be written nobody is left to tell; the exit status says it.
fn err(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}

fn colors(terminal: bool) -> Colors {
    if wants_color(terminal) { Colors::Ours } else { Colors::None }
}

fn wants_color(terminal: bool) -> bool {
    let refused = hardmatch_runtime::env::read(hardmatch_runtime::env::NO_COLOR.name).ok().flatten().is_some();
    terminal && !refused
}

/// How tables are drawn.
pub(crate) fn style() -> Style {
    let terminal = std::io::stdout().is_terminal();
    if !terminal {
        return Style::Piped;
    }
    let width = console_width();
    Style::Terminal { width, color: if wants_color(terminal) { Color::On } else { Color::Off } }
}

/// How wide running text may be: as the terminal, within reason; not wrapped at all elsewhere.
pub(crate) fn text_width() -> Option<usize> {
    std::io::stdout().is_terminal().then(|| usize::from(console_width()).clamp(40, 100))
}

fn console_width() -> u16 {
    comfy_table::Table::new().width().unwrap_or(120)
}

/// How pictures of problems are drawn on standard error.
pub(crate) fn paint() -> Paint {
    if wants_color(std::io::stderr().is_terminal()) { Paint::Colour } else { Paint::Plain }
}
