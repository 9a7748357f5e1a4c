//! The list of a group's members, and the memberships that accounts of the mirror have by it. The list that is stored last
//! is the list as the mirror has it. Members who are no accounts of the mirror, and accounts that the list shows as they were
//! before our own write, make it another list, which is compared again the next time.

use std::ops::Bound;

use hardmatch_domain::account::Account;
use hardmatch_domain::group::FoundGroup;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::Write;
use hardmatch_ports::tenant::ListPage;
use hardmatch_store::accounts::{AccountItem, TenantItem};
use hardmatch_store::fingerprints::Series;
use hardmatch_store::folders;
use hardmatch_store::hashes::hex;
use sha2::{Digest as _, Sha256};

use super::accounts::known_accounts;
use super::dirty::DirtyMarks;
use super::fingerprints::object_id;
use super::mirror::{Listed, outlasts_list};
use super::named_groups::{MemberReading, Members, NamedGroups, Roster};
use super::notes::SeenSinceFullListing;
use super::stop::{TenantStop, describe, is_withheld};
use crate::ports::TenantPorts;

/// Accounts that are compared between two looks at the deadline.
const TOGETHER: usize = 500;

/// Whether a list is read and compared to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ListStep {
    More,
    Ended,
}

/// Goes on with a list by one step. The stored list is read once this list is complete, and kept by the caller from then
/// on.
pub(super) async fn follow_list(
    ports: &TenantPorts,
    roster: &mut Roster,
    had: Option<&TenantItem>,
    stored: &mut Option<StoredList>,
    marks: &mut DirtyMarks<'_>,
    named: &mut NamedGroups,
) -> Result<ListStep, TenantStop> {
    let Roster { group, members, stage } = roster;
    match stage {
        MemberReading::Listing { page } => match ports.tenant.members(group, page.as_ref()).await {
            Ok(ListPage { items, next }) => {
                members.extend(items);
                *stage = next.map_or_else(MemberReading::complete, |next| MemberReading::Listing { page: Some(next) });
                Ok(ListStep::More)
            }
            // The group was created a moment ago, and this replica does not know it; or it was deleted this moment.
            Err(error) if error.status == 404 => {
                members.clear();
                *stage = MemberReading::complete();
                Ok(ListStep::More)
            }
            Err(error) if is_withheld(&error) => {
                named.withheld(group, &describe(&error));
                Ok(ListStep::Ended)
            }
            Err(error) => Err(error.into()),
        },
        MemberReading::Comparing { to, unlike } => {
            let stored = match stored {
                Some(stored) => stored,
                None => stored.insert(StoredList::of(ports, group, had, members).await?),
            };
            let mut list = Comparing { ports, group, members, unlike, stored };
            match list.compare(to.as_ref(), marks, named).await? {
                Some(last) => {
                    *to = Some(last);
                    Ok(ListStep::More)
                }
                None => list.end(named).await.map(|()| ListStep::Ended),
            }
        }
    }
}

/// The list as it is stored, and the accounts that are to be compared.
pub(super) struct StoredList {
    /// Digest of the list that the mirror was brought to.
    digest: Option<Box<str>>,
    /// The list in the blob; `None` when there is none, or it was not needed.
    list: Option<Members>,
    /// Accounts whose membership may differ although the list is the same.
    noted: Members,
    /// Accounts that are to be compared.
    asked: Members,
}

impl StoredList {
    async fn of(
        ports: &TenantPorts,
        group: &ObjectId,
        had: Option<&TenantItem>,
        members: &Members,
    ) -> Result<Self, TenantStop> {
        let digest = had.and_then(|had| digest_of(had, group));
        let noted = ports.store.noted_memberships(&ports.scope).await?.remove(group).unwrap_or_default();
        let mut stored = Self { digest, list: None, asked: noted.clone(), noted };
        if stored.digest.as_deref() == Some(&*digest_of_members(members)) {
            return Ok(stored);
        }
        // An empty list has no blob.
        let was_empty = stored.digest.as_deref() == Some(&*digest_of_members(&Members::new()));
        stored.list = if was_empty { Some(Members::new()) } else { read_list(ports, group).await? };
        let list = stored.list.iter().flatten();
        match (&stored.digest, &stored.list) {
            (Some(digest), Some(list)) if **digest == *digest_of_members(list) => {
                stored.asked.extend(list.symmetric_difference(members).cloned());
            }
            // The mirror may have been brought to another list than the one in the blob.
            (Some(_), _) => {
                stored.asked.extend(list.chain(members).cloned());
                stored.asked.extend(everybody(ports).await?);
            }
            // The group is new to this table, or the table is new.
            (None, _) => stored.asked.extend(list.chain(members).cloned()),
        }
        Ok(stored)
    }
}

/// The digest of the list that the mirror was brought to, as the rules of any connection have it.
fn digest_of(had: &TenantItem, group: &ObjectId) -> Option<Box<str>> {
    had.tenant.named_groups.values().flatten().find_map(|named| match &named.found {
        FoundGroup::Found { id, digest, .. } if id == group && !digest.is_empty() => Some(digest.clone()),
        FoundGroup::Found { .. }
        | FoundGroup::Missing
        | FoundGroup::Several
        | FoundGroup::OtherKind
        | FoundGroup::Locked { .. } => None,
    })
}

/// Every account that the mirror may have.
async fn everybody(ports: &TenantPorts) -> Result<Members, TenantStop> {
    let names = ports.store.all_names(&Series::accounts(&ports.scope)).await?;
    let seen = SeenSinceFullListing::of(ports).all(ports).await?;
    Ok(names.iter().map(object_id).chain(seen.into_keys()).collect())
}

/// A complete list on its way into the mirror.
struct Comparing<'p> {
    ports: &'p TenantPorts,
    group: &'p ObjectId,
    members: &'p Members,
    unlike: &'p mut Members,
    stored: &'p StoredList,
}

impl Comparing<'_> {
    /// Compares some of the accounts after `to`; gives the last of them, if there were any.
    async fn compare(
        &mut self,
        to: Option<&ObjectId>,
        marks: &mut DirtyMarks<'_>,
        named: &mut NamedGroups,
    ) -> Result<Option<ObjectId>, TenantStop> {
        let (ports, now) = (self.ports, self.ports.clock.now_seconds());
        let behind = (to.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let some: Vec<ObjectId> = self.stored.asked.range::<ObjectId, _>(behind).take(TOGETHER).cloned().collect();
        let known = known_accounts(ports, &some).await?;
        let mut changed: Vec<(&Account, AccountItem)> = Vec::new();
        for id in &some {
            let listed = if self.members.contains(id) { Listed::Present } else { Listed::Missing };
            let Some(item) = known.get(id) else {
                // The member is a device, a group, or an account that the listing of users does not show yet.
                if listed == Listed::Present {
                    self.unlike.insert(id.clone());
                }
                continue;
            };
            let is = item.account.memberships.contains(self.group.as_str());
            if is == (listed == Listed::Present) {
                continue;
            }
            if outlasts_list(item, self.group, listed, now) {
                self.unlike.insert(id.clone());
                continue;
            }
            let mut new = item.clone();
            new.account.memberships = match listed {
                Listed::Present => item.account.memberships.with(self.group.as_str()),
                Listed::Missing => item.account.memberships.without(self.group.as_str()),
            };
            new.account.revision += 1;
            changed.push((&item.account, new));
        }
        self.store(&changed, marks, named).await?;
        let noted = some.iter().filter(|id| self.stored.noted.contains(*id));
        named.compared.extend(noted.map(|id| (self.group.clone(), id.clone())));
        named.changed += changed.len() as u64;
        Ok(some.last().cloned())
    }

    /// Stores accounts whose memberships differ. Their people are marked dirty first. Where the stored list is trusted, the
    /// memberships that do not follow from it any more are noted first, too.
    async fn store(
        &self,
        changed: &[(&Account, AccountItem)],
        marks: &mut DirtyMarks<'_>,
        named: &mut NamedGroups,
    ) -> Result<(), TenantStop> {
        if changed.is_empty() {
            return Ok(());
        }
        let Self { ports, group, .. } = self;
        let (store, scope) = (&ports.store, &ports.scope);
        let ids: Vec<ObjectId> = changed.iter().map(|(old, _)| old.id.clone()).collect();
        marks.linked(&ids).await?;
        marks.flush().await?;
        let mut writes: Vec<Write> = Vec::new();
        if self.stored.digest.is_some() {
            writes.extend(ids.iter().map(|id| store.note_membership(scope, group, id)));
            named.compared.extend(ids.into_iter().map(|id| ((*group).clone(), id)));
        }
        for (old, new) in changed {
            store.put_account(scope, Some(old), new, &mut writes);
        }
        Ok(store.write_facts_last(writes).await?)
    }

    /// Stores the list as the mirror has it.
    async fn end(&self, named: &mut NamedGroups) -> Result<(), TenantStop> {
        let now: Members = self.members.symmetric_difference(self.unlike).cloned().collect();
        let digest = digest_of_members(&now);
        let is_stored = match &self.stored.list {
            Some(list) => *list == now,
            None => self.stored.digest.as_deref() == Some(&*digest),
        };
        if !now.is_empty() && !is_stored {
            self.ports.blobs.put(&blob_of(self.ports, self.group), list_text(&now)).await?;
        }
        named.listed(self.group, self.members.len() as u64, &digest);
        Ok(())
    }
}

/// The digest of a list of members.
fn digest_of_members(members: &Members) -> Box<str> {
    let mut hasher = Sha256::new();
    for id in members {
        hasher.update(id.as_str().as_bytes());
        hasher.update(b"\n");
    }
    hex(&hasher.finalize()).into()
}

/// The blob of a list. Ids of tenants and groups are no personal data.
fn blob_of(ports: &TenantPorts, group: &ObjectId) -> String {
    format!("{}members/{}", folders::of_tenant(&ports.scope), folders::part(group.as_str()))
}

async fn read_list(ports: &TenantPorts, group: &ObjectId) -> Result<Option<Members>, TenantStop> {
    let body = ports.blobs.get(&blob_of(ports, group)).await?;
    // Half a list is another list: its digest differs.
    Ok(body.map(|body| String::from_utf8_lossy(&body).lines().map(ObjectId::from).collect()))
}

/// The text of a blob: one id a line.
fn list_text(members: &Members) -> Vec<u8> {
    let mut body = String::with_capacity(members.len() * 37);
    for id in members {
        body.push_str(id.as_str());
        body.push('\n');
    }
    body.into_bytes()
}
