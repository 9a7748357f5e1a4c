//! The tenant's recycle bin.

use std::collections::BTreeSet;

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::ListPage;
use hardmatch_ports::{Key, Write};

use crate::tenant::accounts::{known_accounts, store_accounts};
use crate::tenant::dirty::{Marks, Stopped};
use crate::tenant::progress::{Bin, Checkpoint, TenantProgress};
use crate::tenant::recheck::left_bin;
use crate::{TenantPorts, complete};

/// Accounts that left the bin, between two looks at the time.
const TOGETHER: usize = 50;

/// The recycle bin, whole each time: it is short, and what is no longer in it is gone for good or restored.
pub(crate) async fn observe_deleted(
    ports: &TenantPorts,
    marks: &mut Marks<'_>,
    reading: &mut TenantProgress,
    checkpoint: &mut Checkpoint<'_>,
) -> Result<(), Stopped> {
    loop {
        match &reading.bin {
            Bin::Listing { page, .. } => {
                let ListPage { items, next } = ports.tenant.deleted_users(page.as_ref()).await?;
                let seen: Vec<String> = items.iter().map(|account| account.id.as_str().to_owned()).collect();
                let stored = store_deleted(ports, items, marks, &reading.missing).await?;
                let Bin::Listing { page, ids, changed } = &mut reading.bin else { continue };
                ids.extend(seen);
                *changed += stored;
                match next {
                    Some(next) => *page = Some(next),
                    None => reading.bin = Bin::Clearing { ids: std::mem::take(ids), changed: *changed },
                }
            }
            Bin::Clearing { ids, .. } => {
                let cleared = clear(ports, ids, marks).await?;
                let Bin::Clearing { ids, changed } = &mut reading.bin else { continue };
                match cleared {
                    Cleared::Some(forgotten) => *changed += forgotten,
                    Cleared::Everything => reading.bin = Bin::Ended(complete(ids.len() as u64, *changed)),
                }
            }
            Bin::Ended(_) => return Ok(()),
        }
        checkpoint.unit(reading).await?;
    }
}

enum Cleared {
    /// So many accounts are gone for good; there may be more.
    Some(u64),
    Everything,
}

/// Looks for some of those who left the bin. Restored accounts came as live ones; what the mirror still calls deleted was
/// purged.
async fn clear(ports: &TenantPorts, now: &BTreeSet<String>, marks: &mut Marks<'_>) -> Result<Cleared, Stopped> {
    let pk = binned(ports);
    let note = |id: &String| Key::new(format!("NOTE#{pk}"), id.clone());
    let before: BTreeSet<String> = ports.store.notes(&pk).await?.into_iter().collect();
    let left: Vec<&String> = before.difference(now).take(TOGETHER).collect();
    if left.is_empty() {
        let writes: Vec<Write> = now.difference(&before).map(|id| Write::put(note(id), Vec::new())).collect();
        if !writes.is_empty() {
            ports.store.table().batch_write(writes).await?;
        }
        return Ok(Cleared::Everything);
    }
    let ids: Vec<ObjectId> = left.iter().map(|id| ObjectId::new((*id).clone())).collect();
    let items = known_accounts(ports, &ids).await?.into_values().filter(|item| item.account.is_deleted()).collect();
    let looked_for = left_bin(ports, items, marks).await?;
    ports.store.delete_keys(left.into_iter().map(note).collect()).await?;
    Ok(Cleared::Some(looked_for))
}

/// Where those are noted who were in the bin at the last look.
fn binned(ports: &TenantPorts) -> String {
    format!("{}#bin", ports.scope.as_str())
}

/// The write that makes the next look miss an account that is not in the bin.
pub(crate) fn noted_in_bin(ports: &TenantPorts, id: &ObjectId) -> Write {
    ports.store.write_note(&binned(ports), id.as_str(), Vec::new())
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
    Ok(store_accounts(ports, merged, marks, missing).await?.changed)
}
