//! Text in lines that fit a terminal.

use crate::pages::wrapped;

/// A text as it grows, and how wide it may be.
pub(super) struct Page {
    pub(super) text: String,
    pub(super) width: Option<usize>,
}

impl Page {
    pub(super) fn heading(&mut self, text: &str) {
        self.text.push('\n');
        self.line(0, text);
    }

    pub(super) fn line(&mut self, indent: usize, text: &str) {
        // Counts are set in columns of their own.
        if text.starts_with(' ') {
            self.text.push_str(text);
        } else {
            let (first, rest) = (" ".repeat(indent), " ".repeat(indent + 2));
            self.text.push_str(&wrapped(text, &first, &rest, self.width));
        }
        self.text.push('\n');
    }

    /// A command on a line of its own, in one piece: it is there to be copied.
    pub(super) fn command(&mut self, command: &str) {
        self.text.push_str("  ");
        self.text.push_str(command);
        self.text.push('\n');
    }
}
