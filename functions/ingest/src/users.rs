//! The tenant's live users: whole in the first round, by delta later. Every kill leaves too many marks, never too few.

use std::collections::BTreeMap;

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::{Guid, ObjectId};
use hardmatch_domain::values::is_temporary;
use hardmatch_ports::TableError;
use hardmatch_ports::run::Collection;
use hardmatch_ports::tenant::{Cursor, Delta, DeltaNext, ListPage};
use hardmatch_store::accounts::{AccountItem, TenantItem};
use hardmatch_store::fingerprints::{Bucket, Digests, Series, bucket_of, content_hash};

use crate::marks::{Marks, Stopped};
use crate::mirror::{Seen, merge};
use crate::{TenantPorts, complete, last_of_each};

/// Delta tokens of directory objects live seven days; a day is left for a night that fails.
/// <https://devblogs.microsoft.com/microsoft365dev/duration-of-change-tracking-tokens-for-identity-and-education-resources>
const CURSOR_SECONDS: i64 = 6 * 24 * 60 * 60;
/// A linked account that a full reading did not show is believed gone after two looks this far apart (seconds).
const UNSEEN_SECONDS: i64 = 5 * 60;

pub(crate) struct Users {
    pub(crate) collection: Collection,
    pub(crate) cursor: Cursor,
    pub(crate) full_at: i64,
    pub(crate) live: u64,
    /// Accounts with a temporary sign-in name, when everything was read.
    pub(crate) temporary: u64,
}

pub(crate) async fn observe_users(
    ports: &TenantPorts,
    had: Option<&TenantItem>,
    marks: &mut Marks<'_>,
    missing: &[Attr],
) -> Result<Users, Stopped> {
    let now = ports.clock.now_seconds();
    // Under a new attribute everybody must be entered, so everybody is read.
    if let Some(had) = had.filter(|_| missing.is_empty())
        && let Some(cursor) = &had.delta
        && now - had.delta_at < CURSOR_SECONDS
    {
        match follow(ports, cursor.clone(), marks).await {
            Ok((cursor, seen, changed)) => {
                return Ok(Users {
                    collection: complete(seen, changed),
                    cursor,
                    full_at: had.full_at,
                    live: had.accounts,
                    temporary: 0,
                });
            }
            Err(Stopped::Tenant(error)) if error.is_cursor_lost() => {
                tracing::info!(error.code = %error.code, "the delta cursor is no longer known; reading everything");
            }
            Err(stopped) => return Err(stopped),
        }
    }
    read_all(ports, marks, missing).await
}

/// A full reading: a cursor from now, the listing, and then what changed while it was read. A tenant that refuses the
/// listing is read by a delta round that begins with everything.
/// <https://learn.microsoft.com/graph/delta-query-overview>
async fn read_all(ports: &TenantPorts, marks: &mut Marks<'_>, missing: &[Attr]) -> Result<Users, Stopped> {
    let start = ports.tenant.delta_start().await?;
    let series = Series::accounts(&ports.scope);
    let known = match ports.store.digests(&series).await? {
        Some(_) => Some(known_entries(ports, &series).await?),
        None => None,
    };
    let mut whole = Whole { missing, known, entries: BTreeMap::new(), seen: 0, changed: 0, temporary: 0 };
    let cursor = match whole.list(ports, marks).await {
        Ok(()) => start,
        Err(Stopped::Tenant(error)) if whole.seen == 0 && error.is_refused() => {
            tracing::info!(error.code = %error.code, "the listing of users is refused; reading them as changes");
            whole.follow(ports, marks).await?
        }
        Err(stopped) => return Err(stopped),
    };
    let Whole { known, mut entries, seen, changed, temporary, .. } = whole;
    for name in known.unwrap_or_default().into_keys() {
        unseen(ports, &name, &mut entries, marks, missing).await?;
    }
    let (cursor, more_seen, more_changed) = follow(ports, cursor, marks).await?;
    let mut digests = Digests::default();
    let mut buckets: BTreeMap<usize, Bucket> = BTreeMap::new();
    for (name, content) in &entries {
        digests.add(name, *content);
        buckets.entry(bucket_of(name)).or_default().insert(*name, *content);
    }
    ports.store.put_buckets(&series, buckets.iter().map(|(&number, bucket)| (number, bucket))).await?;
    ports.store.put_digests(&series, &digests).await?;
    Ok(Users {
        collection: complete(seen + more_seen, changed + more_changed),
        cursor,
        full_at: ports.clock.now_seconds(),
        live: entries.len() as u64,
        temporary,
    })
}

/// A full reading as far as it has come.
struct Whole<'m> {
    /// Attributes under which accounts are entered for the first time.
    missing: &'m [Attr],
    /// Entries of the last full reading that were not seen in this one; `None` when it is the first.
    known: Option<BTreeMap<[u8; 16], [u8; 8]>>,
    entries: BTreeMap<[u8; 16], [u8; 8]>,
    seen: u64,
    changed: u64,
    temporary: u64,
}

impl Whole<'_> {
    /// By listing.
    async fn list(&mut self, ports: &TenantPorts, marks: &mut Marks<'_>) -> Result<(), Stopped> {
        let mut page: Option<Cursor> = None;
        loop {
            let ListPage { items, next } = ports.tenant.users(page.as_ref()).await?;
            self.page(ports, marks, items).await?;
            match next {
                Some(next) => page = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// By a delta round that begins with everything; gives where later changes are followed from.
    async fn follow(&mut self, ports: &TenantPorts, marks: &mut Marks<'_>) -> Result<Cursor, Stopped> {
        let mut cursor = ports.tenant.delta_whole().await?;
        loop {
            let page = ports.tenant.delta(&cursor).await?;
            let mut accounts: BTreeMap<ObjectId, Account> = BTreeMap::new();
            for change in page.changes {
                match change {
                    Delta::Seen { mut account, manager } => {
                        // Who is told of a second time may be told of in part: what was said of the manager stays.
                        account.manager = match (manager, accounts.get(&account.id)) {
                            (Some(manager), _) => manager,
                            (None, Some(before)) => before.manager.clone(),
                            (None, None) if self.entries.contains_key(&fingerprint(&account).0) => {
                                let before = ports.store.account(&ports.scope, &account.id).await?;
                                before.and_then(|before| before.account.manager)
                            }
                            (None, None) => None,
                        };
                        accounts.insert(account.id.clone(), *account);
                    }
                    // Those who are gone are not among everybody: what the mirror has of them is asked for below.
                    Delta::Deleted(id) | Delta::Purged(id) => {
                        accounts.remove(&id);
                        self.entries.remove(&name_of(&id));
                    }
                }
            }
            self.page(ports, marks, accounts.into_values().collect()).await?;
            match page.next {
                DeltaNext::Page(next) => cursor = next,
                DeltaNext::Done(next) => return Ok(next),
            }
        }
    }

    async fn page(&mut self, ports: &TenantPorts, marks: &mut Marks<'_>, items: Vec<Account>) -> Result<(), Stopped> {
        self.seen += items.len() as u64;
        let mut fresh = Vec::with_capacity(items.len());
        for account in items {
            let (name, content) = fingerprint(&account);
            self.temporary += u64::from(account.upn().is_some_and(is_temporary));
            let again = self.entries.insert(name, content).is_some();
            let had = self.known.as_mut().and_then(|known| known.remove(&name));
            if again || had != Some(content) || !self.missing.is_empty() {
                fresh.push(account);
            }
        }
        self.changed += store_accounts(ports, fresh, marks, self.missing).await?;
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
    entries: &mut BTreeMap<[u8; 16], [u8; 8]>,
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

/// Accounts as the mirror has them.
pub(crate) async fn known_accounts(
    ports: &TenantPorts,
    ids: &[ObjectId],
) -> Result<BTreeMap<ObjectId, AccountItem>, Stopped> {
    let items = ports.store.accounts(&ports.scope, ids).await?;
    Ok(items.into_iter().map(|item| (item.account.id.clone(), item)).collect())
}

/// An account that is gone for good: the tenant said so, or two looks some minutes apart found it nowhere. Its link
/// learns it, so that policy can decide what a lost account means.
pub(crate) async fn forget(ports: &TenantPorts, old: &Account, marks: &mut Marks<'_>) -> Result<(), Stopped> {
    marks.account(Some(old), None).await?;
    marks.flush().await?;
    if let Some(link) = ports.store.link_to(&ports.scope, &old.id).await? {
        let mut gone = link.value.clone();
        gone.ledger.confirmed_gone.get_or_insert(ports.clock.now_seconds());
        gone.revision += 1;
        let mut writes = Vec::new();
        ports.store.put_link(&ports.scope, Some(&link), &gone, &mut writes);
        match ports.store.table().transact(writes).await {
            // A writer was faster; the next observation finds the account missing again.
            Ok(()) | Err(TableError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut writes = Vec::new();
    ports.store.delete_account(&ports.scope, old, &mut writes);
    ports.store.table().batch_write(writes).await?;
    Ok(())
}

/// Stores what differs; gives the number of accounts that did. Marks are written before the facts, so that a kill in
/// between leaves too many marks, never too few. Everybody seen is entered under the attributes that are `missing`.
pub(crate) async fn store_accounts(
    ports: &TenantPorts,
    seen: Vec<Account>,
    marks: &mut Marks<'_>,
    missing: &[Attr],
) -> Result<u64, Stopped> {
    if seen.is_empty() {
        return Ok(0);
    }
    let now = ports.clock.now_seconds();
    let ids: Vec<ObjectId> = seen.iter().map(|account| account.id.clone()).collect();
    let known = known_accounts(ports, &ids).await?;
    // The last word about an account wins.
    let seen: BTreeMap<ObjectId, Account> = seen.into_iter().map(|account| (account.id.clone(), account)).collect();
    let mut writes = Vec::new();
    let mut changed = 0;
    for (id, account) in seen {
        let old = known.get(&id);
        if let Some(old) = old {
            ports.store.enter_account(&ports.scope, &old.account, missing, &mut writes);
        }
        match merge(old, account, now) {
            Seen::Same => {}
            // A stale sighting may have hidden a real change back; a later observation asks for the account by its id.
            Seen::Stale => writes.push(ports.store.write_note(&rechecks(ports), id.as_str(), now.to_string().into())),
            Seen::Filled(item) => {
                ports.store.put_account(&ports.scope, old.map(|old| &old.account), &item, &mut writes);
            }
            Seen::New(item) => {
                changed += 1;
                marks.account(old.map(|old| &old.account), Some(&item.account)).await?;
                ports.store.put_account(&ports.scope, old.map(|old| &old.account), &item, &mut writes);
            }
        }
    }
    marks.flush().await?;
    if !writes.is_empty() {
        ports.store.table().batch_write(last_of_each(writes)).await?;
    }
    Ok(changed)
}

/// Where accounts are noted whose last sighting was stale.
fn rechecks(ports: &TenantPorts) -> String {
    format!("{}#recheck", ports.scope.as_str())
}

/// Follows a cursor to the end of its round.
pub(crate) async fn follow(
    ports: &TenantPorts,
    mut cursor: Cursor,
    marks: &mut Marks<'_>,
) -> Result<(Cursor, u64, u64), Stopped> {
    let (mut seen, mut changed) = (0, 0);
    recheck(ports, marks).await?;
    loop {
        let page = ports.tenant.delta(&cursor).await?;
        seen += page.changes.len() as u64;
        let ids: Vec<ObjectId> = page.changes.iter().map(|change| delta_id(change).clone()).collect();
        let known = known_accounts(ports, &ids).await?;
        let mut latest: BTreeMap<ObjectId, Account> = BTreeMap::new();
        for change in page.changes {
            match change {
                Delta::Seen { mut account, manager } => {
                    let before = latest.get(&account.id).or_else(|| known.get(&account.id).map(|item| &item.account));
                    account.manager = match manager {
                        Some(manager) => manager,
                        None => before.and_then(|before| before.manager.clone()),
                    };
                    latest.insert(account.id.clone(), *account);
                }
                Delta::Deleted(id) => {
                    let before = latest.get(&id).or_else(|| known.get(&id).map(|item| &item.account));
                    if let Some(before) = before.filter(|before| !before.is_deleted()) {
                        let deleted = Some(ports.clock.now().to_string().into());
                        latest.insert(id, Account { deleted, ..before.clone() });
                    }
                }
                Delta::Purged(id) => {
                    latest.remove(&id);
                    if let Some(old) = known.get(&id) {
                        forget(ports, &old.account, marks).await?;
                        changed += 1;
                    }
                }
            }
        }
        changed += store_accounts(ports, latest.into_values().collect(), marks, &[]).await?;
        match page.next {
            DeltaNext::Page(next) => cursor = next,
            DeltaNext::Done(next) => return Ok((next, seen, changed)),
        }
    }
}

fn delta_id(change: &Delta) -> &ObjectId {
    match change {
        Delta::Seen { account, .. } => &account.id,
        Delta::Deleted(id) | Delta::Purged(id) => id,
    }
}

/// Accounts whose last sighting was stale, once the quarter of an hour has passed.
async fn recheck(ports: &TenantPorts, marks: &mut Marks<'_>) -> Result<(), Stopped> {
    let pk = rechecks(ports);
    let now = ports.clock.now_seconds();
    let mut settled = Vec::new();
    for (id, body) in ports.store.notes_of(&pk).await? {
        let since = String::from_utf8(body).ok().and_then(|since| since.parse().ok());
        if since.is_some_and(|since: i64| now - since < crate::mirror::STALE_SECONDS) {
            continue;
        }
        if let Some(account) = ports.tenant.account(&ObjectId::new(id.clone())).await? {
            store_accounts(ports, vec![account], marks, &[]).await?;
        }
        settled.push(hardmatch_ports::Key::new(format!("NOTE#{pk}"), id));
    }
    if !settled.is_empty() {
        ports.store.delete_keys(settled).await?;
    }
    Ok(())
}
