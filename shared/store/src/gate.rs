//! The write budget of a lane: what keeps everybody who writes as one application in one tenant in measure.

use hardmatch_ports::doorbell::Urgency;
use hardmatch_ports::{Condition, TableError, Write};
use serde::{Deserialize, Serialize};

use crate::{Result, Store, Stored, TenantKey, json, keys};

/// The documented write quota of one application in one tenant: 3,000 writes in 150 seconds, as a token bucket.
/// <https://learn.microsoft.com/graph/throttling-limits>
pub const QUOTA_WRITES: f64 = 3_000.0;
/// The window of [`QUOTA_WRITES`].
pub const QUOTA_SECONDS: f64 = 150.0;
/// The part of the bucket that scheduled work leaves for single people who are wanted now.
pub const RESERVED: f64 = 0.10;

/// The write budget of a lane: of everybody who writes as one application in one tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Version of this shape.
    pub v: u32,
    /// Writes that may be sent at `at_ms`.
    pub tokens: f64,
    /// When `tokens` was right (Unix milliseconds).
    pub at_ms: i64,
    /// Nothing is sent before (Unix milliseconds): the tenant said so.
    pub closed_until_ms: i64,
}

/// A lane gives no writes until so many milliseconds have passed: the budget is spent, or the tenant asked to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub i64);

impl Gate {
    /// Fills up to a time.
    fn refill(&mut self, now_ms: i64) {
        if self.v == 0 {
            (self.v, self.tokens, self.at_ms) = (1, QUOTA_WRITES, now_ms);
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds between two grants are far below 2^52")]
        let passed = (now_ms - self.at_ms).max(0) as f64 / 1000.0;
        self.tokens = (self.tokens + passed * QUOTA_WRITES / QUOTA_SECONDS).min(QUOTA_WRITES);
        self.at_ms = self.at_ms.max(now_ms);
    }

    /// Takes `wanted` writes, all or none: batches stay full. Scheduled work leaves a tenth of the bucket to single people
    /// who are wanted now.
    pub fn grant(&mut self, now_ms: i64, wanted: u32, urgency: Urgency) -> std::result::Result<(), Wait> {
        self.refill(now_ms);
        if now_ms < self.closed_until_ms {
            return Err(Wait(self.closed_until_ms - now_ms));
        }
        let reserved = match urgency {
            Urgency::Scheduled => QUOTA_WRITES * RESERVED,
            Urgency::Now => 0.0,
        };
        let lacking = f64::from(wanted) - (self.tokens - reserved);
        // A millionth of a write is rounding, not quota.
        if lacking > 1e-6 {
            #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
            let wait = (lacking * QUOTA_SECONDS / QUOTA_WRITES * 1000.0).ceil() as i64;
            return Err(Wait(wait.max(1)));
        }
        self.tokens -= f64::from(wanted);
        Ok(())
    }

    /// The tenant throttled: nothing before that time, and the bucket counts as empty then.
    pub fn close(&mut self, now_ms: i64, until_ms: i64) {
        self.refill(now_ms);
        self.closed_until_ms = self.closed_until_ms.max(until_ms);
        self.tokens = self.tokens.min(QUOTA_WRITES * RESERVED + 20.0);
        self.at_ms = self.at_ms.max(until_ms);
    }
}

impl Store {
    /// Works on a lane's gate; tries again when somebody else was faster.
    pub async fn gate<T>(&self, scope: &TenantKey, client: &str, work: impl Fn(&mut Gate) -> T) -> Result<T> {
        let key = keys::gate(scope, client);
        loop {
            let had: Option<Stored<Gate>> = self.read(&key, "gate").await?;
            let condition = had.as_ref().map_or(Condition::Absent, |had| Condition::Revision(had.revision));
            let mut gate = had.map(|had| had.value).unwrap_or_default();
            let before = gate.clone();
            let answer = work(&mut gate);
            if gate == before {
                return Ok(answer);
            }
            match self.table.write(Write::put_if(key.clone(), json(&gate), condition)).await {
                Ok(_) => return Ok(answer),
                Err(TableError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(gate: &mut Gate, now_ms: i64, wanted: u32) -> std::result::Result<(), Wait> {
        gate.grant(now_ms, wanted, Urgency::Scheduled)
    }

    #[test]
    fn a_burst_then_twenty_a_second() {
        let mut gate = Gate::default();
        let sent = std::iter::from_fn(|| take(&mut gate, 0, 20).ok()).count() * 20;
        assert_eq!(sent, 2_700, "a tenth is left for those wanted now");
        assert_eq!(take(&mut gate, 1_000, 20), Ok(()));
        assert_eq!(take(&mut gate, 1_000, 1), Err(Wait(50)));
        assert_eq!(take(&mut gate, 1_500, 20), Err(Wait(500)), "full hands are waited for");
    }

    #[test]
    fn closed_until_is_obeyed_to_the_millisecond() {
        let mut gate = Gate::default();
        assert_eq!(take(&mut gate, 0, 5), Ok(()));
        gate.close(100, 10_100);
        assert_eq!(take(&mut gate, 10_099, 1), Err(Wait(1)));
        assert_eq!(take(&mut gate, 10_100, 20), Ok(()));
        assert!(take(&mut gate, 10_100, 1).is_err());
    }

    #[test]
    fn one_person_goes_past_a_company_that_has_spent_its_share() {
        let mut gate = Gate::default();
        while gate.grant(0, 20, Urgency::Scheduled).is_ok() {}
        assert_eq!(gate.grant(0, 5, Urgency::Now), Ok(()), "the tenth is theirs");
        gate.close(0, 9_000);
        assert_eq!(gate.grant(0, 1, Urgency::Now), Err(Wait(9_000)), "but the tenant's word is for everybody");
    }
}
