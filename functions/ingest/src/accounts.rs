//! Accounts into the mirror, and out of it. Every kill leaves too many marks, never too few.

use std::collections::BTreeMap;

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::TableError;
use hardmatch_store::accounts::AccountItem;

use crate::marks::{Marks, Stopped};
use crate::mirror::{STALE_SECONDS, Seen, merge};
use crate::reading::{Keeper, Reading};
use crate::{TenantPorts, last_of_each};

/// Accounts that are asked for between two looks at the time.
const ASKED: usize = 20;

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
    marks.accounts(&[(Some(old), None)]).await?;
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
    ports.store.write_facts_last(writes).await?;
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
    let mut new: Vec<(Option<&Account>, Box<AccountItem>)> = Vec::new();
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
            Seen::New(item) => new.push((old.map(|old| &old.account), item)),
        }
    }
    let changes: Vec<_> = new.iter().map(|(old, item)| (*old, Some(&item.account))).collect();
    marks.accounts(&changes).await?;
    marks.flush().await?;
    for (old, item) in &new {
        ports.store.put_account(&ports.scope, *old, item, &mut writes);
    }
    if !writes.is_empty() {
        ports.store.write_facts_last(last_of_each(writes)).await?;
    }
    Ok(new.len() as u64)
}

/// Where accounts are noted whose last sighting was stale.
fn rechecks(ports: &TenantPorts) -> String {
    format!("{}#recheck", ports.scope.as_str())
}

/// Accounts whose last sighting was stale, once the quarter of an hour has passed.
pub(crate) async fn recheck(
    ports: &TenantPorts,
    marks: &mut Marks<'_>,
    reading: &mut Reading,
    keeper: &mut Keeper<'_>,
) -> Result<(), Stopped> {
    let pk = rechecks(ports);
    let now = ports.clock.now_seconds();
    let is_due = |body: Vec<u8>| {
        let since: Option<i64> = String::from_utf8(body).ok().and_then(|since| since.parse().ok());
        since.is_none_or(|since| now - since >= STALE_SECONDS)
    };
    let noted = ports.store.notes_of(&pk).await?;
    let due: Vec<String> = noted.into_iter().filter_map(|(id, body)| is_due(body).then_some(id)).collect();
    for some in due.chunks(ASKED) {
        let mut found = Vec::with_capacity(some.len());
        for id in some {
            found.extend(ports.tenant.account(&ObjectId::new(id.clone())).await?);
        }
        store_accounts(ports, found, marks, &[]).await?;
        let settled = some.iter().map(|id| hardmatch_ports::Key::new(format!("NOTE#{pk}"), id.clone()));
        ports.store.delete_keys(settled.collect()).await?;
        keeper.unit(reading).await?;
    }
    Ok(())
}
