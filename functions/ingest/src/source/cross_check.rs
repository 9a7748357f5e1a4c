//! A cross-check of a listing with what is known of people: rows that hold another person's name, newcomers whose name
//! stands in a row without a key, names of which only the accents changed, keys that lost their zeros.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::person::{Person, PersonRecord};
use hardmatch_ports::Entry;
use hardmatch_ports::source::{RefusedEntry, words};
use hardmatch_store::fingerprints::{Bucket, bucket_of, content_hash};
use hardmatch_store::{PersonHash, StoreError};

use super::changed::Changed;
use super::kept::KeptListing;
use super::known_by::{known_by, word};
use super::leading_zeros::without_zeros;
use super::progress::{CHUNK, SourceStop};
use super::scan::Scan;
use super::swapped::KnownIdentities;
use crate::ports::SourcePorts;

/// Known people whose names are compared when the encoding of a listing is a guess.
const COMPARED: usize = 500;

/// With more changed people than this, none is compared with the others: reading them all would take a message's whole time.
const EXCHANGES_COMPARED: usize = 100_000;

/// Records of known people as they were read for the cross-check, so that storing their facts reads them no second time.
pub(super) type Records = BTreeMap<PersonHash, PersonRecord>;

/// What a cross-check came to.
#[derive(Default)]
pub(super) struct CrossChecked {
    /// Why nothing may be concluded from the listing.
    pub(super) doubt: Option<String>,
    /// Stored records of the known people who changed, where they are few.
    pub(super) records: Records,
}

/// Whether a value by which the person is known, or an address of theirs, stands in a refused entry.
pub(super) fn is_named(scan: &Scan, person: &Person) -> bool {
    let all = known_by(person).chain(person.addresses.all().iter());
    let stands = |text: &str| {
        let mut of_it = words(text.trim().as_bytes()).peekable();
        of_it.peek().is_some() && of_it.all(|word| scan.words.contains(&word))
    };
    !scan.words.is_empty() && all.into_iter().any(stands)
}

/// Goes through the kept listing once more where something calls for it, and turns suspicious entries of the scan into refusals.
/// `missing` are known people whom the listing lacks; `None`: rows are taken as they are and compared with nobody.
pub(super) async fn cross_check(
    ports: &SourcePorts,
    connection: &ConnectionId,
    scan: &mut Scan,
    kept: &KeptListing,
    known: &BTreeMap<usize, Bucket>,
    missing: Option<&[&PersonRecord]>,
) -> Result<CrossChecked, SourceStop> {
    let changed = Changed::find(scan, known);
    let was_there = |name: &[u8; 16]| known.get(&bucket_of(name)).is_some_and(|bucket| bucket.contains_key(name));
    let (identities, records) = match missing {
        Some(_) => changed_people(ports, connection, scan, &changed, was_there).await?,
        None => Default::default(),
    };
    let missing = missing.unwrap_or_default();
    let by_value: HashMap<u64, &PersonRecord> = missing
        .iter()
        .copied()
        .flat_map(|record| known_by(&record.person).filter_map(move |text| Some((word(text)?, record))))
        .collect();
    // Keys of missing people that are numbers, without their leading zeros.
    let numbers: HashMap<&str, &PersonRecord> = missing
        .iter()
        .copied()
        .filter_map(|record| Some((without_zeros(record.person.key.as_str())?, record)))
        .collect();
    let guessed = scan.completeness.guessed.clone();
    let nothing_to_compare = missing.is_empty() && scan.claims.is_empty() && guessed.is_none() && identities.is_empty();
    if changed.is_empty() || nothing_to_compare {
        return Ok(CrossChecked { doubt: None, records });
    }
    let mut foreign: Vec<([u8; 16], RefusedEntry)> = Vec::new();
    let mut claimed: Vec<([u8; 16], RefusedEntry)> = Vec::new();
    let mut shortened: Vec<([u8; 16], RefusedEntry)> = Vec::new();
    let mut names: BTreeMap<PersonHash, Box<Person>> = BTreeMap::new();
    kept.each(
        |name| changed.has(name),
        |ordinal, name, entry| {
            let Entry::Person(person) = entry else { return };
            let of_another = known_by(&person).filter_map(word).find_map(|word| by_value.get(&word));
            if let (true, Some(other)) = (was_there(&name), of_another) {
                if other.person.key != person.key {
                    foreign.push((name, foreign_row(&person, ordinal, "who is missing")));
                }
            } else if identities.is_anothers(&name, &person) {
                foreign.push((name, foreign_row(&person, ordinal, "who stands in another line")));
            } else if !was_there(&name) && numbers.contains_key(person.key.as_str()) {
                shortened.push((name, shortened_row(&person, ordinal)));
            } else if !scan.claims.is_empty() && is_claimed(scan, &person) {
                claimed.push((name, claimed_row(&person, ordinal)));
            }
            if guessed.is_some() && was_there(&name) && names.len() < COMPARED {
                names.insert(PersonHash::from_bytes(name), person);
            }
        },
    )?;
    if let Some(encoding) = guessed.filter(|_| !names.is_empty()) {
        let pids: Vec<PersonHash> = names.keys().copied().collect();
        let before = ports.store.people(connection, &pids).await?;
        if all_changed_in_accents(before.iter().filter_map(|(pid, old)| Some((&old.person, &**names.get(pid)?)))) {
            let doubt = format!(
                "the accents in the names of known people all changed, and the encoding is only a guess ({encoding}): set `encoding` in [source], or save the file as UTF-8"
            );
            return Ok(CrossChecked { doubt: Some(doubt), records });
        }
    }
    for (name, refused) in foreign {
        scan.completeness.absence.push("an entry has the key of one known person and the name of another".to_owned());
        scan.replace(name, refused, ports.store.secret());
    }
    // Somebody who is stored under the shorter key was there before the longer one came.
    let new = shortened.iter().chain(&claimed).map(|(name, _)| *name);
    let stored = stored(ports, connection, new).await?;
    let is_new = |name: &[u8; 16]| !stored.contains_key(&PersonHash::from_bytes(*name));
    for (name, refused) in shortened.into_iter().filter(|(name, _)| is_new(name)) {
        scan.completeness.absence.push("keys have lost their leading zeros".to_owned());
        scan.replace(name, refused, ports.store.secret());
    }
    scan.completeness.absence.dedup();
    for (name, refused) in claimed.into_iter().filter(|(name, _)| is_new(name)) {
        scan.replace(name, refused, ports.store.secret());
    }
    Ok(CrossChecked { doubt: None, records })
}

/// What known people whose entries changed are told apart by, and their records where storing the facts reads all of them
/// at once. People whose entry is refused may have their row under the key of somebody who changed, tonight or since the
/// night before: they are compared, too.
async fn changed_people(
    ports: &SourcePorts,
    connection: &ConnectionId,
    scan: &Scan,
    changed: &Changed,
    was_there: impl Fn(&[u8; 16]) -> bool,
) -> Result<(KnownIdentities, Records), StoreError> {
    let secret = ports.store.secret();
    let refused: BTreeSet<PersonHash> =
        scan.refused.iter().filter_map(|refused| Some(secret.pid(refused.key.as_ref()?))).collect();
    let mut names: BTreeSet<PersonHash> =
        changed.names().filter(|name| was_there(name)).map(|name| PersonHash::from_bytes(*name)).collect();
    if names.iter().all(|name| refused.contains(name)) {
        return Ok(Default::default());
    }
    names.extend(refused);
    let names: Vec<PersonHash> = names.into_iter().collect();
    let mut identities = KnownIdentities::default();
    let mut records = Records::new();
    // One row alone has nobody's place but its own.
    if names.len() < 2 || names.len() > EXCHANGES_COMPARED {
        return Ok((identities, records));
    }
    for chunk in names.chunks(CHUNK) {
        let read = ports.store.people(connection, chunk).await?;
        for (pid, record) in &read {
            identities.add(*pid.bytes(), &record.person);
        }
        if names.len() <= CHUNK {
            records.extend(read);
        }
    }
    Ok((identities, records))
}

async fn stored(
    ports: &SourcePorts,
    connection: &ConnectionId,
    names: impl Iterator<Item = [u8; 16]>,
) -> Result<BTreeMap<PersonHash, PersonRecord>, StoreError> {
    let pids: Vec<PersonHash> = names.map(PersonHash::from_bytes).collect();
    let mut found = BTreeMap::new();
    for chunk in pids.chunks(CHUNK) {
        found.extend(ports.store.people(connection, chunk).await?);
    }
    Ok(found)
}

/// Whether a name or address of the person stands in an entry without a readable key.
fn is_claimed(scan: &Scan, person: &Person) -> bool {
    let mut names = person.upn().into_iter().chain(person.addresses.all().iter());
    names.any(|text| words(text.as_bytes()).any(|word| scan.claims.contains(&word)))
}

fn foreign_row(person: &Person, ordinal: u64, other: &str) -> RefusedEntry {
    let body = serde_json::to_vec(person).unwrap_or_default();
    let halves = [content_hash(&body), content_hash(&[b"foreign ", &body[..]].concat())];
    RefusedEntry {
        key: Some(person.key.clone()),
        line: ordinal,
        problem: format!(
            "The entry has the key of one person and the sign-in name, address or employee ID of another, {other}"
        ),
        cure: "The line is the entry's number. If two rows ran together, or the keys were sorted or copied apart from the rows, write the export again; if the name was really handed over, run once with --accept-source"
            .to_owned(),
        fault: <[u8; 16]>::try_from(halves.concat()).ok(),
        ..RefusedEntry::default()
    }
}

fn shortened_row(person: &Person, ordinal: u64) -> RefusedEntry {
    let body = serde_json::to_vec(person).unwrap_or_default();
    let halves = [content_hash(&body), content_hash(&[b"shortened ", &body[..]].concat())];
    RefusedEntry {
        key: Some(person.key.clone()),
        line: ordinal,
        problem: "The key is that of a known person who is missing, without its leading zeros".to_owned(),
        cure: "The line is the entry's number. Export the column as text (in a spreadsheet: import it as Text, not as General); if the keys really changed, run once with --accept-source"
            .to_owned(),
        fault: <[u8; 16]>::try_from(halves.concat()).ok(),
        ..RefusedEntry::default()
    }
}

fn claimed_row(person: &Person, ordinal: u64) -> RefusedEntry {
    RefusedEntry {
        key: Some(person.key.clone()),
        line: ordinal,
        problem: "The sign-in name or an address of the entry stands also in one that has no readable key".to_owned(),
        cure: "The line is the entry's number. Fill the key of the other entry, or remove that entry".to_owned(),
        ..RefusedEntry::default()
    }
}

/// Whether every known name with an accent changed in nothing but its accents: then the encoding changed, and not the
/// people.
fn all_changed_in_accents<'p>(pairs: impl Iterator<Item = (&'p Person, &'p Person)>) -> bool {
    const NAMES: [Attr; 3] = [Attr::DisplayName, Attr::GivenName, Attr::Surname];
    let plain = |text: &str| text.chars().filter(char::is_ascii).filter(|c| *c != '?').collect::<String>();
    let (mut accented, mut altered) = (0, 0);
    for (old, new) in pairs {
        let values = |person: &Person| NAMES.map(|attr| person.attributes.get(attr).unwrap_or_default().to_owned());
        let (before, now) = (values(old), values(new));
        if before.iter().all(|name| name.is_ascii()) {
            continue;
        }
        accented += 1;
        let same = before.iter().zip(&now).all(|(before, now)| plain(before) == plain(now));
        altered += usize::from(same && before != now);
    }
    accented >= 2 && altered == accented
}

#[cfg(test)]
mod tests {
    use hardmatch_domain::person::Addresses;

    use super::*;

    fn named(display: &str, number: &str) -> Person {
        Person {
            key: "1".into(),
            anchors: Vec::new(),
            attributes: [(Attr::DisplayName, display), (Attr::EmployeeId, number)].into_iter().collect(),
            addresses: Addresses::default(),
            groups: hardmatch_domain::attribute::Texts::default(),
            manager: None,
            enabled: None,
            password_expired: None,
            extra: hardmatch_domain::person::Extra::default(),
            given_by: None,
        }
    }

    #[test]
    fn names_that_all_changed_in_their_accents_are_an_encoding() {
        let all = |pairs: &[(&str, &str)]| {
            let people: Vec<_> = pairs.iter().map(|(old, new)| (named(old, ""), named(new, ""))).collect();
            all_changed_in_accents(people.iter().map(|(old, new)| (old, new)))
        };
        assert!(all(&[("Jörg", "Jšrg"), ("Höss", "Hšss"), ("Ann", "Ann")]));
        assert!(!all(&[("Jörg", "Jšrg")]), "one is a correction");
        assert!(!all(&[("Jörg", "Jšrg"), ("Höss", "Höss")]), "one is right");
        assert!(!all(&[("Jörg", "Jörg Maier"), ("Höss", "Hšss")]), "one got another name");
    }
}
