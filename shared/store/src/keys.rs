//! Where everything lies. The one place that spells keys; nothing personal is ever in one.

use hardmatch_domain::facts::{By, lookup_form};
use hardmatch_domain::ids::{ConnectionId, ObjectId, PersonKey};
use hardmatch_ports::Key;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A person's place in keys: a keyed hash of the person's key, 32 hex digits. Sorts evenly, says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonHash([u8; 16]);

impl PersonHash {
    /// From its bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
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

    /// A looked-up value's place in keys.
    fn value(&self, by: By, value: &str) -> String {
        hex(&self.hash(&[by.name(), &lookup_form(value)]))
    }
}

/// Cloud and tenant: accounts, and look-ups over all connections of the tenant, lie under it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TenantKey(String);

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

pub(crate) fn connection(c: &ConnectionId, sk: impl Into<String>) -> Key {
    Key::new(format!("CONN#{c}"), sk)
}

/// A link to connect, or an attempt to: under the hash of what opens it.
pub(crate) fn connect(id: &str, sk: &str) -> Key {
    Key::new(format!("CONNECT#{id}"), sk)
}

pub(crate) fn person_pk(c: &ConnectionId, pid: PersonHash) -> String {
    format!("P#{c}#{}", pid.hex())
}

pub(crate) fn person(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(person_pk(c, pid), "PERSON")
}

pub(crate) fn change(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(person_pk(c, pid), "CHANGE")
}

/// People who wait for others to have an account.
pub(crate) fn waiting_pk(c: &ConnectionId) -> String {
    format!("WAIT#{c}")
}

/// One person who waits for another.
pub(crate) fn waiting(c: &ConnectionId, target: PersonHash, who: PersonHash) -> Key {
    Key::new(waiting_pk(c), format!("{}#{}", target.hex(), who.hex()))
}

/// Whom somebody waits for, and who.
pub(crate) fn waiting_of(key: &Key) -> Option<(PersonHash, PersonHash)> {
    let (target, who) = key.sk.split_once('#')?;
    Some((PersonHash::parse(target)?, PersonHash::parse(who)?))
}

/// One entry of a person's history: what became of them in a run. Runs are named so that they sort by time.
pub(crate) fn history(c: &ConnectionId, pid: PersonHash, run: &str) -> Key {
    Key::new(person_pk(c, pid), format!("HIST#{run}"))
}

/// Whose partition a key lies in.
pub(crate) fn pid_of(key: &Key) -> Option<PersonHash> {
    key.pk.rsplit('#').next().and_then(PersonHash::parse)
}

pub(crate) fn person_link(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(person_pk(c, pid), "LINK")
}

/// Where people lie who hold a value: a partition, and how sort keys in it begin. Whoever signs in with a name mostly
/// receives mail under it, too: sign-in names and addresses lie together under their local part, one item for both and
/// for the local part itself. The item says as what its person holds the name.
pub(crate) fn person_lookup(scope: &TenantKey, secret: &Secret, by: By, value: &str) -> (String, String) {
    let pk = |by: By, value: &str| format!("KP#{}#{}#{}", scope.as_str(), by.name(), secret.value(by, value));
    match by {
        By::Upn | By::Address => {
            let form = lookup_form(value);
            let local = form.rsplit_once('@').map_or(form.as_str(), |(local, _)| local);
            (pk(By::LocalPart, local), format!("{}#", secret.value(By::Address, value)))
        }
        By::ImmutableId | By::EmployeeId | By::LocalPart | By::Name | By::Proof(_) => (pk(by, value), String::new()),
    }
}

/// A person's entry there.
pub(crate) fn person_entry((pk, prefix): (String, String), c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(pk, format!("{prefix}{c}#{}", pid.hex()))
}

pub(crate) fn account_pk(scope: &TenantKey, id: &ObjectId) -> String {
    format!("A#{}#{id}", scope.as_str())
}

pub(crate) fn account(scope: &TenantKey, id: &ObjectId) -> Key {
    Key::new(account_pk(scope, id), "ACCOUNT")
}

/// Whether an item is a person or an account itself, not something that leads there.
pub(crate) fn is_fact(key: &Key) -> bool {
    key.sk == "PERSON" || key.sk == "ACCOUNT"
}

pub(crate) fn link(scope: &TenantKey, id: &ObjectId) -> Key {
    Key::new(account_pk(scope, id), "LINK")
}

pub(crate) fn account_lookup_pk(scope: &TenantKey, secret: &Secret, by: By, value: &str) -> String {
    format!("KA#{}#{}#{}", scope.as_str(), by.name(), secret.value(by, value))
}

pub(crate) fn account_lookup(scope: &TenantKey, secret: &Secret, by: By, value: &str, id: &ObjectId) -> Key {
    Key::new(account_lookup_pk(scope, secret, by, value), id.as_str())
}

pub(crate) fn holder_pk(scope: &TenantKey, secret: &Secret, address: &str) -> String {
    format!("KA#{}#hold#{}", scope.as_str(), secret.value(By::Address, address))
}

pub(crate) fn tenant(scope: &TenantKey, sk: impl Into<String>) -> Key {
    Key::new(format!("T#{}", scope.as_str()), sk)
}

pub(crate) fn run(id: &str, part: &str, sk: impl Into<String>) -> Key {
    Key::new(format!("R#{id}#{part}"), sk)
}

pub(crate) fn lane_pk(run: &str) -> String {
    format!("LANE#{run}")
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
