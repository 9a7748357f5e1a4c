//! Another delta round while a run writes: what changed in the tenant since goes into the mirror, and the people whom it
//! concerns become dirty. Neither the phase nor the collections of the run change.

use std::time::Duration;

use hardmatch_ports::doorbell::After;
use hardmatch_ports::run::{Phase, Run};
use hardmatch_ports::tenant::{Cursor, Retry};
use hardmatch_store::accounts::TenantItem;

use super::checkpoint::ReadingCheckpoint;
use super::deleted::observe_deleted;
use super::delta::follow;
use super::dirty::DirtyMarks;
use super::extensions::read_with;
use super::progress::{ListingStage, TenantProgress};
use super::stop::{TenantStop, describe, unfinished};
use crate::ports::{ObserveError, TenantPorts};

/// Whether a run is in a phase that may take long after everybody is decided.
pub(super) fn is_writing(run: &Run) -> bool {
    match run.phase {
        Phase::Writing | Phase::Gate | Phase::Removing => true,
        Phase::Observing | Phase::Deciding | Phase::Planned | Phase::WritingBack | Phase::Reporting | Phase::Closed => {
            false
        }
    }
}

/// Takes another delta round, when the last one is an hour old.
pub(super) async fn refresh(ports: &TenantPorts, run: &Run) -> Result<After, ObserveError> {
    let Some(had) = ports.store.tenant(&ports.scope).await? else { return Ok(After::Done) };
    let now = ports.clock.now_seconds();
    // Another connection's cursor may lack extensions of ours, and name extensions that we cannot read.
    let due = had.value.wants_refresh(now) && had.value.extensions == read_with(ports);
    let Some(cursor) = had.value.delta.clone().filter(|_| due) else { return Ok(After::Done) };
    let ports = &TenantPorts { store: ports.store.entering_accounts(&ports.scope).await?, ..ports.clone() };
    let mut checkpoint = ReadingCheckpoint::new(ports, &run.id, "refresh");
    let mut begins = TenantProgress::begin(had.value.delta_at, Vec::new(), read_with(ports));
    begins.users.stage = ListingStage::Following { cursor };
    let mut reading = checkpoint.go_on(begins).await?;
    let delta = match take_round(ports, run, &mut reading, &mut checkpoint).await {
        // The mirror is in doubt: without a cursor, the next run reads all users.
        Ok(next) => Some(next).filter(|_| !reading.users.doubt),
        Err(TenantStop::Failed(error)) => return Err(error),
        Err(TenantStop::Deadline) => return Ok(After::Again(Duration::ZERO)),
        // Without a cursor, the next run reads all users.
        Err(TenantStop::Tenant(error)) if error.is_cursor_lost() => None,
        Err(TenantStop::Tenant(error)) => {
            tracing::warn!(run.id = run.id, error = describe(&error), "what changed in the tenant could not be read");
            checkpoint.keep(&reading).await?;
            return Ok(match error.retry {
                Retry::After(delay) => After::Again(delay.max(Duration::from_secs(1))),
                Retry::FromTheStart | Retry::Never => After::Done,
            });
        }
    };
    // The run of another connection may have taken a round meanwhile: then that one counts.
    let item = TenantItem { delta, delta_at: now, ..had.value };
    ports.store.replace_tenant(&ports.scope, had.revision, &item).await?;
    checkpoint.forget().await?;
    Ok(After::Done)
}

async fn take_round(
    ports: &TenantPorts,
    run: &Run,
    reading: &mut TenantProgress,
    checkpoint: &mut ReadingCheckpoint<'_>,
) -> Result<Cursor, TenantStop> {
    let mut marks = DirtyMarks::new(ports, run, false);
    follow(ports, &mut marks, reading, checkpoint).await?;
    observe_deleted(ports, &mut marks, reading, checkpoint).await?;
    marks.flush().await?;
    tracing::info!(run.id = run.id, count = reading.users.changed, "took another delta round");
    match &reading.users.stage {
        ListingStage::Ended { next } => Ok(next.clone()),
        ListingStage::Begin
        | ListingStage::Listing { .. }
        | ListingStage::InitialDelta { .. }
        | ListingStage::RecheckMissing { .. }
        | ListingStage::RecheckLinked { .. }
        | ListingStage::Following { .. } => Err(unfinished().into()),
    }
}
