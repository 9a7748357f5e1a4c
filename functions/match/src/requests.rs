//! People who are wanted now: a run is opened about those whom sync requests name. One such run of a connection at a time;
//! who is asked for meanwhile is in the next one, which the end of this one begins. Nightly runs and runs about one person
//! go on beside it.
//!
//! Why events of one person are one, and none is lost: a request is one item a person, with a new revision each time. The
//! run notes the revision it read, reads the person from the source after that, and at its end takes away only a request
//! of that revision. A request of a newer event stays, and begins another run.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::doorbell::{After, Message, MessageKind};
use hardmatch_ports::run::{Intent, Phase, Run};
use hardmatch_store::asked::AskedPerson;
use hardmatch_store::connection::ConnectionState;
use hardmatch_store::runs::{RunPlace, new_run_id};

use crate::error::MatchError;
use crate::left_over::notify_left_over;
use crate::opening::{NewRun, fresh, notify_observers};
use crate::ports::MatchPorts;

/// So many people are decided and written together; the others wait for the next run.
const MOST: usize = 100;

/// Opens a run about the people who are wanted now. Nothing happens while one is under way, while the connection is paused
/// or disconnected, and when nobody is wanted: requests wait.
pub async fn take_requests(ports: &MatchPorts, connection: &ConnectionId) -> Result<After, MatchError> {
    let store = &ports.store;
    loop {
        let held = store.requests_run(connection).await?;
        if let Some(held) = &held
            && let Some(run) = store.run(connection, &held.value).await?
            && run.value.phase != Phase::Closed
        {
            return Ok(After::Done);
        }
        let meta = store.meta(connection).await?;
        if meta.status.state != ConnectionState::Active {
            return Ok(After::Done);
        }
        let requests = store.sync_requests(connection, MOST).await?;
        if requests.is_empty() {
            return Ok(After::Done);
        }
        let now_ms = ports.clock.now().as_millisecond();
        let new = NewRun::new(new_run_id(now_ms), connection.clone(), Intent::Sync, String::new());
        let run = Run { requests: true, everybody: false, ..fresh(&new, &meta, now_ms) };
        let asked = requests.iter().map(|(_, request)| {
            store.put_asked(&run.id, &AskedPerson::new(request.value.key.clone(), Some(request.revision)))
        });
        store.write_all(asked.collect()).await?;
        match store.open_run(&run, &RunPlace::Requests(held)).await {
            Ok(()) => {
                notify_observers(&*ports.doorbell, &run).await;
                return Ok(After::Done);
            }
            // Another message opened one.
            Err(error) if error.is_conflict() => store.clear_asked(&run.id).await?,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends the messages for people who are wanted now: for the run about them that is open, and for who waits for the next.
/// For a process that looks after them all the time; elsewhere the tick does this too.
pub async fn notify_wanted(ports: &MatchPorts, connection: &ConnectionId) -> Result<(), MatchError> {
    if let Some(held) = ports.store.requests_run(connection).await?
        && let Some(run) = ports.store.run(connection, &held.value).await?
    {
        if run.value.phase == Phase::Closed {
            // Left behind by a kill between the end of the run and this.
            ports.store.clear_asked(&run.value.id).await?;
            ports.store.free_place(&run.value).await?;
        } else {
            return notify_left_over(ports, &run.value).await;
        }
    }
    notify_requests(ports, connection).await
}

/// Sends the message that begins the next run, when somebody is wanted. A message that cannot be sent is sent by the tick.
pub(crate) async fn notify_requests(ports: &MatchPorts, connection: &ConnectionId) -> Result<(), MatchError> {
    if ports.store.sync_requests(connection, 1).await?.is_empty() {
        return Ok(());
    }
    let message = Message::new(connection.clone(), "", MessageKind::SyncPeople);
    if let Err(error) = ports.doorbell.notify(message, std::time::Duration::ZERO).await {
        tracing::warn!(connection.id = %connection, error = %error, "the message could not be sent");
    }
    Ok(())
}
