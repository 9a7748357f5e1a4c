//! What must be known of all rows before the first is understood: who is referred to by what, and which keys repeat.
//! 20-odd bytes a reference, so that a listing of any size fits.

use std::collections::HashMap;

use hardmatch_domain::ids::PersonKey;

use crate::dn;
use crate::guid;
use crate::list::Separated;
use crate::value::{self, DayOrder};

/// By what a row can be referred to.
#[derive(Clone, Copy)]
pub(crate) enum Name {
    /// Its key.
    Key,
    /// Its distinguished name.
    Dn,
    /// Its user principal name.
    Upn,
    /// Its `sAMAccountName`.
    Sam,
}

/// 128 bits of a cryptographic hash: two texts never share it.
type Hash = [u64; 2];

/// References of a whole listing.
#[derive(Default)]
pub(crate) struct Index {
    /// Persons in file order; empty when nothing refers to them.
    keys: Vec<PersonKey>,
    /// What refers to which of `keys`, sorted once complete.
    names: Vec<(Hash, u32)>,
    /// Where in `names` the hashes with each beginning start: a search touches few places of memory.
    starts: Vec<u32>,
    /// Each key with its line, until complete. The lowest bit says whether the row says *disabled*.
    seen: Vec<(Hash, u64)>,
    /// Keys that several rows have.
    repeated: HashMap<Hash, Repeated>,
    /// What separates the groups of a column, by column.
    separated: HashMap<usize, Separated>,
    /// A column without groups.
    no_groups: Separated,
    /// In which order days are written, by column.
    days: HashMap<usize, DayOrder>,
}

/// The rows of one key.
struct Repeated {
    /// The first two lines.
    lines: [u64; 2],
    /// All of them say that the person may not sign in.
    disabled: bool,
}

impl Index {
    /// Notes a row's key, and whether the row says that the person may not sign in.
    pub(crate) fn note(&mut self, key: &PersonKey, line: u64, disabled: bool) {
        self.seen.push((hash(b'=', key.as_str()), line << 1 | u64::from(disabled)));
    }

    /// Notes a cell of groups.
    pub(crate) fn note_groups(&mut self, column: usize, cell: &str) {
        self.separated.entry(column).or_default().note(cell);
    }

    /// What separates the groups of a column.
    pub(crate) fn separated(&self, column: usize) -> &Separated {
        self.separated.get(&column).unwrap_or(&self.no_groups)
    }

    /// Notes a value that may be a day: `31/01/2020` shows the order of its column.
    pub(crate) fn note_day(&mut self, column: usize, text: &str) {
        let shown = [DayOrder::DayFirst, DayOrder::MonthFirst].map(|order| value::day(text, order));
        let order = match shown {
            [Some(_), None] => DayOrder::DayFirst,
            [None, Some(_)] => DayOrder::MonthFirst,
            _ => return,
        };
        self.days.entry(column).or_insert(order);
    }

    /// In which order a column writes day and month.
    pub(crate) fn days(&self, column: usize) -> DayOrder {
        self.days.get(&column).copied().unwrap_or_default()
    }

    /// Makes a row one that can be referred to; its names follow.
    pub(crate) fn person(&mut self, key: &PersonKey) {
        self.keys.push(key.clone());
        self.name(Name::Key, key.as_str());
    }

    /// A name of the last person.
    pub(crate) fn name(&mut self, name: Name, text: &str) {
        if let (Some(last), false) = (self.keys.len().checked_sub(1), text.is_empty()) {
            self.names.push((name_hash(name, text), u32::try_from(last).unwrap_or(u32::MAX)));
        }
    }

    /// Everything is noted.
    pub(crate) fn complete(&mut self) {
        self.names.sort_unstable();
        self.starts = vec![0; BUCKETS + 1];
        for (hash, _) in &self.names {
            self.starts[bucket(hash) + 1] += 1;
        }
        for at in 0..BUCKETS {
            self.starts[at + 1] += self.starts[at];
        }
        let mut seen = std::mem::take(&mut self.seen);
        seen.sort_unstable();
        for same in seen.chunk_by(|one, other| one.0 == other.0).filter(|same| same.len() > 1) {
            let lines = [same[0].1 >> 1, same[1].1 >> 1];
            let disabled = same.iter().all(|(_, line)| line & 1 == 1);
            self.repeated.insert(same[0].0, Repeated { lines, disabled });
        }
    }

    /// Another line with the same key, and whether all lines of the key say *disabled*.
    pub(crate) fn twin(&self, key: &PersonKey, line: u64) -> Option<(u64, bool)> {
        if self.repeated.is_empty() {
            return None;
        }
        let repeated = self.repeated.get(&hash(b'=', key.as_str()))?;
        let [first, second] = repeated.lines;
        Some((if line == first { second } else { first }, repeated.disabled))
    }

    /// The one person that a reference means; a reference that fits several means nobody.
    pub(crate) fn find(&self, text: &str) -> Option<&PersonKey> {
        if dn::is_dn(text) {
            return self.only(Name::Dn, text);
        }
        let guid = guid::parse_text(text).and_then(|guid| self.only(Name::Key, &guid::text(&guid)));
        guid.or_else(|| [Name::Key, Name::Upn, Name::Sam].into_iter().find_map(|name| self.only(name, text)))
    }

    fn only(&self, name: Name, text: &str) -> Option<&PersonKey> {
        let wanted = name_hash(name, text);
        let at = bucket(&wanted);
        let range = *self.starts.get(at)? as usize..*self.starts.get(at + 1)? as usize;
        let mut found = self.names[range].iter().filter(|(hash, _)| *hash == wanted).map(|(_, person)| *person);
        let first = self.keys.get(found.next()? as usize)?;
        found.all(|other| self.keys.get(other as usize) == Some(first)).then_some(first)
    }
}

/// Buckets of names.
const BUCKETS: usize = 1 << 16;

fn bucket(hash: &Hash) -> usize {
    usize::try_from(hash[0] >> 48).unwrap_or_default()
}

fn name_hash(name: Name, text: &str) -> Hash {
    match name {
        Name::Key => hash(b'k', &text.to_lowercase()),
        Name::Dn => hash(b'd', &dn::canonical(text)),
        Name::Upn => hash(b'u', &text.to_lowercase()),
        Name::Sam => hash(b's', &text.to_lowercase()),
    }
}

fn hash(kind: u8, text: &str) -> Hash {
    // One call over a short buffer is several times as fast as a hasher that is fed.
    let mut short = [kind; 160];
    let bytes = match short.get_mut(1..=text.len()) {
        Some(place) => {
            place.copy_from_slice(text.as_bytes());
            blake3::hash(&short[..=text.len()])
        }
        None => blake3::Hasher::new().update(&[kind]).update(text.as_bytes()).finalize(),
    };
    let (halves, _) = bytes.as_bytes().as_chunks::<8>();
    [u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_means_one_person_or_nobody() {
        let mut index = Index::default();
        for (line, (key, dn, upn, sam)) in [
            ("1001", "CN=Jane Doe,OU=x", "jane@example.com", "jane"),
            ("1002", "CN=Max,OU=x", "max@example.com", "admin"),
            ("A7", "CN=Ann,OU=x", "ann@example.com", "admin"),
        ]
        .into_iter()
        .enumerate()
        {
            let key = PersonKey::new(key);
            index.note(&key, line as u64 + 2, false);
            index.person(&key);
            index.name(Name::Dn, dn);
            index.name(Name::Upn, upn);
            index.name(Name::Sam, sam);
        }
        index.complete();
        for (text, key) in [
            ("cn=jane doe, ou=X", Some("1001")),
            ("MAX@example.com", Some("1002")),
            ("a7", Some("A7")),
            ("jane", Some("1001")),
            ("admin", None),
            ("CN=Nobody,OU=x", None),
            ("", None),
        ] {
            assert_eq!(index.find(text).map(PersonKey::as_str), key, "{text}");
        }
    }

    #[test]
    fn keys_that_repeat_name_each_other() {
        let mut index = Index::default();
        for (line, key, disabled) in
            [(2, "a", true), (3, "b", true), (4, "a", false), (5, "A", true), (6, "c", true), (7, "c", true)]
        {
            index.note(&PersonKey::new(key), line, disabled);
        }
        index.complete();
        assert_eq!(index.twin(&"a".into(), 2), Some((4, false)));
        assert_eq!(index.twin(&"a".into(), 4), Some((2, false)));
        assert_eq!(index.twin(&"c".into(), 7), Some((6, true)));
        assert_eq!(index.twin(&"b".into(), 3), None);
        assert_eq!(index.twin(&"A".into(), 5), None);
    }
}
