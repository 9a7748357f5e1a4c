//! A connection's tokens on this machine: sealed, in a small file of their own beside the state, under a key of this
//! machine. Never their values.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hardmatch_checkup::is_delegated;
use hardmatch_embedded::{FileTable, Missing, TableOptions};
use hardmatch_graph::claims_of;
use hardmatch_policy::permission;
use hardmatch_policy::{Cloud, Config};
use hardmatch_ports::{Clock, Seal, Table, TokenKind, TokenStore};
use hardmatch_runtime::env;
use hardmatch_vault::{LocalSeal, SealedSecrets, TokenVault};

use crate::connection::beside;
use crate::fail::Failure;

/// Where the tokens of a connection are kept.
#[derive(Clone)]
pub(crate) struct Tokens {
    table: Arc<dyn Table>,
    seal: Arc<dyn Seal>,
    clock: Arc<dyn Clock>,
    connection: String,
}

/// The file of tokens.
pub(crate) fn path(config: &Config) -> PathBuf {
    beside(&config.state_path, "tokens")
}

impl Tokens {
    /// Opens the file. `missing` says whether a new one may be begun; `None` when there is none and none may.
    pub(crate) fn open(config: &Config, clock: &Arc<dyn Clock>, missing: Missing) -> Result<Option<Self>, Failure> {
        let path = path(config);
        if matches!(missing, Missing::Refuse) && !path.exists() {
            return Ok(None);
        }
        let table = FileTable::open(&path, &TableOptions { missing, ..TableOptions::default() })?;
        Ok(Some(Self {
            table: Arc::new(table),
            seal: Arc::new(seal(&config.state_path)?),
            clock: Arc::clone(clock),
            connection: config.connection.to_string(),
        }))
    }

    /// As a run needs them. A simulated tenant's are worth nothing outside of it, and are not kept.
    pub(crate) fn of_a_run(config: &Config, clock: &Arc<dyn Clock>) -> Result<Option<Self>, Failure> {
        match config.tenant.cloud {
            Cloud::Simulated { .. } => Ok(None),
            _ => Self::open(config, clock, Missing::Create),
        }
    }

    /// Forgets a kept access token that lacks a permission: it may have been granted since, and would show in the next
    /// one only. Somebody waits in front of this, and has perhaps just granted it.
    pub(crate) async fn renew_what_lacks(&self, config: &Config) -> Result<(), Failure> {
        let vault = self.vault();
        let Some((kept, _)) = vault.load(TokenKind::Access).await.map_err(Failure::run)? else { return Ok(()) };
        let needs = permission::needs(&config.features());
        let lacks = claims_of(&kept.secret).map_or(true, |grant| {
            let judged = permission::judge(&needs, &grant.permissions);
            !judged.missing.is_empty()
        });
        if lacks { vault.forget_access().await.map_err(Failure::run) } else { Ok(()) }
    }

    /// The tokens of another connection in the same file.
    pub(crate) fn beside(&self, config: &Config) -> Self {
        Self { connection: config.connection.to_string(), ..self.clone() }
    }

    pub(crate) fn vault(&self) -> TokenVault {
        let (table, seal) = (Arc::clone(&self.table), Arc::clone(&self.seal));
        TokenVault::new(table, seal, Arc::clone(&self.clock), self.connection.as_str())
    }

    pub(crate) fn token_store(&self) -> Arc<dyn TokenStore> {
        Arc::new(self.vault())
    }

    /// What a sign-in in progress keeps back.
    pub(crate) fn sealed(&self) -> Arc<SealedSecrets> {
        let (table, seal) = (Arc::clone(&self.table), Arc::clone(&self.seal));
        Arc::new(SealedSecrets::new(table, seal, Arc::clone(&self.clock), self.connection.as_str()))
    }
}

/// The key in the environment, where one is set; otherwise in a file beside the state.
fn seal(state: &Path) -> Result<LocalSeal, Failure> {
    Ok(match env::read(env::LOCAL_KEY.name).map_err(Failure::usage)? {
        Some(_) => LocalSeal::env(env::LOCAL_KEY.name, |name| env::read(name).ok().flatten()),
        None => LocalSeal::file(beside(state, "key")),
    })
}

/// For commands that look whether the credentials work *now*. Makes no file.
pub(crate) fn looking(config: &Config, clock: &Arc<dyn Clock>) -> Result<Option<Arc<dyn TokenStore>>, Failure> {
    if !is_delegated(config) {
        return Ok(None);
    }
    let kept = Tokens::open(config, clock, Missing::Refuse)?.map(|tokens| tokens.token_store());
    Ok(hardmatch_checkup::looking(config, kept))
}
