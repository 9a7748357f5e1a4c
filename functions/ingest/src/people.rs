//! The source side: census first, facts second. Nothing is written before the whole listing was read once and found
//! complete, and a changed person is marked open in the same write as their new facts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::person::{PersonRecord, Standing};
use hardmatch_ports::run::Run;
use hardmatch_ports::{Entry, SourceError};
use hardmatch_store::fingerprints::{Bucket, Digests, Series, bucket_of};
use hardmatch_store::{Pid, StoreError};

use crate::census::{self, Census};
use crate::lookups::enter_everybody;
use crate::{Observed, PEOPLE, Patience, SourcePorts, begun_ms, complete, last_of_each, patience, unknown};

/// How long to wait before a source that may recover is asked again.
const SOURCE_RETRY: Duration = Duration::from_secs(30);
/// People whose records are written together.
const CHUNK: usize = 500;

pub(crate) async fn observe(ports: &SourcePorts, run: &Run) -> Result<Observed, StoreError> {
    let census = match read_census(ports).await {
        Ok(census) => census,
        Err(error) => return Ok(failed(ports, run, &error)),
    };
    let series = Series::people(&run.connection);
    let meta = ports.store.meta(&run.connection).await?.value;
    let before = ports.store.digests(&series).await?;

    let mut now = Digests::default();
    for (name, content) in &census.entries {
        now.add(name, *content);
    }
    let differing = match &before {
        Some(before) => before.differing(&now),
        None => (0..hardmatch_store::fingerprints::BUCKETS).collect(),
    };
    let known = if before.is_some() { ports.store.buckets(&series, &differing).await? } else { BTreeMap::new() };
    let known_names = names_for_doubts(ports, &series, &known, meta.people, before.is_some()).await?;

    let columns = if run.accept_source { &[][..] } else { &meta.columns };
    let names = if run.accept_source { &[][..] } else { &known_names };
    let doubts = census::doubts(&census, names, columns);
    if !doubts.is_empty() {
        let mut collection = unknown("");
        collection.seen = census.completeness.entries;
        collection.doubts = doubts;
        return Ok(Observed {
            collections: vec![(PEOPLE, collection)],
            refused: census.refused,
            ..Observed::default()
        });
    }

    enter_everybody(ports, run, &series).await?;
    let changed = changed(&census, before.is_some().then_some(&known));
    match store_facts(ports, &run.connection, &census, &changed).await? {
        Ok(()) => {}
        Err(error) => return Ok(failed(ports, run, &error)),
    }
    store_absences(ports, run, &census, &known).await?;
    store_fingerprints(ports, &series, &census, &differing, &now).await?;
    let people = census.entries.len() as u64;
    let columns = census.completeness.expected.clone();
    ports
        .store
        .update_meta(&run.connection, |meta| {
            meta.people = people;
            meta.columns.clone_from(&columns);
        })
        .await?;

    let collection = complete(census.completeness.entries, changed.len() as u64);
    Ok(Observed { collections: vec![(PEOPLE, collection)], refused: census.refused, ..Observed::default() })
}

async fn read_census(ports: &SourcePorts) -> Result<Census, SourceError> {
    let mut listing = ports.source.open().await?;
    census::take(&mut *listing, ports.store.secret()).await
}

fn failed(ports: &SourcePorts, run: &Run, error: &SourceError) -> Observed {
    if error.retry && patience(run, ports.clock.now().as_millisecond()) == Patience::Left {
        tracing::warn!(run.id = run.id, error = %error, "the source could not be read; it is asked again");
        return Observed { again: Some(SOURCE_RETRY), ..Observed::default() };
    }
    let said = format!("{}: {error}", ports.source.location());
    Observed { collections: vec![(PEOPLE, unknown(said.clone()))], problems: vec![said], ..Observed::default() }
}

/// Everybody who was known, when so much differs that most keys may have changed. Otherwise nobody, without reading
/// more: only people of buckets that differ can be gone, and where these hold no more than half of all people, at most
/// half are gone. The names of those few buckets alone would prove nothing, since in a small directory everybody in
/// them may have left.
async fn names_for_doubts(
    ports: &SourcePorts,
    series: &Series,
    known: &BTreeMap<usize, Bucket>,
    people: u64,
    seen_before: bool,
) -> Result<Vec<[u8; 16]>, StoreError> {
    let in_differing: usize = known.values().map(Bucket::len).sum();
    if seen_before && (in_differing as u64) * 2 > people {
        return ports.store.all_names(series).await;
    }
    Ok(Vec::new())
}

/// Entries whose content is new. `known` holds the buckets that differ; `None` when there never was a listing.
fn changed(census: &Census, known: Option<&BTreeMap<usize, Bucket>>) -> BTreeSet<[u8; 16]> {
    let is_new = |name: &[u8; 16], content: &[u8; 8]| match known {
        None => true,
        Some(known) => known.get(&bucket_of(name)).is_some_and(|bucket| bucket.get(name) != Some(content)),
    };
    census.entries.iter().filter(|(name, content)| is_new(name, content)).map(|(name, _)| *name).collect()
}

/// Second pass: the facts of those who changed.
async fn store_facts(
    ports: &SourcePorts,
    connection: &ConnectionId,
    census: &Census,
    changed: &BTreeSet<[u8; 16]>,
) -> Result<Result<(), SourceError>, StoreError> {
    if changed.is_empty() {
        return Ok(Ok(()));
    }
    let mut listing = match ports.source.open().await {
        Ok(listing) => listing,
        Err(error) => return Ok(Err(error)),
    };
    let mut chunk: Vec<(Pid, Entry)> = Vec::with_capacity(CHUNK);
    loop {
        let entries = match listing.next().await {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(error)),
        };
        let ended = entries.is_empty();
        for entry in entries {
            let Some((name, content)) = census::print(&entry, ports.store.secret()) else { continue };
            if census.entries.get(&name) != Some(&content) {
                return Ok(Err(moving()));
            }
            if changed.contains(&name) {
                chunk.push((Pid::from_bytes(name), entry));
            }
        }
        if chunk.len() >= CHUNK || (ended && !chunk.is_empty()) {
            store_chunk(ports, connection, std::mem::take(&mut chunk)).await?;
        }
        if ended {
            return Ok(Ok(()));
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
    chunk: Vec<(Pid, Entry)>,
) -> Result<(), StoreError> {
    let pids: Vec<Pid> = chunk.iter().map(|(pid, _)| *pid).collect();
    let old: BTreeMap<Pid, PersonRecord> = ports.store.people(connection, &pids).await?.into_iter().collect();
    let mut writes = Vec::with_capacity(chunk.len() * 8);
    for (pid, entry) in chunk {
        let old = old.get(&pid);
        let new = match (entry, old) {
            (Entry::Person(person), old) => PersonRecord {
                connection: connection.clone(),
                person: *person,
                standing: Standing::Present,
                revision: old.map_or(1, |old| old.revision + 1),
            },
            (Entry::Refused(_), Some(old)) => {
                PersonRecord { standing: Standing::Refused, revision: old.revision + 1, ..old.clone() }
            }
            // Refused before we ever understood them: the run's report names the entry, there is nobody to store.
            (Entry::Refused(_), None) => continue,
        };
        if old.is_some_and(|old| matches!(old.standing, Standing::Absent(_) | Standing::Deleted(_))) {
            writes.push(ports.store.note_gone(connection, pid, None));
        }
        ports.store.put_person(&ports.scope, old, &new, &mut writes);
        writes.push(ports.store.mark_open(connection, pid));
    }
    Ok(ports.store.table().batch_write(last_of_each(writes)).await?)
}

/// Those who were there and are not any more, on the word of a complete listing.
async fn store_absences(
    ports: &SourcePorts,
    run: &Run,
    census: &Census,
    known: &BTreeMap<usize, Bucket>,
) -> Result<(), StoreError> {
    let gone: Vec<Pid> = known
        .values()
        .flat_map(|bucket| bucket.keys())
        .filter(|name| !census.entries.contains_key(*name))
        .map(|name| Pid::from_bytes(*name))
        .collect();
    let connection = &run.connection;
    // The moment of the run, which its decisions take for now: a clock read here would be later, and who leaves
    // without grace would look as if their grace were not over.
    let since = begun_ms(run) / 1000;
    for chunk in gone.chunks(CHUNK) {
        let mut writes = Vec::new();
        for (pid, old) in ports.store.people(connection, chunk).await? {
            if matches!(old.standing, Standing::Absent(_) | Standing::Deleted(_)) {
                continue;
            }
            let new = PersonRecord { standing: Standing::Absent(since), revision: old.revision + 1, ..old.clone() };
            ports.store.put_person(&ports.scope, Some(&old), &new, &mut writes);
            writes.push(ports.store.mark_open(connection, pid));
            writes.push(ports.store.note_gone(connection, pid, Some(since)));
        }
        if !writes.is_empty() {
            ports.store.table().batch_write(writes).await?;
        }
    }
    Ok(())
}

/// Last of all: from here on the listing counts as seen.
async fn store_fingerprints(
    ports: &SourcePorts,
    series: &Series,
    census: &Census,
    differing: &[usize],
    digests: &Digests,
) -> Result<(), StoreError> {
    if differing.is_empty() {
        return Ok(());
    }
    let mut buckets: BTreeMap<usize, Bucket> = differing.iter().map(|&number| (number, Bucket::new())).collect();
    for (name, content) in &census.entries {
        if let Some(bucket) = buckets.get_mut(&bucket_of(name)) {
            bucket.insert(*name, *content);
        }
    }
    ports.store.put_buckets(series, buckets.iter().map(|(&number, bucket)| (number, bucket))).await?;
    ports.store.put_digests(series, digests).await
}
