//! A person as the source describes them: an entry understood, normalised, with its anchors.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::vocabulary::attribute::{Attr, Attributes, Texts};
use crate::vocabulary::ids::{AnchorName, ConnectionId, ImmutableId, PersonKey, PersonRef};

/// A person of a source. Values are normalised at the door (trimmed, Unicode NFC); an attribute that the source does
/// not have at all is not in `attributes`, one that is empty there is an empty text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The source's unchanging key.
    pub key: PersonKey,
    /// Every anchor the source knows for the person, in the order of the policy's `anchor.from`: the first is the one
    /// an account gets, the others can prove identity. Empty: the person cannot be anchored.
    pub anchors: Vec<Anchor>,
    /// Account attributes by their Graph names, as the default flow would write them.
    pub attributes: Attributes,
    /// The primary SMTP address and the others.
    pub addresses: Addresses,
    /// Groups the source says the person is in: names (the first RDN of a DN) and, where given, full DNs.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub groups: Texts,
    /// The manager, when the source has the attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<Manager>,
    /// Whether the source lets the person sign in; `None` when it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether the source says the password has expired; `None` when it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_expired: Option<bool>,
    /// The source's own attributes that the policy's expressions name (`person.source['costCentre']`).
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
    /// Which sources of the connection gave the person; `None` where the connection has one source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_by: Option<Box<GivenBy>>,
}

/// Which of several sources of a connection gave a person.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GivenBy {
    /// The names of the sources that have the person, in the order in which they count.
    pub sources: Texts,
    /// Attribute to source, where a value is not the first source's.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub others: Extra,
}

impl Person {
    /// The ID the person's account gets, when there is one.
    pub fn immutable_id(&self) -> Option<&ImmutableId> {
        self.anchors.first().map(|anchor| &anchor.id)
    }

    /// Whether `id` is one of the person's anchors, byte for byte.
    pub fn knows_anchor(&self, id: &ImmutableId) -> bool {
        self.anchors.iter().any(|anchor| anchor.id == *id)
    }

    /// The wanted sign-in name as the source has it.
    pub fn upn(&self) -> Option<&str> {
        self.attributes.filled(Attr::UserPrincipalName)
    }
}

/// Personal data: only what is there, not what it says.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("attributes", &self.attributes).finish_non_exhaustive()
    }
}

/// A source attribute that can anchor an account, and the immutable ID it encodes to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Anchor {
    /// The source attribute's name, as in `anchor.from`.
    pub from: AnchorName,
    /// What the tenant would store.
    pub id: ImmutableId,
}

/// SMTP addresses, lower case, without the `smtp:` prefix.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "Told", into = "Told")]
pub struct Addresses {
    /// Which of them is the primary one.
    primary: Option<u16>,
    all: Texts,
}

impl Addresses {
    /// All of them, and the primary one: the one `SMTP:` entry, else the `mail` attribute. With several `SMTP:` entries
    /// there is none: nobody guesses. A primary address that is not among all of them is put first.
    pub fn new(primary: Option<Address>, all: Texts) -> Self {
        let Some(primary) = primary else { return Self { primary: None, all } };
        let at = all.iter().position(|address| address == primary.as_str());
        if let Some(at) = at.and_then(|at| u16::try_from(at).ok()) {
            return Self { primary: Some(at), all };
        }
        let all = Texts::new([primary.as_str()].into_iter().chain(all.iter()));
        Self { primary: Some(0), all }
    }

    /// The primary address, when there is exactly one.
    pub fn primary(&self) -> Option<&str> {
        self.all.iter().nth(usize::from(self.primary?))
    }

    /// All of them, the primary included.
    pub fn all(&self) -> &Texts {
        &self.all
    }
}

/// Addresses as they are stored.
#[derive(Serialize, Deserialize)]
struct Told {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    primary: Option<Address>,
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    all: Texts,
}

impl From<Told> for Addresses {
    fn from(told: Told) -> Self {
        Self::new(told.primary, told.all)
    }
}

impl From<Addresses> for Told {
    fn from(addresses: Addresses) -> Self {
        let primary = addresses.primary().map(|address| Address(address.into()));
        Self { primary, all: addresses.all }
    }
}

/// An SMTP address, lower case. Prints redacted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(Box<str>);

impl Address {
    /// Trims and lowers; `None` when it has no local part or no domain, or is more than one address.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.split_once('@')?;
        let foreign = |c: char| c.is_whitespace() || c.is_control() || "@;,|<>()[]:\"\\".contains(c);
        if local.is_empty() || domain.is_empty() || local.contains(foreign) || domain.contains(foreign) {
            return None;
        }
        Some(Self(text.to_lowercase().into()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// What the source says about a person's manager.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manager {
    /// The attribute is there and empty.
    Nobody,
    /// Another person of the same listing.
    Person(PersonKey),
    /// A reference that names nobody in the listing: outside it, or misspelt.
    Unknown(Box<str>),
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Manager::Nobody => "Nobody",
            Manager::Person(_) => "Person(…)",
            Manager::Unknown(_) => "Unknown(…)",
        })
    }
}

/// Named source attributes beside the known ones, sorted by name. Several values are joined with `;`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extra(Box<[(Box<str>, Box<str>)]>);

impl Extra {
    /// From name and value pairs.
    pub fn new(pairs: impl IntoIterator<Item = (Box<str>, Box<str>)>) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.sort();
        Self(pairs.into())
    }

    /// The value of an attribute, without regard to the name's case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_ref())
    }

    /// The pairs in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extra({})", self.0.len())
    }
}

/// A person as the store remembers them: facts, and whether the source still has them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PersonRecord {
    /// The connection whose source describes the person.
    pub connection: ConnectionId,
    /// The facts of the last listing that held them.
    pub person: Person,
    /// Whether the source has them.
    pub standing: SourceStatus,
    /// Raised whenever facts or standing change.
    pub revision: u64,
    /// Immutable IDs that the source gave the person before and gives no more, oldest first. Kept for ever.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<ImmutableId>,
}

impl PersonRecord {
    /// Under which the person is referred to.
    pub fn reference(&self) -> PersonRef {
        PersonRef { connection: self.connection.clone(), key: self.person.key.clone() }
    }

    /// The immutable IDs of before, once the source says of the person what `now` says.
    pub fn former_after(&self, now: &Person) -> Vec<ImmutableId> {
        let before = self.person.anchors.iter().map(|anchor| &anchor.id);
        let mut former: Vec<ImmutableId> = Vec::new();
        for id in self.former.iter().chain(before) {
            if !now.knows_anchor(id) && !former.contains(id) {
                former.push(id.clone());
            }
        }
        former
    }

    /// Whether the source no longer has the person.
    pub fn is_gone(&self) -> bool {
        matches!(self.standing, SourceStatus::Absent(_) | SourceStatus::Deleted(_))
    }
}

/// Whether the source has a person. Silence is not absence: only a complete listing, or the source's own word, moves
/// a person out of `Present`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "standing", content = "since")]
pub enum SourceStatus {
    /// In the last complete listing.
    Present,
    /// In the last listing, but refused there (a bad row with a readable key): seen, not understood. Nothing is
    /// decided from old facts, nothing is removed.
    Refused,
    /// Not in a complete listing since then (Unix seconds).
    Absent(i64),
    /// The source said so itself, then (Unix seconds).
    Deleted(i64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_stored_as_they_always_were() {
        for stored in [
            r#"{"primary":"ada@contoso.com","all":["a.l@contoso.com","ada@contoso.com"]}"#,
            r#"{"all":["a.l@contoso.com","ada@contoso.com"]}"#,
            "{}",
        ] {
            let addresses: Addresses = serde_json::from_str(stored).unwrap();
            assert_eq!(addresses.primary().is_some(), stored.contains("primary"), "{stored}");
            assert_eq!(serde_json::to_string(&addresses).unwrap(), stored);
        }
        let apart: Addresses = serde_json::from_str(r#"{"primary":"b@x.com","all":["a@x.com"]}"#).unwrap();
        assert_eq!((apart.primary(), apart.all().iter().count()), (Some("b@x.com"), 2));
    }
}
