//! Changes by content synchronization (RFC 4533), in its mode that refreshes and ends. Entries come whole; what was deleted,
//! or is not what was asked for any more, is named. A server that only says what is still there is read whole instead.

use std::collections::BTreeSet;

use hardmatch_ports::SourceError;
use hardmatch_sources_entry::dn;
use ldap3::Scope;

use super::{Fate, Followed, lay, naming, read_again};
use crate::controls::{self, SyncMessage};
use crate::copy::{Copy, EntryId, Position};
use crate::groups;
use crate::people;
use crate::refusal;
use crate::session::Session;
use crate::wire::{self, Answer, WireEntry};

/// A filter that fits nobody: the cookie alone is wanted.
const NOBODY: &str = "(entryUUID=00000000-0000-0000-0000-000000000000)";

/// The server wants the directory to be read whole. <https://www.rfc-editor.org/rfc/rfc4533#section-2.6>
const REFRESH_REQUIRED: u32 = 4096;

/// What a server says of changes.
enum Synced {
    Changes(Changes),
    Lost(String),
}

#[derive(Default)]
struct Changes {
    entries: Vec<(EntryId, WireEntry)>,
    gone: Vec<EntryId>,
    /// Empty where nothing changed.
    cookie: Vec<u8>,
}

/// The place from where changes can be followed.
pub(super) async fn position(session: &mut Session) -> Result<Option<Position>, SourceError> {
    let context = session.context.clone();
    Ok(match sync(session, &context, NOBODY, &["1.1"], &[]).await? {
        Synced::Changes(Changes { cookie, .. }) if !cookie.is_empty() => {
            Some(Position::Content { server: session.server.clone(), people: cookie.clone(), groups: cookie })
        }
        Synced::Changes(_) | Synced::Lost(_) => None,
    })
}

/// Follows changes.
pub(super) async fn follow(
    session: &mut Session,
    mut copy: Copy,
    now: i64,
    (server, people_cookie, groups_cookie): (String, Vec<u8>, Vec<u8>),
) -> Result<Followed, SourceError> {
    if session.server != server {
        return Ok(Followed::lost("another server answers than the last time"));
    }
    let (base, context, filter) = (session.settings.base.clone(), session.context.clone(), session.people());
    let wanted = people::attributes(&session.settings);
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let people = match sync(session, &base, &filter, &wanted, &people_cookie).await? {
        Synced::Changes(changes) => changes,
        Synced::Lost(why) => return Ok(Followed::Lost(why)),
    };
    let holders = match sync(session, &context, &groups::holders_filter(), groups::MEMBERS, &groups_cookie).await? {
        Synced::Changes(changes) => changes,
        Synced::Lost(why) => return Ok(Followed::Lost(why)),
    };
    let mut touched: BTreeSet<EntryId> = BTreeSet::new();
    let mut names = BTreeSet::new();
    for id in people.gone {
        touched.insert(id.clone());
        names.extend(lay(&mut copy, &id, Fate::Deleted).map(|name| dn::canonical(&name)));
    }
    for (id, entry) in people.entries {
        touched.insert(id.clone());
        names.extend(lay(&mut copy, &id, Fate::Here(Box::new(entry))).map(|name| dn::canonical(&name)));
    }
    // A group that is gone, or has another name, stands in people's entries still: the server changes them without a word.
    let mut groups_before = BTreeSet::new();
    for id in holders.gone {
        copy.containers.remove(&id);
        let before = copy.groups.remove(&id).and_then(|bytes| WireEntry::from_bytes(&bytes));
        groups_before.extend(before.map(|entry| dn::canonical(&entry.dn)));
    }
    for (id, entry) in holders.entries {
        if groups::is_container(&entry) {
            if copy.containers.get(&id) != Some(&entry.dn) {
                return Ok(Followed::lost(
                    "an organizational unit or a container is new, or has another name or place",
                ));
            }
            continue;
        }
        let before = copy.groups.insert(id, entry.to_bytes()).and_then(|bytes| WireEntry::from_bytes(&bytes));
        groups_before.extend(before.filter(|before| before.dn != entry.dn).map(|before| dn::canonical(&before.dn)));
    }
    names.extend(groups_before);
    let mut concerned = naming(&copy, &names);
    concerned.retain(|id| !touched.contains(id));
    read_again(session, &mut copy, &concerned).await?;
    let kept = |new: Vec<u8>, old: Vec<u8>| if new.is_empty() { old } else { new };
    copy.position = Position::Content {
        server,
        people: kept(people.cookie, people_cookie),
        groups: kept(holders.cookie, groups_cookie),
    };
    copy.read_at = now;
    Ok(Followed::To(Box::new(copy), touched.len() + concerned.len()))
}

/// Asks for changes since a cookie; without one, for everything.
async fn sync(
    session: &mut Session,
    base: &str,
    filter: &str,
    attributes: &[&str],
    cookie: &[u8],
) -> Result<Synced, SourceError> {
    let server = session.server.clone();
    let mut changes = Changes::default();
    let mut only_present = false;
    let control = vec![controls::content_sync(cookie)];
    let result = session
        .each_answer(base, Scope::Subtree, filter, attributes, control, |answer| {
            if answer.is_intermediate() {
                match controls::sync_message(answer.0).ok_or_else(|| refusal::malformed(&server))? {
                    SyncMessage::Deleted(ids) => changes.gone.extend(ids.iter().map(|id| text_of(id))),
                    SyncMessage::Present => only_present = true,
                    SyncMessage::Other => {}
                }
                return Ok(());
            }
            let state = controls::sync_state(&answer.1);
            match (state, wire::answer(answer).ok_or_else(|| refusal::malformed(&server))?) {
                (Some((id, true)), _) => changes.gone.push(text_of(&id)),
                (Some((id, false)), Answer::Entry(entry)) => changes.entries.push((text_of(&id), entry)),
                (None, Answer::Entry(_)) => return Err(refusal::malformed(&server)),
                (_, Answer::Reference(_) | Answer::Other) => {}
            }
            Ok(())
        })
        .await?;
    match result.rc {
        0 => {}
        3 | 4 | 11 | 51 | 52 | 80 => return Err(refusal::search(session.asked(), &result)),
        REFRESH_REQUIRED => return Ok(Synced::Lost("the server has forgotten what changed since".to_owned())),
        code => {
            return Ok(Synced::Lost(format!(
                "the server does not take the place up to which changes are known (result {code})"
            )));
        }
    }
    let (next, rest_is_unchanged) = controls::content_synced(&result.ctrls).unwrap_or_default();
    let nothing = changes.entries.is_empty() && changes.gone.is_empty() && !only_present && next.is_empty();
    let known_to_the_end = rest_is_unchanged && !only_present;
    // Without a cookie everything is told, and nothing is left out.
    if !(cookie.is_empty() || nothing || known_to_the_end) {
        return Ok(Synced::Lost("the server has forgotten what was deleted since".to_owned()));
    }
    changes.cookie = next;
    Ok(Synced::Changes(changes))
}

/// The bytes of a UUID as the text that entries have. <https://www.rfc-editor.org/rfc/rfc4530>
fn text_of(uuid: &[u8]) -> EntryId {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(36);
    for (at, byte) in uuid.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.into_bytes()
}
