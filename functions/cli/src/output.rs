//! Results on standard output: a table on a terminal, one JSON document with `--json`.

use std::io::{IsTerminal as _, Write as _};

use hardmatch_policy::Paint;
use hardmatch_report::{Color, Style, json_text};
use serde_json::Value;

/// Prints a line, or a text of several. A reader that went away is no error of ours.
pub(crate) fn line(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout(), "{}", text.as_ref().trim_end());
}

/// Prints a document.
pub(crate) fn document(document: &Value) {
    line(json_text(document));
}

/// Says something to the person, not to the program that reads the result.
pub(crate) fn note(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr(), "{}", text.as_ref().trim_end());
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
