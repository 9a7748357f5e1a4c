//! The tenant side: the organisation, who holds roles and addresses, and the users: whole in the first round, by delta
//! later. The cursor is stored last; whatever is killed before that is read again.

use std::collections::BTreeMap;
use std::time::Duration;

use hardmatch_domain::account::Tenant;
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::facts::Lookups;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::TenantError;
use hardmatch_ports::run::Run;
use hardmatch_ports::tenant::Retry;
use hardmatch_store::StoreError;
use hardmatch_store::accounts::TenantItem;

use crate::deleted::observe_deleted;
use crate::holders::observe_holders;
use crate::marks::{Marks, Stopped, mark_role_changes};
use crate::users::observe_users;
use crate::{
    CONTACTS, DELETED, DOMAINS, GROUPS, Observed, Patience, ROLES, TenantPorts, USERS, complete, patience, unknown,
};

pub(crate) async fn observe(ports: &TenantPorts, run: &Run, lookups: &Lookups) -> Result<Observed, StoreError> {
    let mut observed = Observed::default();
    let attributes = lookups.attributes();
    let proving = ports.store.want_proving(&ports.scope, &run.connection, attributes).await?;
    let ports = &TenantPorts { store: ports.store.entering(proving.lookups()), ..ports.clone() };
    match observe_all(ports, run, attributes, &proving.missing(), &mut observed).await {
        Ok(()) => Ok(observed),
        Err(Stopped::Store(error)) => Err(error),
        Err(Stopped::Tenant(error)) => Ok(match (error.retry, left_for(ports, run, &error)) {
            (Retry::After(delay), Patience::Left) => {
                let delay = delay.max(Duration::from_secs(1));
                tracing::warn!(run.id = run.id, error = describe(&error), delay.s = delay.as_secs(), "{WAITING}");
                Observed { again: Some(delay), ..Observed::default() }
            }
            (Retry::FromTheStart, Patience::Left) => {
                Observed { again: Some(Duration::from_secs(1)), ..Observed::default() }
            }
            (Retry::Never, _) | (_, Patience::Over) => {
                observed.collections.retain(|(name, _)| *name != USERS);
                observed.collections.push((USERS, unknown(describe(&error))));
                observed.problems.push(describe(&error));
                observed
            }
        }),
    }
}

/// Throttling names its own end; everything else may last.
fn left_for(ports: &TenantPorts, run: &Run, error: &TenantError) -> Patience {
    if error.status == 429 { Patience::Left } else { patience(run, ports.clock.now().as_millisecond()) }
}

/// Said while somebody may be waiting in front of it.
const WAITING: &str = "the tenant could not be read; it is asked again";

pub(crate) fn describe(error: &TenantError) -> String {
    if error.request_id.is_empty() {
        error.message.clone()
    } else {
        format!("{} (request {})", error.message, error.request_id)
    }
}

/// `proving` can prove identity under the run's policy; under `missing` accounts are still to be entered.
async fn observe_all(
    ports: &TenantPorts,
    run: &Run,
    proving: &[Attr],
    missing: &[Attr],
    observed: &mut Observed,
) -> Result<(), Stopped> {
    let organization = ports.tenant.organization().await?;
    let had = ports.store.tenant(&ports.scope).await?.map(|stored| stored.value);
    observed.collections.push((DOMAINS, complete(organization.domains.len() as u64, 0)));

    let roles = known_roles(ports.tenant.role_holders().await, observed)?;
    let mut tenant = Tenant {
        id: organization.id,
        domains: organization.domains,
        roles,
        users_complete: false,
        deleted_complete: false,
        groups_complete: false,
        contacts_complete: false,
        directory_sync: organization.directory_sync,
        proving: had.as_ref().map(|had| had.tenant.proving.clone()).unwrap_or_default(),
    };
    if let Some(had) = &had {
        // Domains decide who may sign in where: everybody is looked at again. Roles concern their holders.
        observed.everybody |= had.tenant.domains != tenant.domains;
        mark_role_changes(ports, had.tenant.roles.as_ref(), tenant.roles.as_ref()).await?;
    }

    tenant.groups_complete = observe_holders(ports, GROUPS, observed).await?;
    tenant.contacts_complete = observe_holders(ports, CONTACTS, observed).await?;

    let mut marks = Marks::new(ports, run, had.is_none());
    let users = observe_users(ports, had.as_ref(), &mut marks, missing).await?;
    // Deleted users last: whoever is deleted while the users are read is then in one of the two.
    let deleted = observe_deleted(ports, &mut marks, missing).await?;
    marks.flush().await?;
    if !missing.is_empty() {
        ports.store.proving_complete(&ports.scope, missing).await?;
    }
    // Decided is only when the people are entered under them too: the source side does that for the same run.
    tenant.proving.insert(run.connection.clone(), proving.to_vec());
    tenant.proving.retain(|_, attrs| !attrs.is_empty());

    tenant.users_complete = true;
    tenant.deleted_complete = true;
    observed.collections.push((DELETED, deleted));
    let item = TenantItem {
        v: 1,
        tenant,
        delta: Some(users.cursor),
        delta_at: ports.clock.now_seconds(),
        full_at: users.full_at,
        accounts: users.live,
        half_repaired: had.map_or(users.temporary, |had| had.half_repaired),
    };
    ports.store.put_tenant(&ports.scope, &item).await?;
    observed.collections.push((USERS, users.collection));
    Ok(())
}

/// Who holds roles. Permissions may withhold it: then it is unknown, nobody is taken for unprivileged, and the run goes
/// on.
fn known_roles(
    result: Result<BTreeMap<ObjectId, Vec<String>>, TenantError>,
    observed: &mut Observed,
) -> Result<Option<BTreeMap<ObjectId, Vec<String>>>, Stopped> {
    match result {
        Ok(roles) => {
            observed.collections.push((ROLES, complete(roles.len() as u64, 0)));
            Ok(Some(roles))
        }
        Err(error) if error.retry == Retry::Never && error.status >= 400 && error.status != 401 => {
            observed.collections.push((ROLES, unknown(describe(&error))));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
