//! What a schedule begins: one run for each scheduled time and connection, however often the time is told.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::Doorbell;
use hardmatch_ports::run::{Intent, Status};
use hardmatch_store::Store;
use hardmatch_store::connection::{ConnectionState, Meta};
use hardmatch_store::runs::new_run_id;
use jiff::Timestamp;

use crate::error::MatchError;
use crate::left_over::notify_left_over;
use crate::opening::{self, Accept, Opening};
use crate::ports::MatchPorts;
use crate::slot::{notify_start, slot_at, slot_name};

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
pub async fn start_scheduled(ports: &MatchPorts, connection: &ConnectionId, slot: &str) -> Result<Started, MatchError> {
    let slot = slot_name(slot)?;
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
        if let Some(why) = passes_by(&meta, now_ms / 1000) {
            return Ok(Started::PassedBy(why));
        }
        let opening = Opening {
            id: new_run_id(now_ms),
            connection: connection.clone(),
            intent: Intent::Sync,
            accept: Accept::Nothing,
            everybody: false,
            only: None,
            accept_source: false,
            retry: false,
            by: format!("schedule, {slot}"),
        };
        if let Some(run) = opening::enter(&ports.store, &opening, &meta, Some(&slot), now_ms).await? {
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

/// Starts the run of each connection at a scheduled time (RFC 3339). A schedule that does not name the time has it from
/// its message: the minute in which that was `sent`, so that a message that is delivered twice starts one run. A message
/// that cannot be sent fails the whole; when it is repeated, connections that were started already find their slot taken.
pub async fn nightly(
    store: &Store,
    doorbell: &dyn Doorbell,
    slot: &str,
    sent: Option<Timestamp>,
) -> Result<(), MatchError> {
    let slot = match (slot_name(slot), sent.map(Timestamp::as_second)) {
        (Err(_), Some(sent)) => slot_at(sent - sent.rem_euclid(60)),
        (named, _) => named?,
    };
    for connection in store.connections().await? {
        notify_start(doorbell, connection, slot.clone()).await?;
    }
    Ok(())
}
