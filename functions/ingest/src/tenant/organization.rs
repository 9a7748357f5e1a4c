//! What is read at once: the organization and its domains, holders of roles, products. Refuses a tenant and rules that
//! cannot work, before anything else is read.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::account::{Tenant, managed_by_godaddy};
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::license::{Sku, brings_eligible_roles};
use hardmatch_domain::policy::Policy;
use hardmatch_ports::TenantError;
use hardmatch_ports::run::Collection;
use hardmatch_ports::tenant::Retry;
use hardmatch_store::accounts::TenantItem;

use super::dirty::mark_role_changes;
use super::progress::Head;
use super::stop::{TenantStop, describe, is_withheld};
use crate::observed::{complete, unknown};
use crate::ports::TenantPorts;

/// Reads the organization, the holders of roles and the products. The people whom a changed role concerns become dirty.
pub(super) async fn read_head(
    ports: &TenantPorts,
    policy: &Policy,
    had: Option<&TenantItem>,
) -> Result<Head, TenantStop> {
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
        // Domains decide who may sign in where, so a change concerns everybody. A role concerns its holder.
        everybody = had.tenant.domains != tenant.domains;
        mark_role_changes(ports, had.tenant.roles.as_ref(), tenant.roles.as_ref()).await?;
        mark_role_changes(ports, had.tenant.eligible.as_ref(), tenant.eligible.as_ref()).await?;
    }
    Ok(Head { tenant, domains, roles, eligibility, licenses, everybody })
}

/// The accounts that may activate a role. Where they cannot be read, and no product of the tenant brings eligible roles,
/// nobody is eligible; where one does, they are unknown.
async fn read_eligible(
    ports: &TenantPorts,
) -> Result<(Option<BTreeMap<ObjectId, Vec<String>>>, Option<Collection>), TenantStop> {
    let (eligible, collection) = known(ports.tenant.eligible_for_roles().await, BTreeMap::len)?;
    if eligible.is_some() {
        return Ok((eligible, None));
    }
    let (skus, _) = known(ports.tenant.skus().await, Vec::len)?;
    match skus {
        Some(skus) if !brings_eligible_roles(&skus) => Ok((Some(BTreeMap::new()), None)),
        Some(_) | None => Ok((None, Some(collection))),
    }
}

/// An answer of the tenant, with its collection. An answer that permissions withhold is unknown, and the run goes on:
/// nobody is taken for unprivileged, and nobody is given or taken a licence.
fn known<T>(
    result: Result<T, TenantError>,
    count: impl Fn(&T) -> usize,
) -> Result<(Option<T>, Collection), TenantStop> {
    match result {
        Ok(all) => {
            let collection = complete(count(&all) as u64, 0);
            Ok((Some(all), collection))
        }
        Err(error) if is_withheld(&error) => Ok((None, unknown(describe(&error)))),
        Err(error) => Err(error.into()),
    }
}

/// Refuses a tenant that GoDaddy manages: its sign-in, passwords and licences are GoDaddy's.
pub(super) fn not_managed_by_godaddy(tenant: &Tenant) -> Result<(), TenantError> {
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

/// Refuses licence rules that name a product which the tenant does not have. A misspelled product gives nobody anything,
/// and is to be noticed before anybody is created without their licence.
pub(super) fn known_products(policy: &Policy, skus: &[Sku]) -> Result<(), TenantError> {
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
