//! The beginning of a repair: its accounts are read and must be as the decision saw them; then what was before and what is
//! held are stored, and only then is anything written.

use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::repair::RepairPlan;
use hardmatch_domain::repair::journal::{Journal, Original};
use hardmatch_domain::repair::next::{Observed, agrees};
use hardmatch_ports::tenant::{Priority, Refusal};
use hardmatch_store::Stored;
use hardmatch_store::repairs::BeginRepair;

use super::look::{Unseen, look};
use crate::task::Task;
use crate::timing::{TIMING, millis};
use crate::{WriteError, WritePorts};

/// What came of beginning a repair.
pub(super) enum Begun {
    Open(Box<Stored<Journal>>),
    /// The accounts are not as they were decided on, or another repair holds something of it: decided again.
    FactsMoved,
    /// Not within so many milliseconds.
    Later(i64),
    LockedOut(Refusal),
}

pub(super) async fn begin(ports: &WritePorts, task: &Task, plan: &RepairPlan) -> Result<Begun, WriteError> {
    let accounts: Vec<ObjectId> = plan.accounts().into_iter().cloned().collect();
    let observed = match look(ports, &accounts, Priority::High).await {
        Ok(observed) => observed,
        Err(Unseen::Unavailable) => return Ok(Begun::Later(millis(TIMING.short_wait))),
        Err(Unseen::LockedOut(refusal)) => return Ok(Begun::LockedOut(refusal)),
    };
    let Some(originals) = originals(&accounts, &observed) else { return Ok(Begun::FactsMoved) };
    let now_ms = ports.clock.now().as_millisecond();
    let journal = Journal::begin(&task.open.change, plan, &task.open.run, originals, now_ms);
    if !agrees(&journal) {
        return Ok(Begun::FactsMoved);
    }
    Ok(match ports.store.begin_repair(&ports.scope, &journal).await? {
        BeginRepair::Begun(journal) => Begun::Open(journal),
        BeginRepair::HeldByOther => Begun::FactsMoved,
    })
}

fn originals(accounts: &[ObjectId], observed: &Observed) -> Option<Vec<Original>> {
    accounts.iter().map(|id| observed.accounts.get(id).map(Original::of)).collect()
}
