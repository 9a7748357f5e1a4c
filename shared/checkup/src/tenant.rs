//! Everything about the tenant that `doctor` looks at. Reads only.

use std::collections::BTreeMap;

use hardmatch_domain::account::Account;
use hardmatch_domain::ids::{Guid, ObjectId};
use hardmatch_policy::{Config, Method};
use hardmatch_ports::tenant::Organization;
use hardmatch_ports::{Check, CheckState, Clock, TenantError, TenantRead as _};
use hardmatch_store::connection::{ConnectionState, Meta};

use crate::judge::Acts;
use crate::{Side, anchors, check, entitle, expiry, good, judge, login, needs};

/// Role holders that are looked at one by one.
const ADMINS: usize = 50;

/// What stands in for all checks of a connection that is disconnected: nobody is asked.
pub fn disconnected(meta: &Meta) -> Option<Check> {
    (meta.status.state == ConnectionState::Disconnected).then(|| {
        check(
            "connection",
            CheckState::Fail,
            format!("It is disconnected, and {} links are disconnected: nobody is asked.", meta.history.links),
            "Take it up again with `hardmatch auth connect`.",
        )
    })
}

/// Looks at the login service, the token, its permissions, and what the tenant says about itself. `wanted`: how many
/// sign-in names of the source are in each domain; empty where the source was not read.
pub async fn tenant(
    side: &Side,
    config: &Config,
    meta: &Meta,
    wanted: &BTreeMap<String, u64>,
    clock: &dyn Clock,
) -> Vec<Check> {
    if let Some(disconnected) = disconnected(meta) {
        return vec![disconnected];
    }
    let mut checks = if side.is_simulated() { Vec::new() } else { login::before(side, config, meta).await };
    if !side.is_simulated() {
        checks.push(login::expiry(&expiry::of(config, &*side.credential, clock.now()).await));
    }
    let granted = match side.client.granted().await {
        Ok(granted) => granted,
        Err(error) => {
            let areas = ["permissions", "tenant", "domains", "directory sync", "break-glass", "seats"];
            checks.push(login::refused(side, "credentials", &error));
            checks.extend(login::presented(side, config, &error).await);
            checks.extend(areas.map(|area| check(area, CheckState::Unknown, "Not looked at: there is no token.", "")));
            return checks;
        }
    };
    let method = match side.credential.method() {
        _ if side.is_simulated() => "the simulated tenant's own secret",
        "secret" => "client secret",
        "federated" => "another identity provider's word",
        "delegated" => "an administrator's sign-in",
        other => other,
    };
    checks.push(good("credentials", format!("A token for application {} was given, by {method}.", side.client_id)));
    checks.extend(needs::judge(&granted.permissions, config));
    let organization = match side.client.organization().await {
        Ok(organization) => organization,
        Err(error) => {
            checks.push(failed("tenant", side, &error));
            return checks;
        }
    };
    checks.push(judge::tenant_id(&organization, config, meta));
    checks.extend(judge::domains(&organization, wanted));
    checks.push(judge::directory_sync(&organization, clock.now()));
    checks.extend(anchors::look(side, &organization).await);
    match side.client.role_holders().await {
        Ok(roles) => {
            let acts = if is_delegated(config) { Acts::ForAdministrator } else { Acts::Itself };
            checks.push(judge::own_roles(config, acts, granted.principal.as_ref(), &roles));
            checks.push(admins(side, &organization, &roles).await);
        }
        Err(error) => checks.extend(["directory role", "break-glass"].map(|area| unknown(area, side, &error))),
    }
    match side.client.skus().await {
        Ok(skus) => {
            checks.push(judge::seats(&skus));
            checks.extend(entitle::licenses(config, &skus));
        }
        Err(error) => checks.push(unknown("seats", side, &error)),
    }
    checks.extend(groups(side, config).await);
    checks.extend(judge::passwords(config, &organization, wanted));
    checks
}

/// Whether an administrator signs in.
pub fn is_delegated(config: &Config) -> bool {
    matches!(config.tenant.auth.as_ref().map(|auth| &auth.method), Some(Method::Delegated { .. }))
}

async fn admins(side: &Side, organization: &Organization, roles: &BTreeMap<ObjectId, Vec<String>>) -> Check {
    let global = roles.iter().filter(|(_, roles)| roles.iter().any(|role| role == judge::GLOBAL_ADMINISTRATOR));
    let mut accounts: Vec<Account> = Vec::new();
    for (id, _) in global.take(ADMINS) {
        match side.client.account(id).await {
            // Nobody: an application, or a group that stands for its members.
            Ok(found) => accounts.extend(found),
            Err(error) => return unknown("break-glass", side, &error),
        }
    }
    judge::break_glass(organization, roles, &accounts)
}

/// The groups that rules name, looked for by their names as a run does.
async fn groups(side: &Side, config: &Config) -> Vec<Check> {
    let wanted = entitle::wanted_groups(config);
    let mut checks = Vec::new();
    for (name, kind) in wanted.iter().take(entitle::GROUPS_LOOKED_FOR) {
        let found = match Guid::parse(name) {
            Some(_) => side.client.group(&ObjectId::new(*name)).await.map(|group| group.into_iter().collect()),
            None => side.client.groups_named(name).await,
        };
        match found {
            Ok(groups) => checks.push(entitle::group(name, *kind, &groups)),
            Err(error) => {
                checks.push(entitle::groups_unread(side.said(&error)));
                return checks;
            }
        }
    }
    checks.extend(entitle::more_groups(wanted.len()));
    checks
}

fn failed(area: &str, side: &Side, error: &TenantError) -> Check {
    check(area, CheckState::Fail, side.said(error), "")
}

fn unknown(area: &str, side: &Side, error: &TenantError) -> Check {
    check(area, CheckState::Unknown, side.said(error), "")
}
