//! The tenant side: the organisation, who holds roles and addresses, and the users: whole in the first round, by delta
//! later. The cursor is stored last; whatever is killed before that is read again, from where the reading was kept last.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hardmatch_domain::account::{Tenant, managed_by_godaddy};
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::facts::Lookups;
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::license::Sku;
use hardmatch_domain::policy::Policy;
use hardmatch_ports::TenantError;
use hardmatch_ports::run::{Collection, ReadMode, Run};
use hardmatch_ports::tenant::Retry;
use hardmatch_store::StoreError;
use hardmatch_store::accounts::TenantItem;

use crate::tenant::addresses::observe_holders;
use crate::tenant::deleted::observe_deleted;
use crate::tenant::dirty::{Marks, Stopped, mark_role_changes};
use crate::tenant::groups::{forget_compared, observe_named};
use crate::tenant::progress::{Checkpoint, Head, ListingStage, TenantProgress, later};
use crate::tenant::users::observe_users;
use crate::{
    CONTACTS, GROUPS, ObserveError, Observed, Patience, TenantPorts, USERS, begun_ms, complete, patience, unknown,
};

pub(crate) async fn observe(ports: &TenantPorts, run: &Run, policy: &Policy) -> Result<Observed, ObserveError> {
    let lookups = Lookups::of(policy);
    let attributes = lookups.attributes();
    let proving = ports.store.want_proving(&ports.scope, &run.connection, attributes).await?;
    let ports = &TenantPorts { store: ports.store.entering(proving.lookups()), ..ports.clone() };
    let mut checkpoint = Checkpoint::new(ports, &run.id, "tenant");
    let mut reading = checkpoint.go_on(TenantProgress::begin(begun_ms(run), proving.missing())).await?;
    let error = match observe_all(ports, run, policy, attributes, &mut reading, &mut checkpoint).await {
        Ok(users) => {
            let mut observed = reading.observed();
            observed.collections.push((USERS, users));
            return Ok(observed);
        }
        Err(Stopped::Failed(error)) => return Err(error),
        Err(Stopped::Time) => return Ok(later(&reading, Duration::ZERO)),
        Err(Stopped::Tenant(error)) => error,
    };
    match (error.retry, left_for(ports, run, &reading, &error)) {
        (Retry::After(delay), Patience::Left) => {
            let delay = delay.max(Duration::from_secs(1));
            tracing::warn!(run.id = run.id, error = describe(&error), delay.s = delay.as_secs(), "{WAITING}");
            checkpoint.keep(&reading).await?;
            Ok(later(&reading, delay))
        }
        (Retry::FromTheStart, Patience::Left) => {
            checkpoint.forget().await?;
            Ok(later(&reading, Duration::from_secs(1)))
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

/// A wait that the tenant names is kept, when it ends within a day; everything else may last and is given an hour.
fn left_for(ports: &TenantPorts, run: &Run, reading: &TenantProgress, error: &TenantError) -> Patience {
    // What is asked for again from the start does not move, however much of it was read.
    let moved_ms = if error.is_cursor_lost() { 0 } else { reading.moved_ms };
    let since_ms = begun_ms(run).max(moved_ms);
    let now_ms = ports.clock.now().as_millisecond();
    match error.retry {
        Retry::After(wait) if error.status == 429 || wait > UNSTATED => {
            let ends_ms = now_ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
            if ends_ms - since_ms < LONGEST_WAIT_MS { Patience::Left } else { Patience::Over }
        }
        Retry::After(_) | Retry::FromTheStart | Retry::Never => patience(since_ms, now_ms),
    }
}

/// A tenant that names no time is asked again after this at the latest.
const UNSTATED: Duration = Duration::from_mins(1);
/// For so long a run waits for a tenant that asks it to (milliseconds); then it ends, and the next one asks.
const LONGEST_WAIT_MS: i64 = 24 * 60 * 60 * 1000;

/// Said while somebody may be waiting in front of it.
const WAITING: &str = "the tenant could not be read; it is asked again";

pub(crate) fn describe(error: &TenantError) -> String {
    if error.request_id.is_empty() {
        error.message.clone()
    } else {
        format!("{} (request {})", error.message, error.request_id)
    }
}

/// Reads on to the end. `proving` can prove identity under the run's policy.
async fn observe_all(
    ports: &TenantPorts,
    run: &Run,
    policy: &Policy,
    proving: &[Attr],
    reading: &mut TenantProgress,
    checkpoint: &mut Checkpoint<'_>,
) -> Result<Collection, Stopped> {
    let had = ports.store.tenant(&ports.scope).await?.map(|stored| stored.value);
    if reading.head.is_none() {
        let head = read_head(ports, policy, had.as_ref()).await?;
        not_godaddys(&head.tenant)?;
        // A subscription that ends later is told of person by person; a policy that nobody was decided under yet is wrong.
        if !policy.licenses.is_empty()
            && let Some(skus) = &head.tenant.skus
            && ports.store.meta(&run.connection).await?.value.decided_policy != run.policy_revision
        {
            known_products(policy, skus)?;
        }
        reading.head = Some(head);
        checkpoint.unit(reading).await?;
    }
    observe_holders(ports, GROUPS, reading, checkpoint).await?;
    observe_holders(ports, CONTACTS, reading, checkpoint).await?;

    let mut marks = Marks::new(ports, run, had.is_none());
    let from = if run.full { None } else { had.as_ref() };
    observe_users(ports, policy.full_listing_days, from, &mut marks, reading, checkpoint).await?;
    // Deleted users last: whoever is deleted while the users are read is then in one of the two.
    observe_deleted(ports, &mut marks, reading, checkpoint).await?;
    marks.flush().await?;
    // Members behind the users: whoever is one must be in the mirror.
    observe_named(ports, policy, had.as_ref(), &mut marks, reading, checkpoint).await?;

    if !reading.missing.is_empty() {
        ports.store.proving_complete(&ports.scope, &reading.missing).await?;
    }
    let users = &reading.users;
    let (Some(head), ListingStage::Ended { next }) = (&reading.head, &users.way) else {
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
    // Decided is only when the people are entered under them too: the source side does that for the same run.
    tenant.proving.insert(run.connection.clone(), proving.to_vec());
    tenant.proving.retain(|_, attrs| !attrs.is_empty());
    if let Some(had) = &had {
        // What other connections' rules ask for is theirs to read.
        tenant.named_groups.clone_from(&had.tenant.named_groups);
        if policy.licenses.is_empty() {
            tenant.skus.clone_from(&had.tenant.skus);
        }
    }
    reading.named.enter(&run.connection, &mut tenant.named_groups);
    let now = ports.clock.now_seconds();
    let had_of = |of: fn(&TenantItem) -> i64| had.as_ref().map_or(now, of);
    let item = TenantItem {
        v: 1,
        tenant,
        delta: Some(next.clone()),
        delta_at: now,
        full_at: if users.full { now } else { had_of(|had| had.full_at) },
        accounts: match &had {
            Some(had) if !users.full => had.accounts,
            Some(_) | None => reading.entries.len() as u64,
        },
        half_repaired: had.as_ref().map_or(users.temporary, |had| had.half_repaired),
    };
    let read = Some(if users.full { ReadMode::Whole } else { ReadMode::Changes });
    let users = Collection { read, ..complete(users.seen, users.changed) };
    ports.store.put_tenant(&ports.scope, &item).await?;
    forget_compared(ports, reading, checkpoint).await?;
    Ok(users)
}

/// A tenant that GoDaddy manages is not ours to provision: its sign-in, passwords and licences are GoDaddy's.
fn not_godaddys(tenant: &Tenant) -> Result<(), TenantError> {
    let Some(initial) = managed_by_godaddy(&tenant.domains) else { return Ok(()) };
    Err(TenantError {
        retry: Retry::Never,
        status: 0,
        code: "managed_by_godaddy".to_owned(),
        message: format!(
            "The tenant of {initial} is managed by GoDaddy: its sign-in is federated there, and its passwords and licences \
             are GoDaddy's. Nothing is written. Move the tenant out of GoDaddy's management, then run again."
        ),
        request_id: String::new(),
    })
}

/// Every product that a licence rule names is one of the tenant's: a misspelled one gives nobody anything, which is seen
/// before anybody is created without their licence.
fn known_products(policy: &Policy, skus: &[Sku]) -> Result<(), TenantError> {
    let is_known = |named: &str| skus.iter().any(|sku| sku.part_number.eq_ignore_ascii_case(named) || sku.id == named);
    let unknown: BTreeSet<&str> =
        policy.licenses.iter().map(|rule| &*rule.sku).filter(|named| !is_known(named)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let listed = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let has: Vec<&str> = skus.iter().map(|sku| sku.part_number.as_str()).collect();
    Err(TenantError {
        retry: Retry::Never,
        status: 0,
        code: "unknown_product".to_owned(),
        message: format!(
            "[[license]] names {}, and the tenant has no such product. It has: {}. Correct sku in the rule; `hardmatch \
             doctor` names the nearest.",
            listed(&unknown.into_iter().collect::<Vec<_>>()),
            listed(&has)
        ),
        request_id: String::new(),
    })
}

/// What cannot be: a reading that came to its end without having been at its beginning.
pub(crate) fn unfinished() -> StoreError {
    StoreError::Unreadable { kind: "reading", cause: "it is not at its end".to_owned() }
}

/// The organisation and who holds roles. Whom a difference concerns is marked.
async fn read_head(ports: &TenantPorts, policy: &Policy, had: Option<&TenantItem>) -> Result<Head, Stopped> {
    let organization = ports.tenant.organization().await?;
    let domains = complete(organization.domains.len() as u64, 0);
    let (holders, roles) = known(ports.tenant.role_holders().await, BTreeMap::len)?;
    let (eligible, eligibility) = read_eligible(ports).await?;
    let (skus, licenses) = if policy.licenses.is_empty() {
        (None, None)
    } else {
        let (skus, licenses) = known(ports.tenant.skus().await, Vec::len)?;
        (skus, Some(licenses))
    };
    let tenant = Tenant {
        id: organization.id,
        domains: organization.domains,
        roles: holders,
        eligible,
        users_complete: false,
        deleted_complete: false,
        groups_complete: false,
        contacts_complete: false,
        directory_sync: organization.directory_sync,
        proving: BTreeMap::new(),
        skus,
        named_groups: BTreeMap::new(),
    };
    let mut everybody = false;
    if let Some(had) = had {
        // Domains decide who may sign in where: everybody is looked at again. Roles concern their holders.
        everybody = had.tenant.domains != tenant.domains;
        mark_role_changes(ports, had.tenant.roles.as_ref(), tenant.roles.as_ref()).await?;
        mark_role_changes(ports, had.tenant.eligible.as_ref(), tenant.eligible.as_ref()).await?;
    }
    Ok(Head { tenant, domains, roles, eligibility, licenses, everybody })
}

/// Service plans that bring eligible roles (Privileged Identity Management).
/// <https://learn.microsoft.com/entra/id-governance/licensing-fundamentals>
const ELIGIBLE_ROLES: [&str; 2] = ["AAD_PREMIUM_P2", "ENTRA_IDENTITY_GOVERNANCE"];

/// Who may activate a role. What cannot be read is unknown only where the tenant has a plan with eligible roles;
/// elsewhere nobody is eligible.
async fn read_eligible(
    ports: &TenantPorts,
) -> Result<(Option<BTreeMap<ObjectId, Vec<String>>>, Option<Collection>), Stopped> {
    let (eligible, collection) = known(ports.tenant.eligible_for_roles().await, BTreeMap::len)?;
    if eligible.is_some() {
        return Ok((eligible, None));
    }
    let (skus, _) = known(ports.tenant.skus().await, Vec::len)?;
    let has_plan =
        |sku: &Sku| sku.plans.iter().any(|plan| ELIGIBLE_ROLES.iter().any(|name| plan.name.eq_ignore_ascii_case(name)));
    match skus {
        Some(skus) if !skus.iter().any(has_plan) => Ok((Some(BTreeMap::new()), None)),
        Some(_) | None => Ok((None, Some(collection))),
    }
}

/// What was asked for, when it is there. Permissions may withhold it: then it is unknown, nobody is taken for
/// unprivileged, nobody is given or taken a licence, and the run goes on.
fn known<T>(result: Result<T, TenantError>, count: impl Fn(&T) -> usize) -> Result<(Option<T>, Collection), Stopped> {
    match result {
        Ok(all) => {
            let collection = complete(count(&all) as u64, 0);
            Ok((Some(all), collection))
        }
        Err(error) if is_withheld(&error) => Ok((None, unknown(describe(&error)))),
        Err(error) => Err(error.into()),
    }
}

/// Whether the tenant answers, and permissions withhold what was asked for: the run goes on without.
pub(crate) fn is_withheld(error: &TenantError) -> bool {
    error.retry == Retry::Never && error.status >= 400 && error.status != 401
}
