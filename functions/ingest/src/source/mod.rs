//! The source side: people of the directory, into the store.

mod absence_history;
mod absent;
mod changed;
pub mod copied;
mod cross_check;
mod evidence;
mod facts;
mod kept;
mod known_by;
mod leading_zeros;
mod look;
mod lookups;
mod lost_letters;
mod progress;
mod reading;
mod scan;
mod swapped;
mod unreadable;
mod wanted;
pub mod within;
mod write_back;

use hardmatch_domain::facts::Lookups;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::After;
use hardmatch_store::leases::{Acquire, RunLease};

pub use write_back::write_back;

use crate::observed::{Observed, PEOPLE};
use crate::ports::{ObserveError, SourcePorts};
use crate::run::{finish, observing, policy};

/// Reads the people of the source for a run that observes, and notifies the run's driver when the reading has ended. What
/// does not fit into the time is left to the next message. Without a run, it is looked whether the source has changed.
///
/// # Errors
///
/// The table cannot be read or written. A source that cannot be read is no error: the run is told.
pub async fn observe_source(ports: &SourcePorts, connection: &ConnectionId, run: &str) -> Result<After, ObserveError> {
    if run.is_empty() {
        return look::look(ports, connection).await;
    }
    let name = format!("people~{connection}");
    let lease = match RunLease::acquire(&ports.store, &*ports.clock, ports.deadline, name, run).await? {
        Acquire::Acquired(lease) => lease,
        Acquire::HeldByOther(after) => return Ok(after),
    };
    let after = read_source(ports, connection, run).await;
    lease.release(&ports.store).await;
    after
}

/// Reads the people whom a run about wanted people is about, where the source can be asked for one; otherwise as
/// [`observe_source`] does.
///
/// # Errors
///
/// As of [`observe_source`].
pub async fn observe_source_now(
    ports: &SourcePorts,
    connection: &ConnectionId,
    run: &str,
) -> Result<After, ObserveError> {
    let Some(open) = observing(&ports.store, connection, run, PEOPLE).await? else { return Ok(After::Done) };
    if open.is_partial()
        && let Ok(policy) = policy(&ports.store, &*ports.policies, connection, open.policy_revision).await?
    {
        let store = ports.store.entering(Lookups::of(&policy));
        if let Some(observed) = wanted::observe(&SourcePorts { store, ..ports.clone() }, &open).await? {
            return finish(&ports.store, &*ports.clock, &*ports.doorbell, &open, observed).await;
        }
    }
    observe_source(ports, connection, run).await
}

async fn read_source(ports: &SourcePorts, connection: &ConnectionId, run: &str) -> Result<After, ObserveError> {
    let Some(open) = observing(&ports.store, connection, run, PEOPLE).await? else { return Ok(After::Done) };
    let observed = match policy(&ports.store, &*ports.policies, connection, open.policy_revision).await? {
        Ok(policy) => {
            let store = ports.store.entering(Lookups::of(&policy));
            reading::observe(&SourcePorts { store, ..ports.clone() }, &open).await?
        }
        Err(problem) => Observed::unreadable(PEOPLE, problem),
    };
    finish(&ports.store, &*ports.clock, &*ports.doorbell, &open, observed).await
}
