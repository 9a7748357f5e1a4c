//! Changes by the time that entries carry, where a server tells of changes in no other way. What was deleted, or fits no more,
//! shows in the next full reading alone.

use std::collections::BTreeSet;

use hardmatch_ports::SourceError;
use hardmatch_sources_entry::dn;
use ldap3::Scope;

use super::{Fate, Followed, lay, naming, read_again};
use crate::copy::{Copy, EntryId, Position};
use crate::groups;
use crate::people;
use crate::search::Pages;
use crate::session::Session;

/// Changes of so long before the last reading are read once more (seconds): the server's clock may be behind this one.
const OVERLAP: i64 = 15 * 60;

/// The place from where changes can be followed; `None` where entries show no time.
pub(super) async fn position(session: &mut Session) -> Result<Option<Position>, SourceError> {
    let base = session.settings.base.clone();
    let entry = session.entry(&base, Scope::Base, "(objectClass=*)", &["modifyTimestamp", "entryUUID"]).await?;
    let has = |name: &str| entry.as_ref().is_some_and(|entry| entry.text(name).is_some());
    let told = has("modifyTimestamp") && has("entryUUID");
    Ok(told.then(|| Position::Times { server: session.server.clone(), latest: String::new() }))
}

/// Follows changes.
pub(super) async fn follow(
    session: &mut Session,
    mut copy: Copy,
    now: i64,
    (server, _): (String, String),
) -> Result<Followed, SourceError> {
    if session.server != server {
        return Ok(Followed::lost("another server answers than the last time"));
    }
    let since = generalized(copy.read_at - OVERLAP);
    let (base, context, people_filter) = (session.settings.base.clone(), session.context.clone(), session.people());
    let wanted = people::attributes(&session.settings);
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let filter = format!("(&{}(modifyTimestamp>={since}))", groups::holders_filter());
    let mut names = BTreeSet::new();
    let mut pages = Pages::below(&context, &filter, groups::MEMBERS);
    while let Some(found) = pages.next(session).await? {
        for entry in found.entries {
            let Some(id) = session.id_of(&entry) else { continue };
            if groups::is_container(&entry) {
                if copy.containers.get(&id) != Some(&entry.dn) {
                    return Ok(Followed::lost(
                        "an organizational unit or a container is new, or has another name or place",
                    ));
                }
                continue;
            }
            let before =
                copy.groups.insert(id, entry.to_bytes()).and_then(|bytes| crate::wire::WireEntry::from_bytes(&bytes));
            names.extend(before.filter(|before| before.dn != entry.dn).map(|before| dn::canonical(&before.dn)));
        }
    }
    let filter = format!("(&{people_filter}(modifyTimestamp>={since}))");
    let mut touched: BTreeSet<EntryId> = BTreeSet::new();
    let mut pages = Pages::below(&base, &filter, &wanted);
    while let Some(found) = pages.next(session).await? {
        for entry in found.entries {
            let Some(id) = session.id_of(&entry) else { continue };
            names.extend(lay(&mut copy, &id, Fate::Here(Box::new(entry))).map(|name| dn::canonical(&name)));
            touched.insert(id);
        }
    }
    let mut concerned = naming(&copy, &names);
    concerned.retain(|id| !touched.contains(id));
    read_again(session, &mut copy, &concerned).await?;
    copy.read_at = now;
    Ok(Followed::To(Box::new(copy), touched.len() + concerned.len()))
}

/// A time as directories write it. <https://www.rfc-editor.org/rfc/rfc4517#section-3.3.13>
fn generalized(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y%m%d%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_written_as_directories_do() {
        assert_eq!(super::generalized(1_795_219_200), "20261121000000Z");
    }
}
