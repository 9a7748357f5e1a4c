//! Text from a directory, made harmless where it is shown: on a terminal, on a page, in a spreadsheet. Names come from
//! people we do not know; none of them may move a cursor, reverse a line or start a formula.

use std::borrow::Cow;

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
