//! Whether a run put its own connection into quarantine: its writer would send nothing of what is left.

use hardmatch_ports::run::Run;

use crate::error::MatchError;
use crate::ports::MatchPorts;

pub(crate) async fn quarantined_by_this_run(ports: &MatchPorts, run: &Run) -> Result<bool, MatchError> {
    let quarantine = ports.store.meta(&run.connection).await?.quarantine;
    Ok(quarantine.is_some_and(|quarantine| quarantine.run == run.id))
}
