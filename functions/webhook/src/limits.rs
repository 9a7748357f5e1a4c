//! How much is taken from a client: bytes, time, and requests a second. The rate is counted in this process: on AWS the
//! HTTP API in front limits all of them together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// The largest body, in bytes.
pub const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// Tokens whose requests are counted. Those that asked longest ago are forgotten first.
const MOST_COUNTED: usize = 10_000;

/// What one client may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second, in the long run.
    pub per_second: u32,
    /// Requests at once, after a rest.
    pub burst: u32,
}

impl Default for Rate {
    fn default() -> Self {
        Self { per_second: 100, burst: 3_000 }
    }
}

/// Failed attempts of all clients together: nobody tries tokens out.
const FAILED: Rate = Rate { per_second: 10, burst: 300 };

/// Counts what clients take.
#[derive(Debug)]
pub struct Limits {
    rate: Rate,
    /// How long a body may take to arrive.
    pub body_time: Duration,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Requests that are left, in thousandths.
    left: u64,
    at_ms: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(Rate::default())
    }
}

impl Limits {
    /// With a rate for each token.
    pub fn new(rate: Rate) -> Self {
        Self { rate, body_time: Duration::from_secs(20), buckets: Mutex::default() }
    }

    /// Takes one request of a token; the seconds to wait where there is none left.
    pub(crate) fn take(&self, token: &str, now: Timestamp) -> Result<(), u64> {
        self.take_of(token, self.rate, now)
    }

    /// Takes one failed attempt.
    pub(crate) fn take_failed(&self, now: Timestamp) -> Result<(), u64> {
        self.take_of("", FAILED, now)
    }

    fn take_of(&self, name: &str, rate: Rate, now: Timestamp) -> Result<(), u64> {
        let now_ms = now.as_millisecond();
        let full = u64::from(rate.burst) * 1_000;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_COUNTED && !buckets.contains_key(name) {
            let oldest = buckets.iter().min_by_key(|(_, bucket)| bucket.at_ms).map(|(name, _)| name.clone());
            oldest.map(|oldest| buckets.remove(&oldest));
        }
        let bucket = buckets.entry(name.to_owned()).or_insert(Bucket { left: full, at_ms: now_ms });
        let passed = u64::try_from(now_ms - bucket.at_ms).unwrap_or_default();
        bucket.left = bucket.left.saturating_add(passed.saturating_mul(u64::from(rate.per_second))).min(full);
        bucket.at_ms = bucket.at_ms.max(now_ms);
        if bucket.left < 1_000 {
            let missing = 1_000 - bucket.left;
            let milliseconds = missing.div_ceil(u64::from(rate.per_second.max(1)));
            return Err(milliseconds.div_ceil(1_000).max(1));
        }
        bucket.left -= 1_000;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_asks_too_often_waits_and_others_do_not() {
        let limits = Limits::new(Rate { per_second: 2, burst: 3 });
        let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
        for _ in 0..3 {
            assert_eq!(limits.take("a", at(1_000)), Ok(()));
        }
        assert_eq!(limits.take("a", at(1_000)), Err(1));
        assert_eq!(limits.take("b", at(1_000)), Ok(()));
        assert_eq!(limits.take("a", at(1_400)), Err(1));
        assert_eq!(limits.take("a", at(1_500)), Ok(()));
        assert_eq!(limits.take("a", at(1_500)), Err(1));
        // A clock that goes back gives nothing away.
        assert_eq!(limits.take("a", at(500)), Err(1));
    }
}
