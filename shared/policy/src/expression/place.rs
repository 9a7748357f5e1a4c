//! Where in an expression something is, and what the parser says about what it could not read.

use std::ops::Range;

use cel::ParseErrors;

use super::Fault;

/// The parser remembers one token a node: the dot of a field, the bracket of a call, the operator. Widened to what an
/// operator would point at.
pub(super) fn widened(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let run = |rest: &str, fits: &dyn Fn(char) -> bool| rest.find(|c: char| !fits(c)).unwrap_or(rest.len());
    let first = rest.chars().next()?;
    let range = match first {
        '.' => {
            let field = rest[1..].trim_start();
            let start = text.len() - field.len();
            start..start + run(field, &word)
        }
        '(' => {
            let before = text[..at].trim_end();
            let start = before
                .rfind(|c: char| !word(c))
                .map_or(0, |end| end + before[end..].chars().next().map_or(1, char::len_utf8));
            start..before.len()
        }
        '"' | '\'' => at..at + 1 + rest[1..].find(first).map_or(rest.len() - 1, |end| end + 1),
        c if word(c) => at..at + run(rest, &word),
        '=' | '<' | '>' | '!' | '&' | '|' => at..at + run(rest, &|c| matches!(c, '=' | '<' | '>' | '!' | '&' | '|')),
        c => at..at + c.len_utf8(),
    };
    if range.is_empty() { Some(at..at + first.len_utf8()) } else { Some(range) }
}

/// What the parser could not read, in our words and at its place.
pub(super) fn syntax_faults(text: &str, errors: &ParseErrors) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for error in &errors.errors {
        let at = place(text, error.pos);
        // One slip makes a parser complain several times about the same place.
        if faults.iter().any(|have| have.at == at) {
            continue;
        }
        let said = error.msg.lines().next().unwrap_or("").trim_start_matches("Syntax error: ");
        faults.push(Fault {
            at,
            message: format!("the expression cannot be read: {}", shortened(said)),
            cure: syntax_cure(said).to_owned(),
        });
        if faults.len() == 3 {
            break;
        }
    }
    if faults.is_empty() {
        faults.push(Fault { at: None, message: "the expression cannot be read".to_owned(), cure: String::new() });
    }
    faults
}

fn syntax_cure(said: &str) -> &'static str {
    let token = said.split_once("recognition error at: '").map_or("", |(_, token)| token);
    match token.chars().next() {
        Some('=') => "== compares",
        Some('\'' | '"') => "the quotes around a text are not closed",
        Some('&' | '|') => "&& and || are written twice",
        _ => "texts stand in quotes, == compares, && || ! join answers",
    }
}

/// Without the parser's list of everything it would have liked instead.
fn shortened(said: &str) -> String {
    let said = said.split(" expecting ").next().unwrap_or(said).replace("<EOF>", "the end");
    said.chars().take(120).collect()
}

fn place(text: &str, (line, column): (isize, isize)) -> Option<Range<usize>> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    // The parser counts bytes. Past the end stands the end of the text: the last character is pointed at.
    let last = text.char_indices().next_back()?;
    let (at, c) = text.char_indices().find(|(at, _)| *at >= start + column).unwrap_or(last);
    Some(at..at + c.len_utf8())
}
