//! Text from a directory, made harmless where it is shown: on a terminal, on a page, in a spreadsheet. Names come from
//! people we do not know; none of them may move a cursor, reverse a line or start a formula.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with every character that steers a display written out: control characters as their pictures (`␛`), the
/// rest as `\u{…}`. Everything else is as it was. Marks that right-to-left languages need are kept; those that reorder
/// what follows are not (<https://www.unicode.org/reports/tr36/>).
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\u{7f}' => shown.push('␡'),
            '\0'..='\u{1f}' => shown.push(char::from_u32(0x2400 + character as u32).unwrap_or('␀')),
            other if steers(other) => shown.extend(other.escape_unicode()),
            other => shown.push(other),
        }
    }
    Cow::Owned(shown)
}

/// Whether our own colours may pass to a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Colors {
    /// Nothing passes.
    None,
    /// The sequences that set a colour or a weight pass (`ESC [ … m`): for text whose values were made [`visible`] before
    /// it was coloured.
    Ours,
}

/// Text of several lines as a terminal may get it, as [`visible`] but with its line ends and tabs. The last gate: whatever
/// a message was put together from, it steers nothing.
pub fn printable(text: &str, colors: Colors) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = match (character, colors) {
            ('\u{1b}', Colors::Ours) => sets_color(rest).unwrap_or(0),
            ('\n' | '\t', _) => 1,
            _ => 0,
        };
        let (head, tail) = rest.split_at(if length > 0 { length } else { character.len_utf8() });
        shown.push_str(&if length > 0 { Cow::Borrowed(head) } else { visible(head) });
        rest = tail;
    }
    shown
}

/// The length of a sequence that sets a colour or a weight, at the beginning of the text. Hidden text (8) is none.
fn sets_color(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?.split_once('m')?.0;
    let plain = parameters.bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
    (plain && parameters.len() <= 20 && parameters != "8").then_some(parameters.len() + 3)
}

/// A JSON document as a terminal may get it: the same document, with every character that would steer the display
/// escaped. JSON itself demands that of some of them only. <https://www.rfc-editor.org/rfc/rfc8259#section-7>
pub fn printable_json(text: &str) -> Cow<'_, str> {
    let unsafe_here = |character: char| steers(character) && character != '\n';
    if !text.chars().any(unsafe_here) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        // All of them lie below U+10000, so one escape is enough.
        if unsafe_here(character) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\u{:04x}", character as u32);
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// The text as a spreadsheet may open it: [`visible`], and with an apostrophe before anything that a spreadsheet would
/// take for a formula. <https://owasp.org/www-community/attacks/CSV_Injection>
pub fn spreadsheet_safe(text: &str) -> Cow<'_, str> {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => {
            Cow::Owned(format!("'{}", visible(text)))
        }
        _ => visible(text),
    }
}

/// Whether a character would steer the display instead of being seen: C0, DEL, C1, the separators that break lines, and
/// the embeddings, overrides and isolates of bidirectional text.
pub(crate) fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_steer_a_terminal() {
        for (name, shown) in [
            ("Ada Lovelace", "Ada Lovelace"),
            ("Ada\u{1b}[2J", "Ada␛[2J"),
            ("Ada\u{9b}31m", "Ada\\u{9b}31m"),
            ("a\r\nb\tc\0d\u{7f}", "a␍␊b␉c␀d␡"),
            ("gpj\u{202e}exe", "gpj\\u{202e}exe"),
            ("نيلوفر\u{200c}ها \u{200f}", "نيلوفر\u{200c}ها \u{200f}"),
            ("line\u{2028}break", "line\\u{2028}break"),
        ] {
            assert_eq!(visible(name), shown);
            assert!(!visible(name).chars().any(steers));
        }
    }

    #[test]
    fn what_is_printed_keeps_its_lines_and_steers_nothing() {
        for (text, plain, colored) in [
            ("one\n\ttwo", "one\n\ttwo", "one\n\ttwo"),
            ("\u{1b}[1mname\u{1b}[0m", "␛[1mname␛[0m", "\u{1b}[1mname\u{1b}[0m"),
            ("\u{1b}[38;5;9mred", "␛[38;5;9mred", "\u{1b}[38;5;9mred"),
            ("\u{1b}[2J\u{1b}]0;t\u{7}\u{1b}[8mx", "␛[2J␛]0;t␇␛[8mx", "␛[2J␛]0;t␇␛[8mx"),
            ("a\rb\u{202e}c\u{9b}2J", "a␍b\\u{202e}c\\u{9b}2J", "a␍b\\u{202e}c\\u{9b}2J"),
            ("\u{1b}", "␛", "␛"),
        ] {
            assert_eq!(printable(text, Colors::None), plain);
            assert_eq!(printable(text, Colors::Ours), colored);
        }
    }

    #[test]
    fn a_printed_document_is_the_same_document() {
        let value = serde_json::json!({ "name": "a\u{1b}[2J\u{202e}b\u{9b}\u{7f}é" });
        let text = value.to_string();
        let shown = printable_json(&text);
        assert!(!shown.chars().any(steers), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn no_value_starts_a_formula() {
        for start in ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"] {
            let value = format!("{start}HYPERLINK(\"http://example.com\")");
            assert!(spreadsheet_safe(&value).starts_with('\''), "{value:?}");
        }
        assert_eq!(spreadsheet_safe("+49 30 1234"), "'+49 30 1234");
        assert_eq!(spreadsheet_safe("\t=1"), "'␉=1");
        for plain in ["", "Ada", "a=b", "'=1", "1-2"] {
            assert_eq!(spreadsheet_safe(plain), plain);
        }
    }
}
