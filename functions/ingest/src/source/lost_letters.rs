//! Letters that an export could not write: names that are known keep them.

use hardmatch_domain::attribute::{Attr, Attributes};
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::Person;
use hardmatch_ports::source::RefusedEntry;

/// The person with the texts they had, where these differ in nothing but letters above ASCII that are gone: replaced by a
/// mark, a blank or nothing (`J_rg`, `J rg`, `Jrg` for Jörg). `Joerg` and `Jorg` are other ways to write the name, and
/// stand.
pub(super) fn with_letters(mut person: Person, old: &Person) -> Person {
    let is_kept =
        |attr: Attr, now: &str| old.attributes.filled(attr).filter(|before| is_text(attr) && lost(before, now));
    if !person.attributes.iter().any(|(attr, now)| is_kept(attr, now).is_some()) {
        return person;
    }
    let kept = person.attributes.iter().map(|(attr, now)| (attr, is_kept(attr, now).unwrap_or(now)));
    person.attributes = kept.collect::<Attributes>();
    person
}

/// Names and places; not what identifies or is written in ASCII.
fn is_text(attr: Attr) -> bool {
    !matches!(attr, Attr::UserPrincipalName | Attr::MailNickname | Attr::Mail | Attr::EmployeeId)
}

/// Whether `now` is `before` without some of its letters above ASCII, each replaced by up to three marks.
fn lost(before: &str, now: &str) -> bool {
    if now.is_empty() || before.is_ascii() || before == now {
        return false;
    }
    let now: Vec<char> = now.chars().collect();
    let is_mark = |c: char| matches!(c, '_' | '?' | '.' | '*' | '#' | '~' | '^' | '-' | ' ' | '¿' | '\u{fffd}');
    // Places in `now` up to which the letters so far may have been written.
    let mut places = vec![false; now.len() + 1];
    places[0] = true;
    for letter in before.chars() {
        let mut next = vec![false; now.len() + 1];
        for at in (0..=now.len()).filter(|at| places[*at]) {
            if now.get(at) == Some(&letter) {
                next[at + 1] = true;
            }
            if !letter.is_ascii() && letter.is_alphabetic() {
                let marks = now[at..].iter().take(3).take_while(|c| is_mark(**c)).count();
                next[at..=at + marks].fill(true);
            }
        }
        places = next;
    }
    places[now.len()]
}

/// The report's row for somebody whose letters are kept.
pub(super) fn letters_row(key: &PersonKey) -> RefusedEntry {
    RefusedEntry {
        key: Some(key.clone()),
        problem: "A text of the entry is the known one without its letters above ASCII; the known one is kept"
            .to_owned(),
        cure: "Export as UTF-8 (PowerShell: Export-Csv -Encoding utf8)".to_owned(),
        ..RefusedEntry::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_an_export_could_not_write_are_known_by_what_was_there() {
        for now in [
            "J_rg M_ller",
            "J?rg M?ller",
            "J rg M ller",
            "Jrg Mller",
            "J??rg M??ller",
            "Jörg M_ller",
            "J\u{fffd}rg Müller",
        ] {
            assert!(lost("Jörg Müller", now), "{now}");
        }
        for (before, now) in [("René", "Ren"), ("Änne", "_nne"), ("Łukasz", "?ukasz"), ("Größe", "Gr__e")] {
            assert!(lost(before, now), "{now}");
        }
    }

    #[test]
    fn other_spellings_and_other_names_stand() {
        for now in ["Joerg Mueller", "Jorg Muller", "Jörg Müller", "Jörg Maier", "J_rg Maier", "", "J_org M_ller"] {
            assert!(!lost("Jörg Müller", now), "{now}");
        }
        assert!(!lost("Ann", "A_n") && !lost("Jörg", "Jörg Müller"));
        assert!(!lost(&"ö".repeat(200), &"_".repeat(800)), "ends soon");
    }
}
