//! Fingerprints: what a listing looked like last time, so that an unchanged night reads 1,024 digests and not the
//! people. A fingerprint says "seen", never "converged".

use std::collections::BTreeMap;

use hardmatch_domain::ids::{Guid, ObjectId};
use hardmatch_ports::{Key, Write};

use crate::{Result, Store, keys};

/// Listings are cut into so many buckets.
pub const BUCKETS: usize = 1024;

/// A bucket: 16-byte name of an entry to an 8-byte hash of its content.
pub type Bucket = BTreeMap<[u8; 16], [u8; 8]>;

/// A digest of each bucket: order does not matter, one changed entry changes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Digests(Vec<[u8; 16]>);

impl Default for Digests {
    fn default() -> Self {
        Self(vec![[0; 16]; BUCKETS])
    }
}

impl Digests {
    /// Adds an entry.
    pub fn add(&mut self, name: &[u8; 16], content: [u8; 8]) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(name);
        hasher.update(&content);
        let digest = &mut self.0[bucket_of(name)];
        for (sum, byte) in digest.iter_mut().zip(hasher.finalize().as_bytes()) {
            *sum ^= byte;
        }
    }

    /// Buckets whose digests differ.
    pub fn differing(&self, other: &Digests) -> Vec<usize> {
        (0..BUCKETS).filter(|&at| self.0[at] != other.0[at]).collect()
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.0.concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let digests: Vec<[u8; 16]> = bytes.chunks_exact(16).filter_map(|chunk| chunk.try_into().ok()).collect();
        (digests.len() == BUCKETS).then_some(Self(digests))
    }
}

/// The bucket of an entry.
pub fn bucket_of(name: &[u8; 16]) -> usize {
    usize::from(u16::from_be_bytes([name[0], name[1]]) >> 6)
}

/// The account whose fingerprint has this name: object ids are GUIDs, and their sixteen bytes are the name.
pub fn object_id(name: &[u8; 16]) -> ObjectId {
    let mut ad = *name;
    ad[..4].reverse();
    ad[4..6].reverse();
    ad[6..8].reverse();
    ObjectId::new(Guid::from_ad_bytes(ad).to_string())
}

/// Eight bytes that change with the content.
pub fn content_hash(content: &[u8]) -> [u8; 8] {
    let mut short = [0; 8];
    short.copy_from_slice(&blake3::hash(content).as_bytes()[..8]);
    short
}

/// Whose fingerprints: a connection's people, or a tenant's accounts.
#[derive(Clone, Debug)]
pub struct Series(String);

impl Series {
    /// Of a connection's people.
    pub fn people(c: &hardmatch_domain::ids::ConnectionId) -> Self {
        Self(keys::people_fingerprints(c))
    }

    /// Of a tenant's accounts, for full readings.
    pub fn accounts(scope: &crate::TenantKey) -> Self {
        Self(keys::account_fingerprints(scope))
    }

    pub(crate) fn digest_key(&self) -> Key {
        keys::digests(&self.0)
    }

    pub(crate) fn bucket_key(&self, bucket: usize) -> Key {
        keys::bucket(&self.0, bucket)
    }
}

impl Store {
    /// The digests; `None` when there never was a complete listing.
    pub async fn digests(&self, series: &Series) -> Result<Option<Digests>> {
        let item = self.table.get(&series.digest_key()).await?;
        Ok(item.and_then(|item| Digests::from_bytes(&item.body)))
    }

    /// Stores the digests. Last of all: until then the listing does not count as seen.
    pub async fn put_digests(&self, series: &Series, digests: &Digests) -> Result<()> {
        self.table.write(Write::put(series.digest_key(), digests.to_bytes())).await?;
        Ok(())
    }

    /// Buckets by number; missing ones are empty.
    pub async fn buckets(&self, series: &Series, numbers: &[usize]) -> Result<BTreeMap<usize, Bucket>> {
        let wanted: Vec<Key> = numbers.iter().map(|&bucket| series.bucket_key(bucket)).collect();
        let items = self.table.batch_get(&wanted).await?;
        let mut found: BTreeMap<usize, Bucket> = numbers.iter().map(|&bucket| (bucket, Bucket::new())).collect();
        for item in items {
            let Some(number) = keys::bucket_of(&item.key) else { continue };
            let bucket = item.body.chunks_exact(24).filter_map(|entry| {
                let (name, content) = entry.split_at(16);
                Some((name.try_into().ok()?, content.try_into().ok()?))
            });
            found.insert(number, bucket.collect());
        }
        Ok(found)
    }

    /// Stores the entries of buckets that changed, and their digests.
    pub async fn put_buckets<'a>(
        &self,
        series: &Series,
        buckets: impl IntoIterator<Item = (usize, &'a Bucket)>,
    ) -> Result<()> {
        let writes = Self::bucket_writes(series, buckets);
        self.write_all(writes).await
    }

    /// The writes that store buckets.
    pub fn bucket_writes<'a>(series: &Series, buckets: impl IntoIterator<Item = (usize, &'a Bucket)>) -> Vec<Write> {
        let write = |(number, bucket): (usize, &Bucket)| {
            let body = bucket.iter().flat_map(|(name, content)| name.iter().chain(content).copied()).collect();
            Write::put(series.bucket_key(number), body)
        };
        buckets.into_iter().map(write).collect()
    }

    /// Every name in every bucket, sorted.
    pub async fn all_names(&self, series: &Series) -> Result<Vec<[u8; 16]>> {
        let mut names = Vec::new();
        for chunk in (0..BUCKETS).collect::<Vec<_>>().chunks(100) {
            for (_, bucket) in self.buckets(series, chunk).await? {
                names.extend(bucket.into_keys());
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_entry_changes_its_bucket_only() {
        let name = |n: u8| [n; 16];
        let mut before = Digests::default();
        let mut after = Digests::default();
        for n in 0..200 {
            before.add(&name(n), [1; 8]);
            after.add(&name(n), [if n == 7 { 2 } else { 1 }; 8]);
        }
        assert_eq!(before.differing(&after), vec![bucket_of(&name(7))]);
        assert_eq!(Digests::from_bytes(&before.to_bytes()), Some(before));
    }
}
