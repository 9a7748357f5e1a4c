//! One connection, opened: its file and its state, wired to the adapters that this build has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_embedded::{
    FileTable, FolderBlobs, Holder, Lock, Missing, ProcessDoorbell, ProcessLock, TableOptions, open_to_others,
};
use hardmatch_graph::GraphClient;
use hardmatch_match::{MatchPorts, RunCost, RunMetrics};
use hardmatch_policy::Config;
use hardmatch_ports::{Blobs, Clock, Table, TenantWrite as _};
use hardmatch_runtime::RealClock;
use hardmatch_store::connection::Meta;
use hardmatch_store::folders::{RUNS, is_over, of_run, run_of};
use hardmatch_store::{Store, StoreError, TenantKey};
use hardmatch_wiring::CompiledPolicies;
use hardmatch_wiring::connections::{activate, guid, scope};

use crate::fail::Failure;
use crate::output;

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
pub(crate) fn lock_path(state: &Path) -> PathBuf {
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
        let tenant = meta.status.tenant.clone().or_else(|| guid(&self.loaded.config.tenant.id))?;
        Some(scope(&self.loaded.config, &tenant))
    }

    /// What deciding needs, without the tenant at hand; `None` when no tenant is known yet.
    pub(crate) fn deciding(&self, meta: &Meta) -> Option<MatchPorts> {
        let scope = self.scope(meta)?;
        let doorbell = Arc::new(ProcessDoorbell::new(Arc::clone(&self.clock)));
        Some(self.ports(&scope, &doorbell, None))
    }

    /// What deciding needs, with the tenant's client at hand or without.
    pub(crate) fn ports(
        &self,
        scope: &TenantKey,
        doorbell: &Arc<ProcessDoorbell>,
        client: Option<&Arc<GraphClient>>,
    ) -> MatchPorts {
        MatchPorts {
            store: self.store.clone(),
            scope: scope.clone(),
            blobs: Arc::clone(&self.blobs),
            clock: Arc::clone(&self.clock),
            doorbell: doorbell.clone(),
            policies: Arc::new(CompiledPolicies::new(folder(&self.loaded.path))),
            metrics: Arc::new(ProcessMetrics { client: client.cloned(), table: Arc::clone(&self.table) }),
            deadline: None,
        }
    }

    /// Makes this process the one that drives runs on this state, and makes sure that the state can be trusted. The
    /// operating system gives the lock to one process, so every process that drove before is gone.
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
            self.delete_ended(file).await?;
        }
        Ok(lock)
    }

    /// On AWS the table and the bucket end by themselves what has had its time.
    async fn delete_ended(&self, file: &FileTable) -> Result<(), Failure> {
        let now = self.clock.now_seconds();
        file.delete_ended(now).await?;
        let names = self.blobs.list(RUNS).await.map_err(Failure::run)?;
        let runs: BTreeSet<&str> = names.iter().filter_map(|name| run_of(name)).collect();
        for run in runs.into_iter().filter(|run| is_over(run, now)) {
            self.blobs.delete_all(&of_run(run)).await.map_err(Failure::run)?;
        }
        Ok(())
    }

    /// Another connection whose state lies in the same file.
    pub(crate) fn beside(&self, loaded: Loaded) -> Self {
        let Self { file, table, store, blobs, clock, .. } = self;
        let (file, table, store) = (file.clone(), Arc::clone(table), store.clone());
        Self { loaded, file, table, store, blobs: Arc::clone(blobs), clock: Arc::clone(clock) }
    }

    /// Makes the file's policy the active one: a new revision when it says something new.
    pub(crate) async fn activate_policy(&self) -> Result<Meta, Failure> {
        Ok(activate(&self.store, &self.loaded.config, &self.loaded.text, folder(&self.loaded.path)).await?)
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
