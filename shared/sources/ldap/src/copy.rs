//! The copy of a directory as it was read last. Changes are laid over it, so that every reading gives the whole listing: an
//! entry leaves the copy only where the directory showed that it is gone.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::ids::PersonKey;

use crate::wire::{WireEntry, put_bytes, put_number, take_bytes, take_number, take_text};

/// The form of the bytes.
const HEAD: &[u8] = b"hardmatch directory copy 2\n";

/// A copy of more bytes is not kept, and the directory is read whole each time.
pub(crate) const LIMIT: usize = 256 * 1024 * 1024;

/// What an entry is known by, whatever it is called: the bytes of `objectGUID`, or the text of `entryUUID`.
pub(crate) type EntryId = Vec<u8>;

/// From where changes are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// Active Directory's control for changes. `as_reader`: without the right of replication.
    DirSync { invocation: Vec<u8>, as_reader: bool, cookie: Vec<u8> },
    /// Numbers of changes, which are of one controller in one life.
    Numbers { invocation: Vec<u8>, usn: u64 },
    /// Content synchronization (RFC 4533): cookies of people and of groups.
    Content { server: String, people: Vec<u8>, groups: Vec<u8> },
    /// Times of changes, as the server writes them.
    Times { server: String, latest: String },
}

impl Position {
    /// What it is called, for people.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::DirSync { as_reader: false, .. } => "DirSync",
            Self::DirSync { as_reader: true, .. } => "DirSync without the replication right",
            Self::Numbers { .. } => "uSNChanged",
            Self::Content { .. } => "content synchronization",
            Self::Times { .. } => "modifyTimestamp",
        }
    }
}

/// The copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    /// What was asked for: a copy of other questions is of no use.
    question: [u8; 16],
    pub(crate) position: Position,
    /// The server that it was read from.
    pub(crate) server: String,
    /// When the directory was read whole, and when anything was read of it (Unix seconds).
    pub(crate) full_at: i64,
    pub(crate) read_at: i64,
    /// Entries as bytes, by what they are known by.
    pub(crate) people: BTreeMap<EntryId, Vec<u8>>,
    pub(crate) groups: BTreeMap<EntryId, Vec<u8>>,
    /// DNs of organizational units and containers.
    pub(crate) containers: BTreeMap<EntryId, String>,
    pub(crate) listed: Listed,
    size: usize,
}

impl Copy {
    /// Of nobody yet. `question` is the digest of what was asked for.
    pub(crate) fn new(question: [u8; 16], position: Position, server: String, now: i64) -> Self {
        Self {
            question,
            position,
            server,
            full_at: now,
            read_at: now,
            people: BTreeMap::new(),
            groups: BTreeMap::new(),
            containers: BTreeMap::new(),
            listed: Listed::default(),
            size: 0,
        }
    }

    /// Whether it answers a question.
    pub(crate) fn fits(&self, question: [u8; 16]) -> bool {
        self.question == question
    }

    /// Keeps a person's entry.
    pub(crate) fn put_person(&mut self, id: EntryId, entry: &WireEntry) {
        let bytes = entry.to_bytes();
        self.size += bytes.len();
        if let Some(before) = self.people.insert(id, bytes) {
            self.size -= before.len().min(self.size);
        }
    }

    /// Forgets a person's entry.
    pub(crate) fn remove_person(&mut self, id: &EntryId) -> Option<WireEntry> {
        let bytes = self.people.remove(id)?;
        self.size -= bytes.len().min(self.size);
        WireEntry::from_bytes(&bytes)
    }

    /// A person's entry.
    pub(crate) fn person(&self, id: &EntryId) -> Option<WireEntry> {
        self.people.get(id).and_then(|bytes| WireEntry::from_bytes(bytes))
    }

    /// Everybody's entries.
    pub(crate) fn everybody(&self) -> impl Iterator<Item = (&EntryId, WireEntry)> {
        self.people.iter().filter_map(|(id, bytes)| Some((id, WireEntry::from_bytes(bytes)?)))
    }

    /// Whether it is too large to be kept.
    pub(crate) fn is_too_large(&self) -> bool {
        self.size > LIMIT
    }

    /// As bytes, with a digest at the end.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = HEAD.to_vec();
        bytes.extend(self.question);
        bytes.extend(self.full_at.to_le_bytes());
        bytes.extend(self.read_at.to_le_bytes());
        put_position(&mut bytes, &self.position);
        put_bytes(&mut bytes, self.server.as_bytes());
        for entries in [&self.people, &self.groups] {
            put_number(&mut bytes, entries.len());
            for (id, entry) in entries {
                put_bytes(&mut bytes, id);
                put_bytes(&mut bytes, entry);
            }
        }
        put_number(&mut bytes, self.containers.len());
        for (id, dn) in &self.containers {
            put_bytes(&mut bytes, id);
            put_bytes(&mut bytes, dn.as_bytes());
        }
        self.listed.put(&mut bytes);
        let digest = blake3::hash(&bytes);
        bytes.extend(digest.as_bytes());
        bytes
    }

    /// A digest of everything that was read, whatever it was read by and when.
    pub(crate) fn entries_digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        let mut add = |bytes: &[u8]| {
            let mut length = Vec::new();
            put_number(&mut length, bytes.len());
            hasher.update(&length).update(bytes);
        };
        for entries in [&self.people, &self.groups] {
            add(&entries.len().to_le_bytes());
            for (id, entry) in entries {
                add(id);
                add(entry);
            }
        }
        for (id, dn) in &self.containers {
            add(id);
            add(dn.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    /// From bytes; `None` where they are damaged or of another form.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (body, digest) = bytes.split_last_chunk::<32>()?;
        if blake3::hash(body).as_bytes() != digest {
            return None;
        }
        let mut rest = body.strip_prefix(HEAD)?;
        let from = &mut rest;
        let question = take_array::<16>(from)?;
        let (full_at, read_at) = (i64::from_le_bytes(take_array(from)?), i64::from_le_bytes(take_array(from)?));
        let position = take_position(from)?;
        let server = take_text(from)?;
        let mut entries = [BTreeMap::new(), BTreeMap::new()];
        for kind in &mut entries {
            for _ in 0..take_number(from)? {
                let (id, entry) = (take_bytes(from)?.to_vec(), take_bytes(from)?.to_vec());
                kind.insert(id, entry);
            }
        }
        let mut containers = BTreeMap::new();
        for _ in 0..take_number(from)? {
            containers.insert(take_bytes(from)?.to_vec(), take_text(from)?);
        }
        let listed = Listed::take(from)?;
        let [people, groups] = entries;
        let size = people.values().map(Vec::len).sum();
        Some(Self { question, position, server, full_at, read_at, people, groups, containers, listed, size })
    }
}

/// Who was listed in which part of the directory, and people whom later listings lacked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// DNs of the parts.
    parts: Vec<String>,
    /// By key: the number of the part, and what the entry is known by.
    people: BTreeMap<String, (usize, EntryId)>,
    /// People who were listed before and are not now, with their part.
    missing: BTreeMap<String, (String, EntryId)>,
    /// Entries that the directory showed to be gone.
    pub(crate) gone: BTreeSet<EntryId>,
}

impl Listed {
    /// Notes that somebody is listed in a part.
    pub(crate) fn note(&mut self, key: &PersonKey, part: &str, id: EntryId) {
        // People of one part often stand one after the other.
        let number = self.parts.iter().rposition(|have| have == part).unwrap_or_else(|| {
            self.parts.push(part.to_owned());
            self.parts.len() - 1
        });
        self.gone.remove(&id);
        self.people.insert(key.as_str().to_owned(), (number, id));
    }

    /// After another listing: its people, and those whom it lacks.
    pub(crate) fn follow(&mut self, before: &Self) {
        let listed_before = before
            .people
            .iter()
            .filter_map(|(key, (part, id))| Some((key.clone(), (before.parts.get(*part)?.clone(), id.clone()))));
        let known = before.missing.iter().map(|(key, place)| (key.clone(), place.clone())).chain(listed_before);
        self.missing = known.filter(|(key, _)| !self.people.contains_key(key)).collect();
        let missing: BTreeSet<&EntryId> = self.missing.values().map(|(_, id)| id).collect();
        self.gone = before.gone.iter().filter(|id| missing.contains(id)).cloned().collect();
    }

    /// Where somebody was listed who is missing, and what the entry is known by.
    pub(crate) fn missing(&self, key: &PersonKey) -> Option<(&str, &EntryId)> {
        self.missing.get(key.as_str()).map(|(part, id)| (part.as_str(), id))
    }

    /// How many are listed in a part.
    pub(crate) fn count(&self, part: &str) -> usize {
        let Some(number) = self.parts.iter().position(|have| have == part) else { return 0 };
        self.people.values().filter(|(at, _)| *at == number).count()
    }

    /// How many parts anybody is listed in, that part not counted.
    pub(crate) fn has_other_parts(&self, part: &str) -> bool {
        self.parts.iter().any(|have| have != part)
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        put_number(bytes, self.parts.len());
        self.parts.iter().for_each(|part| put_bytes(bytes, part.as_bytes()));
        put_number(bytes, self.people.len());
        for (key, (part, id)) in &self.people {
            put_bytes(bytes, key.as_bytes());
            put_number(bytes, *part);
            put_bytes(bytes, id);
        }
        put_number(bytes, self.missing.len());
        for (key, (part, id)) in &self.missing {
            put_bytes(bytes, key.as_bytes());
            put_bytes(bytes, part.as_bytes());
            put_bytes(bytes, id);
        }
        put_number(bytes, self.gone.len());
        self.gone.iter().for_each(|id| put_bytes(bytes, id));
    }

    fn take(from: &mut &[u8]) -> Option<Self> {
        let mut listed = Self::default();
        for _ in 0..take_number(from)? {
            listed.parts.push(take_text(from)?);
        }
        for _ in 0..take_number(from)? {
            listed.people.insert(take_text(from)?, (take_number(from)?, take_bytes(from)?.to_vec()));
        }
        for _ in 0..take_number(from)? {
            listed.missing.insert(take_text(from)?, (take_text(from)?, take_bytes(from)?.to_vec()));
        }
        for _ in 0..take_number(from)? {
            listed.gone.insert(take_bytes(from)?.to_vec());
        }
        Some(listed)
    }
}

fn put_position(bytes: &mut Vec<u8>, position: &Position) {
    match position {
        Position::DirSync { invocation, as_reader, cookie } => {
            bytes.extend([0, u8::from(*as_reader)]);
            put_bytes(bytes, invocation);
            put_bytes(bytes, cookie);
        }
        Position::Numbers { invocation, usn } => {
            bytes.extend([1, 0]);
            put_bytes(bytes, invocation);
            put_bytes(bytes, usn.to_string().as_bytes());
        }
        Position::Content { server, people, groups } => {
            bytes.extend([2, 0]);
            put_bytes(bytes, server.as_bytes());
            put_bytes(bytes, people);
            put_bytes(bytes, groups);
        }
        Position::Times { server, latest } => {
            bytes.extend([3, 0]);
            put_bytes(bytes, server.as_bytes());
            put_bytes(bytes, latest.as_bytes());
        }
    }
}

fn take_position(from: &mut &[u8]) -> Option<Position> {
    let [kind, flag] = take_array::<2>(from)?;
    Some(match kind {
        0 => Position::DirSync {
            as_reader: flag != 0,
            invocation: take_bytes(from)?.to_vec(),
            cookie: take_bytes(from)?.to_vec(),
        },
        1 => Position::Numbers { invocation: take_bytes(from)?.to_vec(), usn: take_text(from)?.parse().ok()? },
        2 => Position::Content {
            server: take_text(from)?,
            people: take_bytes(from)?.to_vec(),
            groups: take_bytes(from)?.to_vec(),
        },
        3 => Position::Times { server: take_text(from)?, latest: take_text(from)? },
        _ => return None,
    })
}

fn take_array<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tests_support::entry;

    fn positions() -> [Position; 4] {
        [
            Position::DirSync { invocation: vec![1; 16], as_reader: true, cookie: vec![2; 70] },
            Position::Numbers { invocation: vec![1; 16], usn: 12_345 },
            Position::Content { server: "ldaps://a".to_owned(), people: vec![3], groups: Vec::new() },
            Position::Times { server: "ldaps://a".to_owned(), latest: "20261121200504.0Z".to_owned() },
        ]
    }

    #[test]
    fn a_copy_keeps_everything_and_a_damaged_one_is_none() {
        for position in positions() {
            let mut copy = Copy::new([1; 16], position, "ldaps://a".to_owned(), 7);
            copy.put_person(vec![1], &entry("cn=x,ou=a", &[("mail", &["x@y"])]));
            copy.groups.insert(vec![2], entry("cn=g", &[]).to_bytes());
            copy.containers.insert(vec![3], "ou=a".to_owned());
            copy.listed.note(&PersonKey::new("k"), "ou=a", vec![1]);
            copy.listed.gone.insert(vec![9]);
            let bytes = copy.to_bytes();
            assert_eq!(Copy::from_bytes(&bytes), Some(copy));
            for at in (0..bytes.len()).step_by(5) {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1;
                assert_eq!(Copy::from_bytes(&damaged), None, "{at}");
                assert_eq!(Copy::from_bytes(&bytes[..at]), None, "{at}");
            }
        }
    }

    #[test]
    fn missing_people_are_remembered_with_their_part_until_they_are_back() {
        let key = |name: &str| PersonKey::new(name);
        let mut first = Listed::default();
        first.note(&key("a"), "ou=sales", vec![1]);
        first.note(&key("b"), "ou=it", vec![2]);
        let mut second = Listed::default();
        second.note(&key("b"), "ou=it", vec![2]);
        second.follow(&first);
        assert_eq!(second.missing(&key("a")), Some(("ou=sales", &vec![1])));
        assert_eq!((second.count("ou=sales"), second.count("ou=it")), (0, 1));
        let mut third = second.clone();
        third.follow(&second);
        assert_eq!(third.missing(&key("a")), Some(("ou=sales", &vec![1])), "two listings later, too");
        third.note(&key("a"), "ou=sales", vec![1]);
        third.follow(&second);
        assert_eq!(third.missing(&key("a")), None);
    }
}
