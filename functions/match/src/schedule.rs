//! What a schedule begins: one run for each scheduled time and connection, however often the time is told.

use std::time::Duration;

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{Intent, Status};
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
}

/// Begins the run of a connection for a scheduled time (RFC 3339), once. A run that is still open is abandoned. When a
/// time is told twice, the messages of the run that it began are sent again, so that a kill between the table and the
/// messages loses nothing.
///
/// What lies in the table for this start goes once the run exists, or is found not to be wanted.
pub async fn start_scheduled(ports: &MatchPorts, connection: &ConnectionId, slot: &str) -> Result<Started, MatchError> {
    let (slot, at) = slot_of(slot)?;
    let started = start(ports, connection, slot).await?;
    ports.store.write_all(vec![ports.store.delete_timer(connection, Timer::Start, at)]).await?;
    Ok(started)
}

async fn start(ports: &MatchPorts, connection: &ConnectionId, slot: String) -> Result<Started, MatchError> {
    loop {
        // A second message that takes the slot in between changes the connection's state, and entering the run fails.
        let meta = ports.store.meta(connection).await?;
        if let Some(taken) = &meta.schedule.slot
            && taken.at >= slot
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
        let new = NewRun::new(new_run_id(now_ms), connection.clone(), Intent::Sync, format!("schedule, {slot}"));
        if let Some(run) = opening::enter(&ports.store, &new, &meta, Some(&slot), now_ms).await? {
            if let Some(before) = &meta.schedule.run
                && let Some(before) = ports.store.run(connection, before).await?
                && before.value.status == Some(Status::Abandoned)
            {
                ports.metrics.run_ended(&before.value);
            }
            opening::notify_observers(&*ports.doorbell, &run).await;
            return Ok(Started::Opened(run.id));
        }
    }
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
