//! Finding the one person somebody means.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::facts::By;
use hardmatch_domain::ids::{ConnectionId, Guid, ObjectId, PersonKey, PersonRef};
use hardmatch_domain::person::Person;
use hardmatch_match::MatchPorts;
use hardmatch_ports::Source;
use hardmatch_ports::source::Entry;

use crate::fail::Failure;

/// The person of a key, object id, sign-in name, address, employee ID, immutable ID, local part or name. An error when several fit.
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
            several => {
                let keys: Vec<&str> = found.iter().take(10).map(|person| person.key.as_str()).collect();
                return Err(Failure::usage(format!(
                    "{several} people fit {who}; name one by key: {}",
                    keys.join(", ")
                )));
            }
        }
    }
    Ok(None)
}

/// The person of the source whom no run has read yet: by key, sign-in name, address, employee ID, immutable ID or display
/// name. An error when several fit.
pub(crate) async fn in_source(source: &dyn Source, who: &str) -> Result<Option<PersonKey>, Failure> {
    let mut found = Vec::new();
    let mut listing = source.open().await?;
    loop {
        let entries = listing.next().await?;
        if entries.is_empty() {
            break;
        }
        found.extend(entries.into_iter().filter_map(|entry| match entry {
            Entry::Person(person) if is_called(&person, who) => Some(person.key),
            Entry::Person(_) | Entry::Refused(_) => None,
        }));
    }
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        several => {
            let keys: Vec<&str> = several.iter().take(10).map(PersonKey::as_str).collect();
            let count = several.len();
            Err(Failure::usage(format!("{count} people fit {who}; name one by key: {}", keys.join(", "))))
        }
    }
}

fn is_called(person: &Person, who: &str) -> bool {
    let same = |text: &str| text.to_lowercase() == who.to_lowercase();
    let attribute = |attr| person.attributes.filled(attr).is_some_and(same);
    same(person.key.as_str())
        || Guid::parse(who).is_some_and(|guid| person.key.as_str() == guid.to_string())
        || [Attr::UserPrincipalName, Attr::Mail, Attr::EmployeeId, Attr::DisplayName].into_iter().any(attribute)
        || person.addresses.all().iter().any(same)
        || person.anchors.iter().any(|anchor| anchor.id.as_str() == who)
}

/// Nobody is called that.
pub(crate) fn nobody(who: &str) -> Failure {
    Failure::usage(format!(
        "nobody of this connection has the key, sign-in name, address, employee ID, name or object id {who}. People are known once `hardmatch plan` has read the source; `hardmatch sync WHO` looks there as well"
    ))
}
