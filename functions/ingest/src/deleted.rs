//! The tenant's recycle bin.

use std::collections::BTreeSet;

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::Write;
use hardmatch_ports::run::Collection;
use hardmatch_ports::tenant::{Cursor, ListPage};

use crate::marks::{Marks, Stopped};
use crate::users::{forget, known_accounts, store_accounts};
use crate::{TenantPorts, complete};

/// The recycle bin, whole each time: it is short, and what is no longer in it is gone for good or restored. Accounts are
/// entered under the attributes that are `missing`.
pub(crate) async fn observe_deleted(
    ports: &TenantPorts,
    marks: &mut Marks<'_>,
    missing: &[Attr],
) -> Result<Collection, Stopped> {
    let pk = format!("{}#bin", ports.scope.as_str());
    let before: BTreeSet<String> = ports.store.notes(&pk).await?.into_iter().collect();
    let mut now: BTreeSet<String> = BTreeSet::new();
    let mut page: Option<Cursor> = None;
    let mut changed = 0;
    loop {
        let ListPage { items, next } = ports.tenant.deleted_users(page.as_ref()).await?;
        now.extend(items.iter().map(|account| account.id.as_str().to_owned()));
        changed += store_deleted(ports, items, marks, missing).await?;
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
async fn store_deleted(
    ports: &TenantPorts,
    items: Vec<Account>,
    marks: &mut Marks<'_>,
    missing: &[Attr],
) -> Result<u64, Stopped> {
    let ids: Vec<ObjectId> = items.iter().map(|account| account.id.clone()).collect();
    let known = known_accounts(ports, &ids).await?;
    let merged = items
        .into_iter()
        .map(|mut account| {
            if let Some(old) = known.get(&account.id) {
                account.manager.clone_from(&old.account.manager);
            }
            account
        })
        .collect();
    store_accounts(ports, merged, marks, missing).await
}
