//! What changed in a directory since it was read last, laid over the copy. Where changes cannot be followed, the directory is
//! read whole: that somebody is gone follows from what the directory shows, never from a lost place.

mod active_directory;
mod content;
mod fates;
mod position;
mod reported;
mod times;

use std::collections::BTreeSet;

use hardmatch_ports::SourceError;

use crate::copy::{Copy, EntryId, Position};
use crate::session::Session;
use crate::wire::WireEntry;

pub(crate) use fates::{Fate, fates, shows_deletions};
pub(crate) use position::position;

/// Laying changes over a copy.
pub(crate) enum Followed {
    /// The copy is what the directory has now; how many people's entries were read again or went.
    To(Box<Copy>, usize),
    /// The directory has to be read whole, and why.
    Lost(String),
}

impl Followed {
    fn lost(why: impl Into<String>) -> Self {
        Self::Lost(why.into())
    }
}

/// Follows the changes since a copy was made.
pub(crate) async fn follow(session: &mut Session, copy: Copy, now: i64) -> Result<Followed, SourceError> {
    if now < copy.read_at {
        return Ok(Followed::lost("the clock of this machine was set back"));
    }
    match copy.position.clone() {
        Position::DirSync { invocation, as_reader, cookie } => {
            active_directory::by_control(session, copy, now, (invocation, as_reader, cookie)).await
        }
        Position::Numbers { invocation, usn } => {
            active_directory::by_numbers(session, copy, now, (invocation, usn)).await
        }
        Position::Content { server, people, groups } => {
            content::follow(session, copy, now, (server, people, groups)).await
        }
        Position::Times { server, latest } => times::follow(session, copy, now, (server, latest)).await,
    }
}

/// Lays an entry over the copy, or takes it from there. Gives the name that nobody has any more.
fn lay(copy: &mut Copy, id: &EntryId, fate: Fate) -> Option<String> {
    match fate {
        Fate::Here(entry) => {
            let before = copy.person(id).map(|before| before.dn).filter(|before| *before != entry.dn);
            copy.put_person(id.clone(), &entry);
            before
        }
        Fate::Deleted | Fate::Outside => {
            let before = copy.remove_person(id)?;
            copy.listed.gone.insert(id.clone());
            Some(before.dn)
        }
        Fate::Filtered => copy.remove_person(id).map(|before| before.dn),
        // The account may not see it any more: it stays as it was, and the next full reading asks.
        Fate::Hidden => None,
    }
}

/// Reads people again, and lays them over the copy. Gives the names that nobody has any more.
async fn read_again(
    session: &mut Session,
    copy: &mut Copy,
    ids: &BTreeSet<EntryId>,
) -> Result<BTreeSet<String>, SourceError> {
    let mut names = BTreeSet::new();
    for (id, fate) in fates(session, ids).await? {
        names.extend(lay(copy, &id, fate).map(|dn| hardmatch_sources_entry::dn::canonical(&dn)));
    }
    Ok(names)
}

/// People in whose entries one of these names stands: a directory changes the name in the manager's place without saying so.
fn naming(copy: &Copy, names: &BTreeSet<String>) -> BTreeSet<EntryId> {
    if names.is_empty() {
        return BTreeSet::new();
    }
    let is_named = |entry: &WireEntry| {
        entry.attributes.iter().any(|attribute| {
            let mut texts = attribute.values.iter().filter_map(|value| std::str::from_utf8(value).ok());
            texts.any(|text| text.contains('=') && names.contains(&hardmatch_sources_entry::dn::canonical(text)))
        })
    };
    copy.everybody().filter(|(_, entry)| is_named(entry)).map(|(id, _)| id.clone()).collect()
}
