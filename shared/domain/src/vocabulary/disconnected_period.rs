//! Times in which a connection was disconnected. Its clocks of leaving stood still: nobody is suspended or deleted for
//! days in which nobody looked after them.

use serde::{Deserialize, Serialize};

/// A time in which a connection was disconnected (Unix seconds).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DisconnectedPeriod {
    /// When it began (Unix seconds).
    pub from: i64,
    /// Until; `None` while it is disconnected still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// When a clock that began at `since` has run for `after` seconds, the times in `disconnected` (in their order) not counted.
pub(crate) fn runs_out(since: i64, after: i64, disconnected: &[DisconnectedPeriod], now: i64) -> i64 {
    disconnected.iter().fold(since.saturating_add(after), |due, time| {
        let (from, until) = (time.from.max(since), time.until.unwrap_or(now));
        if from < due && from < until { due.saturating_add(until - from) } else { due }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disconnected_time_is_not_counted_and_what_was_due_before_stays_due() {
        let disconnected =
            [DisconnectedPeriod { from: 20, until: Some(30) }, DisconnectedPeriod { from: 50, until: None }];
        let due = |since, after| runs_out(since, after, &disconnected, 60);
        assert_eq!(due(0, 10), 10, "due before");
        assert_eq!(due(0, 25), 35, "ten seconds later");
        assert_eq!(due(25, 10), 40, "only what lies after its beginning");
        assert_eq!(due(31, 10), 41, "begun and due between");
        assert_eq!(due(0, 45), 65, "still disconnected: never due now");
        assert_eq!(due(40, 11), 61, "one second left");
    }
}
