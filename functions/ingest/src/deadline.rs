//! A function's time is bounded: work ends between two units of it, in good order, and the next message goes on.

use hardmatch_ports::Clock;
use jiff::{SignedDuration, Timestamp};

/// Kept free for the unit that comes next: a page of 999 accounts that all changed is some 15 calls to the tenant and the
/// table in a row and 400 more, several at a time; and for storing how far a reading has come.
const RESERVE: SignedDuration = SignedDuration::from_secs(20);
/// Whether the next unit of work is left to the next message.
pub(crate) fn deadline_near(clock: &dyn Clock, until: Option<Timestamp>) -> bool {
    until.is_some_and(|until| clock.now() + RESERVE >= until)
}
