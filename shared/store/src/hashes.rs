//! Keyed hashes and other parts of keys: nothing personal is ever in a key.

use hardmatch_domain::facts::{By, lookup_form};
use hardmatch_domain::ids::PersonKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A person's place in keys: a keyed hash of the person's key, 32 hex digits. Sorts evenly, says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonHash([u8; 16]);

impl PersonHash {
    /// From its bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes of the hash.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// As in keys.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// From the form in keys.
    pub fn parse(text: &str) -> Option<Self> {
        unhex(text)?.try_into().ok().map(Self)
    }

    /// The first bits as a number: which bucket or slice the person falls into.
    pub fn prefix(&self, bits: u32) -> usize {
        let head = u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]]);
        if bits == 0 { 0 } else { (head >> (32 - bits.min(32))) as usize }
    }
}

/// As in keys.
impl Serialize for PersonHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for PersonHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not 32 hex digits"))
    }
}

/// The secret of a table's keyed hashes, made once when the table is new.
#[derive(Clone)]
pub struct Secret(pub(crate) [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    fn whole(&self, parts: &[&str]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize()
    }

    fn hash(&self, parts: &[&str]) -> [u8; 16] {
        let mut short = [0u8; 16];
        short.copy_from_slice(&self.whole(parts).as_bytes()[..16]);
        short
    }

    /// The whole hash, for what must not be found by trying.
    pub(crate) fn long(&self, parts: &[&str]) -> String {
        hex(self.whole(parts).as_bytes())
    }

    /// A person's place in keys.
    pub fn pid(&self, key: &PersonKey) -> PersonHash {
        PersonHash(self.hash(&["person", key.as_str()]))
    }

    /// The place in keys of a value that a pushed resource has.
    pub(crate) fn pushed(&self, attribute: &str, value: &str) -> String {
        hex(&self.hash(&["pushed", attribute, value]))
    }

    /// A looked-up value's place in keys.
    pub(crate) fn value(&self, by: By, value: &str) -> String {
        hex(&self.hash(&[by.name(), &lookup_form(value)]))
    }
}

/// Cloud and tenant: accounts, and look-ups over all connections of the tenant, lie under it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TenantKey(pub(crate) String);

impl TenantKey {
    /// Of a Graph host and a directory id.
    pub fn new(graph_host: &str, tenant: &str) -> Self {
        Self(format!("{}~{}", graph_host.to_lowercase(), tenant.to_lowercase()))
    }

    /// Whether it is of this directory id, in whichever cloud.
    pub fn is_of(&self, tenant: &str) -> bool {
        self.0.split_once('~').is_some_and(|(_, of)| of == tenant.to_lowercase())
    }

    /// The text in keys.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

/// The bytes of lower-case or upper-case hex.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// People's places, one after the other: so many fit into one unit of the table that fifty people share an item.
pub(crate) fn pack(pids: &[PersonHash]) -> Vec<u8> {
    pids.iter().flat_map(|pid| pid.bytes().iter().copied()).collect()
}

/// The people of [`pack`].
pub(crate) fn unpack(body: &[u8]) -> Vec<PersonHash> {
    body.chunks_exact(16).filter_map(|bytes| bytes.try_into().ok().map(PersonHash::from_bytes)).collect()
}
