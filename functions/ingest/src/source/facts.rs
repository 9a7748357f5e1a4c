//! Facts of people whose entries changed, stored group by group: the facts of a group first, then its fingerprints. A
//! reading that stops between two groups finds the people of the finished ones unchanged.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_ports::source::RefusedEntry;
use hardmatch_ports::{Entry, OnePerson, SourceError};
use hardmatch_store::entering::PersonSighting;
use hardmatch_store::fingerprints::{Bucket, Series, bucket_of};
use hardmatch_store::{PersonHash, Store, StoreError};

use super::changed::Changed;
use super::cross_check::Records;
use super::kept::KeptListing;
use super::leading_zeros::{with_zeros, zeros_row};
use super::lost_letters::{letters_row, with_letters};
use super::progress::{CHUNK, Pace, SourceCheckpoint, SourceStop};
use super::scan::Scan;
use super::wanted::enter_asked;
use crate::ports::SourcePorts;
use crate::writes::last_of_each;

/// Reads the entries of changed people once more, and stores their facts.
pub(super) struct Facts<'a> {
    pub(super) ports: &'a SourcePorts,
    pub(super) connection: &'a ConnectionId,
    pub(super) series: &'a Series,
    pub(super) scan: &'a Scan,
    pub(super) kept: &'a KeptListing,
    /// Records that were read for the cross-check already.
    pub(super) records: Records,
}

impl Facts<'_> {
    /// Stores the facts of everybody who changed. By groups, a group's fingerprints follow its facts; they keep the people
    /// who are missing, so that nobody is forgotten before they are absent, and `known` learns what is stored. Gives a
    /// row for each known value that was kept, because the entry has it without zeros or letters.
    pub(super) async fn store(
        &self,
        changed: &Changed,
        known: &mut BTreeMap<usize, Bucket>,
        pace: Pace,
        progress: &mut SourceCheckpoint,
    ) -> Result<Vec<RefusedEntry>, SourceStop> {
        let mut kept = Vec::new();
        let content = match pace {
            Pace::AtOnce => BTreeMap::new(),
            Pace::ByGroups => self.by_bucket(),
        };
        for share in changed.shares() {
            let mut entries = self.entries(changed, &share)?;
            for group in share {
                let people: Vec<(PersonHash, Entry)> =
                    group.iter().filter_map(|bucket| entries.remove(bucket)).flatten().collect();
                let count = people.len() as u64;
                kept.extend(self.store_people(people).await?);
                if pace == Pace::AtOnce {
                    continue;
                }
                for bucket in &group {
                    let here = known.entry(*bucket).or_default();
                    here.extend(content.get(bucket).into_iter().flatten());
                }
                let buckets = group.iter().filter_map(|bucket| known.get(bucket).map(|here| (*bucket, here)));
                progress.unit(self.ports, count, Store::bucket_writes(self.series, buckets)).await?;
            }
        }
        Ok(kept)
    }

    fn by_bucket(&self) -> BTreeMap<usize, Bucket> {
        let mut all: BTreeMap<usize, Bucket> = BTreeMap::new();
        for (name, content) in &self.scan.entries {
            all.entry(bucket_of(name)).or_default().insert(*name, *content);
        }
        all
    }

    /// One pass over the listing: the entries of a share, by bucket.
    fn entries(
        &self,
        changed: &Changed,
        share: &[Vec<usize>],
    ) -> Result<BTreeMap<usize, Vec<(PersonHash, Entry)>>, SourceError> {
        let mut wanted: BTreeMap<usize, Vec<(PersonHash, Entry)>> =
            share.iter().flatten().map(|&bucket| (bucket, Vec::new())).collect();
        let buckets: BTreeSet<usize> = wanted.keys().copied().collect();
        self.kept.each(
            |name| buckets.contains(&bucket_of(name)) && changed.has(name),
            |_, name, entry| {
                let entry = self.scan.taken(entry, self.ports.store.secret());
                wanted.entry(bucket_of(&name)).or_default().push((PersonHash::from_bytes(name), entry));
            },
        )?;
        Ok(wanted)
    }

    async fn store_people(&self, people: Vec<(PersonHash, Entry)>) -> Result<Vec<RefusedEntry>, SourceStop> {
        let mut people = people.into_iter();
        let mut kept = Vec::new();
        loop {
            let chunk: Vec<(PersonHash, Entry)> = people.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                return Ok(kept);
            }
            if self.ports.source.one_person() == OnePerson::Pushed {
                // The listing is older than what is pushed while it is read.
                let keys: Vec<(PersonHash, PersonKey)> =
                    chunk.iter().filter_map(|(pid, entry)| Some((*pid, key_of(entry)?.clone()))).collect();
                enter_asked(self.ports, self.connection, &keys).await?;
                continue;
            }
            kept.extend(self.store_chunk(chunk).await?);
        }
    }

    async fn store_chunk(&self, chunk: Vec<(PersonHash, Entry)>) -> Result<Vec<RefusedEntry>, StoreError> {
        let store = &self.ports.store;
        let unread: Vec<PersonHash> =
            chunk.iter().map(|(pid, _)| *pid).filter(|pid| !self.records.contains_key(pid)).collect();
        let read: Records = store.people(self.connection, &unread).await?.into_iter().collect();
        let mut kept = Vec::new();
        let mut writes = Vec::with_capacity(chunk.len() * 8);
        for (pid, entry) in chunk {
            let old = self.records.get(&pid).or_else(|| read.get(&pid));
            let sighting = match entry {
                Entry::Person(mut person) => {
                    if let Some(old) = old {
                        let whole = with_zeros((*person).clone(), &old.person);
                        if whole != *person {
                            kept.push(zeros_row(&whole.key));
                        }
                        let named = with_letters(whole.clone(), &old.person);
                        if named != whole {
                            kept.push(letters_row(&named.key));
                        }
                        *person = named;
                    }
                    PersonSighting::Understood(person)
                }
                Entry::Refused(refused) if refused.disabled => PersonSighting::RefusedDisabled,
                // The run's report names the entry. A person who was never understood is nobody to store.
                Entry::Refused(_) => PersonSighting::Refused,
            };
            store.enter_person(&self.ports.scope, self.connection, old, sighting, &mut writes);
        }
        store.write_facts_last(last_of_each(writes)).await?;
        Ok(kept)
    }
}

fn key_of(entry: &Entry) -> Option<&PersonKey> {
    match entry {
        Entry::Person(person) => Some(&person.key),
        Entry::Refused(refused) => refused.key.as_ref(),
    }
}
