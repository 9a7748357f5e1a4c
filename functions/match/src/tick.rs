//! The tick: takes what is due and sends messages for work left over. On AWS every five minutes, locally at the start and each
//! minute. Whatever message was lost, duplicated or given up, the table holds the work and this finds it.

use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{CollectionState, Phase, Run};
use hardmatch_store::Store;
use hardmatch_store::changes::LanePhase;
use hardmatch_store::connection::ConnectionState;
use hardmatch_store::timers::{Due, Timer};

use crate::{ConnectionHealth, MatchError, MatchPorts, driver, opening, schedule, table_loss};

/// Has all connections looked after, one after the other. One that cannot be opened, or that fails, takes none along and is
/// left to the next tick.
pub async fn tick_all<Fut, E>(store: &Store, tick: impl Fn(ConnectionId) -> Fut) -> Result<(), MatchError>
where
    Fut: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    for connection in store.connections().await? {
        if let Err(error) = tick(connection.clone()).await {
            tracing::error!(connection.id = %connection, error = %error, "a connection could not be looked after");
        }
    }
    Ok(())
}

/// Ticks for one connection: what is due is taken, and its open runs are sent a message.
pub async fn tick(ports: &MatchPorts, connection: &ConnectionId) -> Result<(), MatchError> {
    let meta = ports.store.meta(connection).await?.value;
    if meta.standing == ConnectionState::Disconnected {
        // Its clocks stand still.
        return Ok(());
    }
    let now = ports.clock.now_seconds();
    take_due(ports, connection, meta.timers_seen.unwrap_or(now), now).await?;
    let mut open = ports.store.now_runs(connection).await?;
    open.extend(meta.run);
    let mut stuck_runs = 0;
    for id in open {
        let Some(run) = ports.store.run(connection, &id).await? else { continue };
        stuck_runs += u64::from(run.value.is_stuck());
        if run.value.phase == Phase::Closed {
            // Left behind by a kill between the end of the run and this.
            ports.store.free_place(&run.value).await?;
        }
        if is_older_than_a_day(&run.value, now) && table_loss::is_restored(ports, connection).await? {
            // It was under way when the table was saved, and what it had decided is no longer true.
            opening::abandon(&ports.store, connection, &id, ports.clock.now().as_millisecond()).await?;
            continue;
        }
        notify_left_over(ports, &run.value).await?;
    }
    let quarantined = meta.quarantine.is_some();
    let credential_ends = meta.credential_ends;
    let since = meta.last_run.filter(|_| meta.paused.is_none());
    let hours_since_run = since.map(|ended| (now - ended).div_euclid(60 * 60));
    let connection = connection.clone();
    ports.metrics.connection_state(&ConnectionHealth {
        connection,
        stuck_runs,
        quarantined,
        hours_since_run,
        credential_ends,
    });
    Ok(())
}

/// Whether a run that is not at rest was begun more than a day ago.
fn is_older_than_a_day(run: &Run, now: i64) -> bool {
    !matches!(run.phase, Phase::Planned | Phase::Closed) && now - run.started_ms / 1000 > 24 * 60 * 60
}

/// Acts on timers that came due since a time (Unix seconds), and forgets each when that is done: killed in between, the
/// next to look does it again, which changes nothing.
async fn take_due(ports: &MatchPorts, connection: &ConnectionId, since: i64, now: i64) -> Result<(), MatchError> {
    let due = ports.store.due(connection, since, now).await?;
    for Due { timer, at, key } in &due {
        match timer {
            Timer::Person(_) => {}
            Timer::Quarantine => {
                try_again(ports, connection, *at).await?;
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
        ports.store.table().batch_write(marks).await?;
        ports.store.delete_keys(keys).await?;
    }
    Ok(())
}

/// The next attempt of a quarantined connection, unless it was released or put off since the timer was set, or somebody
/// is at it already.
async fn try_again(ports: &MatchPorts, connection: &ConnectionId, at: i64) -> Result<(), MatchError> {
    let meta = ports.store.meta(connection).await?.value;
    if meta.quarantine.is_none_or(|quarantine| quarantine.next != at) {
        return Ok(());
    }
    if let Some(id) = meta.run
        && let Some(run) = ports.store.run(connection, &id).await?
        && run.value.started_ms / 1000 >= at
        && !matches!(run.value.phase, Phase::Planned | Phase::Closed)
    {
        return Ok(());
    }
    schedule::notify_start(&*ports.doorbell, connection.clone(), schedule::spelled(at)).await
}

/// Notifies what a run has left to do: for the work itself where there is some, else for whoever sees that the phase has
/// ended. Nothing rests on a message that the functions sent to one another.
pub async fn notify_left_over(ports: &MatchPorts, run: &Run) -> Result<(), MatchError> {
    for kind in left_over(ports, run).await? {
        let notified = ports.doorbell.notify(run.message(kind), Duration::ZERO).await;
        notified.map_err(|error| MatchError::Broken(error.to_string()))?;
    }
    Ok(())
}

/// What there is to do in a run's phase.
async fn left_over(ports: &MatchPorts, run: &Run) -> Result<Vec<MessageKind>, MatchError> {
    let read = |name: &str| run.collections.get(name).is_some_and(|known| known.state != CollectionState::Reading);
    Ok(match run.phase {
        Phase::Observing => match (read("users"), read("people")) {
            (true, true) => vec![MessageKind::Advance],
            (true, false) => vec![MessageKind::ObserveSource],
            (false, true) => vec![MessageKind::ObserveTenant],
            (false, false) => vec![MessageKind::ObserveTenant, MessageKind::ObserveSource],
        },
        Phase::Deciding if ports.store.slices(&run.id, None, 1).await?.is_empty() => vec![MessageKind::Advance],
        Phase::Deciding => vec![MessageKind::Match],
        Phase::Writing => to_write(ports, run, LanePhase::Write).await?,
        Phase::Removing => to_write(ports, run, LanePhase::Remove).await?,
        Phase::Gate | Phase::Reporting => vec![MessageKind::Advance],
        Phase::Planned | Phase::Closed => Vec::new(),
    })
}

/// Notifies a look at the tenant when a run has been writing for so long that it is time for one. For whoever keeps a run
/// going in one process, where no message is lost; elsewhere [`tick`] does this too.
pub async fn notify_to_look_again(ports: &MatchPorts, run: &Run) -> Result<(), MatchError> {
    if matches!(run.phase, Phase::Writing | Phase::Removing) && looks_again(ports).await? {
        driver::notify(ports, run, MessageKind::ObserveTenant).await;
    }
    Ok(())
}

async fn to_write(ports: &MatchPorts, run: &Run, lane: LanePhase) -> Result<Vec<MessageKind>, MatchError> {
    let empty = ports.store.pointers(&run.id, lane, None, 1).await?.is_empty();
    if empty || driver::quarantined_by_this_run(ports, run).await? {
        return Ok(vec![MessageKind::Advance]);
    }
    let mut kinds = vec![MessageKind::Write];
    if looks_again(ports).await? {
        kinds.push(MessageKind::ObserveTenant);
    }
    Ok(kinds)
}

/// Whether the tenant was last looked at so long ago that what others did there meanwhile should be known.
async fn looks_again(ports: &MatchPorts) -> Result<bool, MatchError> {
    let tenant = ports.store.tenant(&ports.scope).await?;
    Ok(tenant.is_some_and(|tenant| tenant.value.wants_refresh(ports.clock.now_seconds())))
}
