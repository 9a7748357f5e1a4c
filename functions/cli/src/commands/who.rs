//! Finding the one person somebody means.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::facts::By;
use hardmatch_domain::ids::{ConnectionId, Guid, ObjectId, PersonKey, PersonRef};
use hardmatch_domain::person::Person;
use hardmatch_match::MatchPorts;
use hardmatch_policy::nearest;
use hardmatch_ports::Source;
use hardmatch_ports::source::{Each, Entry, read_whole};
use hardmatch_store::PersonHash;
use hardmatch_store::fingerprints::Series;

use crate::commands::called::{Fit, Known, fit, names, words};
use crate::fail::Failure;

/// People who are listed when several fit.
const LISTED: usize = 20;
/// People who are read together.
const CHUNK: usize = 100;

/// The person of a key, object id, sign-in name, address, employee ID, immutable ID, local part or name. An error when
/// several fit.
pub(crate) async fn find(
    ports: &MatchPorts,
    connection: &ConnectionId,
    who: &str,
) -> Result<Option<PersonRef>, Failure> {
    let named = |key: String| PersonRef { connection: connection.clone(), key: PersonKey::new(key) };
    let mut keys = vec![who.to_owned(), who.to_lowercase()];
    keys.extend(Guid::parse(who).map(|guid| guid.to_string()));
    for key in keys {
        if ports.store.person(&named(key.clone())).await?.is_some() {
            return Ok(Some(named(key)));
        }
    }
    if let Some(link) = ports.store.link_to(&ports.scope, &ObjectId::new(who.to_lowercase())).await?
        && link.value.person.connection == *connection
    {
        return Ok(Some(link.value.person));
    }
    let named_whole = who.split_once(' ').map(|(given, surname)| format!("{given}\u{1f}{surname}\u{1f}{who}"));
    let by_value =
        [By::Upn, By::Address, By::EmployeeId, By::ImmutableId, By::LocalPart].map(|by| (by, who.to_owned()));
    for (by, value) in by_value.into_iter().chain(named_whole.map(|name| (By::Name, name))) {
        let mut found = ports.store.people_by(&ports.scope, by, &value).await?;
        found.retain(|person| person.connection == *connection);
        match found.len() {
            0 => {}
            1 => return Ok(found.pop()),
            _ => {
                let mut known = Vec::new();
                for person in &found {
                    known.extend(ports.store.person(person).await?.map(|record| Known::of(&record.person)));
                }
                return Err(several(who, known));
            }
        }
    }
    Ok(None)
}

/// What a look at everybody's names found.
pub(crate) enum Found {
    /// One fits better than everybody else, and so many others fit less well.
    One(PersonRef, usize),
    /// Nobody fits. These are called nearly that.
    Nobody(Vec<Known>),
}

/// The person whose name, sign-in name, address or key has this part, of everybody whom a run has read. An error when
/// several fit equally well.
pub(crate) async fn by_part(ports: &MatchPorts, connection: &ConnectionId, who: &str) -> Result<Found, Failure> {
    let mut fits: BTreeMap<Fit, Vec<Known>> = BTreeMap::new();
    let mut called: BTreeMap<String, Known> = BTreeMap::new();
    let names_read = ports.store.all_names(&Series::people(connection)).await?;
    let mut pids: Vec<PersonHash> = names_read.into_iter().map(PersonHash::from_bytes).collect();
    pids.extend(ports.store.gone_people(connection).await?);
    pids.sort_unstable();
    pids.dedup();
    for chunk in pids.chunks(CHUNK) {
        for (_, record) in ports.store.people(connection, chunk).await? {
            let person = &record.person;
            let names = names(person);
            match fit(&names, who) {
                Some(fit) => fits.entry(fit).or_default().push(Known::of(person)),
                None if fits.is_empty() => {
                    for name in names.iter().flat_map(|name| words(name).chain([*name])) {
                        called.entry(name.to_lowercase()).or_insert_with(|| Known::of(person));
                    }
                }
                None => {}
            }
        }
    }
    let all: usize = fits.values().map(Vec::len).sum();
    match fits.into_values().next() {
        None => {
            let near = nearest(who, called.keys().map(String::as_str)).and_then(|name| called.get(name));
            Ok(Found::Nobody(near.cloned().into_iter().collect()))
        }
        Some(best) => match best.as_slice() {
            [one] => {
                let key = PersonKey::new(one.key.clone());
                Ok(Found::One(PersonRef { connection: connection.clone(), key }, all - 1))
            }
            _ => Err(several(who, best)),
        },
    }
}

/// The person of the source whom no run has read yet: by key, sign-in name, address, employee ID, immutable ID or display
/// name. An error when several fit.
pub(crate) async fn in_source(source: &dyn Source, who: &str) -> Result<Option<PersonKey>, Failure> {
    let mut found = Vec::new();
    let mut each = Each(|entry| match entry {
        Entry::Person(person) if is_called(&person, who) => found.push(Known::of(&person)),
        Entry::Person(_) | Entry::Refused(_) => {}
    });
    read_whole(source, &mut each).await?;
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(PersonKey::new(one.key.clone()))),
        _ => Err(several(who, found)),
    }
}

/// Whether exactly this is the person's key, sign-in name, address, employee ID, immutable ID or display name.
pub(crate) fn is_called(person: &Person, who: &str) -> bool {
    let same = |text: &str| text.to_lowercase() == who.to_lowercase();
    let attribute = |attr| person.attributes.filled(attr).is_some_and(same);
    same(person.key.as_str())
        || Guid::parse(who).is_some_and(|guid| person.key.as_str() == guid.to_string())
        || [Attr::UserPrincipalName, Attr::Mail, Attr::EmployeeId, Attr::DisplayName].into_iter().any(attribute)
        || person.addresses.all().iter().any(same)
        || person.anchors.iter().any(|anchor| anchor.id.as_str() == who)
}

/// More than one person is called that: each is named.
pub(crate) fn several(who: &str, mut known: Vec<Known>) -> Failure {
    known.sort();
    let mut text = format!("{} people fit {who}. Name one by sign-in name or key:", known.len());
    for known in known.iter().take(LISTED) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {known}");
    }
    if known.len() > LISTED {
        let _ = write!(text, "\n  … and {} more", known.len() - LISTED);
    }
    Failure::usage(text)
}

/// Nobody is called that. `near` are called nearly that.
pub(crate) fn nobody(who: &str, near: &[Known]) -> Failure {
    let near: Vec<String> = near.iter().map(Known::to_string).collect();
    let near = if near.is_empty() { String::new() } else { format!(" The nearest is {}.", near.join("; ")) };
    Failure::usage(format!(
        "nobody of this connection has the key, sign-in name, address, employee ID, name or object id {who}.{near} People are known once `hardmatch plan` has read the source; `hardmatch sync WHO` looks there as well"
    ))
}
