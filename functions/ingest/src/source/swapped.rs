//! Rows that have the key of one known person, and the address and the name or number of another known person who is in the
//! listing, too: keys that were copied between rows, or a key column that was sorted by itself. Two people who exchange
//! addresses keep their names and numbers, and are no such rows.

use std::collections::{BTreeMap, HashMap};

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::person::Person;

use super::known_by::word;

/// What a known person is told apart by, as hashes: a large listing may have changed altogether.
struct Identity {
    /// Sign-in name and primary address.
    addresses: [Option<u64>; 2],
    /// Employee ID, and the name.
    names: [Option<u64>; 2],
}

impl Identity {
    fn of(person: &Person) -> Self {
        let filled = |attr| person.attributes.filled(attr);
        let name = filled(Attr::DisplayName).map(str::to_owned).or_else(|| {
            let both = [filled(Attr::GivenName)?, filled(Attr::Surname)?];
            Some(both.join(" "))
        });
        Self {
            addresses: [person.upn().and_then(word), person.addresses.primary().and_then(word)],
            names: [filled(Attr::EmployeeId).and_then(word), name.as_deref().and_then(word)],
        }
    }
}

/// Known people whose entries differ from what is stored, as they are stored.
#[derive(Default)]
pub(super) struct KnownIdentities {
    by_name: BTreeMap<[u8; 16], Identity>,
    by_address: HashMap<u64, Vec<[u8; 16]>>,
}

impl KnownIdentities {
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(super) fn add(&mut self, name: [u8; 16], stored: &Person) {
        let identity = Identity::of(stored);
        for address in identity.addresses.iter().flatten() {
            let owners = self.by_address.entry(*address).or_default();
            if owners.last() != Some(&name) {
                owners.push(name);
            }
        }
        self.by_name.insert(name, identity);
    }

    /// Whether the entry of a known person has an address and a name or number that were another known person's, and were
    /// not this person's.
    pub(super) fn is_anothers(&self, name: &[u8; 16], entry: &Person) -> bool {
        let Some(own) = self.by_name.get(name) else { return false };
        let now = Identity::of(entry);
        let taken = |now: &[Option<u64>; 2], own: &[Option<u64>; 2], other: &[Option<u64>; 2]| {
            now.iter().zip(own).zip(other).any(|((now, own), other)| now.is_some() && now == other && now != own)
        };
        let owners = now.addresses.iter().flatten().filter_map(|address| self.by_address.get(address)).flatten();
        owners.filter(|owner| *owner != name).filter_map(|owner| self.by_name.get(owner)).any(|other| {
            taken(&now.addresses, &own.addresses, &other.addresses) && taken(&now.names, &own.names, &other.names)
        })
    }
}

#[cfg(test)]
mod tests {
    use hardmatch_domain::attribute::Texts;
    use hardmatch_domain::ids::PersonKey;
    use hardmatch_domain::person::Addresses;

    use super::*;

    fn person(upn: &str, display: &str, number: &str) -> Person {
        Person {
            key: PersonKey::new("unused"),
            anchors: Vec::new(),
            attributes: [(Attr::UserPrincipalName, upn), (Attr::DisplayName, display), (Attr::EmployeeId, number)]
                .into_iter()
                .collect(),
            addresses: Addresses::default(),
            groups: Texts::default(),
            manager: None,
            enabled: None,
            password_expired: None,
            extra: hardmatch_domain::person::Extra::default(),
            given_by: None,
        }
    }

    fn known(people: &[(u8, Person)]) -> KnownIdentities {
        let mut all = KnownIdentities::default();
        for (name, person) in people {
            all.add([*name; 16], person);
        }
        all
    }

    #[test]
    fn a_row_with_the_names_of_another_present_person_is_anothers() {
        let all = known(&[
            (1, person("ann@corp.example", "Ann Lee", "17")),
            (2, person("bob@corp.example", "Bob Ray", "18")),
        ]);
        assert!(all.is_anothers(&[1; 16], &person("bob@corp.example", "Bob Ray", "18")));
        assert!(all.is_anothers(&[1; 16], &person("bob@corp.example", "Bob Ray", "19")), "one name says it");
        assert!(all.is_anothers(&[1; 16], &person("bob@corp.example", "Robert Ray", "18")), "the number says it");
    }

    #[test]
    fn two_people_who_exchange_sign_in_names_are_no_fault() {
        let all = known(&[
            (1, person("ann@corp.example", "Ann Lee", "17")),
            (2, person("bob@corp.example", "Bob Ray", "18")),
        ]);
        assert!(!all.is_anothers(&[1; 16], &person("bob@corp.example", "Ann Lee", "17")));
        assert!(!all.is_anothers(&[1; 16], &person("bob@corp.example", "Ann Lee-Ray", "17")), "a new name is nobody's");
    }

    #[test]
    fn namesakes_who_exchange_sign_in_names_are_no_fault() {
        let all = known(&[
            (1, person("jan1@corp.example", "Jan Novak", "17")),
            (2, person("jan2@corp.example", "Jan Novak", "18")),
        ]);
        assert!(!all.is_anothers(&[1; 16], &person("jan2@corp.example", "Jan Novak", "17")));
    }

    #[test]
    fn somebody_unknown_is_compared_with_nobody() {
        let all = known(&[(2, person("bob@corp.example", "Bob Ray", "18"))]);
        assert!(!all.is_anothers(&[1; 16], &person("bob@corp.example", "Bob Ray", "18")));
    }
}
