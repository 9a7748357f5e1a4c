//! The list of a group's members, and the memberships that accounts of the mirror have by it. What is stored last is the
//! list as the mirror has it: whoever is listed without being an account of the mirror, and whoever the list shows as
//! they were before our own write, makes it another list, which is compared again the next time.

use std::collections::BTreeSet;
use std::ops::Bound;

use hardmatch_domain::account::Account;
use hardmatch_domain::group::FoundGroup;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::Write;
use hardmatch_ports::tenant::{Cursor, ListPage};
use hardmatch_store::accounts::{AccountItem, TenantItem};
use hardmatch_store::fingerprints::Series;
use hardmatch_store::keys::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::TenantPorts;
use crate::tenant::accounts::known_accounts;
use crate::tenant::dirty::{Marks, Stopped};
use crate::tenant::full_listing::object_id;
use crate::tenant::groups::NamedGroups;
use crate::tenant::mirror::{Listed, outlasts_list};
use crate::tenant::recheck::SeenSinceFullListing;
use crate::tenant::round::{describe, is_withheld};

/// Accounts that are compared between two looks at the time.
const TOGETHER: usize = 500;

type Members = BTreeSet<ObjectId>;

/// A list of members on its way into the mirror.
#[derive(Serialize, Deserialize)]
pub(crate) struct Roster {
    group: ObjectId,
    members: Members,
    way: MemberReading,
}

#[derive(Serialize, Deserialize)]
enum MemberReading {
    /// Before a page; `None` is the first.
    Listing { page: Option<Cursor> },
    /// All members are known; accounts up to `to` are compared. The mirror and the list disagree about some of them.
    Comparing { to: Option<ObjectId>, unlike: Members },
}

impl MemberReading {
    fn complete() -> Self {
        Self::Comparing { to: None, unlike: Members::new() }
    }
}

impl Roster {
    /// To be read.
    pub(crate) fn begin(group: ObjectId) -> Self {
        Self { group, members: Members::new(), way: MemberReading::Listing { page: None } }
    }

    /// Of a group that is not there for us any more: nobody is a member.
    pub(crate) fn of_nobody(group: ObjectId) -> Self {
        Self { way: MemberReading::complete(), ..Self::begin(group) }
    }
}

/// Whether there is more to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    On,
    Ended,
}

/// Goes on with a list by one step. What is stored of it is read when it is complete, and kept by the caller from then on.
pub(crate) async fn follow(
    ports: &TenantPorts,
    roster: &mut Roster,
    had: Option<&TenantItem>,
    stored: &mut Option<Stored>,
    marks: &mut Marks<'_>,
    named: &mut NamedGroups,
) -> Result<Step, Stopped> {
    let Roster { group, members, way } = roster;
    match way {
        MemberReading::Listing { page } => match ports.tenant.members(group, page.as_ref()).await {
            Ok(ListPage { items, next }) => {
                members.extend(items);
                *way = next.map_or_else(MemberReading::complete, |next| MemberReading::Listing { page: Some(next) });
                Ok(Step::On)
            }
            // Made a moment ago, and not known to every replica; or deleted this moment.
            Err(error) if error.status == 404 => {
                members.clear();
                *way = MemberReading::complete();
                Ok(Step::On)
            }
            Err(error) if is_withheld(&error) => {
                named.withheld(group, &describe(&error));
                Ok(Step::Ended)
            }
            Err(error) => Err(error.into()),
        },
        MemberReading::Comparing { to, unlike } => {
            let stored = match stored {
                Some(stored) => stored,
                None => stored.insert(Stored::of(ports, group, had, members).await?),
            };
            let mut list = Comparing { ports, group, members, unlike, stored };
            match list.compare(to.as_ref(), marks, named).await? {
                Some(last) => {
                    *to = Some(last);
                    Ok(Step::On)
                }
                None => list.end(named).await.map(|()| Step::Ended),
            }
        }
    }
}

/// What is stored of a list, and whom it takes to compare.
pub(crate) struct Stored {
    /// The digest behind which the mirror is brought to the list.
    digest: Option<Box<str>>,
    /// As in the blob; `None` when there is none, or it was not needed.
    list: Option<Members>,
    /// Memberships that may differ although the list is the same.
    noted: Members,
    /// Who is to be compared.
    asked: Members,
}

impl Stored {
    async fn of(
        ports: &TenantPorts,
        group: &ObjectId,
        had: Option<&TenantItem>,
        members: &Members,
    ) -> Result<Self, Stopped> {
        let digest = had.and_then(|had| digest_of(had, group));
        let noted = ports.store.noted_memberships(&ports.scope).await?.remove(group).unwrap_or_default();
        let mut stored = Self { digest, list: None, asked: noted.clone(), noted };
        if stored.digest.as_deref() == Some(&*name_of(members)) {
            return Ok(stored);
        }
        // Where nobody was a member nothing lies.
        let was_empty = stored.digest.as_deref() == Some(&*name_of(&Members::new()));
        stored.list = if was_empty { Some(Members::new()) } else { read(ports, group).await? };
        let list = stored.list.iter().flatten();
        match (&stored.digest, &stored.list) {
            (Some(digest), Some(list)) if **digest == *name_of(list) => {
                stored.asked.extend(list.symmetric_difference(members).cloned());
            }
            // The mirror may have been brought to another list than the one that lies here.
            (Some(_), _) => {
                stored.asked.extend(list.chain(members).cloned());
                stored.asked.extend(everybody(ports).await?);
            }
            // The group is new here, or the table is.
            (None, _) => stored.asked.extend(list.chain(members).cloned()),
        }
        Ok(stored)
    }
}

/// The digest of the list that the mirror was brought to, whichever connection's rules name the group.
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
async fn everybody(ports: &TenantPorts) -> Result<Members, Stopped> {
    let names = ports.store.all_names(&Series::accounts(&ports.scope)).await?;
    let met = SeenSinceFullListing::of(ports).all(ports).await?;
    Ok(names.iter().map(object_id).chain(met.into_keys()).collect())
}

/// A list that is complete, on its way into the mirror.
struct Comparing<'p> {
    ports: &'p TenantPorts,
    group: &'p ObjectId,
    members: &'p Members,
    unlike: &'p mut Members,
    stored: &'p Stored,
}

impl Comparing<'_> {
    /// Compares some accounts behind one; gives the last of them, if there were any.
    async fn compare(
        &mut self,
        to: Option<&ObjectId>,
        marks: &mut Marks<'_>,
        named: &mut NamedGroups,
    ) -> Result<Option<ObjectId>, Stopped> {
        let (ports, now) = (self.ports, self.ports.clock.now_seconds());
        let behind = (to.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let some: Vec<ObjectId> = self.stored.asked.range::<ObjectId, _>(behind).take(TOGETHER).cloned().collect();
        let known = known_accounts(ports, &some).await?;
        let mut changed: Vec<(&Account, AccountItem)> = Vec::new();
        for id in &some {
            let listed = if self.members.contains(id) { Listed::NamedGroups } else { Listed::Missing };
            let Some(item) = known.get(id) else {
                // A device, a group, or somebody whom the listing of users does not show yet.
                if listed == Listed::NamedGroups {
                    self.unlike.insert(id.clone());
                }
                continue;
            };
            let is = item.account.memberships.contains(self.group.as_str());
            if is == (listed == Listed::NamedGroups) {
                continue;
            }
            if outlasts_list(item, self.group, listed, now) {
                self.unlike.insert(id.clone());
                continue;
            }
            let mut new = item.clone();
            new.account.memberships = match listed {
                Listed::NamedGroups => item.account.memberships.with(self.group.as_str()),
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

    /// Stores accounts whose memberships differ; whom it concerns is marked first. Where the list that lies here is
    /// trusted, it is noted first whose mirror does not follow from it any more.
    async fn store(
        &self,
        changed: &[(&Account, AccountItem)],
        marks: &mut Marks<'_>,
        named: &mut NamedGroups,
    ) -> Result<(), Stopped> {
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
    async fn end(&self, named: &mut NamedGroups) -> Result<(), Stopped> {
        let now: Members = self.members.symmetric_difference(self.unlike).cloned().collect();
        let name = name_of(&now);
        let is_stored = match &self.stored.list {
            Some(list) => *list == now,
            None => self.stored.digest.as_deref() == Some(&*name),
        };
        if !now.is_empty() && !is_stored {
            self.ports.blobs.put(&blob_of(self.ports, self.group), write(&now)).await?;
        }
        named.listed(self.group, self.members.len() as u64, &name);
        Ok(())
    }
}

/// Names a list of members.
fn name_of(members: &Members) -> Box<str> {
    let mut hasher = Sha256::new();
    for id in members {
        hasher.update(id.as_str().as_bytes());
        hasher.update(b"\n");
    }
    hex(&hasher.finalize()).into()
}

/// Where a list lies. Ids of tenants and groups are nobody's personal data.
fn blob_of(ports: &TenantPorts, group: &ObjectId) -> String {
    let plain = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.', "_");
    format!("tenants/{}/members/{}", plain(ports.scope.as_str()), plain(group.as_str()))
}

async fn read(ports: &TenantPorts, group: &ObjectId) -> Result<Option<Members>, Stopped> {
    let body = ports.blobs.get(&blob_of(ports, group)).await?;
    // Half a list is another list: its name says so.
    Ok(body.map(|body| String::from_utf8_lossy(&body).lines().map(ObjectId::from).collect()))
}

/// An id a line.
fn write(members: &Members) -> Vec<u8> {
    let mut body = String::with_capacity(members.len() * 37);
    for id in members {
        body.push_str(id.as_str());
        body.push('\n');
    }
    body.into_bytes()
}
