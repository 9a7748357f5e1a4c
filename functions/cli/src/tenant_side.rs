//! The side that reaches the tenant: its client, and the simulated tenant where there is one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use hardmatch_checkup::said;
use hardmatch_checkup::{Side, TenantLook};
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::policy::Expression as _;
use hardmatch_embedded::{Holder, Lock, ProcessLock};
use hardmatch_policy::{Cloud, Config, Endpoints};
use hardmatch_ports::credentials::Credential;
use hardmatch_ports::source::{Each, Entry, read_whole};
use hardmatch_ports::{Clock, TenantRead as _, TokenStore};
use hardmatch_sim::{DomainType, SeedDomain};
use hardmatch_store::connection::{ConnectionStatus, Meta};
use hardmatch_vault::SecretCredential;
use hardmatch_wiring::connections::guid;
use hardmatch_wiring::source::source;
use hardmatch_wiring::tenant::{TenantMeans, credential};
use secrecy::SecretString;

use crate::connection::{State, beside, clock};
use crate::fail::Failure;

/// Where answers of the connect pages go, whatever their port: the simulated tenant's application has it registered, as a
/// real one must. <https://learn.microsoft.com/entra/identity-platform/reply-url#localhost-exceptions>
const CONNECT_REDIRECT: &str = "http://localhost/connect/return";

/// A simulated tenant of another process that is just starting is looked at again after this.
const TENANT_STARTING: Duration = Duration::from_millis(100);
/// So often.
const TENANT_STARTS: u32 = 50;

/// The tenant's client, and the simulated tenant when there is one.
pub(crate) struct TenantSide {
    side: Side,
    simulated: Option<Simulated>,
}

/// A simulated tenant. Its state lies in one file, so one process is the tenant, and others speak to it.
enum Simulated {
    Here { running: hardmatch_sim::Running, _lock: ProcessLock },
    InAnotherProcess,
}

impl std::ops::Deref for TenantSide {
    type Target = Side;

    fn deref(&self) -> &Side {
        &self.side
    }
}

impl TenantSide {
    /// Stops the simulated tenant, its state safe.
    pub(crate) async fn stop(self) {
        if let Some(Simulated::Here { running, .. }) = self.simulated {
            running.stop().await;
        }
    }
}

/// Connects to the tenant, or starts the simulated one. Tokens are kept by `token_store`, where there is one.
pub(crate) async fn tenant_side(
    config: &Config,
    clock: &Arc<dyn Clock>,
    token_store: Option<Arc<dyn TokenStore>>,
) -> Result<TenantSide, Failure> {
    let (endpoints, simulated) = match &config.tenant.cloud {
        Cloud::Simulated { seed } => {
            let (url, simulated) = simulated(config, seed.as_deref(), &**clock).await?;
            (Endpoints { login: url.clone(), graph: url }, Some(simulated))
        }
        cloud => match cloud.endpoints() {
            Some(endpoints) => (endpoints, None),
            None => return Err(Failure::usage("tenant.cloud names no host")),
        },
    };
    let means = TenantMeans { clock: Arc::clone(clock), identity: None, secrets: None, token_store };
    let (client_id, credential): (_, Arc<dyn Credential>) = match (&config.tenant.auth, credential(config, &means)?) {
        (Some(auth), Some(credential)) => (auth.client_id.clone(), credential),
        (None, _) | (_, None) if simulated.is_some() => {
            let secret = SecretCredential::literal(SecretString::from(hardmatch_sim::CONTOSO_SECRET));
            (hardmatch_sim::CONTOSO_CLIENT_ID.to_owned(), Arc::new(secret))
        }
        (None, _) | (_, None) => {
            return Err(Failure::usage("[tenant.auth] is missing: say how the application proves itself"));
        }
    };
    let tenant = if simulated.is_some() { TenantLook::Simulated } else { TenantLook::Hosts };
    let side = Side::new(config, endpoints, (client_id, credential), &means, tenant)?;
    Ok(TenantSide { side, simulated })
}

/// The simulated tenant's address: of this process, or of the one that has its state.
async fn simulated(config: &Config, seed: Option<&Path>, clock: &dyn Clock) -> Result<(String, Simulated), Failure> {
    let path = beside(&config.state_path, "tenant.lock");
    let failed = |error: std::io::Error| Failure::run(format!("{} cannot be locked: {error}", path.display()));
    for _ in 0..TENANT_STARTS {
        match ProcessLock::take(&path).map_err(failed)? {
            Lock::Ours(lock) => {
                let running = simulate(config, seed).await?;
                let url = running.url().to_owned();
                lock.note(&url).map_err(failed)?;
                return Ok((url, Simulated::Here { running, _lock: lock }));
            }
            Lock::Theirs(Holder { note: Some(url), .. }) => return Ok((url, Simulated::InAnotherProcess)),
            // It is just starting.
            Lock::Theirs(Holder { note: None, .. }) => clock.sleep(TENANT_STARTING).await,
        }
    }
    Err(Failure::run(format!("another process has the simulated tenant and does not say where ({})", path.display())))
}

async fn simulate(config: &Config, seed: Option<&Path>) -> Result<hardmatch_sim::Running, Failure> {
    let seed = match seed {
        Some(path) => {
            let text = fs::read_to_string(path)
                .map_err(|error| Failure::usage(format!("cannot read the seed {}: {error}", path.display())))?;
            hardmatch_sim::Seed::from_json(&text).map_err(Failure::usage)?
        }
        None => unseeded(config).await,
    };
    hardmatch_sim::Sim::new(seed)
        .state(beside(&config.state_path, "tenant"))
        .start_local()
        .await
        .map_err(|error| Failure::run(format!("the simulated tenant could not be started: {error}")))
}

/// An empty tenant that fits the file: it goes by the name that the file gives it, and has verified the domains of the
/// source's sign-in names, so that a directory can be tried without describing a tenant first.
async fn unseeded(config: &Config) -> hardmatch_sim::Seed {
    let mut seed = hardmatch_sim::Seed::contoso();
    for app in &mut seed.apps {
        app.redirect_uris.push(CONNECT_REDIRECT.to_owned());
        app.scopes.clone_from(&app.roles);
    }
    let mut names = upn_domains(config).await;
    let id = &config.tenant.id;
    let initial = match id.split_once('.') {
        Some((_, "onmicrosoft.com")) => id.clone(),
        Some((label, _)) => {
            names.insert(id.clone());
            format!("{label}.onmicrosoft.com")
        }
        None => {
            seed.tenant.id.clone_from(id);
            "simulated.onmicrosoft.com".to_owned()
        }
    };
    names.remove(&initial);
    names.insert(initial);
    seed.tenant.display_name = config.connection.to_string();
    seed.domains = names.iter().map(|name| SeedDomain::new(name, DomainType::Managed)).collect();
    seed
}

/// The domains of the source's sign-in names. A source that cannot be read has none; the run says why.
async fn upn_domains(config: &Config) -> BTreeSet<String> {
    let mut domains = BTreeSet::new();
    let Ok(source) = source(config, &clock()) else { return domains };
    let mut entries = Each(|entry| {
        let Entry::Person(person) = entry else { return };
        let built = config.attributes.get(&Attr::UserPrincipalName).and_then(|mapping| mapping.from.as_ref());
        let upn = match built {
            Some(expression) => expression.eval(&person).unwrap_or_default(),
            None => person.upn().unwrap_or_default().to_owned(),
        };
        if let Some((_, domain)) = upn.rsplit_once('@').filter(|(_, domain)| !domain.is_empty()) {
            domains.insert(domain.to_lowercase());
        }
    });
    // What was read before an error counts.
    drop(read_whole(&*source, &mut entries).await);
    domains
}

/// The tenant's directory id: from the file, from the connection's memory, or asked for.
pub(crate) async fn tenant_id(state: &State, meta: &Meta, side: &TenantSide) -> Result<String, Failure> {
    let known = meta.status.tenant.clone();
    let named = guid(&state.loaded.config.tenant.id);
    let found = match (&known, &named) {
        (Some(known), Some(named)) if known != named => return Err(other_tenant(known, named)),
        (Some(known), Some(_)) => return Ok(known.clone()),
        (None, Some(named)) if side.simulated.is_none() => named.clone(),
        (_, _) => {
            let organization = side.client.organization().await.map_err(|error| Failure::run(side.said(&error)))?;
            organization.id.as_str().to_owned()
        }
    };
    if let Some(known) = &known
        && *known != found
    {
        return Err(other_tenant(known, &found));
    }
    let connection = &state.loaded.config.connection;
    state.store.update(connection, |status: &mut ConnectionStatus| status.tenant = Some(found.clone())).await?;
    Ok(found)
}

/// A connection stays with the tenant it met first.
pub(crate) fn same_tenant(config: &Config, meta: &Meta) -> Result<(), Failure> {
    match (&meta.status.tenant, guid(&config.tenant.id)) {
        (Some(known), Some(named)) if !known.eq_ignore_ascii_case(&named) => Err(other_tenant(known, &named)),
        (Some(_) | None, _) => Ok(()),
    }
}

pub(crate) fn other_tenant(known: &str, found: &str) -> Failure {
    Failure::usage(format!(
        "this connection's state is of tenant {known}, but the file names tenant {found}. Give the other tenant a connection and a state file of its own"
    ))
}
