//! The pace of a lane. One person's failure is that person's; a service that fails a large part of a batch, or batch after
//! batch, is given time by the whole lane. Pure.

use hardmatch_ports::tenant::MAX_CALLS;

/// So many failures in a batch, and at least half of it, are the service's and not their people's.
const LARGE_PART: usize = 4;
/// So many failures in a row without one answer between them: three full batches.
const IN_A_ROW: usize = 3 * MAX_CALLS;
/// The first rest (milliseconds); each further one is twice as long …
const FIRST_REST_MS: i64 = 1_000;
/// … up to this. <https://learn.microsoft.com/graph/throttling>
const LONGEST_REST_MS: i64 = 60_000;

/// What the answers of this draining say about the service.
#[derive(Debug, Default)]
pub(super) struct Pace {
    in_a_row: usize,
    rests: u32,
    until_ms: i64,
}

impl Pace {
    /// A batch came back: of so many calls that were sent, so many failed on the side of the service.
    pub(super) fn note(&mut self, sent: usize, failed: usize, now_ms: i64) {
        if sent == 0 {
            return;
        }
        let large_part = failed < sent && failed >= LARGE_PART && 2 * failed >= sent;
        self.in_a_row = if failed == sent { self.in_a_row + failed } else { 0 };
        if large_part || self.in_a_row >= IN_A_ROW {
            // Batches that were in flight together fail together, and are one reason to rest.
            if now_ms >= self.until_ms {
                let rest = FIRST_REST_MS << self.rests.min(16);
                self.rests += 1;
                self.until_ms = now_ms + rest.min(LONGEST_REST_MS);
            }
        } else if failed < sent {
            self.rests = 0;
        }
    }

    /// Nothing is sent before (Unix milliseconds).
    pub(super) fn until_ms(&self) -> i64 {
        self.until_ms
    }

    /// Whether one batch at a time tries how the service is.
    pub(super) fn is_slow(&self) -> bool {
        self.rests > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_failures_and_a_lost_batch_leave_the_lane_alone() {
        let mut pace = Pace::default();
        for (sent, failed) in [(20, 1), (20, 3), (20, 20), (20, 2), (1, 1), (20, 20), (1, 1), (3, 3), (20, 9)] {
            pace.note(sent, failed, 0);
            assert_eq!((pace.until_ms(), pace.is_slow()), (0, false), "{failed} of {sent}");
        }
    }

    #[test]
    fn a_large_part_of_a_batch_slows_the_lane_longer_each_time_until_it_succeeds() {
        let mut pace = Pace::default();
        let mut now = 0;
        for rest in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            pace.note(20, 10, now);
            assert_eq!(pace.until_ms(), now + rest);
            now = pace.until_ms();
        }
        assert!(pace.is_slow());
        pace.note(20, 1, now);
        assert!(!pace.is_slow());
        pace.note(20, 12, now);
        assert_eq!(pace.until_ms(), now + 1_000);
    }

    #[test]
    fn batch_after_batch_without_an_answer_slows_the_lane_once_for_those_in_flight() {
        let mut pace = Pace::default();
        pace.note(20, 20, 0);
        pace.note(20, 20, 0);
        assert_eq!(pace.until_ms(), 0);
        for _ in 0..6 {
            pace.note(20, 20, 0);
        }
        assert_eq!(pace.until_ms(), 1_000);
        pace.note(20, 20, 1_000);
        assert_eq!(pace.until_ms(), 3_000);
    }
}
