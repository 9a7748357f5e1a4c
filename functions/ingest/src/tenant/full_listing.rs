//! A full reading: a cursor from now, the listing, and then what changed while it was read. A tenant that refuses the
//! listing is read by a delta round that begins with everything.
//! <https://learn.microsoft.com/graph/delta-query-overview>

use std::collections::BTreeMap;
use std::ops::Bound;

use hardmatch_domain::account::Account;
use hardmatch_domain::ids::{ConnectionId, Guid, ObjectId};
use hardmatch_domain::values::is_temporary;
use hardmatch_ports::tenant::{Delta, DeltaNext, ListPage};
use hardmatch_store::PersonHash;
use hardmatch_store::fingerprints::{Bucket, Digests, Series, bucket_of, content_hash};

use crate::TenantPorts;
use crate::tenant::accounts::store_accounts;
use crate::tenant::dirty::{Marks, Stopped};
use crate::tenant::progress::{Checkpoint, Entries, ListingStage, TenantProgress, Users};
use crate::tenant::recheck::{SeenSinceFullListing, not_shown};

/// Accounts that were not shown, between two looks at the time.
const ASKED: usize = 50;
/// People whose links are read between two looks at the time, when the listing showed most of their accounts.
const LINKED: usize = 500;

/// Begins: whatever changes from now on is told by the round that follows.
pub(crate) async fn begin(ports: &TenantPorts, reading: &mut TenantProgress) -> Result<(), Stopped> {
    let start = ports.tenant.delta_start().await?;
    reading.entries.clear();
    reading.users = Users { way: ListingStage::Listing { start, page: None }, full: true, ..Users::default() };
    Ok(())
}

/// Fingerprints of a full reading. Last of all: from here on its accounts count as seen.
pub(crate) async fn remember(ports: &TenantPorts, reading: &TenantProgress) -> Result<(), Stopped> {
    let series = Series::accounts(&ports.scope);
    let mut digests = Digests::default();
    let mut buckets: BTreeMap<usize, Bucket> = BTreeMap::new();
    for (name, content) in &reading.entries {
        digests.add(name, *content);
        buckets.entry(bucket_of(name)).or_default().insert(*name, *content);
    }
    ports.store.put_buckets(&series, buckets.iter().map(|(&number, bucket)| (number, bucket))).await?;
    ports.store.put_digests(&series, &digests).await?;
    SeenSinceFullListing::of(ports).settle(ports, reading.of / 1000).await
}

/// A full reading as far as it has come.
pub(crate) struct FullListing<'r> {
    reading: &'r mut TenantProgress,
    /// Entries of the last full reading, and accounts met since, that were not seen in this one; `None` when it is the
    /// first.
    known: Option<Entries>,
    /// People of this tenant's connections, once they are asked for.
    people: Option<Vec<(ConnectionId, Vec<PersonHash>)>>,
}

impl<'r> FullListing<'r> {
    /// What was seen so far is in the reading; what was known before it is in the store.
    pub(crate) async fn open(ports: &TenantPorts, reading: &'r mut TenantProgress) -> Result<Self, Stopped> {
        let series = Series::accounts(&ports.scope);
        let mut known = match ports.store.digests(&series).await? {
            Some(_) => Some(known_entries(ports, &series).await?),
            None => None,
        };
        if let Some(known) = &mut known {
            for id in SeenSinceFullListing::of(ports).all(ports).await?.keys() {
                known.entry(name_of(id)).or_default();
            }
            known.retain(|name, _| !reading.entries.contains_key(name));
        }
        Ok(Self { reading, known, people: None })
    }

    /// Reads on until changes are followed.
    pub(crate) async fn read(
        mut self,
        ports: &TenantPorts,
        marks: &mut Marks<'_>,
        checkpoint: &mut Checkpoint<'_>,
    ) -> Result<(), Stopped> {
        loop {
            match self.reading.users.way.clone() {
                ListingStage::Listing { start, page } => {
                    let ListPage { items, next } = match ports.tenant.users(page.as_ref()).await {
                        Ok(page) => page,
                        Err(error) if self.reading.users.seen == 0 && error.is_refused() => {
                            tracing::info!(error.code = %error.code, "the listing of users is refused; reading them as changes");
                            self.reading.users.way =
                                ListingStage::InitialDelta { cursor: ports.tenant.delta_whole().await? };
                            continue;
                        }
                        Err(error) => return Err(error.into()),
                    };
                    self.page(ports, marks, items).await?;
                    self.reading.users.way = match next {
                        Some(next) => ListingStage::Listing { start, page: Some(next) },
                        None => ListingStage::RecheckMissing { start, after: None },
                    };
                }
                ListingStage::InitialDelta { cursor } => {
                    let page = ports.tenant.delta(&cursor).await?;
                    let accounts = self.latest(ports, page.changes).await?;
                    self.page(ports, marks, accounts).await?;
                    self.reading.users.way = match page.next {
                        DeltaNext::Page(cursor) => ListingStage::InitialDelta { cursor },
                        DeltaNext::Done(start) => ListingStage::RecheckMissing { start, after: None },
                    };
                }
                ListingStage::RecheckMissing { start, after } => {
                    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                    let behind = self.known.iter().flat_map(|known| known.range((from, Bound::Unbounded)));
                    let some: Vec<[u8; 16]> = behind.map(|(name, _)| *name).take(ASKED).collect();
                    let Some(last) = some.last() else {
                        self.reading.users.way = ListingStage::RecheckLinked { start, after: None };
                        continue;
                    };
                    self.ask_for(ports, marks, &some.iter().map(object_id).collect::<Vec<_>>()).await?;
                    self.reading.users.way = ListingStage::RecheckMissing { start, after: Some(*last) };
                }
                ListingStage::RecheckLinked { start, after } => {
                    let Some(last) = self.ask_for_linked(ports, marks, after.as_ref()).await? else {
                        self.reading.users.way = ListingStage::Following { cursor: start };
                        continue;
                    };
                    self.reading.users.way = ListingStage::RecheckLinked { start, after: Some(last) };
                }
                ListingStage::Begin | ListingStage::Following { .. } | ListingStage::Ended { .. } => return Ok(()),
            }
            checkpoint.unit(self.reading).await?;
        }
    }

    /// The accounts of a page of a round that tells of everybody, as they are after it.
    async fn latest(&mut self, ports: &TenantPorts, changes: Vec<Delta>) -> Result<Vec<Account>, Stopped> {
        let mut accounts: BTreeMap<ObjectId, Account> = BTreeMap::new();
        for change in changes {
            match change {
                Delta::Seen(change) => {
                    // Who is told of a second time may be told of in part: what was said before stays.
                    let id = change.id.clone();
                    let again = self.reading.entries.contains_key(&name_of(&id));
                    let before = match accounts.get(&id) {
                        None if again => ports.store.account(&ports.scope, &id).await?.map(|item| item.account),
                        before => before.cloned(),
                    };
                    let mut account = change.onto(before.as_ref());
                    if account.upn().is_none() {
                        // Part of an account is no account. Who is nowhere left while everybody was told of.
                        let Some(read) = ports.tenant.account(&id).await? else { continue };
                        account = read;
                    }
                    accounts.insert(id, account);
                }
                // Those who are gone are not among everybody: what the mirror has of them is asked for afterwards.
                Delta::Deleted(id) | Delta::Purged(id) => {
                    accounts.remove(&id);
                    self.reading.entries.remove(&name_of(&id));
                }
            }
        }
        Ok(accounts.into_values().collect())
    }

    /// Asks for accounts that were not shown.
    async fn ask_for(&mut self, ports: &TenantPorts, marks: &mut Marks<'_>, ids: &[ObjectId]) -> Result<(), Stopped> {
        for account in not_shown(ports, ids, marks, &self.reading.missing).await? {
            let (name, content) = fingerprint(&account);
            self.reading.entries.insert(name, content);
        }
        Ok(())
    }

    /// Accounts of ours may have come after the last full reading, and be gone before this one: only their links tell
    /// of them. Asks for those of some people behind a person; gives the last of these people.
    async fn ask_for_linked(
        &mut self,
        ports: &TenantPorts,
        marks: &mut Marks<'_>,
        after: Option<&(ConnectionId, [u8; 16])>,
    ) -> Result<Option<(ConnectionId, [u8; 16])>, Stopped> {
        // Before the first full reading nobody has a link.
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

    /// Accounts that people are linked to, and that were neither shown nor asked for.
    async fn hidden(
        &self,
        ports: &TenantPorts,
        c: &ConnectionId,
        pids: &[PersonHash],
    ) -> Result<Vec<ObjectId>, Stopped> {
        let mut linked = ports.store.linked_accounts(c, pids).await?;
        linked.retain(|id| {
            let name = name_of(id);
            !self.reading.entries.contains_key(&name) && !self.known.iter().any(|known| known.contains_key(&name))
        });
        Ok(linked)
    }

    async fn page(&mut self, ports: &TenantPorts, marks: &mut Marks<'_>, items: Vec<Account>) -> Result<(), Stopped> {
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

/// Everybody who is or was in a listing of this tenant's connections, by connection.
async fn people_of_tenant(ports: &TenantPorts) -> Result<Vec<(ConnectionId, Vec<PersonHash>)>, Stopped> {
    let mut people = Vec::new();
    for connection in ports.store.connections().await? {
        let tenant = ports.store.meta(&connection).await?.value.tenant;
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

async fn known_entries(ports: &TenantPorts, series: &Series) -> Result<BTreeMap<[u8; 16], [u8; 8]>, Stopped> {
    let mut known = BTreeMap::new();
    for chunk in (0..hardmatch_store::fingerprints::BUCKETS).collect::<Vec<_>>().chunks(100) {
        known.extend(ports.store.buckets(series, chunk).await?.into_values().flatten());
    }
    Ok(known)
}

/// Object ids are GUIDs, so the name in the fingerprints gives the id back.
fn fingerprint(account: &Account) -> ([u8; 16], [u8; 8]) {
    (name_of(&account.id), content_hash(&serde_json::to_vec(account).unwrap_or_default()))
}

fn name_of(id: &ObjectId) -> [u8; 16] {
    if let Some(guid) = Guid::parse(id.as_str()) {
        guid.text_bytes()
    } else {
        let mut short = [0; 16];
        short[..8].copy_from_slice(&content_hash(id.as_str().as_bytes()));
        short
    }
}

pub(crate) fn object_id(name: &[u8; 16]) -> ObjectId {
    let mut ad = *name;
    ad[..4].reverse();
    ad[4..6].reverse();
    ad[6..8].reverse();
    ObjectId::new(Guid::from_ad_bytes(ad).to_string())
}
