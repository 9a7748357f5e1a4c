//! Lanes of writers that are gone, freed by the process that may take their place.

use std::path::PathBuf;

use hardmatch_embedded::{Lock, ProcessLock};
use hardmatch_local::Functions;
use hardmatch_ports::doorbell::Urgency;

use crate::connection::State;
use crate::fail::Failure;

/// Where the process that serves a state is known.
pub(crate) fn serve_lock_path(state: &State) -> PathBuf {
    let mut path = state.loaded.config.state_path.as_os_str().to_owned();
    path.push(".serve.lock");
    path.into()
}

/// Frees the lanes of writers that are gone, for a process that drives runs and has the lock for that: the lane of
/// scheduled work, and that of wanted people unless a process serves them.
pub(crate) async fn release_lanes(state: &State, functions: &Functions) -> Result<(), Failure> {
    hardmatch_write::release_lane(&functions.writing, Urgency::Scheduled).await?;
    if let Ok(Lock::Ours(_free)) = ProcessLock::take(&serve_lock_path(state)) {
        hardmatch_write::release_lane(&functions.writing, Urgency::Now).await?;
    }
    Ok(())
}
