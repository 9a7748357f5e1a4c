//! Accounts into the mirror. Every kill leaves too many marks, never too few.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::ObjectId;
use hardmatch_store::accounts::AccountItem;

use crate::tenant::dirty::{Marks, Stopped};
use crate::tenant::mirror::{Seen, merge};
use crate::tenant::recheck::stale;
use crate::{TenantPorts, last_of_each};

/// Accounts as the mirror has them.
pub(crate) async fn known_accounts(
    ports: &TenantPorts,
    ids: &[ObjectId],
) -> Result<BTreeMap<ObjectId, AccountItem>, Stopped> {
    let items = ports.store.accounts(&ports.scope, ids).await?;
    Ok(items.into_iter().map(|item| (item.account.id.clone(), item)).collect())
}

/// What became of sightings.
#[derive(Default)]
pub(crate) struct Stored {
    /// Accounts that differed.
    pub(crate) changed: u64,
    /// Those whose sighting was of the time before our write: they are noted, to be asked for later.
    pub(crate) stale: BTreeSet<ObjectId>,
}

/// Stores what differs. Marks are written before the facts, so that a kill in
/// between leaves too many marks, never too few. Everybody seen is entered under the attributes that are `missing`.
pub(crate) async fn store_accounts(
    ports: &TenantPorts,
    seen: Vec<Account>,
    marks: &mut Marks<'_>,
    missing: &[Attr],
) -> Result<Stored, Stopped> {
    if seen.is_empty() {
        return Ok(Stored::default());
    }
    let now = ports.clock.now_seconds();
    let ids: Vec<ObjectId> = seen.iter().map(|account| account.id.clone()).collect();
    let known = known_accounts(ports, &ids).await?;
    // The last word about an account wins.
    let seen: BTreeMap<ObjectId, Account> = seen.into_iter().map(|account| (account.id.clone(), account)).collect();
    let mut writes = Vec::new();
    let mut stale_ones = BTreeSet::new();
    let mut new: Vec<(Option<&Account>, Box<AccountItem>)> = Vec::new();
    for (id, account) in seen {
        let old = known.get(&id);
        if let Some(old) = old {
            ports.store.enter_account(&ports.scope, &old.account, missing, &mut writes);
        }
        match merge(old, account, now) {
            Seen::Same => {}
            // A stale sighting may have hidden a real change back; a later observation asks for the account by its id.
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
    Ok(Stored { changed: new.len() as u64, stale: stale_ones })
}
