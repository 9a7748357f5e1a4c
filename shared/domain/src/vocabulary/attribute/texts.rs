//! A packed list of texts.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
