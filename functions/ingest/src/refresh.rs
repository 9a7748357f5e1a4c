//! Another look at the tenant while a run writes: what changed since goes into the mirror, and whom it concerns is
//! marked. The run itself learns nothing: neither its phase nor its collections change.

use std::time::Duration;

use hardmatch_ports::run::{Phase, Run};
use hardmatch_ports::tenant::{Cursor, Retry};
use hardmatch_store::StoreError;
use hardmatch_store::accounts::TenantItem;

use crate::deleted::observe_deleted;
use crate::marks::{Marks, Stopped};
use crate::tenant::describe;
use crate::users::follow;
use crate::{After, TenantPorts};

/// Whether a run is past deciding, and may take long.
pub(crate) fn is_writing(run: &Run) -> bool {
    match run.phase {
        Phase::Writing | Phase::Gate | Phase::Removing => true,
        Phase::Observing | Phase::Deciding | Phase::Planned | Phase::Reporting | Phase::Closed => false,
    }
}

/// Takes another delta round, when the last look at the tenant is an hour old.
pub(crate) async fn refresh(ports: &TenantPorts, run: &Run) -> Result<After, StoreError> {
    let Some(had) = ports.store.tenant(&ports.scope).await? else { return Ok(After::Done) };
    let now = ports.clock.now_seconds();
    let Some(cursor) = had.value.delta.clone().filter(|_| had.value.wants_refresh(now)) else { return Ok(After::Done) };
    let ports = &TenantPorts { store: ports.store.entering_accounts(&ports.scope).await?, ..ports.clone() };
    let delta = match round(ports, run, cursor).await {
        Ok(next) => Some(next),
        Err(Stopped::Store(error)) => return Err(error),
        // The next run reads everything.
        Err(Stopped::Tenant(error)) if error.is_cursor_lost() => None,
        Err(Stopped::Tenant(error)) => {
            tracing::warn!(run.id = run.id, error = describe(&error), "what changed in the tenant could not be read");
            return Ok(match error.retry {
                Retry::After(delay) => After::Again(delay.max(Duration::from_secs(1))),
                Retry::FromTheStart | Retry::Never => After::Done,
            });
        }
    };
    // Another connection's run may have looked meanwhile: then its look counts.
    let item = TenantItem { delta, delta_at: now, ..had.value };
    ports.store.replace_tenant(&ports.scope, had.revision, &item).await?;
    Ok(After::Done)
}

async fn round(ports: &TenantPorts, run: &Run, cursor: Cursor) -> Result<Cursor, Stopped> {
    let mut marks = Marks::new(ports, run, false);
    let (next, _, changed) = follow(ports, cursor, &mut marks).await?;
    observe_deleted(ports, &mut marks, &[]).await?;
    marks.flush().await?;
    tracing::info!(run.id = run.id, changed, "looked at the tenant again");
    Ok(next)
}
