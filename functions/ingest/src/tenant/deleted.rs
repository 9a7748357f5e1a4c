//! The tenant's recycle bin: its whole listing each time. It is short, and an account that left it is gone for good or
//! restored.

use std::collections::BTreeSet;

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::ListPage;
use hardmatch_store::NoteList;

use super::accounts::{known_accounts, store_accounts};
use super::checkpoint::ReadingCheckpoint;
use super::dirty::DirtyMarks;
use super::progress::{RecycleBin, TenantProgress};
use super::recheck::left_bin;
use super::stop::TenantStop;
use crate::observed::complete;
use crate::ports::TenantPorts;

/// Accounts that left the bin and are looked for between two looks at the deadline.
const TOGETHER: usize = 50;

/// Reads the recycle bin to its end, and looks for accounts that left it.
pub(super) async fn observe_deleted(
    ports: &TenantPorts,
    marks: &mut DirtyMarks<'_>,
    reading: &mut TenantProgress,
    checkpoint: &mut ReadingCheckpoint<'_>,
) -> Result<(), TenantStop> {
    loop {
        match &reading.bin {
            RecycleBin::Listing { page, .. } => {
                let ListPage { items, next } = ports.tenant.deleted_users(page.as_ref()).await?;
                let seen: Vec<String> = items.iter().map(|account| account.id.as_str().to_owned()).collect();
                let stored = store_deleted(ports, items, marks, &reading.missing).await?;
                let RecycleBin::Listing { page, ids, changed } = &mut reading.bin else { continue };
                ids.extend(seen);
                *changed += stored;
                match next {
                    Some(next) => *page = Some(next),
                    None => reading.bin = RecycleBin::Clearing { ids: std::mem::take(ids), changed: *changed },
                }
            }
            RecycleBin::Clearing { ids, .. } => {
                let cleared = clear(ports, ids, marks).await?;
                let RecycleBin::Clearing { ids, changed } = &mut reading.bin else { continue };
                match cleared {
                    Cleared::Some(forgotten) => *changed += forgotten,
                    Cleared::Everything => reading.bin = RecycleBin::Ended(complete(ids.len() as u64, *changed)),
                }
            }
            RecycleBin::Ended(_) => return Ok(()),
        }
        checkpoint.unit(reading).await?;
    }
}

enum Cleared {
    /// So many accounts were looked for; more may have left the bin.
    Some(u64),
    Everything,
}

/// Looks for some of the accounts that left the bin. A restored account was seen live; an account that the mirror still has
/// as deleted may be purged.
async fn clear(ports: &TenantPorts, now: &BTreeSet<String>, marks: &mut DirtyMarks<'_>) -> Result<Cleared, TenantStop> {
    let place = NoteList::recycle_bin(&ports.scope);
    let before: BTreeSet<String> = ports.store.notes(&place).await?.into_iter().collect();
    let left: Vec<&String> = before.difference(now).take(TOGETHER).collect();
    if left.is_empty() {
        let new = now.difference(&before).map(|id| ports.store.write_note(&place, id, Vec::new()));
        ports.store.write_all(new.collect()).await?;
        return Ok(Cleared::Everything);
    }
    let ids: Vec<ObjectId> = left.iter().map(|id| ObjectId::new((*id).clone())).collect();
    let items = known_accounts(ports, &ids).await?.into_values().filter(|item| item.account.is_deleted()).collect();
    let looked_for = left_bin(ports, items, marks).await?;
    ports.store.delete_notes(&place, left.into_iter().map(String::as_str)).await?;
    Ok(Cleared::Some(looked_for))
}

/// Stores accounts of the bin. The bin's listing has fewer properties than the mirror may have: the mirror's manager is
/// kept.
async fn store_deleted(
    ports: &TenantPorts,
    items: Vec<Account>,
    marks: &mut DirtyMarks<'_>,
    missing: &[Attr],
) -> Result<u64, TenantStop> {
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
