//! How long things take, may take and are waited for, in one place: each of these rests on others.

use std::time::Duration;

/// Times of the writer.
#[derive(Debug)]
pub(crate) struct Timing {
    /// A lane is leased for so long without a renewal, at most.
    pub(crate) lease: Duration,
    /// The lease is renewed this often.
    pub(crate) renewal: Duration,
    /// A function is ended at its deadline; its lease ends so long after that, and the next writer need not wait longer.
    pub(crate) lease_after_deadline: Duration,
    /// No batch is sent in so long a time before the deadline: batches in flight still have to be stored.
    pub(crate) in_flight: Duration,
    /// After so long a draining ends and its message is sent again.
    pub(crate) work: Duration,
    /// A wait up to here is slept through; a longer one is left to the table and a later message.
    pub(crate) short_wait: Duration,
    /// As `short_wait`, in a function, whose sleep is paid for: barely longer than what sending a message again takes.
    pub(crate) paid_wait: Duration,
    /// As `short_wait`, while the tenant says nothing at all: the silence is to be measured.
    pub(crate) silent_wait: Duration,
    /// After so long without a word from the tenant, and `silent_batches` in a row, the draining ends and says so.
    pub(crate) silence: Duration,
    /// See `silence`.
    pub(crate) silent_batches: u32,
    /// A silent tenant is asked again after this.
    pub(crate) silent_rest: Duration,
    /// A paused connection is looked at again after this.
    pub(crate) paused_rest: Duration,
    /// A lane whose lease another writer holds is looked at again after this, at the latest.
    pub(crate) held_by_other: Duration,
    /// A person whom the other lane has in flight is looked at again after this: a call takes less.
    pub(crate) other_lane: Duration,
    /// A change that was read or written within this time is not read again before its step is sent.
    pub(crate) change_known: Duration,
    /// A decision is carried out for so long without another look at the account.
    pub(crate) decision: Duration,
    /// One writer makes a group for so long.
    pub(crate) group_lease: Duration,
    /// A group that another writer makes, or whose making was not answered, is looked for again after this.
    pub(crate) group_wait: Duration,
    /// A group whose making was not answered may be there for so long without being shown.
    pub(crate) group_unseen: Duration,
}

/// The times in use.
pub(crate) const TIMING: Timing = Timing {
    lease: Duration::from_mins(2),
    renewal: Duration::from_secs(30),
    lease_after_deadline: Duration::from_secs(15),
    in_flight: Duration::from_secs(30),
    work: Duration::from_mins(4),
    short_wait: Duration::from_secs(5),
    paid_wait: Duration::from_secs(1),
    silent_wait: Duration::from_secs(20),
    silence: Duration::from_secs(15),
    silent_batches: 5,
    silent_rest: Duration::from_mins(5),
    paused_rest: Duration::from_mins(1),
    held_by_other: Duration::from_secs(30),
    other_lane: Duration::from_millis(900),
    change_known: Duration::from_millis(500),
    decision: Duration::from_hours(1),
    group_lease: Duration::from_mins(1),
    group_wait: Duration::from_secs(1),
    group_unseen: Duration::from_mins(5),
};

/// A time in milliseconds.
pub(crate) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `FunctionTimeout` of the template.
    const FUNCTION: Duration = Duration::from_mins(5);

    #[test]
    fn times_are_consistent_with_each_other() {
        let Timing { lease, renewal, lease_after_deadline, in_flight, work, .. } = TIMING;
        assert!(renewal * 3 < lease, "a renewal may come late, and once more, before another writer takes the lane");
        assert!(lease_after_deadline < lease, "a writer that was ended holds the lane no longer than one that works");
        assert!(work + in_flight < FUNCTION, "a draining ends by itself before its function is ended");
        let Timing { short_wait, paid_wait, silent_wait, silence, silent_rest, .. } = TIMING;
        assert!(paid_wait < short_wait && short_wait < silent_wait, "sleep that is paid for is the shortest");
        assert!(silence <= silent_wait, "a silence is measured within one draining");
        assert!(silent_wait < renewal, "the lease is renewed after every wait");
        assert!(silent_rest > silence, "a silent tenant is not asked again at once");
        let Timing { held_by_other, paused_rest, .. } = TIMING;
        assert!(held_by_other < lease, "a lane that became free is found within the time of one lease");
        assert!(paused_rest > short_wait, "a paused connection is left to a later message");
        let Timing { other_lane, change_known, decision, .. } = TIMING;
        assert!(other_lane < paid_wait, "a function waits for the other lane's call");
        assert!(change_known < other_lane, "a person who waited for the other lane has their change read again");
        assert!(decision > work, "a draining does not age its own decisions");
        let Timing { group_lease, group_wait, group_unseen, .. } = TIMING;
        assert!(group_wait < group_lease && group_lease < group_unseen, "a second group is not made in a hurry");
    }
}
