//! Exponential waits with jitter, from a seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait: what the service recommends as a cap lies between one and two minutes.
/// <https://learn.microsoft.com/graph/throttling>
const LONGEST: Duration = Duration::from_mins(1);

/// A source of waits, shared by all tasks of a client.
#[derive(Debug)]
pub(crate) struct Backoff(AtomicU64);

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The wait after the nth failure (from 1): 1, 2, 4, 8 … seconds, less up to a quarter.
    pub(crate) fn wait(&self, nth: u32) -> Duration {
        let whole = FIRST.saturating_mul(1 << nth.saturating_sub(1).min(16)).min(LONGEST);
        // A step of the Weyl sequence, mixed: spread evenly enough to keep tasks apart.
        let mut bits = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let share = u32::try_from(bits >> 48).unwrap_or(0);
        whole.saturating_sub((whole / 4).saturating_mul(share) / 0x1_0000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_differ() {
        let backoff = Backoff::new(7);
        let mut seen = std::collections::BTreeSet::new();
        for nth in 1..12 {
            let whole = Duration::from_secs(1 << (nth - 1)).min(LONGEST);
            let wait = backoff.wait(nth);
            assert!(wait <= whole && wait >= whole * 3 / 4, "{nth}: {wait:?}");
            seen.insert(wait);
        }
        assert!(seen.len() > 8);
    }
}
