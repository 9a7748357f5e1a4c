//! A function's time is bounded: work ends between two units of it, in good order, and the next bell goes on. One bell at
//! a time reads a side; whoever rings beside it finds the side taken.

use std::time::Duration;

use hardmatch_ports::Clock;
use hardmatch_ports::doorbell::After;
use hardmatch_store::Store;
use hardmatch_store::gate::Taken;
use jiff::{SignedDuration, Timestamp};

use crate::ObserveError;

/// Kept free for the unit that comes next: a page of 999 accounts that all changed is some 15 calls to the tenant and the
/// table in a row and 400 more, several at a time; and for storing how far a reading has come.
const RESERVE: SignedDuration = SignedDuration::from_secs(20);
/// Beyond its time nobody is left who holds the lease: the process was ended.
const LEASE_AFTER: SignedDuration = SignedDuration::from_secs(15);
/// Somebody else's reading is waited for at most so long before it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// Whether the next unit of work is left to the next bell.
pub(crate) fn is_up(clock: &dyn Clock, until: Option<Timestamp>) -> bool {
    until.is_some_and(|until| clock.now() + RESERVE >= until)
}

/// The right to read one side: of two bells at a time one would undo what the other keeps. Without a bound of time there
/// is one process only, and nobody to keep out.
pub(crate) struct Turn {
    name: String,
    fence: Option<u64>,
}

/// Taking a turn.
pub(crate) enum Taking {
    Ours(Turn),
    /// Somebody is at it.
    Theirs(After),
}

impl Turn {
    /// Takes the side called `name` for a bell about a run.
    pub(crate) async fn take(
        store: &Store,
        clock: &dyn Clock,
        until: Option<Timestamp>,
        name: String,
        run: &str,
    ) -> Result<Taking, ObserveError> {
        let Some(until) = until else { return Ok(Taking::Ours(Self { name, fence: None })) };
        let now = clock.now();
        let left = until.duration_since(now).max(SignedDuration::ZERO) + LEASE_AFTER;
        let (now_ms, for_ms) = (now.as_millisecond(), i64::try_from(left.as_millis()).unwrap_or(i64::MAX));
        Ok(match store.lease(&name, run, None, now_ms, for_ms).await? {
            Taken::Ours(fence) => Taking::Ours(Self { name, fence: Some(fence) }),
            // Their bell rings on, and the tick rings should it be lost: bells for one run must not become more.
            Taken::Theirs(lease) if lease.holder == run => Taking::Theirs(After::Done),
            Taken::Theirs(lease) => {
                let wait = Duration::from_millis(u64::try_from(lease.until_ms - now_ms).unwrap_or_default());
                Taking::Theirs(After::Again(wait.clamp(Duration::from_secs(1), LOOK_AGAIN)))
            }
        })
    }

    /// Gives it back, however the work went.
    pub(crate) async fn give_back(self, store: &Store) {
        let Some(fence) = self.fence else { return };
        if let Err(error) = store.release(&self.name, fence).await {
            tracing::warn!(error = %error, "the next bell waits until the turn is over by itself");
        }
    }
}
