//! The run lease: where functions work, one message at a time does a piece of work, and a second message beside it finds the work taken. Of two
//! at a time one would undo what the other keeps.

use std::time::Duration;

use hardmatch_ports::Clock;
use hardmatch_ports::doorbell::After;
use jiff::{SignedDuration, Timestamp};

use crate::gate::{Held, Taken};
use crate::{Result, Store};

/// Beyond its time nobody is left who holds the lease: the process was ended.
const LEASE_AFTER: SignedDuration = SignedDuration::from_secs(15);
/// Somebody else's work is waited for at most so long before it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// The right to do a piece of work. Without a bound of time there is one process only, and nobody to keep out.
pub struct RunLease(Option<Held>);

/// Taking a turn.
pub enum Acquire {
    /// It is ours, until it is given back.
    Acquired(RunLease),
    /// Somebody is at it; what becomes of this message.
    HeldByOther(After),
}

impl RunLease {
    /// Takes the work called `name` for a message about a run, until the message's time is over.
    pub async fn acquire(
        store: &Store,
        clock: &dyn Clock,
        until: Option<Timestamp>,
        name: String,
        run: &str,
    ) -> Result<Acquire> {
        let Some(until) = until else { return Ok(Acquire::Acquired(Self(None))) };
        let now = clock.now();
        let left = until.duration_since(now).max(SignedDuration::ZERO) + LEASE_AFTER;
        let (now_ms, for_ms) = (now.as_millisecond(), i64::try_from(left.as_millis()).unwrap_or(i64::MAX));
        Ok(match store.lease(&name, run, now_ms, for_ms).await? {
            Taken::Ours(held) => Acquire::Acquired(Self(Some(held))),
            // Their message is sent again, and the tick sends a message should it be lost: messages for one run must not become more.
            Taken::Theirs(lease) if lease.holder == run => Acquire::HeldByOther(After::Done),
            Taken::Theirs(lease) => {
                let wait = Duration::from_millis(u64::try_from(lease.until_ms - now_ms).unwrap_or_default());
                Acquire::HeldByOther(After::Again(wait.clamp(Duration::from_secs(1), LOOK_AGAIN)))
            }
        })
    }

    /// Gives it back, however the work went. To be done before anybody is notified who would take it next.
    pub async fn release(self, store: &Store) {
        let Some(held) = self.0 else { return };
        if let Err(error) = store.release(held).await {
            tracing::warn!(error = %error, "the next message waits until the turn is over by itself");
        }
    }
}
