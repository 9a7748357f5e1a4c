//! The source side: scan first, facts second. Nothing is written before the whole listing was read once and found
//! complete, and a changed person is marked dirty in the same write as their new facts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hardmatch_domain::person::{PersonRecord, SourceStatus};
use hardmatch_ports::SourceError;
use hardmatch_ports::run::Run;
use hardmatch_ports::source::Completeness;
use hardmatch_store::fingerprints::{Bucket, Digests, Series, bucket_of};
use hardmatch_store::{PersonHash, StoreError};

use crate::source::absent::Readings;
use crate::source::changed::{Changed, Facts};
use crate::source::cross_check;
use crate::source::lookups::enter_everybody;
use crate::source::progress::{Pace, SourceProgress};
use crate::source::scan::{self, Scan};
use crate::{Observed, PEOPLE, Patience, SourcePorts, begun_ms, complete, patience, unknown};

/// How long to wait before a source that may recover is asked again.
const SOURCE_RETRY: Duration = Duration::from_secs(30);
/// People whose records are written together.
pub(crate) const CHUNK: usize = 500;

/// Values left out that are kept for the report.
const LEFT_OUT_KEPT: usize = 250;

/// Why the reading ends before its end.
pub(crate) enum Stopped {
    Source(SourceError),
    Store(StoreError),
    /// What is done so far is stored; the next message goes on.
    Time,
}

impl From<SourceError> for Stopped {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<hardmatch_ports::TableError> for Stopped {
    fn from(error: hardmatch_ports::TableError) -> Self {
        Self::Store(error.into())
    }
}

pub(crate) async fn observe(ports: &SourcePorts, run: &Run) -> Result<Observed, StoreError> {
    let mut marker = SourceProgress::of(&ports.store, run).await?;
    match observe_all(ports, run, &mut marker).await {
        Ok(observed) => Ok(observed),
        Err(Stopped::Source(error)) => Ok(failed(ports, run, &error)),
        Err(Stopped::Store(error)) => Err(error),
        Err(Stopped::Time) => {
            Ok(Observed { again: Some(Duration::ZERO), units: marker.units(), ..Observed::default() })
        }
    }
}

async fn observe_all(ports: &SourcePorts, run: &Run, marker: &mut SourceProgress) -> Result<Observed, Stopped> {
    let mut scan = read_scan(ports).await?;
    let series = Series::people(&run.connection);
    let meta = ports.store.meta(&run.connection).await?.value;
    // Facts were stored by somebody who did not come to the end: the digests tell of the time before.
    let before = if marker.is_unsettled() { None } else { ports.store.digests(&series).await? };
    let differing = match &before {
        Some(before) => before.differing(&digests(&scan)),
        None => (0..hardmatch_store::fingerprints::BUCKETS).collect(),
    };
    let mut known = ports.store.buckets(&series, &differing).await?;
    let known_names = names_for_doubts(ports, &series, &known, meta.people).await?;

    let columns = if run.accept_source { &[][..] } else { &meta.columns };
    let names = if run.accept_source { &[][..] } else { &known_names };
    let mut doubts = scan::doubts(&scan, names, columns);
    let missing = if doubts.is_empty() { missing(ports, run, &scan, &known).await? } else { Vec::new() };
    if doubts.is_empty() {
        let records: Vec<&PersonRecord> = if run.accept_source {
            Vec::new()
        } else {
            missing.iter().filter_map(|(_, record)| record.as_ref()).collect()
        };
        doubts.extend(cross_check::again(ports, &run.connection, &mut scan, &known, &records).await?);
    }
    if !doubts.is_empty() {
        let mut collection = unknown("");
        collection.seen = scan.completeness.entries;
        collection.doubts = doubts;
        collection.notes.clone_from(&scan.completeness.notes);
        return Ok(Observed { collections: vec![(PEOPLE, collection)], refused: scan.refused, ..Observed::default() });
    }

    // Those who are absent already count too: the pace is the same before and after a stop.
    let lacking = gone(&scan, &known).len();
    let absence = Absence::judge(ports, run, &scan, missing).await?;
    // Who is missing and not absent stays as they were: nobody forgets them.
    for pid in &absence.waiting {
        let content = known.get(&bucket_of(pid.bytes())).and_then(|bucket| bucket.get(pid.bytes()));
        scan.entries.extend(content.map(|content| (*pid.bytes(), *content)));
    }

    enter_everybody(ports, run, &series, marker).await?;
    let changed = Changed::find(&scan, &known);
    let gone = &absence.absent;
    if !changed.is_empty() || !gone.is_empty() {
        marker.unsettle(&ports.store).await?;
    }
    // What one message does in any case needs no fingerprints of its own on the way.
    let deadline = if changed.groups().len() <= 1 && lacking <= CHUNK { Pace::AtOnce } else { Pace::ByGroups };
    let facts = Facts { ports, connection: &run.connection, series: &series, scan: &scan };
    let zeros = facts.store(&changed, &mut known, deadline, marker).await?;
    for key in &zeros {
        // Seen as new every night, so that it is said every night.
        scan.entries.insert(*ports.store.secret().pid(key).bytes(), [0; 8]);
    }
    store_absences(ports, run, gone, deadline, marker).await?;
    store_fingerprints(ports, &series, &scan, &known, &digests(&scan)).await?;
    absence.put(ports, run).await?;
    let people = scan.entries.len() as u64;
    let columns = scan.completeness.expected.clone();
    ports
        .store
        .update_meta(&run.connection, |meta| {
            meta.people = people;
            meta.columns.clone_from(&columns);
        })
        .await?;
    let changed = marker.changed() + if deadline == Pace::AtOnce { changed.len() as u64 } else { 0 };
    marker.settle(&ports.store).await?;

    let Completeness { absence: unknown, notes, mut left_out, entries, .. } = scan.completeness;
    left_out.extend(zeros.iter().map(cross_check::zeros_row));
    left_out.truncate(LEFT_OUT_KEPT);
    let mut collection = complete(entries, changed);
    collection.absence_since_ms = absence.readings.unknown_since();
    collection.notes = notes;
    collection.absence = unknown;
    if !collection.absence.is_empty() && !absence.waiting.is_empty() {
        collection.absence.push(format!("{} known people are missing and stay as they are", absence.waiting.len()));
    }
    let mut problems = Vec::new();
    if collection.is_absence_overdue(begun_ms(run)) {
        problems.push(
            "For three nights nobody could be taken for absent: whoever left since keeps their access. Cure the refused entries."
                .to_owned(),
        );
    }
    Ok(Observed {
        collections: vec![(PEOPLE, collection)],
        refused: scan.refused,
        left_out,
        problems,
        ..Observed::default()
    })
}

fn digests(scan: &Scan) -> Digests {
    let mut digests = Digests::default();
    for (name, content) in &scan.entries {
        digests.add(name, *content);
    }
    digests
}

/// What a reading says of people whom it lacks.
struct Absence {
    readings: Readings,
    before: Readings,
    /// They are absent.
    absent: Vec<PersonHash>,
    /// They are missing, and nothing is concluded from it.
    waiting: Vec<PersonHash>,
}

impl Absence {
    async fn judge(
        ports: &SourcePorts,
        run: &Run,
        scan: &Scan,
        missing: Vec<(PersonHash, Option<PersonRecord>)>,
    ) -> Result<Self, Stopped> {
        let before = Readings::of(&ports.store, &pk(run)).await?;
        let unknown = !scan.completeness.absence.is_empty();
        // Who stands in a refused entry is not missing.
        let (named, missing): (Vec<_>, Vec<_>) = missing
            .into_iter()
            .partition(|(_, record)| record.as_ref().is_some_and(|record| cross_check::is_named(scan, &record.person)));
        let missing: Vec<PersonHash> = missing.into_iter().map(|(pid, _)| pid).collect();
        let (readings, absent) = before.with(begun_ms(run), unknown, &scan.faults, &missing);
        let is_absent: BTreeSet<PersonHash> = absent.iter().copied().collect();
        let mut waiting: Vec<PersonHash> = missing.into_iter().filter(|pid| !is_absent.contains(pid)).collect();
        waiting.extend(named.into_iter().map(|(pid, _)| pid));
        Ok(Self { readings, before, absent, waiting })
    }

    async fn put(&self, ports: &SourcePorts, run: &Run) -> Result<(), StoreError> {
        // While all is well there is nothing to remember.
        if self.readings.unknown_since().is_none() && self.before.unknown_since().is_none() {
            return Ok(());
        }
        self.readings.put(&ports.store, &pk(run)).await
    }
}

fn pk(run: &Run) -> String {
    format!("FP#{}", run.connection)
}

/// So many missing people are looked at one by one. More are no few leavers beside a damaged row: the guard judges them.
const LOOKED_AT: usize = 25_000;

/// Known people who are not in this scan, and are not absent already. Of very many only who they are.
async fn missing(
    ports: &SourcePorts,
    run: &Run,
    scan: &Scan,
    known: &BTreeMap<usize, Bucket>,
) -> Result<Vec<(PersonHash, Option<PersonRecord>)>, StoreError> {
    let gone = gone(scan, known);
    if gone.len() > LOOKED_AT {
        return Ok(gone.into_iter().map(|pid| (pid, None)).collect());
    }
    let mut missing = Vec::new();
    for chunk in gone.chunks(CHUNK) {
        let found = ports.store.people(&run.connection, chunk).await?;
        missing.extend(
            found
                .into_iter()
                .filter(|(_, record)| !matches!(record.standing, SourceStatus::Absent(_) | SourceStatus::Deleted(_)))
                .map(|(pid, record)| (pid, Some(record))),
        );
    }
    Ok(missing)
}

async fn read_scan(ports: &SourcePorts) -> Result<Scan, SourceError> {
    let mut listing = ports.source.open().await?;
    scan::take(&mut *listing, ports.store.secret()).await
}

fn failed(ports: &SourcePorts, run: &Run, error: &SourceError) -> Observed {
    if error.retry && patience(begun_ms(run), ports.clock.now().as_millisecond()) == Patience::Left {
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
) -> Result<Vec<[u8; 16]>, StoreError> {
    let in_differing: usize = known.values().map(Bucket::len).sum();
    if (in_differing as u64) * 2 > people {
        return ports.store.all_names(series).await;
    }
    Ok(Vec::new())
}

/// Those who were there and are not in this scan.
fn gone(scan: &Scan, known: &BTreeMap<usize, Bucket>) -> Vec<PersonHash> {
    let names = known.values().flat_map(|bucket| bucket.keys());
    names.filter(|name| !scan.entries.contains_key(*name)).map(|name| PersonHash::from_bytes(*name)).collect()
}

/// Those who were there and are not any more, on the word of a complete listing. Who is absent already stays as they are.
async fn store_absences(
    ports: &SourcePorts,
    run: &Run,
    gone: &[PersonHash],
    deadline: Pace,
    marker: &mut SourceProgress,
) -> Result<(), Stopped> {
    let connection = &run.connection;
    // The moment of the run, which its decisions take for now: a clock read here would be later, and who leaves
    // without grace would look as if their grace were not over.
    let since = begun_ms(run) / 1000;
    for chunk in gone.chunks(CHUNK) {
        let (mut writes, mut marked) = (Vec::new(), Vec::new());
        for (pid, old) in ports.store.people(connection, chunk).await? {
            if matches!(old.standing, SourceStatus::Absent(_) | SourceStatus::Deleted(_)) {
                continue;
            }
            let new = PersonRecord { standing: SourceStatus::Absent(since), revision: old.revision + 1, ..old.clone() };
            ports.store.put_person(&ports.scope, Some(&old), &new, &mut writes);
            marked.push(pid);
            writes.push(ports.store.note_gone(connection, pid, Some(since)));
        }
        writes.extend(ports.store.mark_together(connection, marked));
        if writes.is_empty() {
            continue;
        }
        ports.store.write_facts_last(writes).await?;
        if deadline == Pace::ByGroups {
            marker.unit(ports, 0, Vec::new()).await?;
        }
    }
    Ok(())
}

/// Last of all: from here on the listing counts as seen. Buckets that are stored as they are now stay.
async fn store_fingerprints(
    ports: &SourcePorts,
    series: &Series,
    scan: &Scan,
    known: &BTreeMap<usize, Bucket>,
    digests: &Digests,
) -> Result<(), StoreError> {
    if known.is_empty() {
        return Ok(());
    }
    let mut buckets: BTreeMap<usize, Bucket> = known.keys().map(|&number| (number, Bucket::new())).collect();
    for (name, content) in &scan.entries {
        if let Some(bucket) = buckets.get_mut(&bucket_of(name)) {
            bucket.insert(*name, *content);
        }
    }
    buckets.retain(|number, bucket| known.get(number) != Some(bucket));
    ports.store.put_buckets(series, buckets.iter().map(|(&number, bucket)| (number, bucket))).await?;
    ports.store.put_digests(series, digests).await
}
