//! What became of entries: looked for by what they are known by, wherever they are.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_ports::SourceError;
use ldap3::Scope;

use crate::controls;
use crate::copy::EntryId;
use crate::people;
use crate::search::Pages;
use crate::session::Session;
use crate::wire::{WireEntry, escaped};

/// Entries that one search looks for.
const TOGETHER: usize = 50;

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is below the base, and fits the filter.
    Here(Box<WireEntry>),
    /// It was deleted: its tombstone shows it.
    Deleted,
    /// It is outside of what is read.
    Outside,
    /// It is below the base and fits the filter no more, or what the filter asks for may not be read any more.
    Filtered,
    /// Nothing shows it: it may be gone, and the account may have lost its rights.
    Hidden,
}

/// Looks for entries.
pub(crate) async fn fates(
    session: &mut Session,
    ids: &BTreeSet<EntryId>,
) -> Result<BTreeMap<EntryId, Fate>, SourceError> {
    let mut fates: BTreeMap<EntryId, Fate> = ids.iter().map(|id| (id.clone(), Fate::Hidden)).collect();
    let (base, context, people) = (session.settings.base.clone(), session.context.clone(), session.people());
    let wanted = people::attributes(&session.settings);
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let all: Vec<&EntryId> = ids.iter().collect();
    for some in all.chunks(TOGETHER) {
        let filter = format!("(&{people}{})", any_of(session, some));
        for entry in session.few(&base, Scope::Subtree, &filter, &wanted).await? {
            if let Some(id) = session.id_of(&entry) {
                fates.insert(id, Fate::Here(Box::new(entry)));
            }
        }
    }
    let unseen: Vec<&EntryId> = all.into_iter().filter(|id| fates.get(*id) == Some(&Fate::Hidden)).collect();
    for some in unseen.chunks(TOGETHER) {
        let filter = any_of(session, some);
        let attributes = ["objectGUID", "entryUUID", "isDeleted"];
        let mut pages = Pages::below(&context, &filter, &attributes);
        // The context itself may not be seen.
        pages.may_be_absent = true;
        pages.deleted = session.is_active_directory;
        while let Some(found) = pages.next(session).await? {
            for entry in found.entries {
                let Some(id) = session.id_of(&entry) else { continue };
                let fate = if entry.text("isDeleted").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
                    Fate::Deleted
                } else if people::is_below(&entry.dn, &base) {
                    Fate::Filtered
                } else {
                    Fate::Outside
                };
                fates.insert(id, fate);
            }
        }
    }
    Ok(fates)
}

/// Whether deleted entries would be seen.
/// <https://learn.microsoft.com/windows/win32/ad/retrieving-deleted-objects>
pub(crate) async fn shows_deletions(session: &mut Session) -> Result<bool, SourceError> {
    if !session.is_active_directory {
        return Ok(false);
    }
    let container = format!("CN=Deleted Objects,{}", session.context);
    let controls = vec![controls::show_deleted()];
    let (found, result) =
        session.search(&container, Scope::Base, "(objectClass=*)", &["objectClass"], controls).await?;
    let readable = found.entries.first().is_some_and(|entry| !entry.values("objectClass").is_empty());
    Ok(result.rc == 0 && readable)
}

/// The filter for any of these entries.
pub(super) fn any_of(session: &Session, ids: &[&EntryId]) -> String {
    let one = |id: &&EntryId| {
        if session.is_active_directory {
            format!("(objectGUID={})", escaped(id))
        } else {
            format!("(entryUUID={})", ldap3::ldap_escape(String::from_utf8_lossy(id)))
        }
    };
    format!("(|{})", ids.iter().map(one).collect::<Vec<_>>().concat())
}
