//! What a directory shows of people whom its listing lacks. An account that lost its rights is shown less, with success: a
//! part of the tree that became empty at once looks like that.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::SourceError;
use hardmatch_ports::source::AbsenceEvidence;
use ldap3::Scope;
use secrecy::SecretString;

use crate::copy::{EntryId, Listed};
use crate::delta::{Fate, fates, shows_deletions};
use crate::session::Session;
use crate::settings::LdapSettings;

/// So many people who are missing from one part at once, when they are more than are left there, are no leavers.
const MANY: usize = 5;

/// Asks about missing people. `away`: the last reading was so long ago that deletions may have been forgotten since.
pub(crate) async fn evidence(
    settings: LdapSettings,
    password: SecretString,
    listed: Listed,
    away: bool,
    people: Vec<PersonKey>,
) -> Result<Vec<AbsenceEvidence>, SourceError> {
    let ids: BTreeSet<EntryId> = people
        .iter()
        .filter_map(|key| listed.missing(key))
        .filter(|(_, id)| !listed.gone.contains(*id))
        .map(|(_, id)| id.clone())
        .collect();
    if ids.is_empty() {
        return Ok(people.iter().map(|key| without_asking(&listed, key)).collect());
    }
    let mut session = Session::open(settings, password).await?;
    session.require_base().await?;
    let fates = fates(&mut session, &ids).await?;
    // A deletion that would be seen, and is not, did not happen.
    let deletions_show = !away && shows_deletions(&mut session).await?;
    let filtered = session.settings.filter.is_some();
    let bind = session.settings.bind.clone();
    let mut said: Vec<AbsenceEvidence> = Vec::with_capacity(people.len());
    let mut silent: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for key in &people {
        let Some((part, id)) = listed.missing(key) else {
            said.push(AbsenceEvidence::ListingOnly);
            continue;
        };
        let at = said.len();
        said.push(match fates.get(id) {
            None => without_asking(&listed, key),
            Some(Fate::Deleted | Fate::Outside) => AbsenceEvidence::Gone,
            Some(Fate::Here(_)) => AbsenceEvidence::Unclear(format!(
                "People of {part} whom the listing lacks are shown when they are asked for: the directory changed while it was read"
            )),
            Some(Fate::Filtered) if !filtered => AbsenceEvidence::Unclear(format!(
                "People of {part} are there, and {bind} may not read what shows that they are people. Give it back its read rights"
            )),
            Some(Fate::Hidden) if deletions_show => AbsenceEvidence::Unclear(format!(
                "People of {part} are not shown any more, and no deletion of them is: {bind} has probably lost its read rights there. Give them back; if these people left, run once with --accept-source"
            )),
            Some(Fate::Filtered | Fate::Hidden) => {
                silent.entry(part.to_owned()).or_default().push(at);
                AbsenceEvidence::ListingOnly
            }
        });
    }
    for (part, missing) in silent {
        if let Some(reason) = shrunken(&mut session, &listed, &part, missing.len(), &bind).await? {
            for at in missing {
                said[at] = AbsenceEvidence::Unclear(reason.clone());
            }
        }
    }
    Ok(said)
}

fn without_asking(listed: &Listed, key: &PersonKey) -> AbsenceEvidence {
    match listed.missing(key) {
        Some((_, id)) if listed.gone.contains(id) => AbsenceEvidence::Gone,
        _ => AbsenceEvidence::ListingOnly,
    }
}

/// Why people of a part are probably hidden: the part itself is, or it became empty or lost most people at once. A directory
/// of one part is judged as a whole, by the accidental-removal limit.
async fn shrunken(
    session: &mut Session,
    listed: &Listed,
    part: &str,
    missing: usize,
    bind: &str,
) -> Result<Option<String>, SourceError> {
    let cure = format!("Check the read rights of {bind} there; if these people left, run once with --accept-source");
    if session.entry(part, Scope::Base, "(objectClass=*)", &["objectClass"]).await?.is_none() {
        return Ok(Some(format!("{part} is not shown any more, and with it {missing} people. {cure}")));
    }
    let left = listed.count(part);
    let shrank = (left == 0 && missing > 1) || (missing >= MANY && missing > left);
    if !shrank || !listed.has_other_parts(part) {
        return Ok(None);
    }
    Ok(Some(format!("{part} showed {} people, and now {left}. {cure}", missing + left)))
}
