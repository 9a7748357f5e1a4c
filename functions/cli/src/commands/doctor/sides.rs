//! Looking: the state file, the source, the tenant. Reads only.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hardmatch_domain::account::Account;
use hardmatch_domain::ids::ObjectId;
use hardmatch_embedded::{FileTable, Missing, Options};
use hardmatch_policy::Config;
use hardmatch_ports::source::{Completeness, Entry, Refused};
use hardmatch_ports::{TableError, TenantError, TenantRead as _};
use hardmatch_report::{Check, CheckState};
use hardmatch_store::Store;
use hardmatch_store::connection::{Meta, Standing};

use super::judge::Acts;
use super::{check, good, judge, login, needs};
use crate::commands::auth::expiry;
use crate::commands::explain::place;
use crate::connection::{TenantSide, clock, folder, tenant_side};
use crate::fail::Failure;
use crate::tokens;

/// Refused entries that are named one by one.
const NAMED: usize = 5;
/// Role holders that are looked at one by one.
const ADMINS: usize = 50;

/// The state file, and what it remembers of the connection.
pub(super) async fn state(config: &Config) -> (Vec<Check>, Meta) {
    const AREA: &str = "state";
    let path = &config.state_path;
    let fail = |error: &TableError| {
        let text = error.to_string();
        let (finding, cure) = text.split_once(". ").unwrap_or((&text, ""));
        vec![check(AREA, CheckState::Fail, format!("{finding}."), cure)]
    };
    if !path.exists() {
        return (vec![begins(path)], Meta::default());
    }
    let options = Options { missing: Missing::Refuse, ..Options::default() };
    let table = match FileTable::open(path, &options) {
        Ok(table) => table,
        Err(error) => return (fail(&error), Meta::default()),
    };
    let meta = match Store::open(Arc::new(table)).await {
        Ok(store) => store.meta(&config.connection).await,
        Err(error) => Err(error),
    };
    match meta {
        Ok(meta) => {
            let mut checks =
                vec![good(AREA, format!("{} can be read and written, and nobody else uses it.", path.display()))];
            checks.extend(judge::last_run(&meta.value, clock().now_seconds(), moment));
            (checks, meta.value)
        }
        Err(error) => (vec![check(AREA, CheckState::Fail, error.to_string(), "")], Meta::default()),
    }
}

/// There is no state yet; whether one can be begun is tried with a file that is gone at once.
fn begins(path: &Path) -> Check {
    let folder = folder(path);
    match tempfile::tempfile_in(folder) {
        Ok(_) => good("state", format!("{} is not there yet; the first plan makes it.", path.display())),
        Err(error) => check(
            "state",
            CheckState::Fail,
            format!("{} cannot be made: {error}.", path.display()),
            format!("Give this user write permission to {}, or name another file in state.path.", folder.display()),
        ),
    }
}

fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

/// What the source gave.
pub(super) struct SourceSide {
    pub(super) checks: Vec<Check>,
    /// How many sign-in names are in each domain.
    pub(super) domains: BTreeMap<String, u64>,
}

/// Reads the whole source once.
pub(super) async fn source(config: &Config, meta: &Meta) -> SourceSide {
    const AREA: &str = "source";
    let mut domains = BTreeMap::new();
    let mut people = 0u64;
    let mut refused: Vec<Refused> = Vec::new();
    let read = async {
        let mut listing = hardmatch_wiring::source::source(config, &clock())?.open().await?;
        loop {
            let entries = listing.next().await?;
            if entries.is_empty() {
                return Ok(listing.finish());
            }
            for entry in entries {
                match entry {
                    Entry::Person(person) => {
                        people += 1;
                        if let Some((_, domain)) = person.upn().and_then(|upn| upn.rsplit_once('@')) {
                            *domains.entry(domain.to_lowercase()).or_default() += 1;
                        }
                    }
                    Entry::Refused(entry) => refused.push(entry),
                }
            }
        }
    };
    let read: Result<Completeness, hardmatch_ports::SourceError> = read.await;
    let checks = match read {
        Err(error) => {
            vec![check(AREA, CheckState::Fail, format!("{}: {}.", config.source.location, error.problem), error.cure)]
        }
        Ok(listing) => {
            let mut checks = vec![good(AREA, format!("{}: {people} people.", config.source.location))];
            checks.extend(refused_entries(&refused));
            for doubt in &listing.doubts {
                checks.push(check(
                    AREA,
                    CheckState::Warn,
                    format!("The listing is not complete: {doubt}"),
                    "Nobody is taken for gone until it is.",
                ));
            }
            let lost: Vec<&str> = meta
                .columns
                .iter()
                .map(String::as_str)
                .filter(|had| !listing.columns.iter().any(|has| has.eq_ignore_ascii_case(had)))
                .collect();
            if !lost.is_empty() {
                checks.push(check(
                    AREA,
                    CheckState::Warn,
                    format!("Columns that the last complete listing had are gone: {}.", lost.join(", ")),
                    "Bring them back, or accept the change once with --accept-source.",
                ));
            }
            checks
        }
    };
    SourceSide { checks, domains }
}

fn entries(count: usize) -> String {
    if count == 1 { "1 entry is".to_owned() } else { format!("{count} entries are") }
}

fn refused_entries(refused: &[Refused]) -> Option<Check> {
    if refused.is_empty() {
        return None;
    }
    let named: Vec<String> = refused.iter().take(NAMED).map(place).collect();
    let more = if refused.len() > NAMED { format!(" And {} more.", refused.len() - NAMED) } else { String::new() };
    Some(check(
        "source",
        CheckState::Warn,
        format!("{} refused. {}{more}", entries(refused.len()), named.join(" ")),
        "Correct them at the source; the others go on.",
    ))
}

/// Everything about the tenant. Only a file that cannot be used at all is an error.
pub(super) async fn tenant(
    config: &Config,
    meta: &Meta,
    wanted: &BTreeMap<String, u64>,
) -> Result<Vec<Check>, Failure> {
    if meta.standing == Standing::Disconnected {
        return Ok(vec![check(
            "connection",
            CheckState::Fail,
            format!("It is disconnected, and {} links are parked: nobody is asked.", meta.links),
            "Take it up again with `hardmatch auth connect`.",
        )]);
    }
    let side = tenant_side(config, &clock(), tokens::looking(config, &clock())?).await?;
    let checks = look(config, meta, wanted, &side).await;
    side.stop().await;
    Ok(checks)
}

async fn look(config: &Config, meta: &Meta, wanted: &BTreeMap<String, u64>, side: &TenantSide) -> Vec<Check> {
    let mut checks = if side.is_simulated() { Vec::new() } else { login::before(side, config, meta).await };
    if !side.is_simulated() {
        checks.push(login::expiry(&expiry::of(config, &*side.credential, clock().now()).await));
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
    checks.push(judge::directory_sync(&organization));
    match side.client.role_holders().await {
        Ok(roles) => {
            let acts = if tokens::is_delegated(config) { Acts::ForAdministrator } else { Acts::Itself };
            checks.push(judge::own_roles(config, acts, granted.principal.as_ref(), &roles));
            checks.push(admins(side, &organization, &roles).await);
        }
        Err(error) => checks.extend(["directory role", "break-glass"].map(|area| unknown(area, side, &error))),
    }
    checks.push(match side.client.skus().await {
        Ok(skus) => judge::seats(&skus),
        Err(error) => unknown("seats", side, &error),
    });
    checks.extend(judge::passwords(config, &organization, wanted));
    checks
}

async fn admins(
    side: &TenantSide,
    organization: &hardmatch_ports::tenant::Organization,
    roles: &BTreeMap<ObjectId, Vec<String>>,
) -> Check {
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

fn failed(area: &str, side: &TenantSide, error: &TenantError) -> Check {
    check(area, CheckState::Fail, side.said(error), "")
}

fn unknown(area: &str, side: &TenantSide, error: &TenantError) -> Check {
    check(area, CheckState::Unknown, side.said(error), "")
}
