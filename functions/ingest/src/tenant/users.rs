//! The tenant's live users: whole in the first round, by delta later. Every kill leaves too many marks, never too few,
//! and nothing is concluded from a reading that is not at its end.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::account::Account;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::{Cursor, Delta, DeltaNext};
use hardmatch_store::accounts::TenantItem;

use crate::TenantPorts;
use crate::tenant::accounts::{known_accounts, store_accounts};
use crate::tenant::dirty::{Marks, Stopped};
use crate::tenant::full_listing::{self, FullListing};
use crate::tenant::progress::{Checkpoint, ListingStage, TenantProgress};
use crate::tenant::recheck::{SeenSinceFullListing, forget, recheck};

/// Delta tokens of directory objects live seven days; a day is left for a night that fails.
/// <https://devblogs.microsoft.com/microsoft365dev/duration-of-change-tracking-tokens-for-identity-and-education-resources>
const CURSOR_SECONDS: i64 = 6 * DAY_SECONDS;
const DAY_SECONDS: i64 = 24 * 60 * 60;
/// A full reading that becomes due within so long is made now.
const SLACK_SECONDS: i64 = 6 * 60 * 60;

/// Reads on from where the reading is, to its end. `had` is what changes may be followed from.
pub(crate) async fn observe_users(
    ports: &TenantPorts,
    full_listing_days: u32,
    had: Option<&TenantItem>,
    marks: &mut Marks<'_>,
    reading: &mut TenantProgress,
    checkpoint: &mut Checkpoint<'_>,
) -> Result<(), Stopped> {
    if matches!(reading.users.way, ListingStage::Begin) {
        match had.and_then(|had| resumable(ports, full_listing_days, had, reading)) {
            Some(cursor) => reading.users.way = ListingStage::Following { cursor },
            None => full_listing::begin(ports, reading).await?,
        }
    }
    loop {
        match reading.users.way {
            ListingStage::Begin => full_listing::begin(ports, reading).await?,
            ListingStage::Listing { .. }
            | ListingStage::InitialDelta { .. }
            | ListingStage::RecheckMissing { .. }
            | ListingStage::RecheckLinked { .. } => {
                FullListing::open(ports, reading).await?.read(ports, marks, checkpoint).await?;
            }
            ListingStage::Following { .. } => match follow(ports, marks, reading, checkpoint).await {
                Ok(()) if reading.users.full => full_listing::remember(ports, reading).await?,
                Ok(()) if reading.users.doubt => {
                    tracing::info!("a change told of an account that is nowhere; reading everything");
                    full_listing::begin(ports, reading).await?;
                }
                Ok(()) => {}
                Err(Stopped::Tenant(error)) if error.is_cursor_lost() && !reading.users.full => {
                    tracing::info!(error.code = %error.code, "the delta cursor is no longer known; reading everything");
                    full_listing::begin(ports, reading).await?;
                }
                Err(stopped) => return Err(stopped),
            },
            ListingStage::Ended { .. } => return Ok(()),
        }
    }
}

/// Where changes are followed from, unless everybody must be read: too much time has passed since the last look or the
/// last full reading, or there is a new attribute under which everybody must be entered.
fn resumable(
    ports: &TenantPorts,
    full_listing_days: u32,
    had: &TenantItem,
    reading: &TenantProgress,
) -> Option<Cursor> {
    let now = ports.clock.now_seconds();
    let fresh = now - had.delta_at < CURSOR_SECONDS;
    // Part of a day less, or a night that begins a little earlier than another would put it off by a day.
    let reconciled = now - had.full_at < i64::from(full_listing_days) * DAY_SECONDS - SLACK_SECONDS;
    had.delta.clone().filter(|_| fresh && reconciled && reading.missing.is_empty())
}

/// Follows a cursor to the end of its round.
pub(crate) async fn follow(
    ports: &TenantPorts,
    marks: &mut Marks<'_>,
    reading: &mut TenantProgress,
    checkpoint: &mut Checkpoint<'_>,
) -> Result<(), Stopped> {
    recheck(ports, marks, reading, checkpoint).await?;
    while let ListingStage::Following { cursor } = &reading.users.way {
        let page = ports.tenant.delta(cursor).await?;
        let seen = page.changes.len() as u64;
        let Taken { changed, doubt } = take(ports, page.changes, marks).await?;
        reading.users.seen += seen;
        reading.users.changed += changed;
        reading.users.doubt |= doubt;
        match page.next {
            DeltaNext::Page(cursor) => {
                reading.users.way = ListingStage::Following { cursor };
                checkpoint.unit(reading).await?;
            }
            DeltaNext::Done(next) => reading.users.way = ListingStage::Ended { next },
        }
    }
    Ok(())
}

/// What came of a page of changes.
struct Taken {
    /// Accounts that differed.
    changed: u64,
    /// The page told of part of an account that is nowhere: the mirror may lack others too.
    doubt: bool,
}

/// Takes a page of changes into the mirror. A change is laid over what was known of the account; who has no sign-in name
/// then is asked for.
async fn take(ports: &TenantPorts, changes: Vec<Delta>, marks: &mut Marks<'_>) -> Result<Taken, Stopped> {
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
                // Of somebody unknown, or known from the recycle bin alone, part of an account is no account.
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
        // Removed later in the same page: that word counts.
        if latest.get(&id).is_none_or(hardmatch_domain::account::Account::is_deleted) {
            continue;
        }
        if let Some(account) = ports.tenant.account(&id).await? {
            latest.insert(id, account);
        } else {
            latest.remove(&id);
            doubt = true;
        }
    }
    // Who was not there at the last full reading is in none of its fingerprints: the next one must know whom to miss.
    let met = SeenSinceFullListing::of(ports);
    let new: Vec<_> = latest.keys().filter(|id| !known.contains_key(*id)).map(|id| met.note(ports, id)).collect();
    if !new.is_empty() {
        ports.store.table().batch_write(new).await?;
    }
    changed += store_accounts(ports, latest.into_values().collect(), marks, &[]).await?.changed;
    Ok(Taken { changed, doubt })
}

fn delta_id(change: &Delta) -> &ObjectId {
    match change {
        Delta::Seen(change) => &change.id,
        Delta::Deleted(id) | Delta::Purged(id) => id,
    }
}
