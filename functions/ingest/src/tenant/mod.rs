//! The tenant side: accounts of the tenant, into the mirror.

mod accounts;
mod addresses;
mod checkpoint;
mod deleted;
mod delta;
mod dirty;
mod extensions;
mod fingerprints;
mod full_listing;
mod groups;
mod members;
mod mirror;
mod named_groups;
mod notes;
mod organization;
mod our_write;
mod progress;
mod recheck;
mod refresh;
mod round;
mod stop;
mod users;
mod wanted;

use hardmatch_domain::facts::Lookups;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::After;
use hardmatch_store::accounts::TenantItem;
use hardmatch_store::leases::{Acquire, RunLease};

use crate::observed::{Observed, PEOPLE, USERS};
use crate::ports::{ObserveError, TenantPorts};
use crate::run::{finish, is_connected, observing, policy};

/// Reads the tenant for a run that observes, and notifies the run's driver when the reading has ended. For a run that
/// writes, takes another delta round, once an hour at most: notify it whenever [`wants_refresh`] says so. What does not
/// fit into the time is left to the next message.
///
/// # Errors
///
/// The table or the blobs cannot be read or written. A tenant that cannot be read is no error: the run is told.
///
/// [`wants_refresh`]: hardmatch_store::accounts::TenantItem::wants_refresh
pub async fn observe_tenant(ports: &TenantPorts, connection: &ConnectionId, run: &str) -> Result<After, ObserveError> {
    let name = format!("accounts~{}", ports.scope.as_str());
    let lease = match RunLease::acquire(&ports.store, &*ports.clock, ports.deadline, name, run).await? {
        Acquire::Acquired(lease) => lease,
        Acquire::HeldByOther(after) => return Ok(after),
    };
    let after = read_tenant(ports, connection, run).await;
    lease.release(&ports.store).await;
    after
}

/// Reads for a run about people who are wanted now what the tenant has of them, and notifies the run's driver. Many people,
/// and people of a tenant that was never read, are read as [`observe_tenant`] does; where another reading of the tenant is
/// under way they are looked up one by one all the same.
///
/// # Errors
///
/// As of [`observe_tenant`].
pub async fn observe_tenant_now(
    ports: &TenantPorts,
    connection: &ConnectionId,
    run: &str,
) -> Result<After, ObserveError> {
    let Some(open) = observing(&ports.store, connection, run, USERS).await? else { return Ok(After::Done) };
    if !open.is_partial() {
        return observe_tenant(ports, connection, run).await;
    }
    if !open.has_read(PEOPLE) {
        // The people come first; when they are read, the driver sends this message again.
        return Ok(After::Done);
    }
    let policy = match policy(&ports.store, &*ports.policies, connection, open.policy_revision).await? {
        Ok(policy) => policy,
        Err(problem) => {
            let observed = Observed::unreadable(USERS, problem);
            return finish(&ports.store, &*ports.clock, &*ports.doorbell, &open, observed).await;
        }
    };
    let lookups = Lookups::of(&policy);
    let proving = ports.store.proving(&ports.scope).await?;
    let entered = |item: &TenantItem| {
        if item.extensions != extensions::read_with(ports) {
            return false;
        }
        let attributes = lookups.attributes();
        attributes.iter().all(|attr| proving.complete.contains(attr) && item.tenant.can_look_up(connection, *attr))
    };
    let asked = ports.store.asked(run).await?;
    let had = ports.store.tenant(&ports.scope).await?;
    let Some(had) = had.filter(|had| entered(&had.value) && !open.full) else {
        return observe_tenant(ports, connection, run).await;
    };
    if asked.len() > wanted::MOST_LOOKED_UP {
        let name = format!("accounts~{}", ports.scope.as_str());
        let lease = RunLease::acquire(&ports.store, &*ports.clock, ports.deadline, name, run).await?;
        if let Acquire::Acquired(lease) = lease {
            let after = read_tenant(ports, connection, run).await;
            lease.release(&ports.store).await;
            return after;
        }
    }
    // People are asked for under what this policy finds them by, accounts entered under what all policies ask for.
    let ports = &TenantPorts { store: ports.store.entering(proving.lookups()), ..ports.clone() };
    let observed = wanted::look_up(ports, &open, &lookups, asked, &had).await?;
    finish(&ports.store, &*ports.clock, &*ports.doorbell, &open, observed).await
}

async fn read_tenant(ports: &TenantPorts, connection: &ConnectionId, run: &str) -> Result<After, ObserveError> {
    let Some(open) = observing(&ports.store, connection, run, USERS).await? else {
        return match ports.store.run(connection, run).await? {
            Some(open) if refresh::is_writing(&open.value) && is_connected(&ports.store, connection).await? => {
                refresh::refresh(ports, &open.value).await
            }
            Some(_) | None => {
                checkpoint::delete_all(ports, run).await;
                Ok(After::Done)
            }
        };
    };
    let observed = match policy(&ports.store, &*ports.policies, connection, open.policy_revision).await? {
        Ok(policy) => round::observe(ports, &open, &policy).await?,
        Err(problem) => Observed::unreadable(USERS, problem),
    };
    let ended = observed.again.is_none();
    let after = finish(&ports.store, &*ports.clock, &*ports.doorbell, &open, observed).await?;
    if ended {
        checkpoint::delete_all(ports, run).await;
    }
    Ok(after)
}
