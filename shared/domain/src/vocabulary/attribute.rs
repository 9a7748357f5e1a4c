//! Account attributes that text flows into, and a packed set of them: one allocation a person, so that 200,000 people
//! and as many accounts fit in memory together.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident = $graph:literal, $limit:literal;)*) => {
        /// A text attribute of an account that hardmatch can read and write, named as Microsoft Graph names it.
        /// <https://learn.microsoft.com/graph/api/resources/user>
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Attr { $($(#[$doc])* $name),* }

        impl Attr {
            /// Every attribute, in the order of the set.
            pub const ALL: &'static [Attr] = &[$(Attr::$name),*];

            /// Graph's property name.
            pub fn name(self) -> &'static str {
                match self { $(Attr::$name => $graph),* }
            }

            /// The longest value Graph takes, in characters.
            pub fn max_chars(self) -> usize {
                match self { $(Attr::$name => $limit),* }
            }

            /// The attribute of that Graph name, without regard to case.
            pub fn parse(name: &str) -> Option<Attr> {
                Attr::ALL.iter().copied().find(|attr| attr.name().eq_ignore_ascii_case(name))
            }
        }
    };
}

attributes! {
    /// Sign-in name.
    UserPrincipalName = "userPrincipalName", 113;
    /// Mail alias.
    MailNickname = "mailNickname", 64;
    /// Name shown in address lists. Cannot be cleared.
    DisplayName = "displayName", 256;
    /// First name.
    GivenName = "givenName", 64;
    /// Last name.
    Surname = "surname", 64;
    /// Title.
    JobTitle = "jobTitle", 128;
    /// Department.
    Department = "department", 64;
    /// Company.
    CompanyName = "companyName", 64;
    /// Employee number.
    EmployeeId = "employeeId", 16;
    /// Kind of employment, free text.
    EmployeeType = "employeeType", 1024;
    /// Office.
    OfficeLocation = "officeLocation", 128;
    /// Street.
    StreetAddress = "streetAddress", 1024;
    /// City.
    City = "city", 128;
    /// State or province.
    State = "state", 128;
    /// Postal code.
    PostalCode = "postalCode", 40;
    /// Country or region.
    Country = "country", 128;
    /// Two-letter country of use, needed for licences. Cannot be cleared once set.
    UsageLocation = "usageLocation", 2;
    /// The one business phone Graph accepts.
    BusinessPhones = "businessPhones", 64;
    /// Mobile phone.
    MobilePhone = "mobilePhone", 64;
    /// Fax.
    FaxNumber = "faxNumber", 64;
    /// Preferred language tag.
    PreferredLanguage = "preferredLanguage", 64;
    /// Primary address, where the directory masters it. Cannot be cleared.
    Mail = "mail", 113;
    /// Extension attribute 1.
    ExtensionAttribute1 = "extensionAttribute1", 1024;
    /// Extension attribute 2.
    ExtensionAttribute2 = "extensionAttribute2", 1024;
    /// Extension attribute 3.
    ExtensionAttribute3 = "extensionAttribute3", 1024;
    /// Extension attribute 4.
    ExtensionAttribute4 = "extensionAttribute4", 1024;
    /// Extension attribute 5.
    ExtensionAttribute5 = "extensionAttribute5", 1024;
    /// Extension attribute 6.
    ExtensionAttribute6 = "extensionAttribute6", 1024;
    /// Extension attribute 7.
    ExtensionAttribute7 = "extensionAttribute7", 1024;
    /// Extension attribute 8.
    ExtensionAttribute8 = "extensionAttribute8", 1024;
    /// Extension attribute 9.
    ExtensionAttribute9 = "extensionAttribute9", 1024;
    /// Extension attribute 10.
    ExtensionAttribute10 = "extensionAttribute10", 1024;
    /// Extension attribute 11.
    ExtensionAttribute11 = "extensionAttribute11", 1024;
    /// Extension attribute 12.
    ExtensionAttribute12 = "extensionAttribute12", 1024;
    /// Extension attribute 13.
    ExtensionAttribute13 = "extensionAttribute13", 1024;
    /// Extension attribute 14.
    ExtensionAttribute14 = "extensionAttribute14", 1024;
    /// Extension attribute 15.
    ExtensionAttribute15 = "extensionAttribute15", 1024;
}

impl Attr {
    /// Whether Graph refuses to clear the attribute once it has a value.
    pub fn keeps_a_value(self) -> bool {
        matches!(
            self,
            Attr::UserPrincipalName | Attr::DisplayName | Attr::MailNickname | Attr::UsageLocation | Attr::Mail
        )
    }

    /// Whether Graph counts a change of it as a sensitive action, refused for role holders.
    /// <https://learn.microsoft.com/graph/api/resources/users>
    pub fn is_sensitive(self) -> bool {
        matches!(self, Attr::UserPrincipalName | Attr::BusinessPhones | Attr::MobilePhone)
    }

    /// Which `extensionAttribute` it is, 1 to 15.
    pub fn extension_number(self) -> Option<u8> {
        let first = Attr::ExtensionAttribute1 as u8;
        (self as u8).checked_sub(first).map(|n| n + 1)
    }
}

impl fmt::Display for Attr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Attr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Attr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        Attr::parse(&name).ok_or_else(|| serde::de::Error::custom(format!("unknown attribute {name}")))
    }
}

/// A set of attribute values, at most one a name, in one allocation. An empty text means "has the attribute, and it is
/// empty"; an attribute that is not in the set says nothing.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// Bit n is set when `Attr` n is present; [`WIDE`] when the ends are written wide.
    present: u64,
    /// Where each present value ends, counted from the first value's begin, in attribute order; then the values.
    packed: Box<str>,
}

/// Set when the values are too long together for narrow ends.
const WIDE: u64 = 1 << 63;
/// Characters of an end, seven bits each so that they are text too.
const NARROW_END: usize = 2;
const WIDE_END: usize = 5;

impl Attributes {
    /// Packs the pairs; a later value of the same attribute replaces an earlier one.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (Attr, &'a str)>) -> Self {
        let mut values: [Option<&str>; Attr::ALL.len()] = [None; Attr::ALL.len()];
        for (attr, value) in pairs {
            values[attr as usize] = Some(value);
        }
        Self::from_slots(&values)
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
        Self { present, packed: packed.into() }
    }

    /// The value, `Some("")` when it is known to be empty.
    pub fn get(&self, attr: Attr) -> Option<&str> {
        let bit = 1u64 << attr as u8;
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
        (WIDTH * self.len(), rank.checked_sub(1).map_or(0, end), end(rank))
    }

    /// The value when there is one and it is not empty.
    pub fn filled(&self, attr: Attr) -> Option<&str> {
        self.get(attr).filter(|value| !value.is_empty())
    }

    /// The pairs, in attribute order.
    pub fn iter(&self) -> impl Iterator<Item = (Attr, &str)> {
        Attr::ALL.iter().filter_map(|&attr| self.get(attr).map(|value| (attr, value)))
    }

    /// The same set with one value replaced or added.
    #[must_use]
    pub fn with(&self, attr: Attr, value: &str) -> Self {
        Self::from_pairs(self.iter().chain([(attr, value)]))
    }

    /// The same set without one attribute.
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
        self.present == 0
    }

    /// How many attributes are in the set.
    pub fn len(&self) -> usize {
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

/// A list of texts in one allocation: groups, addresses. Order is kept.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Texts(Box<str>);

/// Unit separator: no address, group name or DN holds a control character (sources refuse them).
const BETWEEN: char = '\u{1f}';

impl Texts {
    /// Packs the texts; empty ones are left out.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut packed = String::new();
        for text in texts.into_iter().filter(|text| !text.is_empty()) {
            if !packed.is_empty() {
                packed.push(BETWEEN);
            }
            packed.extend(text.chars().filter(|c| *c != BETWEEN));
        }
        Self(packed.into())
    }

    /// The texts in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            // Lists are short: looking at each byte is quicker than any cleverer search.
            let end = rest.bytes().position(|byte| byte == BETWEEN as u8).unwrap_or(rest.len());
            let text = rest.get(..end).filter(|text| !text.is_empty())?;
            rest = rest.get(end + 1..).unwrap_or_default();
            Some(text)
        })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These and one more, unless it is among them.
    #[must_use]
    pub fn with(&self, text: &str) -> Self {
        if self.contains(text) { self.clone() } else { Self::new(self.iter().chain([text])) }
    }

    /// These without one.
    #[must_use]
    pub fn without(&self, text: &str) -> Self {
        Self::new(self.iter().filter(|have| *have != text))
    }

    /// Whether one equals `wanted`, byte for byte.
    pub fn contains(&self, wanted: &str) -> bool {
        self.iter().any(|text| text == wanted)
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Texts({})", self.iter().count())
    }
}

impl<'a> FromIterator<&'a str> for Texts {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        Self::new(texts)
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        Ok(Self::new(texts.iter().map(AsRef::as_ref)))
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
    fn extension_attributes_know_their_number() {
        assert_eq!(Attr::ExtensionAttribute1.extension_number(), Some(1));
        assert_eq!(Attr::ExtensionAttribute15.extension_number(), Some(15));
        assert_eq!(Attr::Mail.extension_number(), None);
    }
}
