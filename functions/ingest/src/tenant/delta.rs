//! A delta round: changes of live users since a cursor. A change names the properties that changed, and no others.
//! <https://learn.microsoft.com/graph/delta-query-overview>

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::account::Account;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::{Delta, DeltaNext};

use super::accounts::{known_accounts, store_accounts};
use super::checkpoint::ReadingCheckpoint;
use super::dirty::DirtyMarks;
use super::notes::SeenSinceFullListing;
use super::progress::{ListingStage, TenantProgress};
use super::recheck::{forget, recheck_due};
use super::stop::TenantStop;
use crate::ports::TenantPorts;

/// Follows the changes of live users to the end of the round, behind the accounts that are due to be asked for.
pub(super) async fn follow(
    ports: &TenantPorts,
    marks: &mut DirtyMarks<'_>,
    reading: &mut TenantProgress,
    checkpoint: &mut ReadingCheckpoint<'_>,
) -> Result<(), TenantStop> {
    recheck_due(ports, marks, reading, checkpoint).await?;
    while let ListingStage::Following { cursor } = &reading.users.stage {
        let page = ports.tenant.delta(cursor).await?;
        let seen = page.changes.len() as u64;
        let Taken { changed, doubt } = take(ports, page.changes, marks).await?;
        reading.users.seen += seen;
        reading.users.changed += changed;
        reading.users.doubt |= doubt;
        match page.next {
            DeltaNext::Page(cursor) => {
                reading.users.stage = ListingStage::Following { cursor };
                checkpoint.unit(reading).await?;
            }
            DeltaNext::Done(next) => reading.users.stage = ListingStage::Ended { next },
        }
    }
    Ok(())
}

/// What a page of changes did to the mirror.
struct Taken {
    /// Accounts that differed.
    changed: u64,
    /// The page named part of an account that is nowhere: the mirror may lack others, too.
    doubt: bool,
}

/// Takes a page of changes into the mirror. A change is laid over the account as the mirror has it. An account that is not
/// whole then is asked for by its id.
async fn take(ports: &TenantPorts, changes: Vec<Delta>, marks: &mut DirtyMarks<'_>) -> Result<Taken, TenantStop> {
    let ids: Vec<ObjectId> = changes.iter().map(|change| delta_id(change).clone()).collect();
    let known = known_accounts(ports, &ids).await?;
    let mut latest: BTreeMap<ObjectId, Account> = BTreeMap::new();
    let mut partial: BTreeSet<ObjectId> = BTreeSet::new();
    let mut changed = 0;
    for change in changes {
        match change {
            Delta::Seen(change) => {
                let id = change.id.clone();
                let before = latest.get(&id).or_else(|| known.get(&id).map(|item| &item.account));
                let account = change.onto(before);
                // A change of an account that the mirror does not know, or knows from the recycle bin alone, is part of an
                // account.
                if account.upn().is_none() || before.is_some_and(Account::is_deleted) {
                    partial.insert(id.clone());
                } else {
                    partial.remove(&id);
                }
                latest.insert(id, account);
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
    let mut doubt = false;
    for id in partial {
        // The same page says later that the account is deleted: that counts.
        if latest.get(&id).is_none_or(Account::is_deleted) {
            continue;
        }
        if let Some(account) = ports.tenant.account(&id).await? {
            latest.insert(id, account);
        } else {
            latest.remove(&id);
            doubt = true;
        }
    }
    // An account that is new since the last full listing is in none of its fingerprints: the next one must know to miss it.
    let seen = SeenSinceFullListing::of(ports);
    let new: Vec<_> = latest.keys().filter(|id| !known.contains_key(*id)).map(|id| seen.note(ports, id)).collect();
    ports.store.write_all(new).await?;
    changed += store_accounts(ports, latest.into_values().collect(), marks, &[]).await?.changed;
    Ok(Taken { changed, doubt })
}

fn delta_id(change: &Delta) -> &ObjectId {
    match change {
        Delta::Seen(change) => &change.id,
        Delta::Deleted(id) | Delta::Purged(id) => id,
    }
}
