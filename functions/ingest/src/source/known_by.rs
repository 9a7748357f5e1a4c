//! Values by which a person is known, and their hashes.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::person::Person;
use hardmatch_ports::source::words;

/// The hash of a value. A value of several words is found by all of them together, or not at all.
pub(super) fn word(text: &str) -> Option<u64> {
    let mut all = words(text.trim().as_bytes());
    let first = all.next()?;
    Some(all.fold(first, |sum, next| sum.rotate_left(7) ^ next))
}

/// Values by which a person is known: sign-in name, primary address, employee ID.
pub(super) fn known_by(person: &Person) -> impl Iterator<Item = &str> {
    [person.upn(), person.addresses.primary(), person.attributes.filled(Attr::EmployeeId)].into_iter().flatten()
}
