//! A packed set of attribute values: one allocation a person, so that 200,000 people and as many accounts fit in memory
//! together.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::vocabulary::attribute::{Attr, DirectoryExtension};

/// A set of attribute values, at most one a name, in one allocation. An empty text means "has the attribute, and it is
/// empty"; an attribute that is not in the set says nothing.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// Bit n is set when `Attr` n is present; [`WIDE`] when the ends are written wide.
    present: u64,
    /// Where each present value ends, counted from the first value's begin, in attribute order; then the values.
    packed: Box<str>,
    /// Directory extensions, by name. Few tenants have any, and one word says so.
    extensions: Option<Box<Extensions>>,
}

/// Values of directory extensions, sorted by name, each once; never empty.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Extensions(Vec<(DirectoryExtension, Box<str>)>);

/// Set when the values are too long together for narrow ends.
const WIDE: u64 = 1 << 63;
/// Characters of an end, seven bits each so that they are text too.
const NARROW_END: usize = 2;
const WIDE_END: usize = 5;

impl Attributes {
    /// Packs the pairs; a later value of the same attribute replaces an earlier one.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (Attr, &'a str)>) -> Self {
        let mut values: [Option<&str>; Attr::ALL.len()] = [None; Attr::ALL.len()];
        let mut extensions: BTreeMap<DirectoryExtension, &str> = BTreeMap::new();
        for (attr, value) in pairs {
            match (attr.place(), attr) {
                (Some(place), _) => values[usize::from(place)] = Some(value),
                (None, Attr::Directory(extension)) => {
                    extensions.insert(extension, value);
                }
                (None, _) => {}
            }
        }
        let extensions: Vec<_> = extensions.into_iter().map(|(name, value)| (name, value.into())).collect();
        let extensions = (!extensions.is_empty()).then(|| Box::new(Extensions(extensions)));
        Self { extensions, ..Self::from_slots(&values) }
    }

    fn from_slots(values: &[Option<&str>; Attr::ALL.len()]) -> Self {
        let (count, length) =
            values.iter().flatten().fold((0, 0), |(count, length), value| (count + 1, length + value.len()));
        if count == 0 {
            return Self::default();
        }
        let (width, mut present) = if length >> (7 * NARROW_END) == 0 { (NARROW_END, 0) } else { (WIDE_END, WIDE) };
        let mut packed = String::with_capacity(width * count + length);
        let mut end = 0;
        for (at, value) in values.iter().enumerate() {
            if let Some(value) = value {
                present |= 1 << at;
                end += value.len();
                packed.extend((0..width).map(|place| char::from(seven_bits(end, place))));
            }
        }
        values.iter().flatten().for_each(|value| packed.push_str(value));
        Self { present, packed: packed.into(), extensions: None }
    }

    /// The value, `Some("")` when it is known to be empty.
    pub fn get(&self, attr: Attr) -> Option<&str> {
        let Some(place) = attr.place() else {
            let extension = attr.directory_extension()?;
            return self.extensions().find(|(name, _)| *name == extension).map(|(_, value)| value);
        };
        let bit = 1u64 << place;
        if self.present & bit == 0 {
            return None;
        }
        let rank = (self.present & (bit - 1)).count_ones() as usize;
        let (first, start, end) =
            if self.present & WIDE == 0 { self.span::<NARROW_END>(rank) } else { self.span::<WIDE_END>(rank) };
        self.packed.get(first + start..first + end)
    }

    /// Where the values begin, and where the value of that rank begins and ends, counted from there.
    fn span<const WIDTH: usize>(&self, rank: usize) -> (usize, usize, usize) {
        let (ends, _) = self.packed.as_bytes().as_chunks::<WIDTH>();
        let end = |rank: usize| ends[rank].iter().rev().fold(0, |end, digit| end << 7 | usize::from(*digit));
        (WIDTH * self.packed_len(), rank.checked_sub(1).map_or(0, end), end(rank))
    }

    /// The value when there is one and it is not empty.
    pub fn filled(&self, attr: Attr) -> Option<&str> {
        self.get(attr).filter(|value| !value.is_empty())
    }

    /// The pairs, in attribute order; directory extensions last, by name.
    pub fn iter(&self) -> impl Iterator<Item = (Attr, &str)> {
        let packed = Attr::ALL.iter().filter_map(|&attr| self.get(attr).map(|value| (attr, value)));
        packed.chain(self.extensions().map(|(name, value)| (Attr::Directory(name), value)))
    }

    /// The directory extensions in the set, by name.
    pub fn extensions(&self) -> impl Iterator<Item = (DirectoryExtension, &str)> {
        self.extensions.iter().flat_map(|some| some.0.iter()).map(|(name, value)| (*name, &**value))
    }

    /// A copy of the set with one value replaced or added.
    #[must_use]
    pub fn with(&self, attr: Attr, value: &str) -> Self {
        Self::from_pairs(self.iter().chain([(attr, value)]))
    }

    /// A copy of the set without one attribute.
    #[must_use]
    pub fn without(&self, attr: Attr) -> Self {
        Self::from_pairs(self.iter().filter(|(have, _)| *have != attr))
    }

    /// This set overlaid with another: its values win.
    #[must_use]
    pub fn overlaid(&self, over: &Attributes) -> Self {
        Self::from_pairs(self.iter().chain(over.iter()))
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.present == 0 && self.extensions.is_none()
    }

    /// How many attributes are in the set.
    pub fn len(&self) -> usize {
        self.packed_len() + self.extensions.as_ref().map_or(0, |some| some.0.len())
    }

    fn packed_len(&self) -> usize {
        (self.present & !WIDE).count_ones() as usize
    }
}

/// Seven bits of an end, the lowest first.
#[expect(clippy::cast_possible_truncation, reason = "seven bits are wanted")]
fn seven_bits(end: usize, place: usize) -> u8 {
    (end >> (7 * place)) as u8 & 0x7f
}

/// Personal data: names of the attributes, never their values.
impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(attr, _)| attr)).finish()
    }
}

impl<'a> FromIterator<(Attr, &'a str)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (Attr, &'a str)>>(pairs: I) -> Self {
        Self::from_pairs(pairs)
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (attr, value) in self.iter() {
            map.serialize_entry(attr.name(), value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Attributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of attribute names to texts")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Attributes, M::Error> {
                let mut pairs: Vec<(Attr, std::borrow::Cow<'de, str>)> =
                    Vec::with_capacity(map.size_hint().unwrap_or(24));
                while let Some((attr, value)) = map.next_entry::<Attr, std::borrow::Cow<'de, str>>()? {
                    pairs.push((attr, value));
                }
                Ok(Attributes::from_pairs(pairs.iter().map(|(attr, value)| (*attr, value.as_ref()))))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_values_come_back() {
        let set =
            Attributes::from_pairs([(Attr::Surname, "Hopper"), (Attr::Department, ""), (Attr::GivenName, "Grace")]);
        assert_eq!(set.get(Attr::GivenName), Some("Grace"));
        assert_eq!(set.get(Attr::Surname), Some("Hopper"));
        assert_eq!(set.get(Attr::Department), Some(""));
        assert_eq!(set.filled(Attr::Department), None);
        assert_eq!(set.get(Attr::City), None);
        assert_eq!(set.with(Attr::City, "York").without(Attr::Surname).len(), 3);
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<Attributes>(&json).unwrap(), set);
        assert!(!format!("{set:?}").contains("Hopper"));
    }

    #[test]
    fn packed_values_come_back_whatever_their_lengths() {
        let narrow = (1 << (7 * NARROW_END)) - 1;
        for total in [0, 1, 126, 127, 128, 255, 256, narrow, narrow + 1, 40_000, 3_000_000] {
            let long = "x".repeat(total);
            let set = Attributes::from_pairs([(Attr::JobTitle, ""), (Attr::City, long.as_str())]);
            assert_eq!(set.get(Attr::City), Some(long.as_str()), "{total}");
            assert_eq!((set.get(Attr::JobTitle), set.len()), (Some(""), 2), "{total}");
            let more = set.with(Attr::ExtensionAttribute15, "é€");
            assert_eq!(more.get(Attr::ExtensionAttribute15), Some("é€"), "{total}");
            assert_eq!(more.get(Attr::City), Some(long.as_str()), "{total}");
            assert_eq!(more.without(Attr::ExtensionAttribute15), set, "equal sets are equal bytes: {total}");
        }
        assert!(Attributes::from_pairs([]).is_empty());
    }

    #[test]
    fn directory_extensions_come_back_by_name() {
        let of = |own: &str| Attr::parse(&format!("extension_b7d8e648520f41d3b9c0fdeb91768a0a_{own}")).unwrap();
        let set = Attributes::from_pairs([
            (of("b"), "2"),
            (Attr::City, "York"),
            (of("a"), "1"),
            (of("b"), ""),
            (of("c"), "3"),
        ]);
        assert_eq!((set.get(of("a")), set.get(of("b")), set.filled(of("b"))), (Some("1"), Some(""), None));
        assert_eq!((set.get(of("d")), set.get(Attr::City), set.len()), (None, Some("York"), 4));
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<Attributes>(&json).unwrap(), set);
        let names: Vec<Attr> = set.iter().map(|(attr, _)| attr).collect();
        assert_eq!(names, [Attr::City, of("a"), of("b"), of("c")]);
        let less = set.without(of("a")).without(of("b")).without(of("c"));
        assert_eq!(less, Attributes::from_pairs([(Attr::City, "York")]));
        assert_eq!(less.overlaid(&set), set);
        assert!(!Attributes::from_pairs([(of("a"), "1")]).is_empty());
    }

    #[test]
    fn extension_attributes_know_their_number() {
        assert_eq!(Attr::ExtensionAttribute1.extension_number(), Some(1));
        assert_eq!(Attr::ExtensionAttribute15.extension_number(), Some(15));
        assert_eq!(Attr::Mail.extension_number(), None);
    }
}
