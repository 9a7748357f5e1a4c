//! A recorded run decided again from the same facts, with nobody asked: no source, no tenant.

use hardmatch_ports::run::{Intent, Phase, Run};
use hardmatch_store::runs::RunPlace;

use crate::driver::advance;
use crate::error::MatchError;
use crate::opening::{NewRun, abandon, fresh};
use crate::ports::MatchPorts;

/// Messages after which deciding does not come to its end any more.
const MOST: usize = 10_000;

/// Decides everybody again as a run of the name `id` under this policy, from what the table holds. `recorded` is the run
/// whose observation it was: how completely each side was read is taken from it. The clock of `ports` must stand at the
/// time of that run, because time alone changes decisions. Returns the run with its plan.
pub async fn replay(ports: &MatchPorts, recorded: &Run, id: &str, revision: u64) -> Result<Run, MatchError> {
    let connection = &recorded.connection;
    let meta = ports.store.meta(connection).await?;
    if let Some(open) = &meta.schedule.run {
        abandon(&ports.store, connection, open, recorded.started_ms).await?;
    }
    let new = NewRun {
        everybody: true,
        retry: recorded.retry,
        ..NewRun::new(id.to_owned(), connection.clone(), Intent::Plan, String::new())
    };
    let run = Run {
        policy_revision: revision,
        collections: recorded.collections.clone(),
        refused_entries: recorded.refused_entries.clone(),
        left_out: recorded.left_out.clone(),
        problems: recorded.problems.clone(),
        ..fresh(&new, &meta, recorded.started_ms)
    };
    ports.store.open_run(&run, &RunPlace::Connection(Box::new(meta))).await?;
    for _ in 0..MOST {
        advance(ports, connection, id).await?;
        let Some(run) = ports.store.run(connection, id).await? else { break };
        if matches!(run.value.phase, Phase::Planned | Phase::Closed) {
            return Ok(run.value);
        }
    }
    Err(MatchError::Broken("the recorded facts could not be decided again".to_owned()))
}
