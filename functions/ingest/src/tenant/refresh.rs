//! Another look at the tenant while a run writes: what changed since goes into the mirror, and whom it concerns is
//! marked. The run itself learns nothing: neither its phase nor its collections change.

use std::time::Duration;

use hardmatch_ports::run::{Phase, Run};
use hardmatch_ports::tenant::{Cursor, Retry};
use hardmatch_store::accounts::TenantItem;

use crate::tenant::deleted::observe_deleted;
use crate::tenant::dirty::{Marks, Stopped};
use crate::tenant::progress::{Checkpoint, ListingStage, TenantProgress};
use crate::tenant::round::{describe, unfinished};
use crate::tenant::users::follow;
use crate::{After, ObserveError, TenantPorts};

/// Whether a run is past deciding, and may take long.
pub(crate) fn is_writing(run: &Run) -> bool {
    match run.phase {
        Phase::Writing | Phase::Gate | Phase::Removing => true,
        Phase::Observing | Phase::Deciding | Phase::Planned | Phase::Reporting | Phase::Closed => false,
    }
}

/// Takes another delta round, when the last look at the tenant is an hour old.
pub(crate) async fn refresh(ports: &TenantPorts, run: &Run) -> Result<After, ObserveError> {
    let Some(had) = ports.store.tenant(&ports.scope).await? else { return Ok(After::Done) };
    let now = ports.clock.now_seconds();
    let Some(cursor) = had.value.delta.clone().filter(|_| had.value.wants_refresh(now)) else { return Ok(After::Done) };
    let ports = &TenantPorts { store: ports.store.entering_accounts(&ports.scope).await?, ..ports.clone() };
    let mut checkpoint = Checkpoint::new(ports, &run.id, "refresh");
    let mut begins = TenantProgress::begin(had.value.delta_at, Vec::new());
    begins.users.way = ListingStage::Following { cursor };
    let mut reading = checkpoint.go_on(begins).await?;
    let delta = match round(ports, run, &mut reading, &mut checkpoint).await {
        // In doubt about the mirror, the next run reads everything.
        Ok(next) => Some(next).filter(|_| !reading.users.doubt),
        Err(Stopped::Failed(error)) => return Err(error),
        Err(Stopped::Time) => return Ok(After::Again(Duration::ZERO)),
        // The next run reads everything.
        Err(Stopped::Tenant(error)) if error.is_cursor_lost() => None,
        Err(Stopped::Tenant(error)) => {
            tracing::warn!(run.id = run.id, error = describe(&error), "what changed in the tenant could not be read");
            checkpoint.keep(&reading).await?;
            return Ok(match error.retry {
                Retry::After(delay) => After::Again(delay.max(Duration::from_secs(1))),
                Retry::FromTheStart | Retry::Never => After::Done,
            });
        }
    };
    // Another connection's run may have looked meanwhile: then its look counts.
    let item = TenantItem { delta, delta_at: now, ..had.value };
    ports.store.replace_tenant(&ports.scope, had.revision, &item).await?;
    checkpoint.forget().await?;
    Ok(After::Done)
}

async fn round(
    ports: &TenantPorts,
    run: &Run,
    reading: &mut TenantProgress,
    checkpoint: &mut Checkpoint<'_>,
) -> Result<Cursor, Stopped> {
    let mut marks = Marks::new(ports, run, false);
    follow(ports, &mut marks, reading, checkpoint).await?;
    observe_deleted(ports, &mut marks, reading, checkpoint).await?;
    marks.flush().await?;
    tracing::info!(run.id = run.id, count = reading.users.changed, "looked at the tenant again");
    match &reading.users.way {
        ListingStage::Ended { next } => Ok(next.clone()),
        ListingStage::Begin
        | ListingStage::Listing { .. }
        | ListingStage::InitialDelta { .. }
        | ListingStage::RecheckMissing { .. }
        | ListingStage::RecheckLinked { .. }
        | ListingStage::Following { .. } => Err(unfinished().into()),
    }
}
