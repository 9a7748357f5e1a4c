//! The facts of people whose entries changed, group by group: the facts of a group first, then its fingerprints. Whoever
//! is stopped between two groups finds the finished ones unchanged.

use std::collections::BTreeMap;

use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_domain::person::{Person, PersonRecord, SourceStatus};
use hardmatch_ports::{Entry, SourceError};
use hardmatch_store::fingerprints::{Bucket, Series, bucket_of};
use hardmatch_store::{PersonHash, StoreError};

use crate::source::cross_check;
use crate::source::progress::{Pace, SourceProgress};
use crate::source::reading::{CHUNK, Stopped};
use crate::source::scan::{self, Scan};
use crate::{SourcePorts, last_of_each};

/// People whose entries are held in memory at a time: some 60 MB. Each so many take one more pass over the listing.
const HELD: usize = 25_000;

/// Names of entries that are new, by bucket.
pub(crate) struct Changed(BTreeMap<usize, Vec<[u8; 16]>>);

impl Changed {
    /// What differs from `known`, which holds every bucket that may differ.
    pub(crate) fn find(scan: &Scan, known: &BTreeMap<usize, Bucket>) -> Self {
        let mut changed: BTreeMap<usize, Vec<[u8; 16]>> = BTreeMap::new();
        for (name, content) in &scan.entries {
            let number = bucket_of(name);
            if known.get(&number).is_some_and(|bucket| bucket.get(name) != Some(content)) {
                changed.entry(number).or_default().push(*name);
            }
        }
        Self(changed)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Buckets in order, as many to a group as hold people whose records are written together.
    pub(crate) fn groups(&self) -> Vec<Vec<usize>> {
        together(self.0.keys().copied(), CHUNK, |bucket| self.people(&[*bucket]))
    }

    /// Groups in order, as many to a share as hold people who may be held in memory.
    fn shares(&self) -> Vec<Vec<Vec<usize>>> {
        together(self.groups(), HELD, |group| self.people(group))
    }

    fn people(&self, buckets: &[usize]) -> usize {
        buckets.iter().filter_map(|bucket| self.0.get(bucket)).map(Vec::len).sum()
    }

    /// Whether the entry of that name is new.
    pub(crate) fn has(&self, name: &[u8; 16]) -> bool {
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

/// Where facts come from and go to.
pub(crate) struct Facts<'a> {
    pub(crate) ports: &'a SourcePorts,
    pub(crate) connection: &'a ConnectionId,
    pub(crate) series: &'a Series,
    pub(crate) scan: &'a Scan,
}

impl Facts<'_> {
    /// Stores the facts of everybody who changed. By groups: with their fingerprints, into which those who are gone are
    /// taken over, so that nobody forgets them before they are absent; `known` learns what is stored. Gives people whose
    /// numbers lost their zeros.
    pub(crate) async fn store(
        &self,
        changed: &Changed,
        known: &mut BTreeMap<usize, Bucket>,
        deadline: Pace,
        marker: &mut SourceProgress,
    ) -> Result<Vec<PersonKey>, Stopped> {
        let mut zeros = Vec::new();
        let content = match deadline {
            Pace::AtOnce => BTreeMap::new(),
            Pace::ByGroups => self.by_bucket(),
        };
        for share in changed.shares() {
            let mut entries = self.entries(changed, &share).await?;
            for group in share {
                let people: Vec<(PersonHash, Entry)> =
                    group.iter().filter_map(|bucket| entries.remove(bucket)).flatten().collect();
                let count = people.len() as u64;
                zeros.extend(self.store_people(people).await?);
                if deadline == Pace::AtOnce {
                    continue;
                }
                for bucket in &group {
                    let here = known.entry(*bucket).or_default();
                    here.extend(content.get(bucket).into_iter().flatten());
                }
                let buckets = group.iter().filter_map(|bucket| known.get(bucket).map(|here| (*bucket, here)));
                let writes = hardmatch_store::Store::bucket_writes(self.series, buckets);
                marker.unit(self.ports, count, writes).await?;
            }
        }
        Ok(zeros)
    }

    fn by_bucket(&self) -> BTreeMap<usize, Bucket> {
        let mut all: BTreeMap<usize, Bucket> = BTreeMap::new();
        for (name, content) in &self.scan.entries {
            all.entry(bucket_of(name)).or_default().insert(*name, *content);
        }
        all
    }

    /// One pass over the listing: the entries of a share, by bucket. All entries must be as the scan saw them.
    async fn entries(
        &self,
        changed: &Changed,
        share: &[Vec<usize>],
    ) -> Result<BTreeMap<usize, Vec<(PersonHash, Entry)>>, SourceError> {
        let mut wanted: BTreeMap<usize, Vec<(PersonHash, Entry)>> =
            share.iter().flatten().map(|&bucket| (bucket, Vec::new())).collect();
        let mut listing = self.ports.source.open().await?;
        loop {
            let entries = listing.next().await?;
            if entries.is_empty() {
                return Ok(wanted);
            }
            for entry in entries {
                let entry = self.scan.taken(entry, self.ports.store.secret());
                let Some((name, content)) = scan::fingerprint(&entry, self.ports.store.secret()) else { continue };
                if self.scan.entries.get(&name) != Some(&content) {
                    return Err(moving());
                }
                if let Some(bucket) = wanted.get_mut(&bucket_of(&name)).filter(|_| changed.has(&name)) {
                    bucket.push((PersonHash::from_bytes(name), entry));
                }
            }
        }
    }

    async fn store_people(&self, people: Vec<(PersonHash, Entry)>) -> Result<Vec<PersonKey>, StoreError> {
        let mut people = people.into_iter();
        let mut zeros = Vec::new();
        loop {
            let chunk: Vec<(PersonHash, Entry)> = people.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                return Ok(zeros);
            }
            zeros.extend(store_chunk(self.ports, self.connection, chunk).await?);
        }
    }
}

fn moving() -> SourceError {
    SourceError {
        problem: "the source changed while it was read".to_owned(),
        cure: "It is read again".to_owned(),
        retry: true,
    }
}

async fn store_chunk(
    ports: &SourcePorts,
    connection: &ConnectionId,
    chunk: Vec<(PersonHash, Entry)>,
) -> Result<Vec<PersonKey>, StoreError> {
    let mut zeros = Vec::new();
    let pids: Vec<PersonHash> = chunk.iter().map(|(pid, _)| *pid).collect();
    let old: BTreeMap<PersonHash, PersonRecord> = ports.store.people(connection, &pids).await?.into_iter().collect();
    let mut writes = Vec::with_capacity(chunk.len() * 8);
    let mut marked = Vec::with_capacity(chunk.len());
    for (pid, entry) in chunk {
        let old = old.get(&pid);
        let new = match (entry, old) {
            (Entry::Person(person), old) => PersonRecord {
                connection: connection.clone(),
                person: match old {
                    Some(old) => {
                        let kept = cross_check::with_zeros((*person).clone(), &old.person);
                        if kept != *person {
                            zeros.push(kept.key.clone());
                        }
                        kept
                    }
                    None => *person,
                },
                standing: SourceStatus::Present,
                revision: old.map_or(1, |old| old.revision + 1),
            },
            // What the entry says plainly counts, whatever else in it cannot be read.
            (Entry::Refused(refused), Some(old)) if refused.disabled => PersonRecord {
                person: Person { enabled: Some(false), ..old.person.clone() },
                standing: SourceStatus::Present,
                revision: old.revision + 1,
                ..old.clone()
            },
            (Entry::Refused(_), Some(old)) => {
                PersonRecord { standing: SourceStatus::Refused, revision: old.revision + 1, ..old.clone() }
            }
            // Refused before we ever understood them: the run's report names the entry, there is nobody to store.
            (Entry::Refused(_), None) => continue,
        };
        if old.is_some_and(|old| matches!(old.standing, SourceStatus::Absent(_) | SourceStatus::Deleted(_))) {
            writes.push(ports.store.note_gone(connection, pid, None));
        }
        ports.store.put_person(&ports.scope, old, &new, &mut writes);
        marked.push(pid);
    }
    writes.extend(ports.store.mark_together(connection, marked));
    ports.store.write_facts_last(last_of_each(writes)).await?;
    Ok(zeros)
}
