//! People who are wanted now, asked for one by one where the source answers that. Nobody waits for a listing, and a listing
//! under way waits for nobody.
//!
//! Why an older entry does not overtake a newer one: the process that enters a person asks the source again after writing. Of two who
//! write at the same time, the one who writes last sees what was pushed before either wrote.

use std::collections::BTreeMap;
use std::time::Duration;

use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_domain::person::{PersonRecord, SourceStatus};
use hardmatch_ports::run::{Collection, ReadMode, Run};
use hardmatch_ports::source::{Asked, RefusedEntry};
use hardmatch_ports::{Entry, OnePerson};
use hardmatch_store::entering::PersonSighting;
use hardmatch_store::{PersonHash, StoreError};

use super::absent::Missing;
use super::leading_zeros::with_zeros;
use super::lost_letters::with_letters;
use super::progress::{CHUNK, SourceStop};
use super::unreadable::failed;
use crate::observed::{Observed, PEOPLE, complete};
use crate::ports::SourcePorts;
use crate::writes::last_of_each;

/// A person who changes at the source again and again while they are entered is entered so often; then their next request
/// does it.
const TRIES: usize = 4;

/// Asks for everybody whom a run is about, and enters them. `None` where only a listing tells.
pub(super) async fn observe(ports: &SourcePorts, run: &Run) -> Result<Option<Observed>, StoreError> {
    if ports.source.one_person() == OnePerson::ByListing {
        return Ok(None);
    }
    match ask(ports, run).await {
        Ok(observed) => Ok(Some(observed)),
        Err(SourceStop::Source(error)) => Ok(Some(failed(ports, run, &error))),
        Err(SourceStop::Store(error)) => Err(error),
        Err(SourceStop::Deadline) => Ok(Some(Observed::later(Duration::ZERO, 0))),
    }
}

async fn ask(ports: &SourcePorts, run: &Run) -> Result<Observed, SourceStop> {
    let wanted: Vec<(PersonHash, PersonKey)> =
        ports.store.asked(&run.id).await?.into_iter().map(|(pid, asked)| (pid, asked.key)).collect();
    let entered = enter_asked(ports, &run.connection, &wanted).await?;
    let collection = Collection { read: Some(ReadMode::Asked), ..complete(entered.seen, entered.changed) };
    Ok(Observed { collections: vec![(PEOPLE, collection)], refused: entered.refused, ..Observed::default() })
}

/// What entering people came to.
pub(super) struct Entered {
    /// People whom the source has.
    seen: u64,
    /// People who are entered differently now.
    changed: u64,
    refused: Vec<RefusedEntry>,
}

/// Asks for people and enters them, until what is entered is what the source says.
pub(super) async fn enter_asked(
    ports: &SourcePorts,
    connection: &ConnectionId,
    wanted: &[(PersonHash, PersonKey)],
) -> Result<Entered, SourceStop> {
    let mut left = wanted.to_vec();
    let mut changed = 0;
    let mut said: BTreeMap<PersonHash, Asked> = BTreeMap::new();
    for round in 0..=TRIES {
        let mut differing = Vec::new();
        for (pid, key) in &left {
            let answer = ports.source.ask(key).await?;
            if said.get(pid) != Some(&answer) {
                differing.push((*pid, key.clone()));
                said.insert(*pid, answer);
            }
        }
        if differing.is_empty() || round == TRIES {
            break;
        }
        let entered = enter(ports, connection, &differing, &said).await?;
        changed += if round == 0 { entered } else { 0 };
        left = differing;
    }
    let seen = said.values().filter(|answer| matches!(answer, Asked::Found(_))).count() as u64;
    let refused = said.into_values().filter_map(|answer| match answer {
        Asked::Found(Entry::Refused(refused)) => Some(refused),
        Asked::Found(Entry::Person(_)) | Asked::Nobody | Asked::Unknown(_) => None,
    });
    Ok(Entered { seen, changed, refused: refused.collect() })
}

/// Asks a source of pushed people for those whom its listing lacks, and enters whom it says to have deleted. Gives the
/// others: they stay as they were.
pub(super) async fn still_there(
    ports: &SourcePorts,
    run: &Run,
    unlisted: Vec<Missing>,
) -> Result<Vec<PersonHash>, SourceStop> {
    let mut there = Vec::new();
    for some in unlisted.chunks(CHUNK) {
        let pids: Vec<PersonHash> = some.iter().map(|(pid, _)| *pid).collect();
        let people = ports.store.people(&run.connection, &pids).await?;
        let keys: Vec<(PersonHash, PersonKey)> =
            people.into_iter().map(|(pid, record)| (pid, record.person.key)).collect();
        enter_asked(ports, &run.connection, &keys).await?;
        let now = ports.store.people(&run.connection, &pids).await?;
        there.extend(now.into_iter().filter(|(_, record)| !record.is_gone()).map(|(pid, _)| pid));
    }
    Ok(there)
}

/// Enters people as the source showed them. Gives how many of them are entered differently now.
async fn enter(
    ports: &SourcePorts,
    connection: &ConnectionId,
    people: &[(PersonHash, PersonKey)],
    said: &BTreeMap<PersonHash, Asked>,
) -> Result<u64, SourceStop> {
    let pids: Vec<PersonHash> = people.iter().map(|(pid, _)| *pid).collect();
    let old: BTreeMap<PersonHash, PersonRecord> = ports.store.people(connection, &pids).await?.into_iter().collect();
    let pushed = ports.source.one_person() == OnePerson::Pushed;
    let (mut writes, mut changed) = (Vec::new(), 0);
    for pid in pids {
        let old = old.get(&pid);
        let sighting = match said.get(&pid) {
            Some(Asked::Found(Entry::Person(person))) => {
                let person = match old {
                    Some(old) => with_letters(with_zeros((**person).clone(), &old.person), &old.person),
                    None => (**person).clone(),
                };
                // Entered before, as when they were pushed: the next run over everybody has nothing to decide.
                if old.is_some_and(|old| old.person == person && old.standing == SourceStatus::Present) {
                    continue;
                }
                PersonSighting::Understood(Box::new(person))
            }
            Some(Asked::Found(Entry::Refused(entry))) if entry.disabled => PersonSighting::RefusedDisabled,
            Some(Asked::Found(Entry::Refused(_))) => PersonSighting::Refused,
            Some(Asked::Nobody) if pushed => PersonSighting::Deleted(ports.clock.now_seconds()),
            // Nothing follows from silence.
            Some(Asked::Nobody | Asked::Unknown(_)) | None => continue,
        };
        changed += u64::from(ports.store.enter_person(&ports.scope, connection, old, sighting, &mut writes));
    }
    if !writes.is_empty() {
        ports.store.write_facts_last(last_of_each(writes)).await?;
    }
    Ok(changed)
}
