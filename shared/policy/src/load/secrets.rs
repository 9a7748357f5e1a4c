//! What must not be shown: text that is, or may be, a secret somebody wrote into the file.

use std::ops::Range;

/// Key names after which a secret may stand.
const WORDS: &[&str] = &["secret", "password", "passwd", "pwd", "token", "credential", "apikey", "api_key", "private"];

/// Places of values that are assigned to something called a secret, in any text, TOML or not; references
/// (`env:`, `file:`, `secretsmanager:`) are left readable.
pub(super) fn assigned(text: &str) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let line_end = text[at..].find('\n').map_or(text.len(), |end| at + end);
        let line = &text[at..line_end];
        let folded = line.to_ascii_lowercase();
        let mut from = 0;
        let mut next = line_end + 1;
        while let Some(word) = WORDS.iter().filter_map(|word| folded[from..].find(word).map(|found| from + found)).min()
        {
            let Some(equals) = line[word..].find('=').map(|found| word + found) else { break };
            if !names_a_secret(&folded, word, equals) {
                from = word + 1;
                while !line.is_char_boundary(from) {
                    from += 1;
                }
                continue;
            }
            let value = equals + 1 + (line[equals + 1..].len() - line[equals + 1..].trim_start().len());
            let rest = &line[value..];
            let start = at + value;
            if let Some(quotes) = ["\"\"\"", "'''"].iter().find(|quotes| rest.starts_with(**quotes)) {
                let end = text[start + 3..].find(*quotes).map_or(text.len(), |end| start + 3 + end + 3);
                hidden.push(start..end);
                next = text[end..].find('\n').map_or(text.len(), |more| end + more + 1);
                break;
            }
            let end = value_end(rest).map_or(line.len(), |end| value + end);
            if !is_reference(&line[value..end]) && !is_day(&line[value..end]) {
                hidden.push(start..at + end);
            }
            from = end.max(word + 1);
            if from >= line.len() {
                break;
            }
        }
        at = next;
    }
    hidden.extend(blocks(text));
    hidden
}

/// Places of PEM: a key may be among them, whatever it is assigned to.
fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("-----BEGIN").map(|found| at + found) {
        let end = text[start..].find("-----END").map_or(text.len(), |found| start + found);
        hidden.push(start..end);
        at = end;
    }
    hidden
}

/// Whether the word stands in the key before the `=`: not in a value, not in an expression about `person`, and not in
/// the one key of ours that is about passwords and holds none.
fn names_a_secret(folded: &str, word: usize, equals: usize) -> bool {
    let within_key = folded[word..equals]
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'' | ' ' | '\t'));
    within_key && !folded[..word].ends_with("person.") && !folded[word..].starts_with("password_expired")
}

/// Where a quoted one-line value ends; `None` when it does not.
fn value_end(rest: &str) -> Option<usize> {
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// `2027-01-31`, when a secret ends: no secret looks like that.
fn is_day(value: &str) -> bool {
    let day = value.trim().trim_matches('"');
    let digits = day.len() == 10 && day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    digits && day.matches('-').count() == 2
}

fn is_reference(value: &str) -> bool {
    let inner = value.trim_matches(|c| matches!(c, '"' | '\''));
    let quoted = value.len() >= inner.len() + 2;
    let name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    quoted
        && (inner.strip_prefix("env:").is_some_and(name)
            || inner.starts_with("file:")
            || inner.starts_with("secretsmanager:arn:"))
}

/// The same range, cut back to whole characters within the text.
pub(super) fn on_characters(text: &str, span: Range<usize>) -> Range<usize> {
    let mut start = span.start.min(text.len());
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}
