//! A function's time is bounded: work ends between two units of it, in good order, and the next bell goes on.

use hardmatch_ports::doorbell::After;
use hardmatch_ports::run::Run;
use hardmatch_store::hops::Hop;
use hardmatch_store::turn::{Taking, Turn};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

use crate::{MatchError, MatchPorts};

/// Kept free for the unit that comes next: a slice is some dozen calls to the table in a row, and one to the blobs; and
/// for storing how far the work has come.
const RESERVE: SignedDuration = SignedDuration::from_secs(20);
/// What cannot be cut is begun within this of a bell's beginning, or left to a bell of its own.
const FRESH: SignedDuration = SignedDuration::from_secs(30);
/// How far the work has come is kept so often besides at the end of a bell: a process that is ended early repeats no more
/// than this.
const KEEP_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Whether the next unit of work is left to the next bell.
pub(crate) fn is_up(ports: &MatchPorts) -> bool {
    ports.until.is_some_and(|until| ports.clock.now() + RESERVE >= until)
}

/// Whether what cannot be cut is left to the next bell, of one that began then.
pub(crate) fn is_late(ports: &MatchPorts, began: Timestamp) -> bool {
    is_up(ports) || (ports.until.is_some() && ports.clock.now().duration_since(began) > FRESH)
}

/// Whether it is time to keep how far the work has come, which was last done then.
pub(crate) fn is_to_be_kept(ports: &MatchPorts, kept: Timestamp) -> bool {
    ports.until.is_some() && ports.clock.now().duration_since(kept) >= KEEP_EVERY
}

/// Takes the right to work on a run: of two bells at a time one would do again what the other has done. Runs over
/// everybody take it by connection; one person is soon decided, and kept waiting by nobody.
pub(crate) async fn take_turn(ports: &MatchPorts, run: &Run) -> Result<Taking, MatchError> {
    let until = ports.until.filter(|_| run.only.is_none());
    let name = format!("match~{}", run.connection);
    Ok(Turn::take(&ports.store, &*ports.clock, until, name, &run.id).await?)
}

/// Leaves the rest to the next bell. `units` is how far the work has come within its phase: bells that find it unmoved are
/// bounded.
pub(crate) async fn go_on(ports: &MatchPorts, run: &Run, units: u64) -> Result<After, MatchError> {
    let news = i64::try_from(units).unwrap_or(i64::MAX);
    let now_ms = ports.clock.now().as_millisecond();
    Ok(match ports.store.hop(&run.connection, &run.id, news, now_ms).await? {
        Hop::On => After::Again(Duration::ZERO),
        Hop::Leave => After::Done,
    })
}
