//! The tenant's live users: a full listing in the first round, changes later. Nothing is concluded from a reading that is
//! not at its end.

use hardmatch_ports::tenant::Cursor;
use hardmatch_store::accounts::TenantItem;

use super::checkpoint::ReadingCheckpoint;
use super::delta::follow;
use super::dirty::DirtyMarks;
use super::fingerprints::remember;
use super::full_listing::{self, FullListing};
use super::progress::{ListingStage, TenantProgress};
use super::stop::TenantStop;
use crate::ports::TenantPorts;

/// Delta tokens of directory objects live seven days; a day is left for a night that fails.
/// <https://devblogs.microsoft.com/microsoft365dev/duration-of-change-tracking-tokens-for-identity-and-education-resources>
const CURSOR_SECONDS: i64 = 6 * DAY_SECONDS;
const DAY_SECONDS: i64 = 24 * 60 * 60;
/// A full listing that becomes due within so long is made now.
const SLACK_SECONDS: i64 = 6 * 60 * 60;

/// Reads users on to the end. `had` is the tenant of the last round, whose cursor changes may be followed from.
pub(super) async fn observe_users(
    ports: &TenantPorts,
    full_listing_days: u32,
    had: Option<&TenantItem>,
    marks: &mut DirtyMarks<'_>,
    reading: &mut TenantProgress,
    checkpoint: &mut ReadingCheckpoint<'_>,
) -> Result<(), TenantStop> {
    if matches!(reading.users.stage, ListingStage::Begin) {
        match had.and_then(|had| resumable(ports, full_listing_days, had, reading)) {
            Some(cursor) => reading.users.stage = ListingStage::Following { cursor },
            None => full_listing::begin(ports, reading).await?,
        }
    }
    loop {
        match reading.users.stage {
            ListingStage::Begin => full_listing::begin(ports, reading).await?,
            ListingStage::Listing { .. }
            | ListingStage::InitialDelta { .. }
            | ListingStage::RecheckMissing { .. }
            | ListingStage::RecheckLinked { .. } => {
                FullListing::open(ports, reading).await?.read(ports, marks, checkpoint).await?;
            }
            ListingStage::Following { .. } => match follow(ports, marks, reading, checkpoint).await {
                Ok(()) if reading.users.full => remember(ports, &reading.entries, reading.of / 1000).await?,
                Ok(()) if reading.users.doubt => {
                    tracing::info!("a change named an account that is nowhere; all users are read");
                    full_listing::begin(ports, reading).await?;
                }
                Ok(()) => {}
                Err(TenantStop::Tenant(error)) if error.is_cursor_lost() && !reading.users.full => {
                    tracing::info!(error.code = %error.code, "the tenant no longer knows the delta cursor; all users are read");
                    full_listing::begin(ports, reading).await?;
                }
                Err(stopped) => return Err(stopped),
            },
            ListingStage::Ended { .. } => return Ok(()),
        }
    }
}

/// The cursor from which changes are followed; `None` where all users must be read, because too much time has passed since
/// the last round or the last full listing, because every account must be entered under a new attribute, or because the
/// cursor names other directory extensions than are read now.
fn resumable(
    ports: &TenantPorts,
    full_listing_days: u32,
    had: &TenantItem,
    reading: &TenantProgress,
) -> Option<Cursor> {
    let now = ports.clock.now_seconds();
    let fresh = now - had.delta_at < CURSOR_SECONDS;
    // Part of a day less: a night that begins a little earlier than another would put the full listing off by a day.
    let reconciled = now - had.full_at < i64::from(full_listing_days) * DAY_SECONDS - SLACK_SECONDS;
    let same = had.extensions == reading.extensions;
    had.delta.clone().filter(|_| fresh && reconciled && same && reading.missing.is_empty())
}
