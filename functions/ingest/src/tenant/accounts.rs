//! Sightings of accounts, into the mirror. A kill leaves too many people dirty, never too few.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::ObjectId;
use hardmatch_store::accounts::AccountItem;

use super::dirty::DirtyMarks;
use super::extensions::{completed, read_with};
use super::mirror::{Seen, merge};
use super::notes::stale;
use super::stop::TenantStop;
use crate::ports::TenantPorts;
use crate::writes::last_of_each;

/// Accounts as the mirror has them.
pub(super) async fn known_accounts(
    ports: &TenantPorts,
    ids: &[ObjectId],
) -> Result<BTreeMap<ObjectId, AccountItem>, TenantStop> {
    let items = ports.store.accounts(&ports.scope, ids).await?;
    Ok(items.into_iter().map(|item| (item.account.id.clone(), item)).collect())
}

/// What became of sightings.
#[derive(Default)]
pub(super) struct StoredSightings {
    /// Accounts that differed.
    pub(super) changed: u64,
    /// Accounts that were shown as they were before our write: noted, to be asked for later.
    pub(super) stale: BTreeSet<ObjectId>,
}

/// Stores the accounts that differ. Their people are marked dirty first, so that a kill in between leaves too many people
/// dirty, never too few. Every account seen is entered under the attributes that are `missing`.
pub(super) async fn store_accounts(
    ports: &TenantPorts,
    seen: Vec<Account>,
    marks: &mut DirtyMarks<'_>,
    missing: &[Attr],
) -> Result<StoredSightings, TenantStop> {
    if seen.is_empty() {
        return Ok(StoredSightings::default());
    }
    let now = ports.clock.now_seconds();
    let ids: Vec<ObjectId> = seen.iter().map(|account| account.id.clone()).collect();
    let known = known_accounts(ports, &ids).await?;
    // Of several sightings of one account the last one counts.
    let seen: BTreeMap<ObjectId, Account> = seen.into_iter().map(|account| (account.id.clone(), account)).collect();
    let read = read_with(ports);
    let mut writes = Vec::new();
    let mut stale_ones = BTreeSet::new();
    let mut new: Vec<(Option<&Account>, Box<AccountItem>)> = Vec::new();
    for (id, account) in seen {
        let old = known.get(&id);
        if let Some(old) = old {
            ports.store.enter_account(&ports.scope, &old.account, missing, &mut writes);
        }
        let account = match old {
            Some(old) => completed(account, &old.account, &read),
            None => account,
        };
        match merge(old, account, now) {
            Seen::Same => {}
            // A stale sighting may hide a real change back, so the account is asked for by its id later.
            Seen::Stale => {
                writes.push(stale(ports, &id));
                stale_ones.insert(id);
            }
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
    Ok(StoredSightings { changed: new.len() as u64, stale: stale_ones })
}
