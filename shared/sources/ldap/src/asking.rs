//! One person, asked for.

use hardmatch_domain::ids::{Guid, PersonKey};
use hardmatch_ports::SourceError;
use hardmatch_ports::source::Asked;
use hardmatch_sources_entry::FirstPass;
use hardmatch_sources_entry::columns::Columns;
use hardmatch_sources_entry::known::{self, Meaning};
use hardmatch_sources_entry::names::Names;
use ldap3::Scope;
use secrecy::SecretString;

use crate::groups::Groups;
use crate::people;
use crate::reading::columns;
use crate::rows::Rows;
use crate::search::Pages;
use crate::session::Session;
use crate::settings::LdapSettings;
use crate::wire::{WireEntry, escaped};

/// Asks for the person of a key. `names` are the attributes of the last listing: an attribute that others have and this
/// person lacks is empty, one that nobody has says nothing. Gives them back, too.
pub(crate) async fn ask(
    settings: LdapSettings,
    password: SecretString,
    key: PersonKey,
    names: Option<Vec<String>>,
    now: i64,
) -> Result<(Asked, Vec<String>), SourceError> {
    let mut session = Session::open(settings, password).await?;
    session.require_base().await?;
    let wanted = people::attributes(&session.settings);
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let names = match names {
        Some(names) => names,
        None => names_of_some(&mut session, &wanted).await?,
    };
    let known = columns(names.clone(), &session.settings)?;
    let (base, filter) = (session.settings.base.clone(), format!("(&{}{})", session.people(), by_key(&known, &key)));
    let found = session.few(&base, Scope::Subtree, &filter, &wanted).await?;
    if found.is_empty() {
        return Ok((Asked::Nobody, names));
    }
    let groups = Groups::read(&mut session).await?;
    let mut all = Names::new(&names);
    let mut rows = Rows::new();
    let mut managers: Vec<String> = Vec::new();
    let of_interest = found.len() as u64;
    for entry in found {
        managers.extend(manager_names(&entry, &known));
        rows.put(&values(entry, &groups, &mut all)?)?;
    }
    // Who the manager is depends on the manager's own entry, where the listing has it.
    managers.sort_unstable();
    managers.dedup();
    let people = session.people();
    for manager in managers.into_iter().filter(|dn| people::is_below(dn, &base)) {
        if let Some(entry) = session.entry(&manager, Scope::Base, &people, &wanted).await? {
            rows.put(&values(entry, &groups, &mut all)?)?;
        }
    }
    let mut pass = FirstPass::new(columns(all.into_all(), &session.settings)?, now);
    rows.each(|row| {
        pass.note(row);
        Ok(())
    })?;
    let mut interpreter = pass.complete();
    let mut asked = Asked::Nobody;
    rows.each(|row| {
        if row.line <= of_interest
            && let Some(entry) = interpreter.take(row, || row.text())
        {
            asked = Asked::Found(entry);
        }
        Ok(())
    })?;
    Ok((asked, names))
}

fn values(entry: WireEntry, groups: &Groups, names: &mut Names) -> Result<Vec<crate::rows::RowValue>, SourceError> {
    people::values(entry, groups, names).ok_or_else(|| SourceError {
        problem: "The entry has more attributes than anybody should".to_owned(),
        cure: "Ask for fewer attributes: leave out what no rule needs".to_owned(),
        retry: false,
    })
}

/// The attributes that some of the people have.
async fn names_of_some(session: &mut Session, wanted: &[&str]) -> Result<Vec<String>, SourceError> {
    let (base, filter) = (session.settings.base.clone(), session.people());
    let mut names = Names::default();
    let groups = Groups::default();
    if let Some(found) = Pages::below(&base, &filter, wanted).next(session).await? {
        for entry in found.entries {
            drop(values(entry, &groups, &mut names)?);
        }
    }
    Ok(names.into_all())
}

/// The filter for the person of a key.
fn by_key(columns: &Columns, key: &PersonKey) -> String {
    let name = columns.name(columns.key);
    let guid = match known::meaning(name) {
        Some(Meaning::ObjectGuid | Meaning::ConsistencyGuid) => Guid::parse(key.as_str()),
        _ => None,
    };
    match guid {
        Some(guid) => format!("({name}={})", escaped(&guid.ad_bytes())),
        None => format!("({name}={})", ldap3::ldap_escape(key.as_str())),
    }
}

fn manager_names(entry: &WireEntry, columns: &Columns) -> Vec<String> {
    let named = columns.managers().flat_map(|name| entry.texts(name));
    named.filter(|text| hardmatch_sources_entry::dn::is_dn(text)).map(str::to_owned).collect()
}
