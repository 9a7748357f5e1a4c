//! Fingerprints of accounts: 24 bytes an account say which ones a full listing showed, and which of them differ.

use std::collections::BTreeMap;

use hardmatch_domain::account::Account;
use hardmatch_domain::ids::{Guid, ObjectId};
use hardmatch_store::StoreError;
use hardmatch_store::fingerprints::{BUCKETS, Bucket, Digests, Series, bucket_of, content_hash};

use super::notes::SeenSinceFullListing;
use crate::ports::TenantPorts;

/// Fingerprints: name of an account to a hash of its content.
pub(super) type Entries = BTreeMap<[u8; 16], [u8; 8]>;

/// The name of an account, and the hash of its content.
pub(super) fn fingerprint(account: &Account) -> ([u8; 16], [u8; 8]) {
    (name_of(&account.id), content_hash(&serde_json::to_vec(account).unwrap_or_default()))
}

/// The name of an account. Object ids are GUIDs, so [`object_id`] gives the id back.
pub(super) fn name_of(id: &ObjectId) -> [u8; 16] {
    if let Some(guid) = Guid::parse(id.as_str()) {
        guid.text_bytes()
    } else {
        let mut short = [0; 16];
        short[..8].copy_from_slice(&content_hash(id.as_str().as_bytes()));
        short
    }
}

pub(super) use hardmatch_store::fingerprints::object_id;

/// The fingerprints of the last full listing; `None` when there was none.
pub(super) async fn known_entries(ports: &TenantPorts) -> Result<Option<Entries>, StoreError> {
    let series = Series::accounts(&ports.scope);
    if ports.store.digests(&series).await?.is_none() {
        return Ok(None);
    }
    let mut known = Entries::new();
    for chunk in (0..BUCKETS).collect::<Vec<_>>().chunks(100) {
        known.extend(ports.store.buckets(&series, chunk).await?.into_values().flatten());
    }
    Ok(Some(known))
}

/// Stores the fingerprints of a full listing that began at `begun` (Unix seconds), last of all: from here on its accounts
/// count as seen.
pub(super) async fn remember(ports: &TenantPorts, entries: &Entries, begun: i64) -> Result<(), StoreError> {
    let series = Series::accounts(&ports.scope);
    let mut digests = Digests::default();
    let mut buckets: BTreeMap<usize, Bucket> = BTreeMap::new();
    for (name, content) in entries {
        digests.add(name, *content);
        buckets.entry(bucket_of(name)).or_default().insert(*name, *content);
    }
    ports.store.put_buckets(&series, buckets.iter().map(|(&number, bucket)| (number, bucket))).await?;
    ports.store.put_digests(&series, &digests).await?;
    SeenSinceFullListing::of(ports).settle(ports, begun).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_the_object_id_back() {
        let id = ObjectId::from("01234567-89ab-4cde-8f01-23456789abcd");
        assert_eq!(object_id(&name_of(&id)), id);
    }
}
