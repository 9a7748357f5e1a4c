//! Entries as they come over the wire: names and bytes. The library's own reading panics on what it does not expect and
//! sorts values into texts and bytes by whether they happen to be text.

use std::fmt::Write as _;

use ldap3::ResultEntry;
use ldap3::asn1::{PL, StructureTag};

/// One answer of a search.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// An entry.
    Entry(WireEntry),
    /// A part of the tree that lies elsewhere: where.
    Reference(String),
    /// Something that is neither.
    Other,
}

/// An entry: its name, and its attributes with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WireEntry {
    pub(crate) dn: String,
    pub(crate) attributes: Vec<WireAttribute>,
}

/// An attribute with its options, as the server spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WireAttribute {
    pub(crate) name: String,
    pub(crate) values: Vec<Vec<u8>>,
}

/// Which part of a list of values there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// All values.
    Whole,
    /// A part, behind which the list goes on at this place.
    GoesOn(u64),
    /// The last part.
    Last,
}

impl Range {
    /// Where the list goes on.
    pub(crate) fn next(self) -> Option<u64> {
        match self {
            Self::GoesOn(from) => Some(from),
            Self::Whole | Self::Last => None,
        }
    }
}

/// Bytes in a filter. <https://www.rfc-editor.org/rfc/rfc4515#section-3>
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "\\{byte:02x}");
    }
    text
}

impl WireAttribute {
    /// The name with its options, as the server spells it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl WireEntry {
    /// The values of an attribute without options, without regard to case.
    pub(crate) fn values(&self, name: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name));
        found.map_or(&[], |attribute| &attribute.values)
    }

    /// The first value of an attribute as text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values(name).first().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The values of an attribute that are texts.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).iter().filter_map(|value| std::str::from_utf8(value).ok())
    }
}

impl WireAttribute {
    /// The name without options.
    pub(crate) fn base(&self) -> &str {
        self.name.split(';').next().unwrap_or_default()
    }

    /// Whether the values are in a certain language.
    pub(crate) fn is_translated(&self) -> bool {
        self.options().any(|option| option.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("lang-")))
    }

    /// Whether these values are a part of a list, and where it goes on: `member;range=0-1499` at 1500.
    pub(crate) fn range(&self) -> Range {
        let range = self.options().find_map(|option| {
            let (name, range) = option.split_once('=')?;
            name.eq_ignore_ascii_case("range").then_some(range)?.split_once('-')
        });
        match range {
            None => Range::Whole,
            Some((_, to)) => match to.parse::<u64>().ok().and_then(|to| to.checked_add(1)) {
                Some(from) => Range::GoesOn(from),
                None => Range::Last,
            },
        }
    }

    fn options(&self) -> impl Iterator<Item = &str> {
        self.name.split(';').skip(1)
    }
}

/// An entry as bytes: how many attributes, then each with its name and values, every text behind its length.
impl WireEntry {
    /// As bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, self.dn.as_bytes());
        put_number(&mut bytes, self.attributes.len());
        for attribute in &self.attributes {
            put_bytes(&mut bytes, attribute.name.as_bytes());
            put_number(&mut bytes, attribute.values.len());
            attribute.values.iter().for_each(|value| put_bytes(&mut bytes, value));
        }
        bytes
    }

    /// From bytes; `None` where they are damaged.
    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let from = &mut bytes;
        let dn = take_text(from)?;
        let mut attributes = Vec::new();
        for _ in 0..take_number(from)? {
            let name = take_text(from)?;
            let mut values = Vec::new();
            for _ in 0..take_number(from)? {
                values.push(take_bytes(from)?.to_vec());
            }
            attributes.push(WireAttribute { name, values });
        }
        Some(Self { dn, attributes })
    }
}

/// Writes a number in four bytes.
pub(crate) fn put_number(to: &mut Vec<u8>, number: usize) {
    to.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

/// Writes bytes behind their length.
pub(crate) fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put_number(to, bytes.len());
    to.extend_from_slice(bytes);
}

/// Reads a number of four bytes.
pub(crate) fn take_number(from: &mut &[u8]) -> Option<usize> {
    let (number, rest) = from.split_first_chunk::<4>()?;
    *from = rest;
    usize::try_from(u32::from_le_bytes(*number)).ok()
}

/// Reads bytes behind their length.
pub(crate) fn take_bytes<'b>(from: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = take_number(from)?;
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(bytes)
}

/// Reads a text behind its length.
pub(crate) fn take_text(from: &mut &[u8]) -> Option<String> {
    String::from_utf8(take_bytes(from)?.to_vec()).ok()
}

/// Reads an answer; `None` where it is malformed.
pub(crate) fn answer(result: ResultEntry) -> Option<Answer> {
    if result.is_intermediate() {
        return Some(Answer::Other);
    }
    let reference = result.is_ref();
    let PL::C(parts) = result.0.payload else { return None };
    if reference {
        return Some(Answer::Reference(parts.into_iter().find_map(text).unwrap_or_default()));
    }
    let mut parts = parts.into_iter();
    let dn = text(parts.next()?)?;
    let attributes = constructed(parts.next()?)?.into_iter().map(attribute).collect::<Option<Vec<_>>>()?;
    Some(Answer::Entry(WireEntry { dn, attributes }))
}

fn attribute(tag: StructureTag) -> Option<WireAttribute> {
    let mut parts = constructed(tag)?.into_iter();
    let name = text(parts.next()?)?;
    let values = constructed(parts.next()?)?.into_iter().map(bytes).collect::<Option<Vec<_>>>()?;
    Some(WireAttribute { name, values })
}

fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

fn bytes(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

fn text(tag: StructureTag) -> Option<String> {
    String::from_utf8(bytes(tag)?).ok()
}

#[cfg(test)]
pub(crate) mod tests_support {
    use super::{WireAttribute, WireEntry};

    /// An entry with values that are texts.
    pub(crate) fn entry(dn: &str, attributes: &[(&str, &[&str])]) -> WireEntry {
        let attribute = |(name, values): &(&str, &[&str])| WireAttribute {
            name: (*name).to_owned(),
            values: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
        };
        WireEntry { dn: dn.to_owned(), attributes: attributes.iter().map(attribute).collect() }
    }

    impl WireEntry {
        /// The entry with one more value.
        pub(crate) fn with(mut self, name: &str, value: Vec<u8>) -> Self {
            self.attributes.push(WireAttribute { name: name.to_owned(), values: vec![value] });
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> WireAttribute {
        WireAttribute { name: name.to_owned(), values: Vec::new() }
    }

    #[test]
    fn a_range_says_where_it_goes_on() {
        for (name, range) in [
            ("member", Range::Whole),
            ("member;range=0-1499", Range::GoesOn(1500)),
            ("member;Range=1500-*", Range::Last),
            ("member;range=0-18446744073709551615", Range::Last),
            ("member;range=x", Range::Whole),
            ("description;lang-de", Range::Whole),
        ] {
            assert_eq!(named(name).range(), range, "{name}");
            assert!(["member", "description"].contains(&named(name).base()));
        }
        assert!(named("description;lang-de").is_translated());
        assert!(!named("member;range=0-1").is_translated());
    }

    #[test]
    fn entries_keep_every_byte_and_damaged_ones_are_none() {
        let entry = tests_support::entry("cn=x", &[("member;range=0-1", &["a", ""]), ("mail", &[])])
            .with("objectGUID", vec![0, 255, 10]);
        let bytes = entry.to_bytes();
        assert_eq!(WireEntry::from_bytes(&bytes), Some(entry));
        for length in 0..bytes.len() {
            assert_eq!(WireEntry::from_bytes(&bytes[..length]), None, "{length}");
        }
    }

    #[test]
    fn what_is_no_entry_is_told_and_panics_nowhere() {
        use ldap3::asn1::TagClass;
        let tag = |id, payload| StructureTag { class: TagClass::Application, id, payload };
        let dn = || tag(4, PL::P(b"cn=x".to_vec()));
        let entry = |parts| ResultEntry::new(tag(4, PL::C(parts)));
        assert!(answer(entry(vec![dn(), tag(16, PL::C(Vec::new()))])).is_some());
        for broken in [
            ResultEntry::new(tag(4, PL::P(Vec::new()))),
            entry(vec![]),
            entry(vec![dn()]),
            entry(vec![tag(4, PL::P(vec![0xff])), tag(16, PL::C(Vec::new()))]),
            entry(vec![dn(), tag(16, PL::P(Vec::new()))]),
            entry(vec![dn(), tag(16, PL::C(vec![tag(16, PL::C(vec![dn()]))]))]),
        ] {
            assert_eq!(answer(broken), None);
        }
        let reference = ResultEntry::new(tag(19, PL::C(vec![tag(4, PL::P(b"ldap://other/dc=x".to_vec()))])));
        assert_eq!(answer(reference), Some(Answer::Reference("ldap://other/dc=x".to_owned())));
    }
}
