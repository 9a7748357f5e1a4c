//! Waiting before asking again: longer each time, never in step with others, and not for ever.

use std::time::Duration;

use hardmatch_ports::Clock;

/// Attempts without progress before we give up. Together the waits are about seven seconds: longer than a partition
/// takes to split or a transaction to end, and far shorter than any function's timeout.
const ATTEMPTS: u32 = 10;
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// How often we were turned away since the last progress.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failed: u32,
}

/// Whether it is worth asking once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// The wait is over: ask again.
    Left,
    /// Enough.
    Ended,
}

impl Backoff {
    /// Something was done: the next wait is short again.
    pub(crate) fn progress(&mut self) {
        self.failed = 0;
    }

    /// Waits, unless it was too often already.
    pub(crate) async fn wait(&mut self, clock: &dyn Clock) -> Patience {
        self.failed += 1;
        if self.failed >= ATTEMPTS {
            return Patience::Ended;
        }
        let longest = FIRST.saturating_mul(1 << (self.failed - 1)).min(LONGEST);
        // Between half and all of it: callers refused together do not come back together.
        clock.sleep(longest.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
        Patience::Left
    }
}
