//! Entries that differ from what is known, cut into groups of people who are stored together.

use std::collections::BTreeMap;

use hardmatch_store::fingerprints::{Bucket, bucket_of};

use super::progress::CHUNK;
use super::scan::Scan;

/// People whose entries are held in memory at a time: some 60 MB. Each so many take one more pass over the listing.
const HELD: usize = 25_000;

/// Names of entries that are new or differ, by bucket.
pub(super) struct Changed(BTreeMap<usize, Vec<[u8; 16]>>);

impl Changed {
    /// The entries that differ from `known`, which holds every bucket that may differ.
    pub(super) fn find(scan: &Scan, known: &BTreeMap<usize, Bucket>) -> Self {
        let mut changed: BTreeMap<usize, Vec<[u8; 16]>> = BTreeMap::new();
        for (name, content) in &scan.entries {
            let number = bucket_of(name);
            if known.get(&number).is_some_and(|bucket| bucket.get(name) != Some(content)) {
                changed.entry(number).or_default().push(*name);
            }
        }
        Self(changed)
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names of the entries, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8; 16]> {
        self.0.values().flatten()
    }

    /// Buckets in order, as many to a group as hold people whose records are written together.
    pub(super) fn groups(&self) -> Vec<Vec<usize>> {
        together(self.0.keys().copied(), CHUNK, |bucket| self.people(&[*bucket]))
    }

    /// Groups in order, as many to a share as hold people who may be held in memory.
    pub(super) fn shares(&self) -> Vec<Vec<Vec<usize>>> {
        together(self.groups(), HELD, |group| self.people(group))
    }

    fn people(&self, buckets: &[usize]) -> usize {
        buckets.iter().filter_map(|bucket| self.0.get(bucket)).map(Vec::len).sum()
    }

    /// Whether the entry of that name is new or differs.
    pub(super) fn has(&self, name: &[u8; 16]) -> bool {
        self.0.get(&bucket_of(name)).is_some_and(|names| names.binary_search(name).is_ok())
    }
}

/// Parts in order, cut so that no cut holds more than `most` people, unless one part does.
fn together<P>(parts: impl IntoIterator<Item = P>, most: usize, people: impl Fn(&P) -> usize) -> Vec<Vec<P>> {
    let mut cut: Vec<Vec<P>> = Vec::new();
    let mut held = 0;
    for part in parts {
        let more = people(&part);
        if let Some(last) = cut.last_mut().filter(|_| held + more <= most) {
            last.push(part);
            held += more;
        } else {
            cut.push(vec![part]);
            held = more;
        }
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_cut_in_order_and_a_large_one_stands_alone() {
        let cut = |parts: &[usize]| together(parts.to_vec(), 10, |people| *people);
        assert_eq!(cut(&[4, 6, 1, 30, 2, 3]), [vec![4, 6], vec![1], vec![30], vec![2, 3]]);
        assert_eq!(cut(&[]), Vec::<Vec<usize>>::new());
    }
}
