//! The tenant's live users: whole in the first round, by delta later. Every kill leaves too many marks, never too few,
//! and nothing is concluded from a reading that is not at its end.

use std::collections::BTreeMap;

use hardmatch_domain::account::Account;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::{Delta, DeltaNext};
use hardmatch_store::accounts::TenantItem;

use crate::TenantPorts;
use crate::accounts::{known_accounts, store_accounts};
use crate::gone::{Met, forget, recheck};
use crate::marks::{Marks, Stopped};
use crate::reading::{Keeper, Reading, Way};
use crate::whole::{self, Whole};

/// Delta tokens of directory objects live seven days; a day is left for a night that fails.
/// <https://devblogs.microsoft.com/microsoft365dev/duration-of-change-tracking-tokens-for-identity-and-education-resources>
const CURSOR_SECONDS: i64 = 6 * 24 * 60 * 60;

/// Reads on from where the reading is, to its end.
pub(crate) async fn observe_users(
    ports: &TenantPorts,
    had: Option<&TenantItem>,
    marks: &mut Marks<'_>,
    reading: &mut Reading,
    keeper: &mut Keeper<'_>,
) -> Result<(), Stopped> {
    if matches!(reading.users.way, Way::Begin) {
        match had.and_then(|had| resumable(ports, had, reading)) {
            Some(cursor) => reading.users.way = Way::Following { cursor },
            None => whole::begin(ports, reading).await?,
        }
    }
    loop {
        match reading.users.way {
            Way::Begin => whole::begin(ports, reading).await?,
            Way::Listing { .. } | Way::Everybody { .. } | Way::Unseen { .. } | Way::Linked { .. } => {
                Whole::open(ports, reading).await?.read(ports, marks, keeper).await?;
            }
            Way::Following { .. } => match follow(ports, marks, reading, keeper).await {
                Ok(()) if reading.users.full => whole::remember(ports, reading).await?,
                Ok(()) => {}
                Err(Stopped::Tenant(error)) if error.is_cursor_lost() && !reading.users.full => {
                    tracing::info!(error.code = %error.code, "the delta cursor is no longer known; reading everything");
                    whole::begin(ports, reading).await?;
                }
                Err(stopped) => return Err(stopped),
            },
            Way::Ended { .. } => return Ok(()),
        }
    }
}

/// Where changes are followed from, unless everybody must be read: too much time has passed, or there is a new attribute
/// under which everybody must be entered.
fn resumable(ports: &TenantPorts, had: &TenantItem, reading: &Reading) -> Option<hardmatch_ports::tenant::Cursor> {
    let fresh = ports.clock.now_seconds() - had.delta_at < CURSOR_SECONDS;
    had.delta.clone().filter(|_| fresh && reading.missing.is_empty())
}

/// Follows a cursor to the end of its round.
pub(crate) async fn follow(
    ports: &TenantPorts,
    marks: &mut Marks<'_>,
    reading: &mut Reading,
    keeper: &mut Keeper<'_>,
) -> Result<(), Stopped> {
    recheck(ports, marks, reading, keeper).await?;
    while let Way::Following { cursor } = &reading.users.way {
        let page = ports.tenant.delta(cursor).await?;
        let seen = page.changes.len() as u64;
        let changed = take(ports, page.changes, marks).await?;
        reading.users.seen += seen;
        reading.users.changed += changed;
        match page.next {
            DeltaNext::Page(cursor) => {
                reading.users.way = Way::Following { cursor };
                keeper.unit(reading).await?;
            }
            DeltaNext::Done(next) => reading.users.way = Way::Ended { next },
        }
    }
    Ok(())
}

/// Takes a page of changes into the mirror.
async fn take(ports: &TenantPorts, changes: Vec<Delta>, marks: &mut Marks<'_>) -> Result<u64, Stopped> {
    let ids: Vec<ObjectId> = changes.iter().map(|change| delta_id(change).clone()).collect();
    let known = known_accounts(ports, &ids).await?;
    let mut latest: BTreeMap<ObjectId, Account> = BTreeMap::new();
    let mut changed = 0;
    for change in changes {
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
    // Who was not there at the last full reading is in none of its fingerprints: the next one must know whom to miss.
    let met = Met::of(ports);
    let new: Vec<_> = latest.keys().filter(|id| !known.contains_key(*id)).map(|id| met.note(ports, id)).collect();
    if !new.is_empty() {
        ports.store.table().batch_write(new).await?;
    }
    changed += store_accounts(ports, latest.into_values().collect(), marks, &[]).await?.changed;
    Ok(changed)
}

fn delta_id(change: &Delta) -> &ObjectId {
    match change {
        Delta::Seen { account, .. } => &account.id,
        Delta::Deleted(id) | Delta::Purged(id) => id,
    }
}
