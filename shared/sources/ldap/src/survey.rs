//! What a directory shows of itself before there is a configuration: what kind it is, where its people are, and what their
//! entries say.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardmatch_ports::SourceError;
use secrecy::SecretString;

use crate::people::{attributes, is_below, parent};
use crate::search::Pages;
use crate::session::{Session, contained};
use crate::settings::{LdapSettings, PasswordPlace};
use crate::wire::WireEntry;

/// Entries that are looked at closely.
const SAMPLE: usize = 1_000;
/// Units outside of the base that are named.
const NAMED: usize = 10;
/// Longer values are certificates and pictures.
const LONGEST: usize = 1_024;

/// What a directory shows of itself.
#[derive(Debug)]
pub struct Survey {
    /// The server that answered, as it was named.
    pub server: String,
    /// Whether it is Active Directory.
    pub is_active_directory: bool,
    /// The DN below which people are: the one that was asked for, or the smallest part that holds nearly all of them.
    pub base: String,
    /// How many there are below it.
    pub people: u64,
    /// How many of these have neither an address nor a surname: accounts of services, perhaps.
    pub nameless: u64,
    /// How many of these have an `mS-DS-ConsistencyGuid`.
    pub anchored: u64,
    /// Units outside of the base with people in them, most first.
    pub outside: Vec<(String, u64)>,
    /// The first entries below the base, as LDIF. Personal data.
    pub sample: String,
}

/// Looks at a directory. An empty base of the settings is looked for.
///
/// # Errors
///
/// The directory cannot be reached, does not let the account in, or shows it nobody.
pub async fn survey(settings: LdapSettings, password: &dyn PasswordPlace) -> Result<Survey, SourceError> {
    let password = password.password().await?;
    let (server, limits) = (settings.servers.join(" "), settings.limits);
    contained(server, limits, look(settings, password)).await
}

/// A person, as far as it is asked where people are.
struct Seen {
    dn: String,
    named: bool,
    anchored: bool,
}

async fn look(settings: LdapSettings, password: SecretString) -> Result<Survey, SourceError> {
    let given = settings.base.clone();
    let mut session = Session::open(settings, password).await?;
    let contexts = if given.is_empty() { contexts(&mut session).await? } else { vec![given.clone()] };
    let mut best: Option<(String, Vec<Seen>)> = None;
    let mut failed = None;
    for context in contexts {
        session.settings.base.clone_from(&context);
        match people(&mut session, &context).await {
            Ok(seen) if best.as_ref().is_none_or(|(_, most)| seen.len() > most.len()) => best = Some((context, seen)),
            Ok(_) => {}
            Err(error) => failed = Some(error),
        }
    }
    let (context, seen) = match (best, failed) {
        (Some((context, seen)), _) if !seen.is_empty() => (context, seen),
        (_, Some(error)) => return Err(error),
        (found, None) => return Err(nobody(&session, found.map(|(context, _)| context))),
    };
    let base = if given.is_empty() { narrowest(&context, &seen) } else { given };
    session.settings.base.clone_from(&base);
    let (inside, outside): (Vec<Seen>, Vec<Seen>) = seen.into_iter().partition(|one| is_below(&one.dn, &base));
    Ok(Survey {
        sample: sample(&mut session).await?,
        server: session.server.clone(),
        is_active_directory: session.is_active_directory,
        base,
        people: inside.len() as u64,
        nameless: inside.iter().filter(|one| !one.named).count() as u64,
        anchored: inside.iter().filter(|one| one.anchored).count() as u64,
        outside: units(&outside),
    })
}

/// The parts of the tree in which people may be.
async fn contexts(session: &mut Session) -> Result<Vec<String>, SourceError> {
    let asked = ["namingContexts", "defaultNamingContext"];
    let root = session.entry("", ldap3::Scope::Base, "(objectClass=*)", &asked).await?.unwrap_or_default();
    if let Some(default) = root.text("defaultNamingContext") {
        return Ok(vec![default.to_owned()]);
    }
    // The configuration of a server and its logs are no people's.
    let of_server = |context: &str| context.to_ascii_lowercase().starts_with("cn=");
    Ok(root.texts("namingContexts").filter(|context| !of_server(context)).map(str::to_owned).collect())
}

async fn people(session: &mut Session, base: &str) -> Result<Vec<Seen>, SourceError> {
    let filter = session.people();
    let mut pages = Pages::below(base, &filter, &["mail", "sn", "mS-DS-ConsistencyGuid"]);
    let mut seen = Vec::new();
    while let Some(found) = pages.next(session).await? {
        seen.extend(found.entries.into_iter().map(|entry| Seen {
            named: ["mail", "sn"].iter().any(|name| entry.text(name).is_some_and(|value| !value.is_empty())),
            anchored: !entry.values("mS-DS-ConsistencyGuid").is_empty(),
            dn: entry.dn,
        }));
    }
    Ok(seen)
}

fn nobody(session: &Session, context: Option<String>) -> SourceError {
    let (server, bind) = (&session.server, &session.settings.bind);
    SourceError {
        problem: match context {
            Some(context) => format!("{server} shows {bind} nobody below {context}"),
            None => format!("{server} names no part of its tree that people could be in"),
        },
        cure: "Give the account the right to read the entries of people, or name the unit they are in with --base"
            .to_owned(),
        retry: false,
    }
}

/// The smallest part that holds nine of ten people who have a name or an address; accounts of services are often elsewhere.
fn narrowest(context: &str, seen: &[Seen]) -> String {
    let named: Vec<&Seen> = seen.iter().filter(|one| one.named).collect();
    let counted = if named.is_empty() { seen.iter().collect() } else { named };
    let mut held: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for one in &counted {
        let mut unit = parent(&one.dn);
        while !unit.is_empty() && unit.len() > context.len() {
            held.entry(unit.to_lowercase()).or_insert_with(|| (unit.to_owned(), 0)).1 += 1;
            unit = parent(unit);
        }
    }
    let most = held.into_values().filter(|(_, count)| count * 10 >= counted.len() * 9);
    most.max_by_key(|(unit, _)| unit.len()).map_or_else(|| context.to_owned(), |(unit, _)| unit)
}

/// Units by how many are in them.
fn units(seen: &[Seen]) -> Vec<(String, u64)> {
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    for one in seen {
        *counted.entry(parent(&one.dn)).or_default() += 1;
    }
    let mut units: Vec<(String, u64)> = counted.into_iter().map(|(unit, count)| (unit.to_owned(), count)).collect();
    units.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    units.truncate(NAMED);
    units
}

async fn sample(session: &mut Session) -> Result<String, SourceError> {
    let (base, filter, names) = (session.settings.base.clone(), session.people(), attributes(&session.settings));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut pages = Pages::below(&base, &filter, &names);
    let (mut ldif, mut count) = (String::new(), 0);
    while count < SAMPLE
        && let Some(found) = pages.next(session).await?
    {
        count += found.entries.len();
        found.entries.iter().for_each(|entry| append(&mut ldif, entry));
    }
    Ok(ldif)
}

/// An entry as LDIF, every value in base64. <https://www.rfc-editor.org/rfc/rfc2849>
fn append(ldif: &mut String, entry: &WireEntry) {
    // Writing to a String cannot fail.
    let _ = writeln!(ldif, "dn:: {}", STANDARD.encode(&entry.dn));
    for attribute in &entry.attributes {
        for value in attribute.values.iter().filter(|value| !value.is_empty() && value.len() <= LONGEST) {
            let _ = writeln!(ldif, "{}:: {}", attribute.name(), STANDARD.encode(value));
        }
    }
    ldif.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(dn: &str, named: bool) -> Seen {
        Seen { dn: dn.to_owned(), named, anchored: false }
    }

    #[test]
    fn the_base_is_the_smallest_part_with_nearly_everybody() {
        let context = "DC=corp,DC=test";
        let mut all: Vec<Seen> =
            (0..30).map(|n| seen(&format!("CN=p{n},OU=Berlin,OU=People,{context}"), true)).collect();
        all.extend((0..20).map(|n| seen(&format!("CN=Q\\, {n},OU=Paris,ou=people,{context}"), true)));
        all.extend((0..40).map(|n| seen(&format!("CN=svc{n},CN=Users,{context}"), false)));
        assert_eq!(narrowest(context, &all).to_lowercase(), "ou=people,dc=corp,dc=test");
        assert_eq!(narrowest(context, &all[..30]), "OU=Berlin,OU=People,DC=corp,DC=test");
        // Ten of a hundred elsewhere are too many to leave out.
        all.extend((0..10).map(|n| seen(&format!("CN=r{n},OU=Board,{context}"), true)));
        assert_eq!(narrowest(context, &all), context);
        assert_eq!(narrowest(context, &all[50..60]), "CN=Users,DC=corp,DC=test", "nobody has a name");
        assert_eq!(units(&all)[0], ("CN=Users,DC=corp,DC=test".to_owned(), 40));
    }
}
