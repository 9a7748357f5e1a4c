//! An entry of the source that could not be understood, in one line.

use hardmatch_ports::source::RefusedEntry;

/// Where, what and how to cure it, in one line.
pub(crate) fn place(refused: &RefusedEntry) -> String {
    let column = refused.column.as_ref().map(|column| format!(", {column}")).unwrap_or_default();
    let place = match (refused.line, &refused.key) {
        (0, Some(key)) => key.as_str().to_owned(),
        (line, _) => format!("Line {line}"),
    };
    format!("{place}{column}: {}. {}", refused.problem.trim_end_matches('.'), refused.cure)
}
