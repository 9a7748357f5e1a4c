//! Entries that a controller reports as changed, laid over the copy: people are read again, and with them the people whom a
//! changed group or a changed name concerns.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_ports::SourceError;
use hardmatch_sources_entry::dn;
use ldap3::Scope;

use super::fates::any_of;
use super::{Fate, lay, naming, read_again};
use crate::copy::{Copy, EntryId};
use crate::groups;
use crate::people;
use crate::search::Pages;
use crate::session::Session;
use crate::settings::LdapSettings;
use crate::wire::WireEntry;

/// What people are below. The class of a group is beside them.
const HOLDERS: &str = "(|(objectClass=group)(objectClass=organizationalUnit)(objectClass=container))";

/// Entries that one search looks for.
const TOGETHER: usize = 50;

/// Entries that changed.
#[derive(Default)]
pub(super) struct Reported {
    live: BTreeSet<EntryId>,
    deleted: BTreeSet<EntryId>,
}

impl Reported {
    /// Notes an entry of an answer. The last word about an entry counts.
    pub(super) fn note(&mut self, entry: &WireEntry, deleted: bool) {
        let Some(id) = entry.values("objectGUID").first() else { return };
        let says_so = entry.text("isDeleted").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if deleted || says_so {
            self.live.remove(id);
            self.deleted.insert(id.clone());
        } else {
            self.deleted.remove(id);
            self.live.insert(id.clone());
        }
    }
}

/// Lays what was reported over the copy. Gives how many people were read again or went; or why the directory has to be read
/// whole.
pub(super) async fn lay_over(
    session: &mut Session,
    copy: &mut Copy,
    reported: &Reported,
) -> Result<Result<usize, String>, SourceError> {
    let holders = holders(session, copy, reported).await?;
    for (id, (name, is_group)) in &holders {
        // People below it have another name now, and nothing reports them.
        if !is_group && copy.containers.get(id) != Some(name) {
            return Ok(Err("an organizational unit or a container is new, or has another name or place".to_owned()));
        }
    }
    let mut touched: BTreeSet<EntryId> = BTreeSet::new();
    let mut names = BTreeSet::new();
    let is_known = |id: &&EntryId| {
        copy.people.contains_key(*id) || copy.groups.contains_key(*id) || copy.containers.contains_key(*id)
    };
    let a_stranger_was_deleted = !reported.deleted.iter().all(|id| is_known(&id));
    for id in &reported.deleted {
        copy.containers.remove(id);
        if copy.people.contains_key(id) {
            touched.insert(id.clone());
            names.extend(lay(copy, id, Fate::Deleted).map(|name| dn::canonical(&name)));
        }
    }
    let people: BTreeSet<EntryId> = reported.live.iter().filter(|id| !holders.contains_key(*id)).cloned().collect();
    let strangers: Vec<EntryId> = people.iter().filter(|id| !copy.people.contains_key(*id)).cloned().collect();
    names.extend(read_again(session, copy, &people).await?);
    touched.extend(people);
    let mut concerned = naming(copy, &names);
    // Somebody outside of the base may be a manager, too, under a name that the copy cannot know to be old.
    concerned.extend(managed_by(session, &strangers).await?);
    if a_stranger_was_deleted {
        concerned.extend(with_unknown_manager(copy, &session.settings));
    }
    concerned.extend(members(session, copy, reported, &holders).await?);
    concerned.retain(|id| !touched.contains(id));
    read_again(session, copy, &concerned).await?;
    Ok(Ok(touched.len() + concerned.len()))
}

/// Groups, units and containers among the reported entries: the name, and whether it is a group.
async fn holders(
    session: &mut Session,
    copy: &Copy,
    reported: &Reported,
) -> Result<BTreeMap<EntryId, (String, bool)>, SourceError> {
    let context = session.context.clone();
    let asked: Vec<&EntryId> = reported.live.iter().filter(|id| !copy.people.contains_key(*id)).collect();
    let mut found = BTreeMap::new();
    for some in asked.chunks(TOGETHER) {
        let filter = format!("(&{HOLDERS}{})", any_of(session, some));
        for entry in session.few(&context, Scope::Subtree, &filter, &["objectGUID", "objectClass"]).await? {
            let is_group = entry.texts("objectClass").any(|class| class.eq_ignore_ascii_case("group"));
            if let Some(id) = entry.values("objectGUID").first() {
                found.insert(id.clone(), (entry.dn.clone(), is_group));
            }
        }
    }
    Ok(found)
}

/// People who came into a reported group or left it. A membership is reported at the group and nowhere else.
async fn members(
    session: &mut Session,
    copy: &mut Copy,
    reported: &Reported,
    holders: &BTreeMap<EntryId, (String, bool)>,
) -> Result<BTreeSet<EntryId>, SourceError> {
    let deleted = reported.deleted.iter().filter(|id| copy.groups.contains_key(*id));
    let changed: BTreeSet<EntryId> =
        holders.iter().filter(|(_, (_, is_group))| *is_group).map(|(id, _)| id).chain(deleted).cloned().collect();
    if changed.is_empty() {
        return Ok(BTreeSet::new());
    }
    let name = |groups: &BTreeMap<EntryId, Vec<u8>>, id: &EntryId| {
        groups.get(id).and_then(|bytes| WireEntry::from_bytes(bytes)).map(|entry| entry.dn)
    };
    let before: BTreeMap<EntryId, Option<String>> =
        changed.iter().map(|id| (id.clone(), name(&copy.groups, id))).collect();
    copy.groups = groups::entries(session).await?;
    let wanted: BTreeSet<String> = before.values().flatten().map(|name| dn::canonical(name)).collect();
    let mut were: BTreeMap<String, BTreeSet<EntryId>> = BTreeMap::new();
    for (id, entry) in copy.everybody() {
        for group in entry.texts("memberOf").map(dn::canonical).filter(|group| wanted.contains(group)) {
            were.entry(group).or_default().insert(id.clone());
        }
    }
    let nobody = BTreeSet::new();
    let mut concerned = BTreeSet::new();
    for (id, before) in before {
        let had = before.as_ref().and_then(|name| were.get(&dn::canonical(name))).unwrap_or(&nobody);
        match name(&copy.groups, &id) {
            Some(now) => {
                let has = members_of(session, &now).await?;
                if before.as_deref() == Some(now.as_str()) {
                    concerned.extend(had.symmetric_difference(&has).cloned());
                } else {
                    concerned.extend(had.union(&has).cloned());
                }
            }
            None => concerned.extend(had.iter().cloned()),
        }
    }
    Ok(concerned)
}

/// The people below the base whose manager is one of these.
async fn managed_by(session: &mut Session, managers: &[EntryId]) -> Result<BTreeSet<EntryId>, SourceError> {
    let (base, context, people) = (session.settings.base.clone(), session.context.clone(), session.people());
    let settings = session.settings.clone();
    let attributes = people::manager_attributes(&settings);
    let mut ids = BTreeSet::new();
    for some in managers.chunks(TOGETHER) {
        let wanted = any_of(session, &some.iter().collect::<Vec<_>>());
        let found = session.few(&context, Scope::Subtree, &wanted, &["1.1"]).await?;
        let mut managers = String::new();
        for entry in &found {
            let name = ldap3::ldap_escape(entry.dn.as_str());
            for attribute in &attributes {
                managers.extend(["(", attribute, "=", &name, ")"]);
            }
        }
        let filter = format!("(&{people}(|{managers}))");
        if found.is_empty() {
            continue;
        }
        let mut pages = Pages::below(&base, &filter, &["objectGUID"]);
        while let Some(found) = pages.next(session).await? {
            ids.extend(found.entries.iter().filter_map(|entry| entry.values("objectGUID").first().cloned()));
        }
    }
    Ok(ids)
}

/// People whose manager is nobody of the copy.
fn with_unknown_manager(copy: &Copy, settings: &LdapSettings) -> BTreeSet<EntryId> {
    let names: BTreeSet<String> = copy.everybody().map(|(_, entry)| dn::canonical(&entry.dn)).collect();
    let attributes = people::manager_attributes(settings);
    let is_unknown = |entry: &WireEntry| {
        let mut managers = attributes.iter().flat_map(|attribute| entry.texts(attribute));
        managers.any(|manager| dn::is_dn(manager) && !names.contains(&dn::canonical(manager)))
    };
    copy.everybody().filter(|(_, entry)| is_unknown(entry)).map(|(id, _)| id.clone()).collect()
}

/// The people below the base who are in a group.
async fn members_of(session: &mut Session, group: &str) -> Result<BTreeSet<EntryId>, SourceError> {
    let base = session.settings.base.clone();
    let filter = format!("(&{}(memberOf={}))", session.people(), ldap3::ldap_escape(group));
    let mut ids = BTreeSet::new();
    let mut pages = Pages::below(&base, &filter, &["objectGUID"]);
    while let Some(found) = pages.next(session).await? {
        ids.extend(found.entries.iter().filter_map(|entry| entry.values("objectGUID").first().cloned()));
    }
    Ok(ids)
}
