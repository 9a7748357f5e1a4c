//! Numbers that a spreadsheet cut: leading zeros that are known stay.

use hardmatch_domain::attribute::{Attr, Attributes};
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::Person;
use hardmatch_ports::source::RefusedEntry;

/// The person with the employee ID and anchors they had, where these differ in nothing but leading zeros.
pub(super) fn with_zeros(mut person: Person, old: &Person) -> Person {
    let lost = |before: &str, now: &str| {
        before.len() > now.len()
            && before.trim_start_matches('0') == now
            && now.bytes().all(|byte| byte.is_ascii_digit())
    };
    if let (Some(before), Some(now)) =
        (old.attributes.filled(Attr::EmployeeId), person.attributes.filled(Attr::EmployeeId))
        && lost(before, now)
    {
        let kept = person.attributes.iter().map(
            |(attr, value)| {
                if attr == Attr::EmployeeId { (attr, before) } else { (attr, value) }
            },
        );
        person.attributes = kept.collect::<Attributes>();
    }
    for anchor in &mut person.anchors {
        let had = old.anchors.iter().find(|had| had.from == anchor.from);
        if let Some(had) = had.filter(|had| lost(had.id.as_str(), anchor.id.as_str())) {
            anchor.id = had.id.clone();
        }
    }
    person
}

/// The report's row for somebody whose number lost its zeros.
pub(super) fn zeros_row(key: &PersonKey) -> RefusedEntry {
    RefusedEntry {
        key: Some(key.clone()),
        problem: "A number of the entry is the known one without its leading zeros; the known one is kept".to_owned(),
        cure: "Export the column as text (in a spreadsheet: import it as Text, not as General)".to_owned(),
        ..RefusedEntry::default()
    }
}

/// A key without the zeros before it; `None` where there are none, or where the key is no number.
pub(super) fn without_zeros(key: &str) -> Option<&str> {
    let short = key.trim_start_matches('0');
    (short.len() < key.len() && !short.is_empty() && short.bytes().all(|byte| byte.is_ascii_digit())).then_some(short)
}

#[cfg(test)]
mod tests {
    use hardmatch_domain::attribute::Texts;
    use hardmatch_domain::person::{Addresses, Extra};

    use super::*;

    fn numbered(number: &str) -> Person {
        Person {
            key: "1".into(),
            anchors: Vec::new(),
            attributes: [(Attr::EmployeeId, number)].into_iter().collect(),
            addresses: Addresses::default(),
            groups: Texts::default(),
            manager: None,
            enabled: None,
            password_expired: None,
            extra: Extra::default(),
            given_by: None,
        }
    }

    #[test]
    fn a_number_keeps_the_zeros_that_are_known() {
        for (old, new, kept) in [
            ("0012", "12", "0012"),
            ("12", "0012", "0012"),
            ("0012", "13", "13"),
            ("00A1", "A1", "A1"),
            ("0012", "0012", "0012"),
        ] {
            let person = with_zeros(numbered(new), &numbered(old));
            assert_eq!(person.attributes.get(Attr::EmployeeId), Some(kept), "{old} {new}");
        }
    }

    #[test]
    fn only_a_number_is_found_without_its_zeros() {
        for (key, short) in [("0012", Some("12")), ("12", None), ("00A1", None), ("000", None), ("", None)] {
            assert_eq!(without_zeros(key), short, "{key}");
        }
    }
}
