//! The tenant side: the organisation, who holds roles and addresses, and the users: whole in the first round, by delta
//! later. The cursor is stored last; whatever is killed before that is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hardmatch_domain::account::{Account, AddressHolder, Tenant};
use hardmatch_domain::facts::account_lookups;
use hardmatch_domain::ids::{Guid, ObjectId, PersonRef};
use hardmatch_ports::run::{Collection, Run};
use hardmatch_ports::tenant::{Cursor, Delta, DeltaNext, ListPage, Retry};
use hardmatch_ports::{TenantError, Write};
use hardmatch_store::StoreError;
use hardmatch_store::accounts::{AccountItem, TenantItem};
use hardmatch_store::fingerprints::{Bucket, Digests, Series, bucket_of, content_hash};

use crate::mirror::{Seen, merge};
use crate::{CONTACTS, DELETED, DOMAINS, GROUPS, Observed, Patience, ROLES, TenantPorts, USERS, complete, patience, unknown};

/// Delta tokens of directory objects live seven days; a day is left for a night that fails.
/// <https://devblogs.microsoft.com/microsoft365dev/duration-of-change-tracking-tokens-for-identity-and-education-resources>
const CURSOR_SECONDS: i64 = 6 * 24 * 60 * 60;
/// A linked account that a full reading did not show is believed gone after two looks this far apart (seconds).
const UNSEEN_SECONDS: i64 = 5 * 60;

/// Why an observation stopped early.
enum Stopped {
    Tenant(TenantError),
    Store(StoreError),
}

impl From<TenantError> for Stopped {
    fn from(error: TenantError) -> Self {
        Self::Tenant(error)
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<hardmatch_ports::TableError> for Stopped {
    fn from(error: hardmatch_ports::TableError) -> Self {
        Self::Store(error.into())
    }
}

pub(crate) async fn observe(ports: &TenantPorts, run: &Run) -> Result<Observed, StoreError> {
    let mut observed = Observed::default();
    match observe_all(ports, run, &mut observed).await {
        Ok(()) => Ok(observed),
        Err(Stopped::Store(error)) => Err(error),
        Err(Stopped::Tenant(error)) => Ok(match (error.retry, left_for(ports, run, &error)) {
            (Retry::After(delay), Patience::Left) => {
                let delay = delay.max(Duration::from_secs(1));
                tracing::warn!(run.id = run.id, error = describe(&error), delay.s = delay.as_secs(), "{WAITING}");
                Observed { again: Some(delay), ..Observed::default() }
            }
            (Retry::FromTheStart, Patience::Left) => {
                Observed { again: Some(Duration::from_secs(1)), ..Observed::default() }
            }
            (Retry::Never, _) | (_, Patience::Over) => {
                observed.collections.retain(|(name, _)| *name != USERS);
                observed.collections.push((USERS, unknown(describe(&error))));
                observed.problems.push(describe(&error));
                observed
            }
        }),
    }
}

/// Throttling names its own end; everything else may last.
fn left_for(ports: &TenantPorts, run: &Run, error: &TenantError) -> Patience {
    if error.status == 429 { Patience::Left } else { patience(run, ports.clock.now().as_millisecond()) }
}

/// Said while somebody may be waiting in front of it.
const WAITING: &str = "the tenant could not be read; it is asked again";

fn describe(error: &TenantError) -> String {
    if error.request_id.is_empty() {
        error.message.clone()
    } else {
        format!("{} (request {})", error.message, error.request_id)
    }
}

async fn observe_all(ports: &TenantPorts, run: &Run, observed: &mut Observed) -> Result<(), Stopped> {
    let organization = ports.tenant.organization().await?;
    let had = ports.store.tenant(&ports.scope).await?.map(|stored| stored.value);
    observed.collections.push((DOMAINS, complete(organization.domains.len() as u64, 0)));

    let roles = optional(ports.tenant.role_holders().await, ROLES, observed)?;
    let mut tenant = Tenant {
        id: organization.id,
        domains: organization.domains,
        roles,
        users_complete: false,
        deleted_complete: false,
        groups_complete: false,
        contacts_complete: false,
        directory_sync: organization.directory_sync,
    };
    if let Some(had) = &had {
        // Domains decide who may sign in where: everybody is looked at again. Roles concern their holders.
        observed.everybody |= had.tenant.domains != tenant.domains;
        mark_role_changes(ports, had.tenant.roles.as_ref(), tenant.roles.as_ref()).await?;
    }

    tenant.groups_complete = observe_holders(ports, GROUPS, observed).await?;
    tenant.contacts_complete = observe_holders(ports, CONTACTS, observed).await?;

    let mut marks = Marks::new(ports, run, had.is_none());
    let users = observe_users(ports, had.as_ref(), &mut marks).await?;
    // Deleted users last: whoever is deleted while the users are read is then in one of the two.
    let deleted = observe_deleted(ports, &mut marks).await?;
    marks.flush().await?;

    tenant.users_complete = true;
    tenant.deleted_complete = true;
    observed.collections.push((DELETED, deleted));
    let item = TenantItem {
        v: 1,
        tenant,
        delta: Some(users.cursor),
        delta_at: ports.clock.now_seconds(),
        full_at: users.full_at,
        accounts: users.live,
    };
    ports.store.put_tenant(&ports.scope, &item).await?;
    observed.collections.push((USERS, users.collection));
    Ok(())
}

/// A collection that permissions may withhold: then it is unknown, and the run goes on.
fn optional<T>(
    result: Result<T, TenantError>,
    name: &'static str,
    observed: &mut Observed,
) -> Result<Option<T>, Stopped> {
    match result {
        Ok(value) => {
            observed.collections.push((name, complete(0, 0)));
            Ok(Some(value))
        }
        Err(error) if error.retry == Retry::Never && error.status >= 400 && error.status != 401 => {
            observed.collections.push((name, unknown(describe(&error))));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// People whose look at the tenant must be taken again, collected and written together.
struct Marks<'a> {
    ports: &'a TenantPorts,
    /// Everybody is decided anyway: nobody needs a mark.
    everybody: bool,
    people: BTreeSet<PersonRef>,
}

impl<'a> Marks<'a> {
    fn new(ports: &'a TenantPorts, run: &Run, first: bool) -> Self {
        Self { ports, everybody: run.everybody && first, people: BTreeSet::new() }
    }

    /// Everybody whom a change of an account concerns: its person, and all who hold one of its values.
    async fn account(&mut self, old: Option<&Account>, new: Option<&Account>) -> Result<(), Stopped> {
        if self.everybody {
            return Ok(());
        }
        let Some(id) = new.or(old).map(|account| &account.id) else { return Ok(()) };
        if let Some(link) = self.ports.store.link_to(&self.ports.scope, id).await? {
            self.people.insert(link.value.person);
        }
        let mut values = BTreeSet::new();
        for account in [old, new].into_iter().flatten() {
            account_lookups(account, &mut |by, value| {
                values.insert((by, value.to_owned()));
            });
        }
        for (by, value) in values {
            self.people.extend(self.ports.store.people_by(&self.ports.scope, by, &value).await?);
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Stopped> {
        let store = &self.ports.store;
        let writes: Vec<Write> =
            self.people.iter().map(|who| store.mark_open(&who.connection, store.pid(who))).collect();
        if !writes.is_empty() {
            store.table().batch_write(writes).await?;
        }
        self.people.clear();
        Ok(())
    }
}

async fn mark_role_changes(
    ports: &TenantPorts,
    old: Option<&BTreeMap<ObjectId, Vec<String>>>,
    new: Option<&BTreeMap<ObjectId, Vec<String>>>,
) -> Result<(), Stopped> {
    let empty = BTreeMap::new();
    let (old, new) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let concerned: BTreeSet<&ObjectId> =
        old.keys().chain(new.keys()).filter(|id| old.contains_key(*id) != new.contains_key(*id)).collect();
    let mut writes = Vec::new();
    for id in concerned {
        if let Some(link) = ports.store.link_to(&ports.scope, id).await? {
            let who = &link.value.person;
            writes.push(ports.store.mark_open(&who.connection, ports.store.pid(who)));
        }
    }
    if !writes.is_empty() {
        ports.store.table().batch_write(writes).await?;
    }
    Ok(())
}

struct Users {
    collection: Collection,
    cursor: Cursor,
    full_at: i64,
    live: u64,
}

async fn observe_users(ports: &TenantPorts, had: Option<&TenantItem>, marks: &mut Marks<'_>) -> Result<Users, Stopped> {
    let now = ports.clock.now_seconds();
    if let Some(had) = had
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
                });
            }
            Err(Stopped::Tenant(error)) if error.is_cursor_lost() => {
                tracing::info!(error.code = %error.code, "the delta cursor is no longer known; reading everything");
            }
            Err(stopped) => return Err(stopped),
        }
    }
    read_all(ports, marks).await
}

/// A full reading: a cursor from now, the listing, and then what changed while it was read.
async fn read_all(ports: &TenantPorts, marks: &mut Marks<'_>) -> Result<Users, Stopped> {
    let cursor = ports.tenant.delta_start().await?;
    let series = Series::accounts(&ports.scope);
    let mut known = match ports.store.digests(&series).await? {
        Some(_) => Some(known_entries(ports, &series).await?),
        None => None,
    };
    let mut entries: BTreeMap<[u8; 16], [u8; 8]> = BTreeMap::new();
    let (mut seen, mut changed) = (0, 0);
    let mut page: Option<Cursor> = None;
    loop {
        let ListPage { items, next } = ports.tenant.users(page.as_ref()).await?;
        seen += items.len() as u64;
        let mut fresh = Vec::with_capacity(items.len());
        for account in items {
            let (name, content) = fingerprint(&account);
            entries.insert(name, content);
            let had = known.as_mut().and_then(|known| known.remove(&name));
            if had != Some(content) {
                fresh.push(account);
            }
        }
        changed += store_accounts(ports, fresh, marks).await?;
        match next {
            Some(next) => page = Some(next),
            None => break,
        }
    }
    for name in known.unwrap_or_default().into_keys() {
        unseen(ports, &name, &mut entries, marks).await?;
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
    })
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
    let name = if let Some(guid) = Guid::parse(account.id.as_str()) {
        guid.text_bytes()
    } else {
        let mut short = [0; 16];
        short[..8].copy_from_slice(&content_hash(account.id.as_str().as_bytes()));
        short
    };
    (name, content_hash(&serde_json::to_vec(account).unwrap_or_default()))
}

/// An account that a full reading did not show. Without a link the mirror forgets it; a linked one is asked for, and
/// believed gone only after two looks some minutes apart.
async fn unseen(
    ports: &TenantPorts,
    name: &[u8; 16],
    entries: &mut BTreeMap<[u8; 16], [u8; 8]>,
    marks: &mut Marks<'_>,
) -> Result<(), Stopped> {
    let id = object_id(name);
    let Some(old) = ports.store.account(&ports.scope, &id).await? else { return Ok(()) };
    if old.account.is_deleted() {
        return Ok(());
    }
    if ports.store.link_to(&ports.scope, &id).await?.is_some() {
        if let Some(found) = ports.tenant.account(&id).await? {
            entries.insert(*name, fingerprint(&found).1);
            store_accounts(ports, vec![found], marks).await?;
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

async fn forget(ports: &TenantPorts, old: &Account, marks: &mut Marks<'_>) -> Result<(), Stopped> {
    marks.account(Some(old), None).await?;
    let mut writes = Vec::new();
    ports.store.delete_account(&ports.scope, old, &mut writes);
    marks.flush().await?;
    ports.store.table().batch_write(writes).await?;
    Ok(())
}

/// Stores what differs; gives the number of accounts that did. Marks are written before the facts, so that a kill in
/// between leaves too many marks, never too few.
async fn store_accounts(ports: &TenantPorts, seen: Vec<Account>, marks: &mut Marks<'_>) -> Result<u64, Stopped> {
    if seen.is_empty() {
        return Ok(0);
    }
    let now = ports.clock.now_seconds();
    let ids: Vec<ObjectId> = seen.iter().map(|account| account.id.clone()).collect();
    let known: BTreeMap<ObjectId, AccountItem> = ports
        .store
        .accounts(&ports.scope, &ids)
        .await?
        .into_iter()
        .map(|item| (item.account.id.clone(), item))
        .collect();
    // The last word about an account wins.
    let seen: BTreeMap<ObjectId, Account> = seen.into_iter().map(|account| (account.id.clone(), account)).collect();
    let mut writes = Vec::new();
    let mut changed = 0;
    for (id, account) in seen {
        let old = known.get(&id);
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
        ports.store.table().batch_write(writes).await?;
    }
    Ok(changed)
}

/// Where accounts are noted whose last sighting was stale.
fn rechecks(ports: &TenantPorts) -> String {
    format!("{}#recheck", ports.scope.as_str())
}

/// Follows a cursor to the end of its round.
async fn follow(
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
        let known: BTreeMap<ObjectId, AccountItem> = ports
            .store
            .accounts(&ports.scope, &ids)
            .await?
            .into_iter()
            .map(|item| (item.account.id.clone(), item))
            .collect();
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
        changed += store_accounts(ports, latest.into_values().collect(), marks).await?;
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
            store_accounts(ports, vec![account], marks).await?;
        }
        settled.push(hardmatch_ports::Key::new(format!("NOTE#{pk}"), id));
    }
    if !settled.is_empty() {
        ports.store.delete_keys(settled).await?;
    }
    Ok(())
}

/// The recycle bin, whole each time: it is short, and what is no longer in it is gone for good or restored.
async fn observe_deleted(ports: &TenantPorts, marks: &mut Marks<'_>) -> Result<Collection, Stopped> {
    let pk = format!("{}#bin", ports.scope.as_str());
    let before: BTreeSet<String> = ports.store.notes(&pk).await?.into_iter().collect();
    let mut now: BTreeSet<String> = BTreeSet::new();
    let mut page: Option<Cursor> = None;
    let mut changed = 0;
    loop {
        let ListPage { items, next } = ports.tenant.deleted_users(page.as_ref()).await?;
        now.extend(items.iter().map(|account| account.id.as_str().to_owned()));
        changed += store_deleted(ports, items, marks).await?;
        match next {
            Some(next) => page = Some(next),
            None => break,
        }
    }
    for id in before.difference(&now) {
        let id = ObjectId::new(id.clone());
        // Restored accounts came as live ones; what the mirror still calls deleted was purged.
        if let Some(old) = ports.store.account(&ports.scope, &id).await?
            && old.account.is_deleted()
        {
            forget(ports, &old.account, marks).await?;
            changed += 1;
        }
    }
    let note = |id: &String| hardmatch_ports::Key::new(format!("NOTE#{pk}"), id.clone());
    let mut writes: Vec<Write> = before.difference(&now).map(|id| Write::delete(note(id))).collect();
    writes.extend(now.difference(&before).map(|id| Write::put(note(id), Vec::new())));
    if !writes.is_empty() {
        ports.store.table().batch_write(writes).await?;
    }
    Ok(complete(now.len() as u64, changed))
}

/// The bin's listing carries fewer properties than the mirror may have; the mirror's manager is kept, and so is the
/// date of a deletion that a delta round told.
async fn store_deleted(ports: &TenantPorts, items: Vec<Account>, marks: &mut Marks<'_>) -> Result<u64, Stopped> {
    let ids: Vec<ObjectId> = items.iter().map(|account| account.id.clone()).collect();
    let known: BTreeMap<ObjectId, AccountItem> = ports
        .store
        .accounts(&ports.scope, &ids)
        .await?
        .into_iter()
        .map(|item| (item.account.id.clone(), item))
        .collect();
    let merged = items
        .into_iter()
        .map(|mut account| {
            if let Some(old) = known.get(&account.id) {
                account.manager.clone_from(&old.account.manager);
            }
            account
        })
        .collect();
    store_accounts(ports, merged, marks).await
}

/// Addresses that groups or contacts hold: the whole list, compared with the last one.
async fn observe_holders(
    ports: &TenantPorts,
    name: &'static str,
    observed: &mut Observed,
) -> Result<bool, Stopped> {
    let mut held: BTreeSet<(String, AddressHolder)> = BTreeSet::new();
    let mut page: Option<Cursor> = None;
    loop {
        let answer = match name {
            GROUPS => ports.tenant.group_addresses(page.as_ref()).await,
            _ => ports.tenant.contact_addresses(page.as_ref()).await,
        };
        match answer {
            Ok(ListPage { items, next }) => {
                held.extend(items);
                match next {
                    Some(next) => page = Some(next),
                    None => break,
                }
            }
            Err(error) if error.retry == Retry::Never && error.status >= 400 && error.status != 401 => {
                observed.collections.push((name, unknown(describe(&error))));
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let pk = format!("{}#{name}", ports.scope.as_str());
    let had = read_holders(ports, &pk).await?;
    if had != held {
        let mut writes: Vec<Write> = had
            .difference(&held)
            .map(|(address, holder)| ports.store.delete_holder(&ports.scope, address, holder))
            .collect();
        writes.extend(
            held.difference(&had).map(|(address, holder)| ports.store.put_holder(&ports.scope, address, holder)),
        );
        let mut people = BTreeSet::new();
        for (address, _) in had.symmetric_difference(&held) {
            people.extend(
                ports.store.people_by(&ports.scope, hardmatch_domain::facts::By::Address, address).await?,
            );
        }
        writes.extend(people.iter().map(|who| ports.store.mark_open(&who.connection, ports.store.pid(who))));
        ports.store.table().batch_write(writes).await?;
        write_holders(ports, &pk, &held).await?;
    }
    observed.collections.push((name, complete(held.len() as u64, 0)));
    Ok(true)
}

/// Address holders kept in one note each 2,000, well under the size of an item.
const HOLDERS_PER_NOTE: usize = 2000;

async fn read_holders(ports: &TenantPorts, pk: &str) -> Result<BTreeSet<(String, AddressHolder)>, Stopped> {
    let mut found = BTreeSet::new();
    for (_, body) in ports.store.notes_of(pk).await? {
        let part: Vec<(String, AddressHolder)> = serde_json::from_slice(&body)
            .map_err(|error| StoreError::Unreadable { kind: "address holders", cause: error.to_string() })?;
        found.extend(part);
    }
    Ok(found)
}

async fn write_holders(
    ports: &TenantPorts,
    pk: &str,
    held: &BTreeSet<(String, AddressHolder)>,
) -> Result<(), Stopped> {
    let all: Vec<_> = held.iter().collect();
    let mut names: BTreeSet<String> = ports.store.notes(pk).await?.into_iter().collect();
    for (number, part) in all.chunks(HOLDERS_PER_NOTE).enumerate() {
        let name = format!("{number:06}");
        ports.store.put_note(pk, &name, serde_json::to_vec(part).unwrap_or_default()).await?;
        names.remove(&name);
    }
    let stale = names.into_iter().map(|name| hardmatch_ports::Key::new(format!("NOTE#{pk}"), name)).collect();
    ports.store.delete_keys(stale).await?;
    Ok(())
}
