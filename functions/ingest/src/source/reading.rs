//! One reading of the source, from start to end. The scan comes first and facts second: nothing is written before the
//! whole listing was read once and found complete, and a changed person is marked dirty before their new facts are stored.

use std::collections::BTreeMap;
use std::time::Duration;

use hardmatch_domain::person::PersonRecord;
use hardmatch_ports::run::Run;
use hardmatch_ports::source::{Completeness, RefusedEntry, read_whole};
use hardmatch_ports::{OnePerson, SourceError};
use hardmatch_store::StoreError;
use hardmatch_store::connection::LastListing;
use hardmatch_store::fingerprints::{BUCKETS, Bucket, Digests, Series, bucket_of};

use super::absent::{Absence, lacking, missing, store_absences};
use super::changed::Changed;
use super::cross_check::{Records, cross_check};
use super::evidence::{self, Evidence};
use super::facts::Facts;
use super::kept::KeptListing;
use super::lookups::enter_everybody;
use super::progress::{CHUNK, Pace, SourceCheckpoint, SourceStop};
use super::scan::{self, Scan, Scanner};
use super::unreadable::failed;
use super::wanted::still_there;
use crate::observed::{Observed, PEOPLE, begun_ms, complete, unknown};
use crate::ports::SourcePorts;

/// Values left out that are kept for the report.
const LEFT_OUT_KEPT: usize = 250;

/// Reads the source for a run.
pub(super) async fn observe(ports: &SourcePorts, run: &Run) -> Result<Observed, StoreError> {
    let mut progress = SourceCheckpoint::of(ports, run).await?;
    match observe_all(ports, run, &mut progress).await {
        Ok(observed) => Ok(observed),
        Err(SourceStop::Source(error)) => Ok(failed(ports, run, &error)),
        Err(SourceStop::Store(error)) => Err(error),
        Err(SourceStop::Deadline) => Ok(Observed::later(Duration::ZERO, progress.units())),
    }
}

async fn observe_all(ports: &SourcePorts, run: &Run, progress: &mut SourceCheckpoint) -> Result<Observed, SourceStop> {
    if run.accept_source {
        ports.source.accept_as_it_is();
    }
    let (mut scan, kept) = read_scan(ports).await?;
    let series = Series::people(&run.connection);
    let meta = ports.store.meta(&run.connection).await?;
    // Where a reading stored facts and did not come to its end, the digests tell of the time before.
    let before = if progress.is_unsettled() { None } else { ports.store.digests(&series).await? };
    let differing = match &before {
        Some(before) => before.differing(&digests(&scan)),
        None => (0..BUCKETS).collect(),
    };
    let mut known = ports.store.buckets(&series, &differing).await?;
    let known_names = names_for_doubts(ports, &series, &scan, &known, meta.listing.people).await?;

    let pushed = ports.source.one_person() == OnePerson::Pushed;
    let columns = if run.accept_source { &[][..] } else { &meta.listing.columns };
    let names = if run.accept_source { &[][..] } else { &known_names };
    // What makes a file doubtful is how a pushed directory grows: it begins empty, and people come and go one by one.
    let mut doubts = if pushed { scan.completeness.doubts.clone() } else { scan::doubts(&scan, names, columns) };
    let missing = if doubts.is_empty() { missing(ports, run, &scan, &known).await? } else { Vec::new() };
    let mut records = Records::new();
    if doubts.is_empty() {
        let gone: Vec<&PersonRecord> = missing.iter().filter_map(|(_, record)| record.as_ref()).collect();
        let compared = (!run.accept_source && !pushed).then_some(&gone[..]);
        let checked = cross_check(ports, &run.connection, &mut scan, &kept, &known, compared).await?;
        doubts.extend(checked.doubt);
        records = checked.records;
    }
    if !doubts.is_empty() {
        return Ok(doubted(scan, doubts));
    }

    // Counted before absences are stored, and with people who are absent already: the pace is the same before and after a
    // stop.
    let lacking = lacking(&scan, &known).len();
    // Nobody is gone for being missing from pushed people: the source is asked whether it deleted them.
    let (missing, unlisted) = if pushed { (Vec::new(), missing) } else { (missing, Vec::new()) };
    let unlisted = still_there(ports, run, unlisted).await?;
    // An operator who accepts the source as it is has looked at what it lacks.
    let evidence = if run.accept_source {
        Evidence { missing, ..Evidence::default() }
    } else {
        evidence::ask(ports, &kept, missing).await?
    };
    let absence = Absence::judge(ports, run, &scan, evidence.missing, evidence.unclear).await?;
    // Said after absence was judged: it is unknown for these people, and known for all others.
    scan.completeness.absence.extend(evidence.reasons);
    // A person who is missing and not absent stays as they were: their fingerprint stays, too.
    for pid in absence.waiting.iter().chain(&unlisted) {
        let content = known.get(&bucket_of(pid.bytes())).and_then(|bucket| bucket.get(pid.bytes()));
        scan.entries.extend(content.map(|content| (*pid.bytes(), *content)));
    }

    enter_everybody(ports, run, &series, progress).await?;
    let changed = Changed::find(&scan, &known);
    if !changed.is_empty() || !absence.absent.is_empty() {
        progress.unsettle(ports.clock.now()).await?;
    }
    // What one message does in any case needs no fingerprints of its own on the way.
    let pace = if changed.groups().len() <= 1 && lacking <= CHUNK { Pace::AtOnce } else { Pace::ByGroups };
    let facts = Facts { ports, connection: &run.connection, series: &series, scan: &scan, kept: &kept, records };
    let known_values = facts.store(&changed, &mut known, pace, progress).await?;
    for key in known_values.iter().filter_map(|row| row.key.as_ref()) {
        // Without a fingerprint the person is new every night, so that what was lost is reported every night.
        scan.entries.insert(*ports.store.secret().pid(key).bytes(), [0; 8]);
    }
    store_absences(ports, run, &absence.absent, pace, progress).await?;
    store_fingerprints(ports, &series, &scan, &known, &digests(&scan)).await?;
    absence.put(ports).await?;
    let people = scan.entries.len() as u64;
    let columns = scan.completeness.expected.clone();
    ports
        .store
        .update(&run.connection, |listing: &mut LastListing| {
            listing.people = people;
            listing.columns.clone_from(&columns);
        })
        .await?;
    let changed = progress.changed() + if pace == Pace::AtOnce { changed.len() as u64 } else { 0 };
    progress.settle().await?;
    Ok(concluded(run, scan, changed, &absence, known_values))
}

/// A listing from which nothing is concluded.
fn doubted(scan: Scan, doubts: Vec<String>) -> Observed {
    let mut collection = unknown("");
    collection.seen = scan.completeness.entries;
    collection.doubts = doubts;
    collection.notes = scan.completeness.notes;
    Observed { collections: vec![(PEOPLE, collection)], refused: scan.refused, ..Observed::default() }
}

/// A listing that is stored to its end.
fn concluded(run: &Run, scan: Scan, changed: u64, absence: &Absence, kept: Vec<RefusedEntry>) -> Observed {
    let Completeness { absence: unknown, notes, mut left_out, entries, .. } = scan.completeness;
    left_out.extend(kept);
    left_out.truncate(LEFT_OUT_KEPT);
    let mut collection = complete(entries, changed);
    collection.absence_since_ms = absence.unknown_since();
    collection.notes = notes;
    collection.absence = unknown;
    if !collection.absence.is_empty() && !absence.waiting.is_empty() {
        collection.absence.push(format!("{} known people are missing and stay as they are", absence.waiting.len()));
    }
    let mut problems = Vec::new();
    if collection.is_absence_overdue(begun_ms(run)) {
        problems.push(
            "For three nights nobody could be taken for absent: people who left since keep their access. Cure the refused entries."
                .to_owned(),
        );
    }
    Observed {
        collections: vec![(PEOPLE, collection)],
        refused: scan.refused,
        left_out,
        problems,
        ..Observed::default()
    }
}

fn digests(scan: &Scan) -> Digests {
    let mut digests = Digests::default();
    for (name, content) in &scan.entries {
        digests.add(name, *content);
    }
    digests
}

async fn read_scan(ports: &SourcePorts) -> Result<(Scan, KeptListing), SourceError> {
    let mut scanner = Scanner::new(ports.store.secret());
    let completeness = read_whole(&*ports.source, &mut scanner).await?;
    scanner.finish(completeness)
}

/// Names of everybody who was known, when so many are gone that most keys may have changed. Otherwise nobody, without
/// reading more: only people of buckets that differ can be gone, and of those it is known who is. The names of those few
/// buckets alone would prove nothing, since in a small directory everybody in them may have left.
async fn names_for_doubts(
    ports: &SourcePorts,
    series: &Series,
    scan: &Scan,
    known: &BTreeMap<usize, Bucket>,
    people: u64,
) -> Result<Vec<[u8; 16]>, StoreError> {
    if (lacking(scan, known).len() as u64) * 2 > people {
        return ports.store.all_names(series).await;
    }
    Ok(Vec::new())
}

/// Stores the fingerprints of the whole listing, last of all: from here on the listing counts as seen. Buckets that are
/// stored as they are now are not written.
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
