//! Timers that have come due: people whose day it is, and the next attempt of a quarantined connection.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::Phase;
use hardmatch_store::timers::{Due, Timer};

use crate::error::MatchError;
use crate::ports::MatchPorts;
use crate::schedule::start_scheduled;
use crate::slot::{notify_start, slot_at};

/// A start that lay for so long (seconds) is not begun: the next night is.
const TOO_LATE: i64 = 24 * 60 * 60;

/// Acts on timers that came due since a time (Unix seconds), and forgets each when that is done. After a kill in between,
/// the next tick acts on the timer again, which changes nothing.
pub(crate) async fn take_due(
    ports: &MatchPorts,
    connection: &ConnectionId,
    since: i64,
    now: i64,
) -> Result<(), MatchError> {
    let due = ports.store.due(connection, since, now).await?;
    for Due { timer, at, key } in &due {
        match timer {
            Timer::Person(_) => {}
            Timer::Quarantine => {
                try_again(ports, connection, *at).await?;
                ports.store.delete_keys(vec![key.clone()]).await?;
            }
            // Entered, and begun by no message so far.
            Timer::Start if now - at < TOO_LATE => {
                let started = start_scheduled(ports, connection, &slot_at(*at)).await?;
                tracing::info!(connection.id = %connection, run.started = ?started, "a tick began what was entered to be begun");
            }
            Timer::Start => {
                tracing::warn!(connection.id = %connection, run.slot = slot_at(*at), "a start lay for a day and is not begun any more");
                ports.store.delete_keys(vec![key.clone()]).await?;
            }
        }
    }
    mark_due(ports, connection, &due).await
}

/// Marks the people among those whose time has come, and forgets their timers. Other timers are the tick's: a run takes
/// people along and begins nothing.
pub(crate) async fn take_due_people(
    ports: &MatchPorts,
    connection: &ConnectionId,
    since: i64,
    now: i64,
) -> Result<(), MatchError> {
    let due = ports.store.due(connection, since, now).await?;
    mark_due(ports, connection, &due).await
}

async fn mark_due(ports: &MatchPorts, connection: &ConnectionId, due: &[Due]) -> Result<(), MatchError> {
    let mut marks = Vec::new();
    let mut keys = Vec::new();
    for due in due {
        if let Timer::Person(pid) = due.timer {
            marks.push(ports.store.mark_dirty(connection, pid));
            keys.push(due.key.clone());
        }
    }
    if !marks.is_empty() {
        ports.store.write_all(marks).await?;
        ports.store.delete_keys(keys).await?;
    }
    Ok(())
}

/// Starts the next attempt of a quarantined connection, unless the quarantine was released or put off since the timer was
/// set, or a run has begun since.
async fn try_again(ports: &MatchPorts, connection: &ConnectionId, at: i64) -> Result<(), MatchError> {
    let meta = ports.store.meta(connection).await?;
    if meta.quarantine.is_none_or(|quarantine| quarantine.next != at) {
        return Ok(());
    }
    if let Some(id) = meta.schedule.run
        && let Some(run) = ports.store.run(connection, &id).await?
        && run.value.started_ms / 1000 >= at
        && !matches!(run.value.phase, Phase::Planned | Phase::Closed)
    {
        return Ok(());
    }
    // In the table before the timer goes: the message alone might be given up.
    ports.store.write_all(vec![ports.store.put_timer(connection, Timer::Start, at)]).await?;
    notify_start(&*ports.doorbell, connection.clone(), slot_at(at)).await
}
