//! Missing people: known people whom a listing lacks, which of them are absent, and their absence in the store.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::person::PersonRecord;
use hardmatch_ports::run::Run;
use hardmatch_store::entering::PersonSighting;
use hardmatch_store::fingerprints::Bucket;
use hardmatch_store::{NoteList, PersonHash, StoreError};

use super::absence_history::AbsenceHistory;
use super::cross_check::is_named;
use super::progress::{CHUNK, Pace, SourceCheckpoint, SourceStop};
use super::scan::Scan;
use crate::observed::begun_ms;
use crate::ports::SourcePorts;

/// Missing people whose records are read. More are no few leavers beside a damaged row: the accidental-removal limit
/// judges them.
const LOOKED_AT: usize = 25_000;

/// A known person whom the listing lacks; the record where few people are missing.
pub(super) type Missing = (PersonHash, Option<PersonRecord>);

/// Names of known people who are not in this scan.
pub(super) fn lacking(scan: &Scan, known: &BTreeMap<usize, Bucket>) -> Vec<PersonHash> {
    let names = known.values().flat_map(|bucket| bucket.keys());
    names.filter(|name| !scan.entries.contains_key(*name)).map(|name| PersonHash::from_bytes(*name)).collect()
}

/// Known people who are not in this scan, and not absent already.
pub(super) async fn missing(
    ports: &SourcePorts,
    run: &Run,
    scan: &Scan,
    known: &BTreeMap<usize, Bucket>,
) -> Result<Vec<Missing>, StoreError> {
    let lacking = lacking(scan, known);
    if lacking.len() > LOOKED_AT {
        return Ok(lacking.into_iter().map(|pid| (pid, None)).collect());
    }
    let mut missing = Vec::new();
    for chunk in lacking.chunks(CHUNK) {
        let found = ports.store.people(&run.connection, chunk).await?;
        missing
            .extend(found.into_iter().filter(|(_, record)| !record.is_gone()).map(|(pid, record)| (pid, Some(record))));
    }
    Ok(missing)
}

/// What a listing says of the people whom it lacks.
pub(super) struct Absence {
    history: AbsenceHistory,
    before: AbsenceHistory,
    place: NoteList,
    /// People who are absent.
    pub(super) absent: Vec<PersonHash>,
    /// People of whom nothing is concluded: they stay as they were.
    pub(super) waiting: Vec<PersonHash>,
}

impl Absence {
    pub(super) async fn judge(
        ports: &SourcePorts,
        run: &Run,
        scan: &Scan,
        missing: Vec<Missing>,
        unclear: Vec<PersonHash>,
    ) -> Result<Self, SourceStop> {
        let place = NoteList::source(&run.connection);
        let before = AbsenceHistory::of(&ports.store, &place).await?;
        let unknown = !scan.completeness.absence.is_empty();
        // A person whose name stands in a refused entry is not missing.
        let (named, missing): (Vec<Missing>, Vec<Missing>) = missing
            .into_iter()
            .partition(|(_, record)| record.as_ref().is_some_and(|record| is_named(scan, &record.person)));
        let missing: Vec<PersonHash> = missing.into_iter().map(|(pid, _)| pid).collect();
        let (history, absent) = before.with(begun_ms(run), unknown, &scan.faults, &missing);
        let is_absent: BTreeSet<PersonHash> = absent.iter().copied().collect();
        let mut waiting: Vec<PersonHash> = missing.into_iter().filter(|pid| !is_absent.contains(pid)).collect();
        waiting.extend(named.into_iter().map(|(pid, _)| pid));
        let history = history.with_unclear(&before, &unclear);
        waiting.extend(unclear);
        Ok(Self { history, before, place, absent, waiting })
    }

    /// Since when absence is unknown (Unix milliseconds); `None` where it is known.
    pub(super) fn unknown_since(&self) -> Option<i64> {
        self.history.unknown_since()
    }

    /// Remembers this reading. While absence is known there is nothing to remember.
    pub(super) async fn put(&self, ports: &SourcePorts) -> Result<(), StoreError> {
        if self.history.unknown_since().is_none() && self.before.unknown_since().is_none() {
            return Ok(());
        }
        self.history.put(&ports.store, &self.place).await
    }
}

/// Stores that people are absent, on the word of a complete listing.
pub(super) async fn store_absences(
    ports: &SourcePorts,
    run: &Run,
    absent: &[PersonHash],
    pace: Pace,
    progress: &mut SourceCheckpoint,
) -> Result<(), SourceStop> {
    let connection = &run.connection;
    // The moment of the run, which its decisions take for the present. A clock that is read here would be later, and the
    // grace of somebody who leaves without grace would not be over.
    let since = begun_ms(run) / 1000;
    for chunk in absent.chunks(CHUNK) {
        let mut writes = Vec::new();
        for (_, old) in ports.store.people(connection, chunk).await? {
            let absent = PersonSighting::Absent(since);
            ports.store.enter_person(&ports.scope, connection, Some(&old), absent, &mut writes);
        }
        if writes.is_empty() {
            continue;
        }
        ports.store.write_facts_last(writes).await?;
        if pace == Pace::ByGroups {
            progress.unit(ports, 0, Vec::new()).await?;
        }
    }
    Ok(())
}
