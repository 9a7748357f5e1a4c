//! One person of several entries: each attribute from the source that counts for it.

use std::collections::BTreeMap;

use hardmatch_domain::attribute::{Attr, Texts};
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::{Anchor, Extra, GivenBy, Manager, Person};

use crate::settings::CombinedSettings;

/// The entries of a person with the places of their sources, the first source's first, as one.
pub(crate) fn merged(
    settings: &CombinedSettings,
    key: PersonKey,
    entries: &[(usize, Person)],
    manager: impl Fn(usize, &Manager) -> Manager,
) -> Person {
    let merge = Merge { settings, entries, there: entries.iter().map(|(place, _)| *place).collect() };
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    let attributes = merge.attributes(&mut others);
    let addresses = merge.first("proxyAddresses", |person| !person.addresses.all().is_empty(), &mut others);
    let reporting_to = merge.first("manager", names_manager, &mut others);
    let reporting_to = reporting_to.or_else(|| merge.ordered("manager").find(|(_, person)| person.manager.is_some()));
    let enabled = merge.ordered("enabled").map(|(_, person)| person.enabled);
    let expired = merge.ordered("passwordExpired").find_map(|(_, person)| person.password_expired);
    let name = |place: usize| settings.parts.get(place).map_or("", |part| &*part.name);
    Person {
        key,
        anchors: merge.anchors(),
        attributes: attributes.iter().map(|(attr, value)| (*attr, value.as_str())).collect(),
        addresses: addresses.map(|(_, person)| person.addresses.clone()).unwrap_or_default(),
        groups: merge.groups(),
        manager: reporting_to.and_then(|(place, person)| person.manager.as_ref().map(|named| manager(place, named))),
        enabled: settings.disabled.together(enabled),
        password_expired: expired,
        extra: merge.extra(),
        given_by: Some(Box::new(GivenBy {
            sources: Texts::new(merge.there.iter().map(|place| name(*place))),
            others: Extra::new(others.into_iter().map(|(attribute, place)| (attribute.into(), name(place).into()))),
        })),
    }
}

fn names_manager(person: &Person) -> bool {
    matches!(person.manager, Some(Manager::Person(_) | Manager::Unknown(_)))
}

struct Merge<'m> {
    settings: &'m CombinedSettings,
    entries: &'m [(usize, Person)],
    there: Vec<usize>,
}

impl<'m> Merge<'m> {
    /// The entries that give an attribute, in their order.
    fn ordered(&self, attribute: &str) -> impl Iterator<Item = (usize, &'m Person)> + use<'m> {
        let entries = self.entries;
        let order = self.settings.precedence.of(attribute, &self.there);
        order.into_iter().filter_map(move |place| {
            entries.iter().find(|(of, _)| *of == place).map(|(place, person)| (*place, person))
        })
    }

    /// The first entry that has a value; notes when it is not the first source's.
    fn first(
        &self,
        attribute: &str,
        has: impl Fn(&Person) -> bool,
        others: &mut BTreeMap<String, usize>,
    ) -> Option<(usize, &'m Person)> {
        let found = self.ordered(attribute).find(|(_, person)| has(person))?;
        self.note(attribute, found.0, others);
        Some(found)
    }

    fn note(&self, attribute: &str, place: usize, others: &mut BTreeMap<String, usize>) {
        if self.there.first() != Some(&place) {
            others.insert(attribute.to_owned(), place);
        }
    }

    fn attributes(&self, others: &mut BTreeMap<String, usize>) -> Vec<(Attr, String)> {
        let mut found = Vec::new();
        for attr in Attr::ALL.iter().copied() {
            let mut empty = None;
            let mut filled = None;
            for (place, person) in self.ordered(attr.name()) {
                match person.attributes.get(attr) {
                    Some("") => empty = empty.or(Some(())),
                    Some(value) => {
                        filled = Some((place, value));
                        break;
                    }
                    None => {}
                }
            }
            match (filled, empty) {
                (Some((place, value)), _) => {
                    self.note(attr.name(), place, others);
                    found.push((attr, value.to_owned()));
                }
                (None, Some(())) => found.push((attr, String::new())),
                (None, None) => {}
            }
        }
        found
    }

    /// All of them, each once: the first is what an account gets, the others prove identity.
    fn anchors(&self) -> Vec<Anchor> {
        let mut anchors: Vec<Anchor> = Vec::new();
        for anchor in self.ordered("anchor").flat_map(|(_, person)| &person.anchors) {
            if anchors.iter().all(|have| have.id != anchor.id) {
                anchors.push(anchor.clone());
            }
        }
        anchors
    }

    /// All groups of all sources that give groups.
    fn groups(&self) -> Texts {
        let mut groups: Vec<&str> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for group in self.ordered("groups").flat_map(|(_, person)| person.groups.iter()) {
            if seen.insert(group) {
                groups.push(group);
            }
        }
        Texts::new(groups)
    }

    fn extra(&self) -> Extra {
        let mut found: BTreeMap<String, (Box<str>, Box<str>)> = BTreeMap::new();
        for (_, person) in self.entries {
            for (name, value) in person.extra.iter() {
                let entry = found.entry(name.to_lowercase()).or_insert_with(|| (name.into(), "".into()));
                if entry.1.is_empty() {
                    entry.1 = value.into();
                }
            }
        }
        Extra::new(found.into_values())
    }
}
