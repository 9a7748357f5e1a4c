//! A full reading: a cursor from now, the listing, and then what changed while it was read. A tenant that refuses the
//! listing is read by a delta round that begins with everything.
//! <https://learn.microsoft.com/graph/delta-query-overview>

use std::collections::BTreeMap;
use std::ops::Bound;

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::{Guid, ObjectId};
use hardmatch_domain::values::is_temporary;
use hardmatch_ports::tenant::{Delta, DeltaNext, ListPage};
use hardmatch_store::fingerprints::{Bucket, Digests, Series, bucket_of, content_hash};

use crate::TenantPorts;
use crate::accounts::{forget, store_accounts};
use crate::marks::{Marks, Stopped};
use crate::reading::{Entries, Keeper, Reading, Users, Way};

/// A linked account that a full reading did not show is believed gone after two looks this far apart (seconds).
const UNSEEN_SECONDS: i64 = 5 * 60;
/// Accounts that were not shown, between two looks at the time.
const ASKED: usize = 50;

/// Begins: whatever changes from now on is told by the round that follows.
pub(crate) async fn begin(ports: &TenantPorts, reading: &mut Reading) -> Result<(), Stopped> {
    let start = ports.tenant.delta_start().await?;
    reading.entries.clear();
    reading.users = Users { way: Way::Listing { start, page: None }, full: true, ..Users::default() };
    Ok(())
}

/// Fingerprints of a full reading. Last of all: from here on its accounts count as seen.
pub(crate) async fn remember(ports: &TenantPorts, entries: &Entries) -> Result<(), Stopped> {
    let series = Series::accounts(&ports.scope);
    let mut digests = Digests::default();
    let mut buckets: BTreeMap<usize, Bucket> = BTreeMap::new();
    for (name, content) in entries {
        digests.add(name, *content);
        buckets.entry(bucket_of(name)).or_default().insert(*name, *content);
    }
    ports.store.put_buckets(&series, buckets.iter().map(|(&number, bucket)| (number, bucket))).await?;
    Ok(ports.store.put_digests(&series, &digests).await?)
}

/// A full reading as far as it has come.
pub(crate) struct Whole<'r> {
    reading: &'r mut Reading,
    /// Entries of the last full reading that were not seen in this one; `None` when it is the first.
    known: Option<Entries>,
}

impl<'r> Whole<'r> {
    /// What was seen so far is in the reading; what was known before it is in the store.
    pub(crate) async fn open(ports: &TenantPorts, reading: &'r mut Reading) -> Result<Self, Stopped> {
        let series = Series::accounts(&ports.scope);
        let mut known = match ports.store.digests(&series).await? {
            Some(_) => Some(known_entries(ports, &series).await?),
            None => None,
        };
        if let Some(known) = &mut known {
            known.retain(|name, _| !reading.entries.contains_key(name));
        }
        Ok(Self { reading, known })
    }

    /// Reads on until changes are followed.
    pub(crate) async fn read(
        mut self,
        ports: &TenantPorts,
        marks: &mut Marks<'_>,
        keeper: &mut Keeper<'_>,
    ) -> Result<(), Stopped> {
        loop {
            match self.reading.users.way.clone() {
                Way::Listing { start, page } => {
                    let ListPage { items, next } = match ports.tenant.users(page.as_ref()).await {
                        Ok(page) => page,
                        Err(error) if self.reading.users.seen == 0 && error.is_refused() => {
                            tracing::info!(error.code = %error.code, "the listing of users is refused; reading them as changes");
                            self.reading.users.way = Way::Everybody { cursor: ports.tenant.delta_whole().await? };
                            continue;
                        }
                        Err(error) => return Err(error.into()),
                    };
                    self.page(ports, marks, items).await?;
                    self.reading.users.way = match next {
                        Some(next) => Way::Listing { start, page: Some(next) },
                        None => Way::Unseen { start, after: None },
                    };
                }
                Way::Everybody { cursor } => {
                    let page = ports.tenant.delta(&cursor).await?;
                    let accounts = self.latest(ports, page.changes).await?;
                    self.page(ports, marks, accounts).await?;
                    self.reading.users.way = match page.next {
                        DeltaNext::Page(cursor) => Way::Everybody { cursor },
                        DeltaNext::Done(start) => Way::Unseen { start, after: None },
                    };
                }
                Way::Unseen { start, after } => {
                    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                    let behind = self.known.iter().flat_map(|known| known.range((from, Bound::Unbounded)));
                    let some: Vec<[u8; 16]> = behind.map(|(name, _)| *name).take(ASKED).collect();
                    for name in &some {
                        unseen(ports, name, &mut self.reading.entries, marks, &self.reading.missing).await?;
                    }
                    let Some(last) = some.last() else {
                        self.reading.users.way = Way::Following { cursor: start };
                        continue;
                    };
                    self.reading.users.way = Way::Unseen { start, after: Some(*last) };
                }
                Way::Begin | Way::Following { .. } | Way::Ended { .. } => return Ok(()),
            }
            keeper.unit(self.reading).await?;
        }
    }

    /// The accounts of a page of a round that tells of everybody, as they are after it.
    async fn latest(&mut self, ports: &TenantPorts, changes: Vec<Delta>) -> Result<Vec<Account>, Stopped> {
        let mut accounts: BTreeMap<ObjectId, Account> = BTreeMap::new();
        for change in changes {
            match change {
                Delta::Seen { mut account, manager } => {
                    // Who is told of a second time may be told of in part: what was said of the manager stays.
                    account.manager = match (manager, accounts.get(&account.id)) {
                        (Some(manager), _) => manager,
                        (None, Some(before)) => before.manager.clone(),
                        (None, None) if self.reading.entries.contains_key(&name_of(&account.id)) => {
                            let before = ports.store.account(&ports.scope, &account.id).await?;
                            before.and_then(|before| before.account.manager)
                        }
                        (None, None) => None,
                    };
                    accounts.insert(account.id.clone(), *account);
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

    async fn page(&mut self, ports: &TenantPorts, marks: &mut Marks<'_>, items: Vec<Account>) -> Result<(), Stopped> {
        let Self { reading, known } = self;
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
        reading.users.changed += store_accounts(ports, fresh, marks, &reading.missing).await?;
        Ok(())
    }
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

/// An account that a full reading did not show. Without a link the mirror forgets it; a linked one is asked for, and
/// believed gone only after two looks some minutes apart.
async fn unseen(
    ports: &TenantPorts,
    name: &[u8; 16],
    entries: &mut Entries,
    marks: &mut Marks<'_>,
    missing: &[Attr],
) -> Result<(), Stopped> {
    let id = object_id(name);
    let Some(old) = ports.store.account(&ports.scope, &id).await? else { return Ok(()) };
    if old.account.is_deleted() {
        return Ok(());
    }
    if ports.store.link_to(&ports.scope, &id).await?.is_some() {
        if let Some(found) = ports.tenant.account(&id).await? {
            entries.insert(*name, fingerprint(&found).1);
            store_accounts(ports, vec![found], marks, missing).await?;
            return Ok(());
        }
        let now = ports.clock.now_seconds();
        let note = ports.store.note(ports.scope.as_str(), &format!("unseen#{id}")).await?;
        let first = note.and_then(|body| String::from_utf8(body).ok()?.parse::<i64>().ok());
        if first.is_none_or(|first| now - first < UNSEEN_SECONDS) {
            // Keep the mirror as it is, and keep the entry so that the next full reading asks again.
            entries.insert(*name, [0; 8]);
            if first.is_none() {
                let body = now.to_string().into_bytes();
                ports.store.put_note(ports.scope.as_str(), &format!("unseen#{id}"), body).await?;
            }
            return Ok(());
        }
    }
    forget(ports, &old.account, marks).await
}

fn object_id(name: &[u8; 16]) -> ObjectId {
    let mut ad = *name;
    ad[..4].reverse();
    ad[4..6].reverse();
    ad[6..8].reverse();
    ObjectId::new(Guid::from_ad_bytes(ad).to_string())
}
