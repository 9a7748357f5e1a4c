//! A full listing of live users: a cursor from now, the listing, and then the changes since that cursor. A tenant that
//! refuses the listing is read by a delta round that names every user.
//! <https://learn.microsoft.com/graph/delta-query-overview>

use std::collections::BTreeMap;
use std::ops::Bound;

use hardmatch_domain::account::Account;
use hardmatch_domain::ids::{ConnectionId, ObjectId};
use hardmatch_domain::values::is_temporary;
use hardmatch_ports::tenant::{Delta, DeltaNext, ListPage};
use hardmatch_store::PersonHash;
use hardmatch_store::fingerprints::Series;

use super::accounts::store_accounts;
use super::checkpoint::ReadingCheckpoint;
use super::dirty::DirtyMarks;
use super::fingerprints::{Entries, fingerprint, known_entries, name_of, object_id};
use super::notes::SeenSinceFullListing;
use super::progress::{ListingStage, TenantProgress, UsersReading};
use super::recheck::not_shown;
use super::stop::TenantStop;
use crate::ports::TenantPorts;

/// Accounts that were not shown and are asked for between two looks at the deadline.
const ASKED: usize = 50;
/// People whose links are read between two looks at the deadline, when the listing showed most of their accounts.
const LINKED: usize = 500;

/// Begins a full listing. A change from now on is in the delta round that follows it.
pub(super) async fn begin(ports: &TenantPorts, reading: &mut TenantProgress) -> Result<(), TenantStop> {
    let start = ports.tenant.delta_start().await?;
    reading.entries.clear();
    reading.users =
        UsersReading { stage: ListingStage::Listing { start, page: None }, full: true, ..UsersReading::default() };
    Ok(())
}

/// A full listing under way.
pub(super) struct FullListing<'r> {
    reading: &'r mut TenantProgress,
    /// Accounts of the last full listing, and accounts seen since, that this one has not shown yet; `None` when this is the
    /// first.
    known: Option<Entries>,
    /// People of this tenant's connections, once they are asked for.
    people: Option<Vec<(ConnectionId, Vec<PersonHash>)>>,
}

impl<'r> FullListing<'r> {
    /// Goes on with the full listing of a reading.
    pub(super) async fn open(ports: &TenantPorts, reading: &'r mut TenantProgress) -> Result<Self, TenantStop> {
        let mut known = known_entries(ports).await?;
        if let Some(known) = &mut known {
            for id in SeenSinceFullListing::of(ports).all(ports).await?.keys() {
                known.entry(name_of(id)).or_default();
            }
            known.retain(|name, _| !reading.entries.contains_key(name));
        }
        Ok(Self { reading, known, people: None })
    }

    /// Reads on to the stage that follows changes.
    pub(super) async fn read(
        mut self,
        ports: &TenantPorts,
        marks: &mut DirtyMarks<'_>,
        checkpoint: &mut ReadingCheckpoint<'_>,
    ) -> Result<(), TenantStop> {
        loop {
            match self.reading.users.stage.clone() {
                ListingStage::Listing { start, page } => {
                    let ListPage { items, next } = match ports.tenant.users(page.as_ref()).await {
                        Ok(page) => page,
                        Err(error) if self.reading.users.seen == 0 && error.is_refused() => {
                            tracing::info!(error.code = %error.code, "the tenant refuses the listing of users; a delta round reads them");
                            self.reading.users.stage =
                                ListingStage::InitialDelta { cursor: ports.tenant.delta_whole().await? };
                            continue;
                        }
                        Err(error) => return Err(error.into()),
                    };
                    self.store_page(ports, marks, items).await?;
                    self.reading.users.stage = match next {
                        Some(next) => ListingStage::Listing { start, page: Some(next) },
                        None => ListingStage::RecheckMissing { start, after: None },
                    };
                }
                ListingStage::InitialDelta { cursor } => {
                    let page = ports.tenant.delta(&cursor).await?;
                    let accounts = self.latest(ports, page.changes).await?;
                    self.store_page(ports, marks, accounts).await?;
                    self.reading.users.stage = match page.next {
                        DeltaNext::Page(cursor) => ListingStage::InitialDelta { cursor },
                        DeltaNext::Done(start) => ListingStage::RecheckMissing { start, after: None },
                    };
                }
                ListingStage::RecheckMissing { start, after } => {
                    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                    let behind = self.known.iter().flat_map(|known| known.range((from, Bound::Unbounded)));
                    let some: Vec<[u8; 16]> = behind.map(|(name, _)| *name).take(ASKED).collect();
                    let Some(last) = some.last() else {
                        self.reading.users.stage = ListingStage::RecheckLinked { start, after: None };
                        continue;
                    };
                    self.ask_for(ports, marks, &some.iter().map(object_id).collect::<Vec<_>>()).await?;
                    self.reading.users.stage = ListingStage::RecheckMissing { start, after: Some(*last) };
                }
                ListingStage::RecheckLinked { start, after } => {
                    let Some(last) = self.ask_for_linked(ports, marks, after.as_ref()).await? else {
                        self.reading.users.stage = ListingStage::Following { cursor: start };
                        continue;
                    };
                    self.reading.users.stage = ListingStage::RecheckLinked { start, after: Some(last) };
                }
                ListingStage::Begin | ListingStage::Following { .. } | ListingStage::Ended { .. } => return Ok(()),
            }
            checkpoint.unit(self.reading).await?;
        }
    }

    /// The accounts of a page of a delta round that names every user, as they are after the page.
    async fn latest(&mut self, ports: &TenantPorts, changes: Vec<Delta>) -> Result<Vec<Account>, TenantStop> {
        let mut accounts: BTreeMap<ObjectId, Account> = BTreeMap::new();
        for change in changes {
            match change {
                Delta::Seen(change) => {
                    // An account that is named a second time may be named in part: its other properties stay.
                    let id = change.id.clone();
                    let again = self.reading.entries.contains_key(&name_of(&id));
                    let before = match accounts.get(&id) {
                        None if again => ports.store.account(&ports.scope, &id).await?.map(|item| item.account),
                        before => before.cloned(),
                    };
                    let mut account = change.onto(before.as_ref());
                    if account.upn().is_none() {
                        // Part of an account is no account. One that is nowhere was deleted during the round.
                        let Some(read) = ports.tenant.account(&id).await? else { continue };
                        account = read;
                    }
                    accounts.insert(id, account);
                }
                // A deleted account is not shown; if the mirror has it, it is asked for afterwards.
                Delta::Deleted(id) | Delta::Purged(id) => {
                    accounts.remove(&id);
                    self.reading.entries.remove(&name_of(&id));
                }
            }
        }
        Ok(accounts.into_values().collect())
    }

    /// Asks for accounts that the listing did not show.
    async fn ask_for(
        &mut self,
        ports: &TenantPorts,
        marks: &mut DirtyMarks<'_>,
        ids: &[ObjectId],
    ) -> Result<(), TenantStop> {
        for account in not_shown(ports, ids, marks, &self.reading.missing).await? {
            let (name, content) = fingerprint(&account);
            self.reading.entries.insert(name, content);
        }
        Ok(())
    }

    /// Asks for linked accounts that were neither shown nor asked for, those of some people after a person: an account may
    /// have come after the last full listing and be gone before this one, and then its link alone names it. Gives the last of
    /// these people.
    async fn ask_for_linked(
        &mut self,
        ports: &TenantPorts,
        marks: &mut DirtyMarks<'_>,
        after: Option<&(ConnectionId, [u8; 16])>,
    ) -> Result<Option<(ConnectionId, [u8; 16])>, TenantStop> {
        // Before the first full listing nobody has a link.
        if self.known.is_none() {
            return Ok(None);
        }
        if self.people.is_none() {
            self.people = Some(people_of_tenant(ports).await?);
        }
        let behind = |c: &ConnectionId, pid: &PersonHash| after.is_none_or(|(to, at)| (c, pid.bytes()) > (to, at));
        let some = self.people.iter().flatten().find_map(|(c, pids)| {
            let from = pids.partition_point(|pid| !behind(c, pid));
            Some((c, &pids[from..])).filter(|(_, rest)| !rest.is_empty())
        });
        let Some((connection, rest)) = some else { return Ok(None) };
        let mut some = &rest[..rest.len().min(LINKED)];
        let mut hidden = self.hidden(ports, connection, some).await?;
        if hidden.len() > ASKED {
            some = &rest[..rest.len().min(ASKED)];
            hidden = self.hidden(ports, connection, some).await?;
        }
        let last = some.last().map(|pid| (connection.clone(), *pid.bytes()));
        self.ask_for(ports, marks, &hidden).await?;
        Ok(last)
    }

    /// Accounts that these people are linked to, and that were neither shown nor asked for.
    async fn hidden(
        &self,
        ports: &TenantPorts,
        c: &ConnectionId,
        pids: &[PersonHash],
    ) -> Result<Vec<ObjectId>, TenantStop> {
        let mut linked = ports.store.linked_accounts(c, pids).await?;
        linked.retain(|id| {
            let name = name_of(id);
            !self.reading.entries.contains_key(&name) && !self.known.iter().any(|known| known.contains_key(&name))
        });
        Ok(linked)
    }

    async fn store_page(
        &mut self,
        ports: &TenantPorts,
        marks: &mut DirtyMarks<'_>,
        items: Vec<Account>,
    ) -> Result<(), TenantStop> {
        let Self { reading, known, .. } = self;
        reading.users.seen += items.len() as u64;
        let mut fresh = Vec::with_capacity(items.len());
        for account in items {
            let (name, content) = fingerprint(&account);
            reading.users.temporary += u64::from(account.upn().is_some_and(is_temporary));
            let again = reading.entries.insert(name, content).is_some();
            let had = known.as_mut().and_then(|known| known.remove(&name));
            if again || had != Some(content) || !reading.missing.is_empty() {
                fresh.push(account);
            }
        }
        reading.users.changed += store_accounts(ports, fresh, marks, &reading.missing).await?.changed;
        Ok(())
    }
}

/// Everybody who is or was in a listing of this tenant's connections, by connection, sorted.
async fn people_of_tenant(ports: &TenantPorts) -> Result<Vec<(ConnectionId, Vec<PersonHash>)>, TenantStop> {
    let mut people = Vec::new();
    for connection in ports.store.connections().await? {
        let tenant = ports.store.meta(&connection).await?.status.tenant;
        if tenant.is_some_and(|tenant| !ports.scope.is_of(&tenant)) {
            continue;
        }
        let names = ports.store.all_names(&Series::people(&connection)).await?;
        let mut pids: Vec<PersonHash> = names.into_iter().map(PersonHash::from_bytes).collect();
        pids.extend(ports.store.gone_people(&connection).await?);
        pids.sort_unstable();
        people.push((connection, pids));
    }
    people.sort_unstable();
    Ok(people)
}
