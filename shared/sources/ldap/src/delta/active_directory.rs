//! Changes of Active Directory: by the control for changes, or by the numbers that a controller gives to them. Either says
//! which entries changed; what they are now is read. That a cleared value is not told as one, that memberships are told at
//! the group alone and that a control's answer holds parts of entries then makes no difference.

use hardmatch_ports::SourceError;
use ldap3::Scope;

use super::Followed;
use super::reported::{Reported, lay_over};
use crate::controls;
use crate::copy::{Copy, Position};
use crate::people;
use crate::refusal;
use crate::search::Pages;
use crate::session::Session;

/// What is followed: people, groups, and what people are below. A deleted entry has its class, and no category.
const CLASSES: &str = "(|(objectClass=user)(objectClass=group)(objectClass=organizationalUnit)(objectClass=container))";

/// Attributes that a controller computes when it is asked, and that are no change.
const COMPUTED: [&str; 3] = ["memberOf", "msDS-User-Account-Control-Computed", "distinguishedName"];

/// More answers with a cookie than any directory gives.
const ANSWERS: usize = 1_000_000;

/// A day (seconds).
const DAY: i64 = 24 * 60 * 60;

/// The lifetime of tombstones where the directory names none (days).
/// <https://learn.microsoft.com/openspecs/windows_protocols/ms-ada3/b645c125-a7da-4097-84a1-2fa7cea07714>
const TOMBSTONES: i64 = 60;

/// An answer to the control for changes.
pub(super) enum DirSynced {
    /// To its end.
    To { reported: Reported, cookie: Vec<u8> },
    /// The server refuses the request, with this result.
    Refused(u32),
}

/// Follows changes by the control for them.
pub(super) async fn by_control(
    session: &mut Session,
    mut copy: Copy,
    now: i64,
    (known, as_reader, cookie): (Vec<u8>, bool, Vec<u8>),
) -> Result<Followed, SourceError> {
    if let Some(why) = elsewhere(session, &copy, &known, now).await? {
        return Ok(Followed::Lost(why));
    }
    let mut attributes = people::attributes(&session.settings);
    attributes.extend(["name", "isDeleted", "member"].map(str::to_owned));
    let attributes: Vec<&str> = attributes
        .iter()
        .map(String::as_str)
        .filter(|name| !COMPUTED.iter().any(|computed| computed.eq_ignore_ascii_case(name)))
        .collect();
    match dir_sync(session, CLASSES, &attributes, as_reader, &cookie).await? {
        DirSynced::Refused(code) => Ok(Followed::Lost(format!(
            "the server does not take the place up to which changes are known (result {code})"
        ))),
        DirSynced::To { reported, cookie } => {
            let position = Position::DirSync { invocation: known, as_reader, cookie };
            let followed = lay_over(session, &mut copy, &reported).await?;
            Ok(finished(copy, followed, position, now))
        }
    }
}

/// Follows changes by their numbers.
pub(super) async fn by_numbers(
    session: &mut Session,
    mut copy: Copy,
    now: i64,
    (known, usn): (Vec<u8>, u64),
) -> Result<Followed, SourceError> {
    if let Some(why) = elsewhere(session, &copy, &known, now).await? {
        return Ok(Followed::Lost(why));
    }
    // Taken before the search: what changes meanwhile has a higher number, and is told again.
    let highest = highest(session).await?.unwrap_or_default();
    if highest < usn {
        return Ok(Followed::lost("the controller's numbers of changes went back"));
    }
    let mut reported = Reported::default();
    if highest > usn {
        let context = session.context.clone();
        for deleted in [false, true] {
            let which = if deleted { "(isDeleted=TRUE)" } else { "" };
            let filter = format!("(&{CLASSES}{which}(uSNChanged>={}))", usn + 1);
            let mut pages = Pages::below(&context, &filter, &["objectGUID"]);
            pages.deleted = deleted;
            while let Some(found) = pages.next(session).await? {
                for entry in found.entries {
                    reported.note(&entry, deleted);
                }
            }
        }
    }
    let position = Position::Numbers { invocation: known, usn: highest };
    let followed = lay_over(session, &mut copy, &reported).await?;
    Ok(finished(copy, followed, position, now))
}

fn finished(mut copy: Copy, followed: Result<usize, String>, position: Position, now: i64) -> Followed {
    match followed {
        Ok(count) => {
            copy.position = position;
            copy.read_at = now;
            Followed::To(Box::new(copy), count)
        }
        Err(why) => Followed::Lost(why),
    }
}

/// Asks for changes since a cookie, to the last answer.
pub(super) async fn dir_sync(
    session: &mut Session,
    filter: &str,
    attributes: &[&str],
    as_reader: bool,
    cookie: &[u8],
) -> Result<DirSynced, SourceError> {
    let mut cookie = cookie.to_vec();
    let mut reported = Reported::default();
    let context = session.context.clone();
    for _ in 0..ANSWERS {
        let control = vec![controls::dir_sync(as_reader, &cookie)];
        let (found, result) = session.search(&context, Scope::Subtree, filter, attributes, control).await?;
        match result.rc {
            0 => {}
            51 | 52 | 80 => return Err(refusal::search(session.asked(), &result)),
            code => return Ok(DirSynced::Refused(code)),
        }
        found.entries.iter().for_each(|entry| reported.note(entry, false));
        let Some((more, next)) = controls::dir_synced(&result.ctrls) else { return Ok(DirSynced::Refused(0)) };
        cookie = next;
        if !more {
            return Ok(DirSynced::To { reported, cookie });
        }
    }
    Err(refusal::malformed(&session.server))
}

/// Why the changes of this controller are not the ones that follow the copy.
async fn elsewhere(session: &mut Session, copy: &Copy, known: &[u8], now: i64) -> Result<Option<String>, SourceError> {
    if invocation(session).await?.as_deref() != Some(known) {
        return Ok(Some("another controller answers than the last time, or it was restored from a backup".to_owned()));
    }
    let lifetime = tombstone_days(session).await?;
    // A day less: deletions may have been forgotten since.
    if now - copy.read_at > (lifetime - 1).max(1) * DAY {
        return Ok(Some(format!("it was read last before the {lifetime} days for which deletions are kept")));
    }
    Ok(None)
}

/// What a controller is known by until it is restored: its invocation.
pub(super) async fn invocation(session: &mut Session) -> Result<Option<Vec<u8>>, SourceError> {
    let Some(service) = session.of_root("dsServiceName").await? else { return Ok(None) };
    let entry = session.entry(&service, Scope::Base, "(objectClass=*)", &["invocationId"]).await?;
    Ok(entry.and_then(|entry| entry.values("invocationId").first().cloned()))
}

/// The highest number that the controller gave to a change.
pub(super) async fn highest(session: &mut Session) -> Result<Option<u64>, SourceError> {
    Ok(session.of_root("highestCommittedUSN").await?.and_then(|usn| usn.parse().ok()))
}

/// For how many days deletions are kept.
async fn tombstone_days(session: &mut Session) -> Result<i64, SourceError> {
    let Some(configuration) = session.of_root("configurationNamingContext").await? else { return Ok(TOMBSTONES) };
    let service = format!("CN=Directory Service,CN=Windows NT,CN=Services,{configuration}");
    let entry = session.entry(&service, Scope::Base, "(objectClass=*)", &["tombstoneLifetime"]).await?;
    Ok(entry.and_then(|entry| entry.text("tombstoneLifetime")?.parse().ok()).unwrap_or(TOMBSTONES))
}
