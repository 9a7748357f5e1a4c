//! Finding the one person somebody means.

use hardmatch_domain::facts::By;
use hardmatch_domain::ids::{ConnectionId, Guid, ObjectId, PersonKey, PersonRef};
use hardmatch_match::MatchPorts;

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

/// Nobody is called that.
pub(crate) fn nobody(who: &str) -> Failure {
    Failure::usage(format!(
        "nobody of this connection has the key, sign-in name, address, employee ID, name or object id {who}. People are known once `hardmatch plan` has read the source"
    ))
}
