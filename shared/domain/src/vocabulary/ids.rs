//! The names of things: connections, people, accounts, anchors. Parsed once, valid inside.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::vocabulary::inline::Inline;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $text:ty) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name($text);

        impl $name {
            /// Takes the text as it is; the caller has checked it.
            pub fn new(text: impl Into<Box<str>>) -> Self {
                Self(<$text>::from(text.into()))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(<$text>::from(text))
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    };
}

/// A text id that is shared.
macro_rules! shared_id {
    ($(#[$doc:meta])* $name:ident) => {
        text_id! { $(#[$doc])* $name, Arc<str> }

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

/// A text id that lies where it is held, up to so many bytes.
macro_rules! inline_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        text_id! { $(#[$doc])* $name, Inline<$bytes> }

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }
    };
}

macro_rules! shown {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.as_str())
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

shared_id! {
    /// One pairing of a source and a tenant, as named in `hardmatch.toml`. Shared: every person and link names one.
    ConnectionId
}
shown!(ConnectionId);

inline_id! {
    /// The tenant's directory id (a GUID in text), lower case.
    TenantId, 38
}
shown!(TenantId);

inline_id! {
    /// An account's object id in the tenant (a GUID in text, lower case). Says nothing about the person.
    ObjectId, 38
}
shown!(ObjectId);

inline_id! {
    /// The source's unchanging key of one entry: canonical GUID text where the source has GUIDs, otherwise the
    /// configured key's own text. Some sources use personal data as key, so it prints redacted.
    PersonKey, 38
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonKey(…)")
    }
}

inline_id! {
    /// What the tenant stores as `onPremisesImmutableId`: base64 of the 16 GUID bytes in AD order, or any configured
    /// immutable text. Compared byte for byte: base64 is case-sensitive although the tenant's filters are not.
    /// <https://learn.microsoft.com/entra/identity/hybrid/connect/plan-connect-design-concepts>
    ImmutableId, 30
}

inline_id! {
    /// The name of a source attribute that anchors people, as in `anchor.from`.
    AnchorName, 22
}
shown!(AnchorName);

impl fmt::Debug for ImmutableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImmutableId(…)")
    }
}

impl ImmutableId {
    /// The encoded anchor of a GUID given as its 16 bytes in AD (little-endian) order.
    pub fn from_guid(guid: &Guid) -> Self {
        Self::new(STANDARD.encode(guid.ad_bytes()))
    }

    /// The GUID this ID encodes, when it is the base64 of exactly 16 bytes.
    pub fn to_guid(&self) -> Option<Guid> {
        let bytes = STANDARD.decode(self.as_str()).ok()?;
        Some(Guid::from_ad_bytes(bytes.try_into().ok()?))
    }

    /// The ID that results when the same GUID is encoded in text byte order: the commonest hand-made mistake.
    pub fn text_order_twin(&self) -> Option<ImmutableId> {
        let guid = self.to_guid()?;
        Some(Self::new(STANDARD.encode(guid.text_bytes())))
    }
}

/// A GUID. AD and LDAP give its bytes with the first three fields little-endian; text shows them big-endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid([u8; 16]);

impl Guid {
    /// From the 16 bytes as AD and LDAP give them.
    pub fn from_ad_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// From text: 32 hex digits, with or without hyphens, braces, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
        let mut digits = [0u8; 32];
        let mut count = 0;
        for (at, byte) in text.bytes().enumerate() {
            if byte == b'-' && text.len() == 36 && matches!(at, 8 | 13 | 18 | 23) {
                continue;
            }
            let digit = (byte as char).to_digit(16)?;
            *digits.get_mut(count)? = u8::try_from(digit).ok()?;
            count += 1;
        }
        if count != 32 {
            return None;
        }
        let mut bytes = [0u8; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Some(Self(swap(bytes)))
    }

    /// The bytes as AD and LDAP give them.
    pub fn ad_bytes(&self) -> [u8; 16] {
        self.0
    }

    /// The bytes in the order the text shows them.
    pub fn text_bytes(&self) -> [u8; 16] {
        swap(self.0)
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.text_bytes().iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guid({self})")
    }
}

fn swap(b: [u8; 16]) -> [u8; 16] {
    [b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]]
}

/// A person of a connection: the name under which links, changes and look-ups refer to them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PersonRef {
    /// The connection whose source knows the person.
    pub connection: ConnectionId,
    /// The person's key in that source.
    pub key: PersonKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k9_known_guid_gives_known_immutable_id() {
        for (text, id) in [
            ("01234567-89ab-cdef-0123-456789abcdef", "Z0UjAauJ780BI0VniavN7w=="),
            ("{9C5923E9-DE52-33EA-88DE-7EBC8633B9CC}", "6SNZnFLe6jOI3n68hjO5zA=="),
            ("3f2504e04f8911d39a0c0305e82c3301", "4AQlP4lP0xGaDAMF6CwzAQ=="),
            ("897485c7-81a7-42e3-97c6-37ed73077b1f", "x4V0iaeB40KXxjftcwd7Hw=="),
        ] {
            let guid = Guid::parse(text).unwrap();
            assert_eq!(ImmutableId::from_guid(&guid).as_str(), id);
            assert_eq!(ImmutableId::new(id).to_guid(), Some(guid));
        }
    }

    #[test]
    fn d12_text_order_is_the_twin_not_the_id() {
        let guid = Guid::parse("01234567-89ab-cdef-0123-456789abcdef").unwrap();
        let twin = ImmutableId::from_guid(&guid).text_order_twin().unwrap();
        assert_eq!(twin.as_str(), "ASNFZ4mrze8BI0VniavN7w==");
    }

    #[test]
    fn half_a_guid_is_none() {
        for text in ["", "0123", "01234567-89ab-cdef-0123-456789abcde", "g1234567-89ab-cdef-0123-456789abcdef"] {
            assert_eq!(Guid::parse(text), None, "{text}");
        }
    }
}
