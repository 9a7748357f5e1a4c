//! One connection, opened: its file, its state, its two sides, wired to the adapters that this build has.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
pub(crate) use hardmatch_checkup::said;
use hardmatch_checkup::{Side, TenantLook};
use hardmatch_domain::attribute::Attr;
use hardmatch_domain::policy::Expression as _;
use hardmatch_embedded::{
    FileTable, FolderBlobs, Holder, Lock, Missing, ProcessDoorbell, ProcessLock, TableOptions, open_to_others,
};
use hardmatch_graph::GraphClient;
use hardmatch_match::{MatchPorts, RunCost, RunMetrics};
use hardmatch_policy::{Cloud, Config, Endpoints, Passwords};
use hardmatch_ports::credentials::{Credential, CredentialError, DiscardPasswords, PasswordSink};
use hardmatch_ports::source::Entry;
use hardmatch_ports::{Blobs, Clock, Table, TenantRead as _, TenantWrite as _, TokenStore};
use hardmatch_runtime::RealClock;
use hardmatch_sim::{DomainType, SeedDomain};
use hardmatch_store::connection::Meta;
use hardmatch_store::{Store, StoreError, TenantKey};
use hardmatch_vault::SecretCredential;
use hardmatch_wiring::connections::{activate, guid, scope};
use hardmatch_wiring::source::source;
use hardmatch_wiring::tenant::{TenantMeans, credential};
use secrecy::{ExposeSecret as _, SecretString};

use crate::fail::Failure;
use crate::output;

/// A simulated tenant of another process that is just starting is looked at again after this.
const TENANT_STARTING: Duration = Duration::from_millis(100);
/// So often.
const TENANT_STARTS: u32 = 50;

/// A connection's file, read and checked, and its text.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) text: String,
    pub(crate) path: PathBuf,
}

/// The real clock.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(RealClock)
}

/// The file's text.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!(
            "cannot read {}: {error}. Name the file with --config, or write one with `hardmatch init`",
            path.display()
        ))
    })
}

/// Reads and checks the file. Problems come as pictures of their lines.
pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    let text = read_text(path)?;
    let config = Config::load(&text, &path.display().to_string(), folder(path))
        .map_err(|problems| Failure::usage(problems.pictures(crate::output::paint())))?;
    Ok(Loaded { config, text, path: path.to_owned() })
}

pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The state of a connection: enough to explain and to list, without the two sides.
pub(crate) struct State {
    pub(crate) loaded: Loaded,
    /// The state file, where the state is one.
    pub(crate) file: Option<Arc<FileTable>>,
    pub(crate) table: Arc<dyn Table>,
    pub(crate) store: Store,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Opens the state. `missing` says whether a new file may be begun.
pub(crate) async fn open_state(loaded: Loaded, missing: Missing) -> Result<State, Failure> {
    let path = &loaded.config.state_path;
    let options = TableOptions { missing, ..TableOptions::default() };
    let file = Arc::new(FileTable::open(path, &options)?);
    for (path, mode) in exposed(&loaded.config) {
        let shown = path.display();
        output::note(format!("hardmatch: others can read {shown} (mode {mode:o}). End that with: chmod 600 {shown}"));
    }
    let table: Arc<dyn Table> = file.clone();
    let blobs: Arc<dyn Blobs> = Arc::new(FolderBlobs::new(beside(path, "files")));
    let store = Store::open(Arc::clone(&table)).await?;
    Ok(State { loaded, file: Some(file), table, store, blobs, clock: clock() })
}

/// Files of state and secrets that others than their owner can read or write, with their modes.
pub(crate) fn exposed(config: &Config) -> Vec<(PathBuf, u32)> {
    let state = &config.state_path;
    let log = || {
        let mut path = state.as_os_str().to_owned();
        path.push("-wal");
        PathBuf::from(path)
    };
    let files = [state.clone(), log(), beside(state, "tokens"), beside(state, "key")];
    files.into_iter().filter_map(|path| open_to_others(&path).map(|mode| (path, mode))).collect()
}

/// Where the process that drives runs on this state is known.
fn lock_path(state: &Path) -> PathBuf {
    let mut path = state.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// The process that drives a run on this state now, when there is one.
pub(crate) fn driver(state: &Path) -> Option<Holder> {
    ProcessLock::holder(&lock_path(state)).ok().flatten()
}

/// A path beside the state file: `lab.db` and `files` give `lab.files`.
pub(crate) fn beside(state: &Path, extension: &str) -> PathBuf {
    state.with_extension(extension)
}

impl State {
    /// The cloud and tenant under which the connection's look-ups lie. Known without asking anybody once the tenant
    /// was observed, or when the file gives its directory id.
    pub(crate) fn scope(&self, meta: &Meta) -> Option<TenantKey> {
        let tenant = meta.tenant.clone().or_else(|| guid(&self.loaded.config.tenant.id))?;
        Some(scope(&self.loaded.config, &tenant))
    }

    /// What deciding needs, without the tenant at hand; `None` when no tenant is known yet.
    pub(crate) fn deciding(&self, meta: &Meta) -> Option<MatchPorts> {
        let scope = self.scope(meta)?;
        let doorbell = Arc::new(ProcessDoorbell::new(Arc::clone(&self.clock)));
        Some(crate::engine::deciding(self, &scope, &doorbell, None))
    }

    /// Makes this process the one that drives runs on this state, and makes sure that the state can be trusted. Whoever
    /// has it was told so by the operating system, so every process that drove before is gone.
    pub(crate) async fn drive(&self) -> Result<ProcessLock, Failure> {
        let path = lock_path(&self.loaded.config.state_path);
        let lock = match ProcessLock::take(&path) {
            Ok(Lock::Ours(lock)) => lock,
            Ok(Lock::Theirs(holder)) => {
                return Err(Failure::run(format!(
                    "another run is at work on the state file {}: lease held by {}. Wait for it to finish, or stop it. Commands that only look, and `hardmatch connection pause`, work meanwhile",
                    self.loaded.config.state_path.display(),
                    holder.name
                )));
            }
            Err(error) => return Err(Failure::run(format!("{} cannot be locked: {error}", path.display()))),
        };
        if let Some(file) = &self.file {
            file.check().await?;
        }
        Ok(lock)
    }

    /// Makes the file's policy the active one: a new revision when it says something new.
    pub(crate) async fn activate_policy(&self) -> Result<Meta, Failure> {
        Ok(activate(&self.store, &self.loaded.config, &self.loaded.text, folder(&self.loaded.path)).await?)
    }
}

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
    let Ok(mut listing) = source.open().await else { return domains };
    loop {
        let entries = listing.next().await.unwrap_or_default();
        if entries.is_empty() {
            return domains;
        }
        for entry in entries {
            let Entry::Person(person) = entry else { continue };
            let built = config.attributes.get(&Attr::UserPrincipalName).and_then(|mapping| mapping.from.as_ref());
            let upn = match built {
                Some(expression) => expression.eval(&person).unwrap_or_default(),
                None => person.upn().unwrap_or_default().to_owned(),
            };
            if let Some((_, domain)) = upn.rsplit_once('@').filter(|(_, domain)| !domain.is_empty()) {
                domains.insert(domain.to_lowercase());
            }
        }
    }
}

/// Counts of this process.
pub(crate) struct ProcessMetrics {
    pub(crate) client: Option<Arc<GraphClient>>,
    pub(crate) table: Arc<dyn Table>,
}

#[async_trait]
impl RunMetrics for ProcessMetrics {
    async fn read(&self, _: &str) -> Result<RunCost, StoreError> {
        let calls = self.client.as_ref().map(|client| client.counters()).unwrap_or_default();
        Ok(RunCost { calls, units: self.table.units(), compute: None })
    }
}

/// Where initial passwords go, as the file says.
pub(crate) fn password_sink(config: &Config) -> Arc<dyn PasswordSink> {
    match &config.passwords {
        Passwords::Discard => Arc::new(DiscardPasswords),
        Passwords::File(path) => Arc::new(PasswordFile { path: path.clone(), turn: tokio::sync::Mutex::new(()) }),
    }
}

/// Appends `userPrincipalName,password` lines to a file that only its owner can read.
struct PasswordFile {
    path: PathBuf,
    turn: tokio::sync::Mutex<()>,
}

#[async_trait]
impl PasswordSink for PasswordFile {
    async fn deliver(&self, upn: &str, password: &SecretString) -> Result<(), CredentialError> {
        let _turn = self.turn.lock().await;
        self.append(upn, password).map_err(|error| {
            CredentialError(format!(
                "an initial password could not be written to {}: {error}. Make the file writable for its owner and run again",
                self.path.display()
            ))
        })
    }
}

impl PasswordFile {
    fn append(&self, upn: &str, password: &SecretString) -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&self.path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            if file.metadata()?.permissions().mode() & 0o077 != 0 {
                file.set_permissions(fs::Permissions::from_mode(0o600))?;
            }
        }
        let mut line = csv::WriterBuilder::new().from_writer(Vec::new());
        line.write_record([upn, password.expose_secret()])?;
        let line = line.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?;
        file.write_all(&line)?;
        file.sync_data()
    }
}

/// The tenant's directory id: from the file, from the connection's memory, or asked for.
pub(crate) async fn tenant_id(state: &State, meta: &Meta, side: &TenantSide) -> Result<String, Failure> {
    let known = meta.tenant.clone();
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
    state.store.update_meta(connection, |meta| meta.tenant = Some(found.clone())).await?;
    Ok(found)
}

/// A connection stays with the tenant it met first.
pub(crate) fn same_tenant(config: &Config, meta: &Meta) -> Result<(), Failure> {
    match (&meta.tenant, guid(&config.tenant.id)) {
        (Some(known), Some(named)) if !known.eq_ignore_ascii_case(&named) => Err(other_tenant(known, &named)),
        (Some(_) | None, _) => Ok(()),
    }
}

pub(crate) fn other_tenant(known: &str, found: &str) -> Failure {
    Failure::usage(format!(
        "this connection's state is of tenant {known}, but the file names tenant {found}. Give the other tenant a connection and a state file of its own"
    ))
}
