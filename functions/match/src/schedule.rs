//! What a schedule begins: one run for each scheduled time and connection, however often the time is told.

use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::policy::ScheduledTime;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{Intent, Phase, Run, Status, Stop};
use hardmatch_ports::{Doorbell, Message};
use hardmatch_store::Store;
use hardmatch_store::connection::{ConnectionState, Meta};
use hardmatch_store::runs::new_run_id;
use hardmatch_store::timers::Timer;
use jiff::Timestamp;

use crate::error::MatchError;
use crate::left_over::notify_left_over;
use crate::opening::{self, NewRun};
use crate::ports::MatchPorts;
use crate::slot::{notify_start, slot_at, slot_of};

/// What became of a scheduled time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// A run was opened for it, with this id.
    Opened(String),
    /// The slot was taken before, or a later one was: nothing to do. The id of the newest slot's run.
    Already(String),
    /// The connection writes nothing at that time, and why.
    PassedBy(PassedBy),
    /// The source is asked whether anything changed; where it did, the time's run is begun.
    Looks,
}

/// Why a schedule passes a connection by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassedBy {
    /// It was paused by hand.
    Paused,
    /// Its credentials were given up.
    Disconnected,
    /// It is quarantined, and the next attempt is not due.
    Quarantined,
    /// It has no policy yet.
    NoPolicy,
    /// A run is open, or was open at that time.
    RunOpen,
}

/// Begins the run of a connection for a scheduled time (RFC 3339), once. A run that is still open is abandoned. When a
/// time is told twice, the messages of the run that it began are sent again, so that a kill between the table and the
/// messages loses nothing.
///
/// What lies in the table for this start goes once the run exists, or is found not to be wanted.
pub async fn start_scheduled(ports: &MatchPorts, connection: &ConnectionId, slot: &str) -> Result<Started, MatchError> {
    let (slot, at) = slot_of(slot)?;
    let started = start(ports, connection, slot, at).await?;
    ports.store.write_all(vec![ports.store.delete_timer(connection, Timer::Start, at)]).await?;
    Ok(started)
}

async fn start(ports: &MatchPorts, connection: &ConnectionId, slot: String, at: i64) -> Result<Started, MatchError> {
    loop {
        // A second message that takes the slot in between changes the connection's state, and entering the run fails.
        let meta = ports.store.meta(connection).await?;
        if let Some(taken) = &meta.schedule.slot
            && taken.at >= slot
            && !(taken.at == slot && taken.run.is_empty())
        {
            if taken.at == slot
                && let Some(run) = ports.store.run(connection, &taken.run).await?
            {
                notify_left_over(ports, &run.value).await?;
            }
            return Ok(Started::Already(taken.run.clone()));
        }
        let now_ms = ports.clock.now().as_millisecond();
        if ports.store.take_up(connection, &meta.status).await? {
            continue;
        }
        if let Some(why) = passes_by(&meta, now_ms / 1000) {
            return Ok(Started::PassedBy(why));
        }
        let before = last_run(ports, connection, &meta).await?;
        if before.as_ref().is_some_and(|before| was_just_begun(before, at)) {
            return Ok(Started::PassedBy(PassedBy::RunOpen));
        }
        if let Some(started) = open(ports, connection, &slot, &meta, before).await? {
            return Ok(started);
        }
    }
}

/// Begins the run of a connection's own schedule, once for each of its times, where no run is in the way. Of times that
/// nobody looked at, the last is begun and the others are left out. The run itself says that a time came, so a time that
/// is skipped leaves nothing behind.
///
/// With `alone`, no other process drives a run of the connection: one that is under way was left by its process.
pub async fn start_due(
    ports: &MatchPorts,
    connection: &ConnectionId,
    due: ScheduledTime,
    alone: bool,
) -> Result<Started, MatchError> {
    let slot = slot_at(due.at);
    loop {
        let meta = ports.store.meta(connection).await?;
        if let Some(taken) = meta.schedule.slot.as_ref().filter(|_| is_taken(&meta, due)) {
            return Ok(Started::Already(taken.run.clone()));
        }
        let now_ms = ports.clock.now().as_millisecond();
        if ports.store.take_up(connection, &meta.status).await? {
            continue;
        }
        if let Some(why) = passes_by(&meta, now_ms / 1000) {
            return Ok(Started::PassedBy(why));
        }
        let is_whole = meta.schedule.slot.as_ref().is_none_or(|taken| taken.at < slot_at(due.full));
        let before = last_run(ports, connection, &meta).await?;
        if before.as_ref().is_some_and(|before| is_in_the_way(before, due, is_whole, now_ms, alone)) {
            return Ok(Started::PassedBy(PassedBy::RunOpen));
        }
        if !is_whole && is_quiet(ports, connection, &meta, before.as_ref(), now_ms / 1000).await? {
            match ports.store.take_slot(connection, &meta, &slot).await {
                Err(error) if error.is_conflict() => continue,
                taken => taken?,
            }
            look(ports, connection).await?;
            return Ok(Started::Looks);
        }
        if let Some(started) = open(ports, connection, &slot, &meta, before).await? {
            return Ok(started);
        }
    }
}

/// Whether nothing but a change at the source gives a run anything to do: the last one came to its end under this policy, nobody
/// said anything since, and nobody's day has come.
async fn is_quiet(
    ports: &MatchPorts,
    connection: &ConnectionId,
    meta: &Meta,
    before: Option<&Run>,
    now: i64,
) -> Result<bool, MatchError> {
    let ended = before.is_some_and(|run| {
        run.phase == Phase::Closed && matches!(run.status, Some(Status::Converged | Status::Attention))
    });
    let same = meta.policy.decided == meta.policy.revision && !meta.status.reconnected;
    if !ended || !same || meta.schedule.wanted || meta.quarantine.is_some() {
        return Ok(false);
    }
    let since = meta.history.timers_seen.unwrap_or(now - 24 * 60 * 60);
    let due = ports.store.due(connection, since, now).await?;
    Ok(!due.iter().any(|due| matches!(due.timer, Timer::Person(_))))
}

/// Asks the source whether anything changed, without a run. The slot is taken: a message that is lost on the way costs this slot
/// alone, because what changed is there at the next.
async fn look(ports: &MatchPorts, connection: &ConnectionId) -> Result<(), MatchError> {
    let message = Message::new(connection.clone(), "", MessageKind::ObserveSource);
    ports.doorbell.notify(message, Duration::ZERO).await.map_err(|error| MatchError::Broken(error.to_string()))
}

/// Whether a time of a connection's own schedule was begun already, or a later one was; by what was just read.
pub fn is_taken(meta: &Meta, due: ScheduledTime) -> bool {
    meta.schedule.slot.as_ref().is_some_and(|taken| taken.at >= slot_at(due.at))
}

/// A run that is at work for a time so near before a night (seconds) is not given up for that night.
const JUST_BEGUN: i64 = 12 * 60 * 60;
/// A run that has not ended after this time (milliseconds) is given up for the next time of the connection's schedule.
const GIVEN_UP: i64 = 24 * HOUR_MS;
/// For so long (milliseconds) a plan that somebody asked for can be looked at before a schedule goes on.
const LOOKED_AT: i64 = HOUR_MS;
const HOUR_MS: i64 = 60 * 60 * 1000;

/// Whether a time of a connection's own schedule is skipped for its run that is open, or was last. `is_whole`: the day's whole
/// reading is due.
fn is_in_the_way(run: &Run, due: ScheduledTime, is_whole: bool, now_ms: i64, alone: bool) -> bool {
    match run.phase {
        // Once a day, what came during a run is begun after it.
        Phase::Closed if due.daily => run.started_ms / 1000 >= due.at,
        Phase::Closed => run.closed_ms.is_some_and(|closed| closed / 1000 >= due.at),
        // A plan waits for somebody: every day it is made anew.
        Phase::Planned if run.stop == Some(Stop::Asked) => now_ms - run.started_ms < LOOKED_AT,
        Phase::Planned => !is_whole,
        _ => !alone && now_ms - run.started_ms < GIVEN_UP,
    }
}

/// Whether a run is at work for a scheduled time shortly before another (Unix seconds).
fn was_just_begun(run: &Run, at: i64) -> bool {
    let slot = run.slot.as_deref().and_then(|slot| slot_of(slot).ok());
    !matches!(run.phase, Phase::Planned | Phase::Closed) && slot.is_some_and(|(_, before)| at - before < JUST_BEGUN)
}

/// The run over everybody that is open, or was last.
async fn last_run(ports: &MatchPorts, connection: &ConnectionId, meta: &Meta) -> Result<Option<Run>, MatchError> {
    let Some(id) = &meta.schedule.run else { return Ok(None) };
    Ok(ports.store.run(connection, id).await?.map(|stored| stored.value))
}

/// Opens the run of a slot; `None` when another process changed the connection's state meanwhile.
async fn open(
    ports: &MatchPorts,
    connection: &ConnectionId,
    slot: &str,
    meta: &Meta,
    before: Option<Run>,
) -> Result<Option<Started>, MatchError> {
    let now_ms = ports.clock.now().as_millisecond();
    let new = NewRun::new(new_run_id(now_ms), connection.clone(), Intent::Sync, format!("schedule, {slot}"));
    let Some(run) = opening::enter(&ports.store, &new, meta, Some(slot), now_ms).await? else { return Ok(None) };
    // One that had ended has been told.
    if before.is_some_and(|before| before.phase != Phase::Closed)
        && let Some(before) = last_run(ports, connection, meta).await?
        && before.status == Some(Status::Abandoned)
    {
        ports.metrics.run_ended(&before);
    }
    opening::notify_observers(&*ports.doorbell, &run).await;
    Ok(Some(Started::Opened(run.id)))
}

fn passes_by(meta: &Meta, now: i64) -> Option<PassedBy> {
    match meta.status.state {
        ConnectionState::Paused => return Some(PassedBy::Paused),
        ConnectionState::Disconnected => return Some(PassedBy::Disconnected),
        ConnectionState::Active => {}
    }
    if meta.policy.revision == 0 {
        return Some(PassedBy::NoPolicy);
    }
    meta.quarantine.as_ref().filter(|quarantine| now < quarantine.next).map(|_| PassedBy::Quarantined)
}

/// A nightly start that cannot be entered is asked for again after this time, in a message of its own: what a queue hands
/// over again, it gives up after five times.
const LATER: Duration = Duration::from_mins(1);
/// So long after its time a night is not begun any more (seconds): the next one is nearer.
const LATEST: i64 = 12 * 60 * 60;

/// Enters the start of each connection's run at a scheduled time (RFC 3339), all at once and before anything is sent: from
/// then on the ticks begin what no message begins. A schedule that does not name the time has it from its message: the
/// minute in which that was `sent`, so that a message that is delivered twice starts one run.
///
/// Where the table does not take it, a new message asks for the same time a minute later, for twelve hours.
pub async fn nightly(
    store: &Store,
    doorbell: &dyn Doorbell,
    slot: &str,
    sent: Option<Timestamp>,
    now: i64,
) -> Result<(), MatchError> {
    let (slot, at) = match (slot_of(slot), sent.map(Timestamp::as_second)) {
        (Err(_), Some(sent)) => {
            let at = sent - sent.rem_euclid(60);
            (slot_at(at), at)
        }
        (named, _) => named?,
    };
    let connections = match enter_starts(store, at).await {
        Ok(connections) => connections,
        Err(error) if now - at < LATEST => {
            tracing::error!(run.slot = slot, error = %error, "a nightly start could not be entered; it is asked for again");
            let again = Message::for_all(MessageKind::Nightly { slot });
            return doorbell.notify(again, LATER).await.map_err(|_| error);
        }
        Err(error) => return Err(error),
    };
    for connection in connections {
        if let Err(error) = notify_start(doorbell, connection.clone(), slot.clone()).await {
            tracing::warn!(connection.id = %connection, error = %error, "the message of a start could not be sent; the next tick begins it");
        }
    }
    Ok(())
}

async fn enter_starts(store: &Store, at: i64) -> Result<Vec<ConnectionId>, MatchError> {
    let connections = store.connections().await?;
    let timers = connections.iter().map(|connection| store.put_timer(connection, Timer::Start, at)).collect();
    store.write_all(timers).await?;
    Ok(connections)
}
