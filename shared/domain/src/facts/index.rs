//! From a look-up value to the positions of the records that hold it: eight bytes an entry and one bucket directory.
//! Answers are candidates; the caller compares the value itself.

/// An immutable index. Positions in one bucket ascend.
#[derive(Default)]
pub(super) struct Index {
    /// How far a hash is shifted to give its bucket.
    shift: u32,
    starts: Box<[u32]>,
    /// Low half of the hash, and the position.
    entries: Box<[(u32, u32)]>,
}

impl Index {
    /// From hashes and positions.
    pub(super) fn new(mut pairs: Vec<(u64, u32)>) -> Self {
        if pairs.is_empty() {
            return Self::default();
        }
        // About four entries a bucket.
        let bits = (pairs.len() / 4).max(2).next_power_of_two().trailing_zeros();
        let shift = 64 - bits;
        pairs.sort_unstable_by_key(|(hash, at)| (hash >> shift, *at));
        pairs.dedup();
        let mut starts = vec![0u32; (1usize << bits) + 1];
        for (hash, _) in &pairs {
            starts[bucket(*hash, shift) + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let entries = pairs.iter().map(|(hash, at)| (low(*hash), *at)).collect();
        Self { shift, starts: starts.into(), entries }
    }

    /// Positions of the records that probably hold the value with this hash, ascending.
    pub(super) fn find(&self, hash: u64) -> impl Iterator<Item = usize> + '_ {
        let entries = if self.starts.is_empty() {
            &self.entries[..]
        } else {
            let at = bucket(hash, self.shift);
            &self.entries[self.starts[at] as usize..self.starts[at + 1] as usize]
        };
        entries.iter().filter(move |(have, _)| *have == low(hash)).map(|(_, at)| *at as usize)
    }
}

fn bucket(hash: u64, shift: u32) -> usize {
    usize::try_from(hash >> shift).unwrap_or(usize::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn low(hash: u64) -> u32 {
    hash as u32
}

/// A hash of texts and what they are, the same in every process: eight bytes at a time, stirred at the end.
pub(super) struct Hash(u64);

impl Hash {
    pub(super) fn of(kind: u8) -> Self {
        Self(u64::from(kind))
    }

    fn word(self, word: [u8; 8]) -> Self {
        Self((self.0.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn bytes(self, bytes: &[u8], fold: impl Fn([u8; 8]) -> [u8; 8]) -> Self {
        let (words, rest) = bytes.as_chunks::<8>();
        let hash = words.iter().fold(self, |hash, word| hash.word(fold(*word)));
        let mut last = [0u8; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash.word(fold(last)).word((bytes.len() as u64).to_le_bytes())
    }

    /// Mixes in a text as it is.
    pub(super) fn exact(self, text: &str) -> Self {
        self.bytes(text.as_bytes(), |word| word)
    }

    /// Mixes in the look-up form of a text.
    pub(super) fn folded(self, text: &str) -> Self {
        if text.is_ascii() {
            self.bytes(text.trim().as_bytes(), |word| word.map(|byte| byte.to_ascii_lowercase()))
        } else {
            self.exact(&super::lookup_form(text))
        }
    }

    pub(super) fn done(self) -> u64 {
        let mut hash = self.0;
        hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^ (hash >> 29)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_put_in_and_nothing_of_an_empty_index() {
        let names: Vec<String> = (0..1000).map(|n| format!("Person{n}@contoso.com")).collect();
        let hash = |name: &str| Hash::of(1).folded(name).done();
        let index = Index::new((0u32..).zip(&names).map(|(at, name)| (hash(name), at)).collect());
        for (at, name) in names.iter().enumerate() {
            assert!(index.find(hash(&name.to_uppercase())).any(|found| found == at), "{name}");
        }
        assert_eq!(Index::new(Vec::new()).find(hash("x")).count(), 0);
    }
}
