//! A function's time is bounded: work ends between two units, in good order, and the next message goes on.

use hardmatch_ports::doorbell::After;
use hardmatch_ports::run::Run;
use hardmatch_store::leases::{Acquire, RunLease};
use hardmatch_store::requeue::Requeue;
use hardmatch_store::{Checkpoint, NoteList, Progress};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

use crate::error::MatchError;
use crate::ports::MatchPorts;

/// Kept free for the unit that comes next: a slice is some dozen calls to the table in a row, and one to the blobs; and
/// for storing how far the work has come.
const RESERVE: SignedDuration = SignedDuration::from_secs(20);
/// A step that cannot be cut is begun within this time of a message's beginning, or left to a message of its own.
const FRESH: SignedDuration = SignedDuration::from_secs(30);

/// Whether the next unit of work is left to the next message.
pub(crate) fn deadline_near(ports: &MatchPorts) -> bool {
    ports.deadline.is_some_and(|until| ports.clock.now() + RESERVE >= until)
}

/// Whether a step that cannot be cut is left to the next message. `began` is when this message began.
pub(crate) fn too_late_for_step(ports: &MatchPorts, began: Timestamp) -> bool {
    deadline_near(ports) || (ports.deadline.is_some() && ports.clock.now().duration_since(began) > FRESH)
}

/// The saved progress of a run's work of this name. A plan that was accepted, failed and is accepted again has one for each
/// acceptance.
pub(crate) fn checkpoint<P: Progress>(ports: &MatchPorts, run: &Run, work: &str) -> Checkpoint<P> {
    let accepted = run.accepted.as_ref().map_or(0, |accepted| accepted.at_ms);
    Checkpoint::in_table(&ports.store, NoteList::checkpoints(&run.id), format!("{work}#{accepted}"), ports.clock.now())
}

/// Whether progress is to be saved now although the work goes on.
pub(crate) fn save_due<P: Progress>(ports: &MatchPorts, checkpoint: &Checkpoint<P>) -> bool {
    ports.deadline.is_some() && checkpoint.is_due(ports.clock.now())
}

/// Takes the run lease: of two messages at a time, one would do again what the other has done. Runs over everybody share a
/// lease for each connection. A run about one person takes none: it is short, and waits for nobody.
pub(crate) async fn acquire_run_lease(ports: &MatchPorts, run: &Run) -> Result<Acquire, MatchError> {
    let until = ports.deadline.filter(|_| !run.is_partial());
    let name = format!("match~{}", run.connection);
    Ok(RunLease::acquire(&ports.store, &*ports.clock, until, name, &run.id).await?)
}

/// Leaves the rest to the next message. `units` is how far the work has come within its phase: the number of messages in a
/// row that find it unmoved is bounded.
pub(crate) async fn requeue(ports: &MatchPorts, run: &Run, units: u64) -> Result<After, MatchError> {
    let progress_token = i64::try_from(units).unwrap_or(i64::MAX);
    let now_ms = ports.clock.now().as_millisecond();
    Ok(match ports.store.note_progress(&run.connection, &run.id, progress_token, now_ms).await? {
        Requeue::Continue => After::Again(Duration::ZERO),
        Requeue::GiveUp => After::Done,
    })
}
