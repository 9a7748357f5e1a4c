//! Last lines of several cells that are no people: `Total;60;;`, `Exported by Ann, 12 March 2026, 60 rows`.

use hardmatch_sources_entry::row::Row;

/// How such a line begins, in the languages of exports.
const WORDS: [&str; 41] = [
    "total",
    "totals",
    "sum",
    "summe",
    "gesamt",
    "gesamtsumme",
    "insgesamt",
    "totale",
    "grand total",
    "subtotal",
    "count",
    "anzahl",
    "nombre",
    "nombre total",
    "número",
    "numero",
    "export",
    "exported",
    "exportiert",
    "exporté",
    "exportado",
    "report",
    "bericht",
    "rapport",
    "informe",
    "generated",
    "generiert",
    "generado",
    "généré",
    "erstellt",
    "erzeugt",
    "created",
    "printed",
    "gedruckt",
    "page",
    "seite",
    "stand",
    "end of",
    "ende",
    "fin",
    "run date",
];
/// What is counted in one: `60 rows`.
const COUNTED: [&str; 18] = [
    "row",
    "rows",
    "record",
    "records",
    "entries",
    "employees",
    "people",
    "persons",
    "users",
    "zeilen",
    "zeile",
    "datensätze",
    "einträge",
    "personen",
    "mitarbeiter",
    "lignes",
    "filas",
    "righe",
];

/// Whether a row sums up or signs an export. It has no address, fills several and not all of its cells, and begins as such lines
/// do. A person who is taken for one would be missed, so the beginning alone is not enough.
pub(crate) fn is_summary(row: &Row, width: usize) -> bool {
    let filled = row.filled();
    if width < 2 || row.value_count() > width || filled < 2 || filled >= width {
        return false;
    }
    let text = row.text();
    if text.contains(&b'@') || text.contains(&0) {
        return false;
    }
    let text = String::from_utf8_lossy(&text).to_lowercase();
    let mut cells = text.lines().map(str::trim).filter(|cell| !cell.is_empty());
    let Some(first) = cells.next() else { return false };
    let first = first.trim_start_matches(['*', '-', '#', '=', '(', '[', ' ']);
    let begins = WORDS.iter().any(|word| {
        let rest = first.strip_prefix(word);
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric) && !rest.starts_with(['-', '\'', '’']))
    });
    if !begins && !is_count(first) {
        return false;
    }
    // Behind the first cell: counts, days, times and words about the export. A name alone is a person's.
    !cells.any(|cell| !cell.contains(|c: char| c.is_ascii_digit()) && !cell.contains([':', ' ']))
}

/// `60 rows`, `(60 rows affected)`.
fn is_count(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let number = words.next().is_some_and(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()));
    number && words.next().is_some_and(|word| COUNTED.contains(&word.trim_end_matches([')', '.', ',', ']'])))
}

#[cfg(test)]
mod tests {
    use hardmatch_sources_entry::row::Layout;

    use super::*;

    fn is(line: &str, width: usize) -> bool {
        let mut row = Row::default();
        row.clear(9, Layout::Cells);
        for (column, cell) in line.split(',').enumerate() {
            row.push(column, cell.as_bytes());
        }
        is_summary(&row, width)
    }

    #[test]
    fn totals_and_signatures_of_several_cells_are_no_people() {
        for line in [
            "Total,60,,,",
            "Summe:,,,60",
            "Exported by Ann Ash, 12 March 2026, 60 rows",
            "(60 rows affected),12:00",
            "*** End of report,12.03.2026",
            "Stand 12.03.2026, 60 Mitarbeiter",
            "60 rows, 2 pages",
            ",,Total,60",
        ] {
            assert!(is(line, 5), "{line}");
        }
    }

    #[test]
    fn people_are_no_footers() {
        for line in [
            "Count,Basie,,",
            "Total Energies,Ann,Ash,,",
            "Page,Jimmy,page@contoso.example,,",
            "1001,Ann,Ash,Sales,GB",
            "Summer,60,,,",
            "60 rue Total,Ann,,,",
            "Sum-Ling,Wu,,,",
        ] {
            assert!(!is(line, 5), "{line}");
        }
        assert!(!is("Total,60", 2), "as wide as every row");
    }
}
