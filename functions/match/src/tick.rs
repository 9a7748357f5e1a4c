//! The tick: takes what is due and sends messages for work left over. On AWS every five minutes, locally at the start and
//! each minute. Whatever message was lost, duplicated or given up, the table holds the work and the tick finds it.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::run::{Phase, Run};
use hardmatch_store::Store;
use hardmatch_store::connection::{ConnectionState, Meta};

use crate::due::take_due;
use crate::error::MatchError;
use crate::left_over::notify_left_over;
use crate::ports::{ConnectionHealth, MatchPorts};
use crate::requests::notify_requests;
use crate::{opening, table_loss};

/// Looks after all connections, one after the other. A connection that cannot be opened, or that fails, takes none along
/// and is left to the next tick. Returns those that failed.
pub async fn tick_all<Fut, E>(
    store: &Store,
    tick: impl Fn(ConnectionId) -> Fut,
) -> Result<Vec<ConnectionId>, MatchError>
where
    Fut: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let mut failed = Vec::new();
    for connection in store.connections().await? {
        if let Err(error) = tick(connection.clone()).await {
            tracing::error!(connection.id = %connection, error = %error, "a connection could not be looked after");
            failed.push(connection);
        }
    }
    Ok(failed)
}

/// Ticks for one connection: what is due is taken, and its open runs are sent a message.
pub async fn tick(ports: &MatchPorts, connection: &ConnectionId) -> Result<(), MatchError> {
    let meta = ports.store.meta(connection).await?;
    look_after(ports, connection, &meta).await
}

/// The same for a connection whose state was just read: a stack reads it to open the connection, and pays for each reading
/// every five minutes.
pub async fn look_after(ports: &MatchPorts, connection: &ConnectionId, meta: &Meta) -> Result<(), MatchError> {
    if meta.status.state == ConnectionState::Disconnected {
        // The timers of a disconnected connection stand still, until it is connected again.
        ports.store.take_up(connection, &meta.status).await?;
        return Ok(());
    }
    let now = ports.clock.now_seconds();
    // Before a first run nothing says how far timers were taken: a start may have been entered before midnight.
    take_due(ports, connection, meta.history.timers_seen.unwrap_or(now - 24 * 60 * 60), now).await?;
    let mut open = ports.store.now_runs(connection).await?;
    open.extend(meta.schedule.run.clone());
    let mut stuck_runs = 0;
    for id in open {
        let Some(run) = ports.store.run(connection, &id).await? else { continue };
        stuck_runs += u64::from(run.value.is_stuck());
        if run.value.phase == Phase::Closed {
            // Left behind by a kill between the end of the run and this.
            if run.value.is_partial() {
                ports.store.clear_asked(&id).await?;
            }
            ports.store.free_place(&run.value).await?;
        }
        if is_older_than_a_day(&run.value, now) && table_loss::is_restored(ports, connection).await? {
            // The run was under way when the table was saved, and what it had decided is no longer true.
            opening::abandon(&ports.store, connection, &id, ports.clock.now().as_millisecond()).await?;
            continue;
        }
        notify_left_over(ports, &run.value).await?;
    }
    notify_requests(ports, connection).await?;
    // A connection whose first plan waits for somebody is silent since its first run began to look.
    let since = meta.history.last_run.or(meta.history.timers_seen).filter(|_| meta.status.paused.is_none());
    ports.metrics.connection_state(&ConnectionHealth {
        connection: connection.clone(),
        stuck_runs,
        quarantined: meta.quarantine.is_some(),
        hours_since_run: since.map(|ended| (now - ended).div_euclid(60 * 60)),
        credential_ends: meta.credential.ends,
    });
    Ok(())
}

/// Whether a run that is not at rest was begun more than a day ago.
fn is_older_than_a_day(run: &Run, now: i64) -> bool {
    !matches!(run.phase, Phase::Planned | Phase::Closed) && now - run.started_ms / 1000 > 24 * 60 * 60
}
