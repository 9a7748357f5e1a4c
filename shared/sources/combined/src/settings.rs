//! The sources, and which of them counts for what.

use std::collections::BTreeMap;
use std::sync::Arc;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::{Guid, PersonKey};
use hardmatch_domain::person::Person;
use hardmatch_ports::Source;

/// Several sources that are read as one.
pub struct CombinedSettings {
    /// In the order in which they count.
    pub parts: Vec<Part>,
    /// Which of them gives an attribute, where that is not this order.
    pub precedence: Precedence,
    /// When a person of several sources is disabled.
    pub disabled: Disabled,
}

/// One source of several.
pub struct Part {
    /// Its name: among the sources unique, and the same in every reading.
    pub name: Box<str>,
    /// What reads it.
    pub source: Arc<dyn Source>,
    /// Whether an entry that no other source has is a person.
    pub adds_people: bool,
    /// Whether keys that are no GUIDs stand as they are, without the source's name before them.
    pub plain_keys: bool,
    /// By what entries of one person are found; `None` finds none.
    pub join: Option<JoinBy>,
}

/// By what entries of one person are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinBy {
    /// An account attribute.
    Attribute(Attr),
    /// An anchor, by the name of its source attribute.
    Anchor(Box<str>),
    /// An attribute of the source that people keep.
    Source(Box<str>),
}

/// Attribute to the sources that give it, by their place: the first that has a value. Attributes have their names in Graph;
/// beside them there are `anchor`, `enabled`, `groups`, `manager`, `passwordExpired` and `proxyAddresses`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precedence(pub BTreeMap<String, Vec<usize>>);

/// When a person of several sources is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disabled {
    /// As the first source says that says anything, in the order of precedence of `enabled`.
    First,
    /// In any source.
    Any,
    /// In every source that says anything.
    All,
}

impl Precedence {
    /// The places of `there` that give an attribute, in their order.
    pub(crate) fn of(&self, attribute: &str, there: &[usize]) -> Vec<usize> {
        match self.0.get(attribute) {
            Some(listed) => listed.iter().copied().filter(|place| there.contains(place)).collect(),
            None => there.to_vec(),
        }
    }
}

impl Disabled {
    /// What several sources together say of whether a person may sign in. `said` is in the order of precedence.
    pub(crate) fn together(self, said: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
        let mut said = said.into_iter().flatten();
        match self {
            Disabled::First => said.next(),
            Disabled::Any => said.reduce(|all, one| all && one),
            Disabled::All => said.reduce(|any, one| any || one),
        }
    }
}

impl Part {
    /// The key that an entry has by itself: unique among all sources.
    pub(crate) fn own_key(&self, native: &PersonKey) -> PersonKey {
        let text = native.as_str();
        let is_guid = Guid::parse(text).is_some_and(|guid| guid.to_string() == text);
        if self.plain_keys || is_guid {
            return native.clone();
        }
        PersonKey::new(format!("{}:{text}", self.name))
    }

    /// What the entry is joined by, as a text that is equal for entries of one person.
    pub(crate) fn join_value(&self, person: &Person) -> Option<String> {
        let text = match self.join.as_ref()? {
            JoinBy::Attribute(attr) => person.attributes.filled(*attr)?.to_lowercase(),
            // Immutable IDs are told apart by upper and lower case.
            JoinBy::Anchor(name) => {
                let found = person.anchors.iter().find(|anchor| anchor.from.as_str().eq_ignore_ascii_case(name))?;
                found.id.as_str().to_owned()
            }
            JoinBy::Source(name) => person.extra.get(name)?.to_lowercase(),
        };
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}
