//! A reading: what changed since the last one, or groups and then people page by page; then what they mean.

use hardmatch_ports::SourceError;
use hardmatch_ports::source::{Completeness, Entry, Spool};
use hardmatch_sources_entry::FirstPass;
use hardmatch_sources_entry::columns::Columns;
use hardmatch_sources_entry::names::{self, Names};
use secrecy::SecretString;

use crate::copy::{Copy, EntryId, Listed};
use crate::delta::{Followed, follow, position};
use crate::groups::{self, Groups};
use crate::people;
use crate::rows::Rows;
use crate::search::Pages;
use crate::session::Session;
use crate::settings::LdapSettings;
use crate::wire::WireEntry;

/// Entries handed on at a time.
const CHUNK: usize = 500;

/// Everything that was read of a directory.
pub(crate) struct Gathered {
    rows: Rows,
    /// The attributes that anybody has.
    pub(crate) names: Vec<String>,
    /// Servers that hold a part of the tree.
    elsewhere: Vec<String>,
    /// The names of the entries and what these are known by, in the order of the rows; empty where no copy is kept.
    ids: Vec<(String, EntryId)>,
    /// The copy that the rows were made of.
    pub(crate) copy: Option<Copy>,
    /// How it was read, for people.
    note: Option<String>,
    /// The one server that everything was read from.
    pub(crate) server: String,
}

/// Whether a copy is kept, and what there is.
pub(crate) enum Keep {
    /// Every reading is a full one.
    Nothing,
    /// The copy of the last reading, and since when a full reading must have been for it to be followed (Unix seconds).
    Copy { before: Option<Box<Copy>>, full_since: i64, now: i64 },
}

/// Reads everybody below the base: what changed since the last reading, or everything.
pub(crate) async fn gather(
    settings: LdapSettings,
    password: SecretString,
    keep: Keep,
) -> Result<Gathered, SourceError> {
    let mut session = Session::open(settings, password).await?;
    session.require_base().await?;
    let gathered = of_one_server(&mut session, keep).await?;
    Ok(Gathered { server: session.server, ..gathered })
}

async fn of_one_server(session: &mut Session, keep: Keep) -> Result<Gathered, SourceError> {
    let Keep::Copy { before, full_since, now } = keep else { return full(session, None, None).await };
    let (listed, why) = match before {
        None => (Listed::default(), None),
        Some(before) if !before.fits(people::question(&session.settings)) => {
            (Listed::default(), Some("[source] asks for something else"))
        }
        Some(before) if before.full_at < full_since => (before.listed, Some("it is time to")),
        Some(before) => {
            let listed = before.listed.clone();
            match follow(session, *before, now).await? {
                Followed::To(mut copy, changed) => {
                    copy.server.clone_from(&session.server);
                    let note = format!("{changed} people were read again by {}", copy.position.name());
                    return from_copy(*copy, &session.settings, Some(note));
                }
                Followed::Lost(why) => return whole(session, listed, Some(&why), now).await,
            }
        }
    };
    whole(session, listed, why, now).await
}

/// Whether following the changes since a copy leads to other entries than it has. The copy stays where it was: the reading that
/// comes after a change follows from there.
pub(crate) async fn has_changed(
    settings: LdapSettings,
    password: SecretString,
    before: Box<Copy>,
    now: i64,
) -> Result<bool, SourceError> {
    let mut session = Session::open(settings, password).await?;
    if !before.fits(people::question(&session.settings)) {
        return Ok(true);
    }
    let known = before.entries_digest();
    Ok(match follow(&mut session, *before, now).await? {
        Followed::To(copy, _) => copy.entries_digest() != known,
        Followed::Lost(_) => true,
    })
}

/// A full reading of which a copy is kept. `listed` is who was listed before.
async fn whole(session: &mut Session, listed: Listed, why: Option<&str>, now: i64) -> Result<Gathered, SourceError> {
    let note = why.map(|why| format!("The directory was read whole: {why}"));
    let Some(position) = position(session).await? else {
        let often = "The server tells no changes, so that every reading is a whole one. Where [schedule] asks often, let every be 1h or more";
        return full(session, None, Some(often.to_owned())).await;
    };
    let mut copy = Copy::new(people::question(&session.settings), position, session.server.clone(), now);
    copy.listed = listed;
    full(session, Some(copy), note).await
}

/// Reads everything. Entries go into the copy, or, where none is kept, to where rows are kept.
async fn full(session: &mut Session, copy: Option<Copy>, note: Option<String>) -> Result<Gathered, SourceError> {
    let entries = groups::entries(session).await?;
    let groups = Groups::of_entries(entries.values(), &session.settings.mapping.group_ids);
    let mut copy = copy;
    if let Some(copy) = &mut copy {
        copy.groups = entries;
        copy.containers = groups::containers(session).await?;
    }
    let (base, filter) = (session.settings.base.clone(), session.people());
    let wanted = people::attributes(&session.settings);
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let mut taking = Taking::default();
    let mut elsewhere: Vec<String> = Vec::new();
    let mut pages = Pages::below(&base, &filter, &wanted);
    while let Some(found) = pages.next(session).await? {
        elsewhere.extend(found.references.iter().filter(|url| !is_partition(url)).map(|url| host(url)));
        for entry in found.entries {
            // An entry that is known by nothing cannot be followed.
            if let (Some(copy), Some(id)) = (&mut copy, session.id_of(&entry)) {
                copy.put_person(id, &entry);
            } else {
                taking.drain(copy.take(), &groups)?;
                taking.take(entry, &groups)?;
            }
        }
        if copy.as_ref().is_some_and(Copy::is_too_large) {
            taking.drain(copy.take(), &groups)?;
        }
    }
    elsewhere.sort_unstable();
    elsewhere.dedup();
    match copy {
        Some(copy) => Ok(Gathered { elsewhere, ..from_copy(copy, &session.settings, note)? }),
        None => Ok(taking.gathered(elsewhere, note)),
    }
}

/// Everybody of a copy. A full reading goes this way, too, so that both give the same.
fn from_copy(copy: Copy, settings: &LdapSettings, note: Option<String>) -> Result<Gathered, SourceError> {
    let groups = Groups::of_entries(copy.groups.values(), &settings.mapping.group_ids);
    let mut taking = Taking::default();
    for (id, entry) in copy.everybody() {
        taking.ids.push((entry.dn.clone(), id.clone()));
        taking.take(entry, &groups)?;
    }
    Ok(Gathered { copy: Some(copy), ..taking.gathered(Vec::new(), note) })
}

/// Entries on their way to rows.
#[derive(Default)]
struct Taking {
    names: Names,
    rows: Rows,
    ids: Vec<(String, EntryId)>,
}

impl Taking {
    fn take(&mut self, entry: WireEntry, groups: &Groups) -> Result<(), SourceError> {
        let values = people::values(entry, groups, &mut self.names).ok_or_else(|| SourceError {
            problem: names::too_many("an entry").problem,
            cure: "Ask for fewer attributes: leave out what no rule needs".to_owned(),
            retry: false,
        })?;
        self.rows.put(&values)
    }

    /// Takes the entries of a copy that is not kept after all.
    fn drain(&mut self, copy: Option<Copy>, groups: &Groups) -> Result<(), SourceError> {
        let Some(copy) = copy else { return Ok(()) };
        copy.everybody().try_for_each(|(_, entry)| self.take(entry, groups))
    }

    fn gathered(self, elsewhere: Vec<String>, note: Option<String>) -> Gathered {
        let Self { names, rows, ids } = self;
        Gathered { rows, names: names.into_all(), elsewhere, ids, copy: None, note, server: String::new() }
    }
}

/// Application partitions of a domain, and its configuration: nobody is in them.
/// <https://learn.microsoft.com/windows/win32/ad/application-directory-partitions>
fn is_partition(url: &str) -> bool {
    let name = url.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    ["dc=domaindnszones,", "dc=forestdnszones,", "cn=configuration,"].iter().any(|start| name.starts_with(start))
}

/// The host of a URL: what stands behind it names entries.
fn host(url: &str) -> String {
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| "another server".to_owned())
}

impl Gathered {
    /// Hands everybody on, understood.
    pub(crate) fn hand_on(
        &mut self,
        settings: &LdapSettings,
        now: i64,
        to: &mut dyn Spool,
    ) -> Result<Completeness, SourceError> {
        if self.rows.count() == 0 {
            let mut completeness = Completeness::default();
            completeness.doubts.push(format!(
                "The directory shows nobody below {}. Check that people are there, that [source] filter fits them, and that {} may read them: an account without rights is shown nothing, with success",
                settings.base, settings.bind
            ));
            completeness.doubts.extend(self.doubts());
            return Ok(completeness);
        }
        let mut pass = FirstPass::new(columns(std::mem::take(&mut self.names), settings)?, now);
        self.rows.each(|row| {
            pass.note(row);
            Ok(())
        })?;
        let mut interpreter = pass.complete();
        let mut chunk = Vec::new();
        let mut listed = Listed::default();
        self.rows.each(|row| {
            let entry = interpreter.take(row, || row.text());
            let at = usize::try_from(row.line).ok().and_then(|line| line.checked_sub(1));
            if let Some((dn, id)) = at.and_then(|at| self.ids.get(at))
                && let Some(key) = entry.as_ref().and_then(Entry::key)
            {
                listed.note(key, people::parent(dn), id.clone());
            }
            chunk.extend(entry);
            if chunk.len() >= CHUNK { to.put(std::mem::take(&mut chunk)) } else { Ok(()) }
        })?;
        if !chunk.is_empty() {
            to.put(chunk)?;
        }
        let mut completeness = interpreter.completeness();
        completeness.doubts = self.doubts();
        completeness.notes.extend(self.note.take());
        if let Some(copy) = &mut self.copy {
            listed.follow(&copy.listed);
            copy.listed = listed;
        }
        Ok(completeness)
    }

    fn doubts(&self) -> Vec<String> {
        let doubt = |host: &String| {
            format!(
                "A part of the tree below the base lies on {host}, which is not asked. Name a base that one server holds as a whole"
            )
        };
        self.elsewhere.iter().map(doubt).collect()
    }
}

/// What the attributes say.
pub(crate) fn columns(names: Vec<String>, settings: &LdapSettings) -> Result<Columns, SourceError> {
    Columns::new(names, &settings.mapping)
        .map_err(|error| SourceError { problem: error.problem.replacen("The file", "The directory", 1), ..error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_of_a_domain_hold_nobody() {
        assert!(is_partition("ldap://DomainDnsZones.corp.test/DC=DomainDnsZones,DC=corp,DC=test"));
        assert!(is_partition("ldaps://corp.test/CN=Configuration,DC=corp,DC=test"));
        assert!(!is_partition("ldap://child.corp.test/DC=child,DC=corp,DC=test"));
        assert_eq!(host("ldap://child.corp.test/OU=Secret,DC=corp"), "child.corp.test");
    }
}
