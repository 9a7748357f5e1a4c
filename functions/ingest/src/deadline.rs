//! The deadline of a function: a reading ends between two units of work, in good order, and the next message goes on.

use hardmatch_ports::Clock;
use jiff::{SignedDuration, Timestamp};

/// Kept free for the unit that comes next, and for storing the progress. A page of 999 accounts that all changed is some
/// 15 calls to the tenant and the table in a row, and 400 more, several at a time.
const RESERVE: SignedDuration = SignedDuration::from_secs(20);

/// Whether the next unit of work is left to the next message.
pub(crate) fn deadline_near(clock: &dyn Clock, deadline: Option<Timestamp>) -> bool {
    deadline.is_some_and(|deadline| clock.now() + RESERVE >= deadline)
}
