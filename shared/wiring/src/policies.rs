//! Policies by revision, compiled once each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hardmatch_domain::policy::Policy;
use hardmatch_policy::{Config, policy_hash};
use hardmatch_ports::Policies;

/// Compiled policies, by the text they were compiled from and the revision they carry: one process may work for many
/// connections.
type Seen = BTreeMap<(String, u64), Arc<Policy>>;

/// Policies that are kept compiled. More than a stack's busy connections need; a bound all the same.
const KEPT: usize = 256;

/// Compiles stored policies, each revision once.
pub struct CompiledPolicies {
    folder: PathBuf,
    seen: Mutex<Seen>,
}

impl CompiledPolicies {
    /// `folder` is what relative paths in a policy refer to.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), seen: Mutex::default() }
    }

    /// For policies that name no files.
    pub fn without_files() -> Self {
        Self::new(Path::new("."))
    }
}

impl Policies for CompiledPolicies {
    fn compile(&self, text: &str, revision: u64) -> Result<Arc<Policy>, String> {
        let key = (policy_hash(text), revision);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(policy) = seen.get(&key) {
            return Ok(Arc::clone(policy));
        }
        let config = Config::load(text, "stored policy", &self.folder).map_err(|problems| problems.lines())?;
        let policy = Arc::new(config.policy(revision));
        if seen.len() >= KEPT {
            seen.clear();
        }
        seen.insert(key, Arc::clone(&policy));
        Ok(policy)
    }

    fn changes(&self, old: &str, new: &str) -> Vec<String> {
        hardmatch_policy::changes(old, new)
    }

    fn application(&self, text: &str) -> Option<String> {
        let config = Config::load(text, "stored policy", &self.folder).ok()?;
        Some(config.tenant.auth.map_or_else(String::new, |auth| auth.client_id))
    }

    fn portal(&self, text: &str) -> Option<&'static str> {
        Config::load(text, "stored policy", &self.folder).ok()?.tenant.cloud.portal()
    }
}
