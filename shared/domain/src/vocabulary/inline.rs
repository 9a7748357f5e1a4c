//! A short text that lies where it is held: names of people and accounts are compared and copied by the hundred thousand,
//! and nearly all of them are GUIDs. Longer ones are kept on the heap; nobody sees the difference.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text of which up to `N` bytes are held in place. Two less than a multiple of eight wastes nothing.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Inline<const N: usize> {
    /// What follows the text is zero, so that equal texts are equal bytes.
    Here { len: u8, bytes: [u8; N] },
    /// Longer than `N` bytes.
    Heap(Box<str>),
}

impl<const N: usize> Inline<N> {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Inline::Here { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Inline::Heap(text) => text.as_bytes(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            // Made of a text, so it always is one.
            Inline::Here { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Inline::Heap(text) => text,
        }
    }

    fn here(text: &str) -> Option<Self> {
        let len = u8::try_from(text.len()).ok()?;
        let mut bytes = [0; N];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Inline::Here { len, bytes })
    }
}

impl<const N: usize> From<&str> for Inline<N> {
    fn from(text: &str) -> Self {
        Self::here(text).unwrap_or_else(|| Inline::Heap(text.into()))
    }
}

impl<const N: usize> From<Box<str>> for Inline<N> {
    fn from(text: Box<str>) -> Self {
        Self::here(&text).unwrap_or(Inline::Heap(text))
    }
}

/// As texts are ordered, whatever their lengths.
impl<const N: usize> Ord for Inline<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl<const N: usize> PartialOrd for Inline<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> Hash for Inline<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl<const N: usize> Serialize for Inline<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Inline<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<const N: usize>;
        impl<const N: usize> serde::de::Visitor<'_> for Text<N> {
            type Value = Inline<N>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Inline<N>, E> {
                Ok(text.into())
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Six = Inline<6>;

    #[test]
    fn texts_come_back_and_keep_their_order_however_they_are_held() {
        let texts = ["", "a", "ab", "abcdef", "abcdefg", "abcdeg", "é€", "é€é€é€", "z"];
        for one in texts {
            assert_eq!(Six::from(one).as_str(), one);
            assert!(Six::from(one) == Six::from(Box::<str>::from(one)), "one way to hold {one}");
            let json = serde_json::to_string(&Six::from(one)).unwrap();
            assert_eq!(json, serde_json::to_string(one).unwrap());
            assert_eq!(serde_json::from_str::<Six>(&json).unwrap().as_str(), one);
            for other in texts {
                assert_eq!(Six::from(one).cmp(&Six::from(other)), one.cmp(other), "{one} {other}");
                assert_eq!(Six::from(one) == Six::from(other), one == other, "{one} {other}");
            }
        }
    }

    #[test]
    fn only_long_texts_are_on_the_heap() {
        assert!(matches!(Six::from("abcdef"), Inline::Here { .. }));
        assert!(matches!(Six::from("abcdefg"), Inline::Heap(_)));
        assert_eq!(size_of::<Inline<38>>(), 40);
    }
}
