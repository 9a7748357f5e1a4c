//! The end of a run about people who are wanted now: their requests are answered, unless a newer event asked for them
//! again or the tenant let them wait.

use std::collections::BTreeSet;

use hardmatch_ports::run::{OutcomeKind, Run};
use hardmatch_store::PersonHash;

use crate::error::MatchError;
use crate::opening::stop;
use crate::ports::MatchPorts;
use crate::requests::notify_requests;

/// A person whose facts move, or whom the tenant puts off, is asked for again for so long (milliseconds); then the next run
/// over everybody decides them.
const AGAIN_MS: i64 = 60 * 60 * 1000;

/// A run that decided nobody: its requests stay, and the next tick begins another run about them.
pub(super) async fn give_up(ports: &MatchPorts, run: &Run) -> Result<(), MatchError> {
    if run.is_partial() {
        ports.store.clear_asked(&run.id).await?;
    }
    Ok(ports.store.free_place(run).await?)
}

/// Ends the requests that the run answered, frees its place, and has the next run begin where somebody is wanted.
pub(super) async fn end(ports: &MatchPorts, run: &Run) -> Result<(), MatchError> {
    if !run.is_partial() {
        return Ok(());
    }
    let (store, connection) = (&ports.store, &run.connection);
    // A plan was accepted, or a quarantine has ended, while the run was under way: what it held is not held any more, and
    // the requests begin another run.
    let now_s = ports.clock.now_seconds();
    let passed = run.is_held_at_stop() && stop(run.intent, &store.meta(connection).await?, now_s).is_none();
    if run.requests && !passed {
        let asked = store.asked(&run.id).await?;
        let pids: Vec<PersonHash> = asked.iter().map(|(pid, _)| *pid).collect();
        let put_off: BTreeSet<PersonHash> = store
            .outcomes_of(run, &pids)
            .await?
            .into_iter()
            .filter(|(_, outcome)| matches!(outcome.result, OutcomeKind::FactsMoved | OutcomeKind::Unavailable))
            .map(|(pid, _)| pid)
            .collect();
        let now_ms = ports.clock.now().as_millisecond();
        let mut ends = Vec::with_capacity(asked.len());
        for (pid, asked) in asked {
            let Some(revision) = asked.request else { continue };
            if put_off.contains(&pid)
                && let Some(request) = store.sync_request(connection, pid).await?
                && now_ms - request.value.asked_ms < AGAIN_MS
            {
                continue;
            }
            ends.push(store.end_sync_request(connection, pid, revision));
        }
        store.each_if(ends).await?;
    }
    store.clear_asked(&run.id).await?;
    store.free_place(run).await?;
    if run.requests { notify_requests(ports, connection).await } else { Ok(()) }
}
