//! One round of the tenant, from start to end: the organization, addresses, users, the recycle bin, groups that rules name.
//! The cursor is stored last; a round that is killed before that goes on from the progress that was kept last.

use std::time::Duration;

use hardmatch_domain::account::Tenant;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::facts::Lookups;
use hardmatch_domain::policy::Policy;
use hardmatch_ports::TenantError;
use hardmatch_ports::run::{Collection, ReadMode, Run};
use hardmatch_ports::tenant::Retry;
use hardmatch_store::accounts::TenantItem;

use super::addresses::observe_addresses;
use super::checkpoint::ReadingCheckpoint;
use super::deleted::observe_deleted;
use super::dirty::DirtyMarks;
use super::extensions::{known_extensions, read_with};
use super::groups::{forget_compared, observe_groups};
use super::organization::{known_products, not_managed_by_godaddy, read_head};
use super::progress::{ListingStage, TenantProgress};
use super::stop::{TenantStop, describe, unfinished};
use super::users::observe_users;
use crate::observed::{CONTACTS, GROUPS, Observed, Patience, USERS, begun_ms, complete, patience, unknown};
use crate::ports::{ObserveError, TenantPorts};

/// Reads the tenant for a run.
pub(super) async fn observe(ports: &TenantPorts, run: &Run, policy: &Policy) -> Result<Observed, ObserveError> {
    let lookups = Lookups::of(policy);
    let attributes = lookups.attributes();
    let proving = ports.store.want_proving(&ports.scope, &run.connection, attributes).await?;
    let ports = &TenantPorts { store: ports.store.entering(proving.lookups()), ..ports.clone() };
    let mut checkpoint = ReadingCheckpoint::new(ports, &run.id, "tenant");
    let mut reading =
        checkpoint.go_on(TenantProgress::begin(begun_ms(run), proving.missing(), read_with(ports))).await?;
    let error = match observe_all(ports, run, policy, attributes, &mut reading, &mut checkpoint).await {
        Ok(users) => {
            let mut observed = reading.observed();
            observed.collections.push((USERS, users));
            return Ok(observed);
        }
        Err(TenantStop::Failed(error)) => return Err(error),
        Err(TenantStop::Deadline) => return Ok(Observed::later(Duration::ZERO, reading.units)),
        Err(TenantStop::Tenant(error)) => error,
    };
    match (error.retry, patience_with(ports, run, &reading, &error)) {
        (Retry::After(delay), Patience::Left) => {
            let delay = delay.max(Duration::from_secs(1));
            tracing::warn!(run.id = run.id, error = describe(&error), delay.s = delay.as_secs(), "{WAITING}");
            checkpoint.keep(&reading).await?;
            Ok(Observed::later(delay, reading.units))
        }
        (Retry::FromTheStart, Patience::Left) => {
            checkpoint.forget().await?;
            Ok(Observed::later(Duration::from_secs(1), reading.units))
        }
        (Retry::Never, _) | (_, Patience::Over) => {
            if error.is_credentials() {
                let now = ports.clock.now_seconds();
                ports.store.quarantine(&run.connection, &run.id, &describe(&error), now).await?;
            }
            let mut observed = reading.observed();
            observed.collections.push((USERS, unknown(describe(&error))));
            observed.problems.push(describe(&error));
            Ok(observed)
        }
    }
}

/// Whether the run may still wait. A wait that the tenant names is kept when it ends within a day; any other failure may
/// last an hour.
fn patience_with(ports: &TenantPorts, run: &Run, reading: &TenantProgress, error: &TenantError) -> Patience {
    // A reading that begins anew does not advance, however much of it was read.
    let moved_ms = if error.is_cursor_lost() { 0 } else { reading.moved_ms };
    let since_ms = begun_ms(run).max(moved_ms);
    let now_ms = ports.clock.now().as_millisecond();
    match error.retry {
        Retry::After(wait) if error.status == 429 || wait > UNSTATED => {
            let ends_ms = now_ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
            if ends_ms - since_ms < LONGEST_WAIT_MS { Patience::Left } else { Patience::Over }
        }
        // On one machine an operator waits in front of the command, and the lease of the run is held meanwhile.
        Retry::After(_) if error.is_cut_off() && ports.deadline.is_none() => {
            if now_ms - since_ms < CUT_OFF_MS {
                Patience::Left
            } else {
                Patience::Over
            }
        }
        Retry::After(_) | Retry::FromTheStart | Retry::Never => patience(since_ms, now_ms),
    }
}

/// A tenant that names no wait is asked again after this at the latest.
const UNSTATED: Duration = Duration::from_mins(1);
/// For so long a run waits when the tenant asks it to (milliseconds). Then the run ends, and the next one asks again.
const LONGEST_WAIT_MS: i64 = 24 * 60 * 60 * 1000;

/// For so long a run on one machine asks again for answers that are cut off each time (milliseconds).
const CUT_OFF_MS: i64 = 2 * 60 * 1000;

/// Logged while an operator may be waiting in front of the command.
const WAITING: &str = "the tenant could not be read; it is asked again";

/// Reads on to the end. `proving`: attributes that can prove identity under the run's policy.
async fn observe_all(
    ports: &TenantPorts,
    run: &Run,
    policy: &Policy,
    proving: &[Attr],
    reading: &mut TenantProgress,
    checkpoint: &mut ReadingCheckpoint<'_>,
) -> Result<Collection, TenantStop> {
    let had = ports.store.tenant(&ports.scope).await?.map(|stored| stored.value);
    if reading.head.is_none() {
        let head = read_head(ports, policy, had.as_ref()).await?;
        not_managed_by_godaddy(&head.tenant)?;
        known_extensions(ports, policy).await?;
        // Under a policy that decided people before, a subscription that ended is reported person by person.
        if !policy.licenses.is_empty()
            && let Some(skus) = &head.tenant.skus
            && ports.store.meta(&run.connection).await?.policy.decided != run.policy_revision
        {
            known_products(policy, skus)?;
        }
        reading.head = Some(head);
        checkpoint.unit(reading).await?;
    }
    // People who are wanted now wait for no listing of groups and contacts: an address that one of them holds since the
    // last round is refused at the write, with the object named.
    let everybody = !run.is_partial() || had.is_none() || run.full;
    if everybody {
        observe_addresses(ports, GROUPS, reading, checkpoint).await?;
        observe_addresses(ports, CONTACTS, reading, checkpoint).await?;
    }

    let mut marks = DirtyMarks::new(ports, run, had.is_none());
    let from = if run.full { None } else { had.as_ref() };
    observe_users(ports, policy.full_listing_days, from, &mut marks, reading, checkpoint).await?;
    // Deleted users after live ones: an account that is deleted in between is then in one of the two.
    observe_deleted(ports, &mut marks, reading, checkpoint).await?;
    marks.flush().await?;
    // Members after users: an account must be in the mirror before it can be a member there.
    if everybody {
        observe_groups(ports, policy, had.as_ref(), &mut marks, reading, checkpoint).await?;
    }

    if !reading.missing.is_empty() {
        ports.store.proving_complete(&ports.scope, &reading.missing).await?;
    }
    let users = &reading.users;
    let (Some(head), ListingStage::Ended { next }) = (&reading.head, &users.stage) else {
        return Err(unfinished().into());
    };
    let mut tenant = Tenant {
        users_complete: true,
        deleted_complete: true,
        groups_complete: reading.groups.is_complete(),
        contacts_complete: reading.contacts.is_complete(),
        proving: had.as_ref().map(|had| had.tenant.proving.clone()).unwrap_or_default(),
        ..head.tenant.clone()
    };
    // People are entered under them, too, before anybody is decided: the source side does that for the same run.
    tenant.proving.insert(run.connection.clone(), proving.to_vec());
    tenant.proving.retain(|_, attrs| !attrs.is_empty());
    if let Some(had) = had.as_ref().filter(|_| !everybody) {
        tenant.groups_complete = had.tenant.groups_complete;
        tenant.contacts_complete = had.tenant.contacts_complete;
    }
    if let Some(had) = &had {
        // What the rules of other connections ask for is read by their runs.
        tenant.named_groups.clone_from(&had.tenant.named_groups);
        if policy.licenses.is_empty() {
            tenant.skus.clone_from(&had.tenant.skus);
        }
    }
    if everybody {
        reading.named.enter(&run.connection, &mut tenant.named_groups);
    }
    let now = ports.clock.now_seconds();
    let kept = |of: fn(&TenantItem) -> i64| had.as_ref().map_or(now, of);
    let item = TenantItem {
        v: 1,
        tenant,
        delta: Some(next.clone()),
        delta_at: now,
        extensions: reading.extensions.clone(),
        full_at: if users.full { now } else { kept(|had| had.full_at) },
        accounts: match &had {
            Some(had) if !users.full => had.accounts,
            Some(_) | None => reading.entries.len() as u64,
        },
        half_repaired: had.as_ref().map_or(users.temporary, |had| had.half_repaired),
    };
    let read = Some(if users.full { ReadMode::Whole } else { ReadMode::Changes });
    let users = Collection { read, ..complete(users.seen, users.changed) };
    ports.store.put_tenant(&ports.scope, &item).await?;
    if everybody {
        forget_compared(ports, reading, checkpoint).await?;
    }
    Ok(users)
}
