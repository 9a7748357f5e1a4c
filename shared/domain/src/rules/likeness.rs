//! What looks alike: identity numbers that a spreadsheet altered, given names, and values that so many people share that
//! they name nobody. Proves nothing; it says what must not be taken for proof.

use crate::facts::{By, Facts};
use crate::person_context::PersonContext;
use crate::vocabulary::account::Account;
use crate::vocabulary::attribute::{Attr, Attributes};
use crate::vocabulary::person::{Person, PersonRecord};
use crate::vocabulary::text::{lookup_form, same_name, same_number};

/// So many people with one employee ID or address make it a placeholder.
const PLACEHOLDER: usize = 3;

/// Whether two people of the source are said to be different by an independent attribute that both have.
pub(crate) fn differ<F: Facts>(subject: &PersonContext<'_, F>, one: &Attributes, other: &Attributes) -> bool {
    subject.policy.prove.iter().any(|&attr| match (one.filled(attr), other.filled(attr)) {
        (Some(one), Some(other)) => !one.eq_ignore_ascii_case(other) && !same_number(one, other),
        _ => false,
    })
}

/// Whether two people have one name: given name and surname, else the display name. Somebody without a name has no
/// namesake.
pub(crate) fn same_full_name(one: &Person, other: &Person) -> bool {
    let name = |person: &Person| {
        let of = |attr| person.attributes.filled(attr).map(lookup_form);
        match (of(Attr::GivenName), of(Attr::Surname)) {
            (Some(given), Some(surname)) => Some(format!("{given} {surname}")),
            _ => of(Attr::DisplayName),
        }
    };
    name(one).is_some_and(|one| name(other) == Some(one))
}

/// Whether the given names of a person and of an account say that they are two people. `Hans` and `Hans Peter`, `J.` and
/// `John` do not; where one side has no given name, nothing is said.
pub(crate) fn given_names_differ(person: &Person, account: &Account) -> bool {
    let of = |attributes: &Attributes| {
        let given = attributes.filled(Attr::GivenName).map(str::to_owned);
        given.or_else(|| from_display_name(attributes.filled(Attr::DisplayName)?))
    };
    let (Some(ours), Some(theirs)) = (of(&person.attributes), of(&account.attributes)) else { return false };
    let first = |name: &str| {
        let word = name.split([' ', '-']).find(|word| !word.is_empty()).unwrap_or_default();
        word.trim_end_matches('.').chars().map(base_letter).collect::<String>().to_lowercase()
    };
    let (ours, theirs) = (first(&ours), first(&theirs));
    let initial = ours.chars().count() == 1 || theirs.chars().count() == 1;
    if initial { ours.chars().next() != theirs.chars().next() } else { ours != theirs }
}

/// The given name of a display name of several words: `Jane Smith`, or `Smith, Jane`.
fn from_display_name(name: &str) -> Option<String> {
    let given = match name.split_once(',') {
        Some((_, after)) => after.split_whitespace().next(),
        None => name.split_whitespace().next().filter(|_| name.split_whitespace().count() > 1),
    };
    given.map(str::to_owned)
}

/// A letter without its accent, as far as Latin-1 has it: `José` and `Jose` are one name.
fn base_letter(letter: char) -> char {
    match letter {
        'à'..='å' | 'À'..='Å' => 'a',
        'ç' | 'Ç' => 'c',
        'è'..='ë' | 'È'..='Ë' => 'e',
        'ì'..='ï' | 'Ì'..='Ï' => 'i',
        'ñ' | 'Ñ' => 'n',
        'ò'..='ö' | 'ø' | 'Ò'..='Ö' | 'Ø' => 'o',
        'ù'..='ü' | 'Ù'..='Ü' => 'u',
        'ý' | 'ÿ' | 'Ý' => 'y',
        other => other,
    }
}

/// Whether three or more people of the source have the employee ID.
pub(crate) fn is_shared_number<F: Facts>(subject: &PersonContext<'_, F>, value: &str) -> bool {
    let have = |other: &PersonRecord| {
        other.person.attributes.filled(Attr::EmployeeId).is_some_and(|theirs| lookup_form(theirs) == lookup_form(value))
    };
    is_shared(subject, By::EmployeeId, value, &have)
}

/// Whether three or more people of the source have the address.
pub(crate) fn is_shared_address<F: Facts>(subject: &PersonContext<'_, F>, value: &str) -> bool {
    let have = |other: &PersonRecord| other.person.addresses.all().iter().any(|theirs| same_name(theirs, value));
    is_shared(subject, By::Address, value, &have)
}

fn is_shared<F: Facts>(
    subject: &PersonContext<'_, F>,
    by: By,
    value: &str,
    have: &dyn Fn(&PersonRecord) -> bool,
) -> bool {
    let others = subject.others(by, value);
    let sharing = others
        .iter()
        .filter(|other| other.connection == subject.record.connection && !other.is_gone() && have(other))
        .count();
    sharing + usize::from(have(subject.record)) >= PLACEHOLDER
}

/// How a person is named to an operator who looks for a rival: key and name.
pub(crate) fn named(other: &PersonRecord) -> String {
    let name = other.person.attributes.filled(Attr::DisplayName).or_else(|| other.person.upn());
    match name {
        Some(name) => format!("{} ({name})", other.person.key.as_str()),
        None => other.person.key.as_str().to_owned(),
    }
}
