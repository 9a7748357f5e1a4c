//! Quotas as token buckets (<https://learn.microsoft.com/graph/throttling-limits>).

use std::collections::HashMap;

use crate::options::Throttle;

/// A bucket that refills with time. Refused calls are charged too, so hammering keeps it empty.
#[derive(Clone, Debug)]
struct Bucket {
    capacity: f64,
    per_ms: f64,
    level: f64,
    at: i64,
}

impl Bucket {
    fn new(capacity: u32, seconds: u32, now: i64) -> Self {
        let capacity = f64::from(capacity.max(1));
        Self { capacity, per_ms: capacity / (f64::from(seconds.max(1)) * 1000.0), level: capacity, at: now }
    }

    /// Takes `cost`; answers the seconds to wait when there was not enough.
    fn take(&mut self, cost: f64, now: i64) -> Option<u64> {
        #[expect(clippy::cast_precision_loss, reason = "spans of milliseconds are far below 2^52")]
        let passed = now.saturating_sub(self.at).max(0) as f64;
        self.level = (self.level + passed * self.per_ms).min(self.capacity);
        self.at = now;
        let enough = self.level >= cost;
        self.level = (self.level - cost).max(-self.capacity / 5.0);
        if enough {
            return None;
        }
        // Counted from what the refusal itself cost: a client that waits so long and asks once is served.
        let short = cost - self.level;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and small")]
        let seconds = ((short / self.per_ms) / 1000.0).ceil().max(1.0) as u64;
        Some(seconds)
    }

    fn used(&self) -> f64 {
        1.0 - self.level / self.capacity
    }
}

/// Why a call was refused.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) seconds: u64,
    pub(crate) scope: String,
    pub(crate) information: &'static str,
}

/// What a call was charged.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) units: u32,
    pub(crate) used: f64,
    pub(crate) refused: Option<Refused>,
}

/// All buckets of the tenant.
#[derive(Debug)]
pub(crate) struct Buckets {
    limits: Throttle,
    writes: HashMap<String, Bucket>,
    units: HashMap<String, Bucket>,
    tenant: Option<Bucket>,
}

impl Buckets {
    pub(crate) fn new(limits: Throttle) -> Self {
        Self { limits, writes: HashMap::new(), units: HashMap::new(), tenant: None }
    }

    pub(crate) fn charge(
        &mut self,
        app: &str,
        tenant: &str,
        units: u32,
        write: bool,
        users: usize,
        now: i64,
    ) -> Charge {
        if !self.limits.enabled {
            return Charge { units, used: 0.0, refused: None };
        }
        let limits = &self.limits;
        let unit_limit = match limits.units {
            0 if users < 50 => 3_500,
            0 if users <= 500 => 5_000,
            0 => 8_000,
            n => n,
        };
        let unit_bucket = self.units.entry(app.to_owned()).or_insert_with(|| Bucket::new(unit_limit, 10, now));
        let mut refused = unit_bucket.take(f64::from(units), now).map(|seconds| Refused {
            seconds,
            scope: format!("Tenant_Application/ReadWrite/{app}/{tenant}"),
            information: "ResourceUnitLimitExceeded",
        });
        let mut used = unit_bucket.used();
        if write {
            let bucket = self
                .writes
                .entry(app.to_owned())
                .or_insert_with(|| Bucket::new(limits.writes, limits.writes_seconds, now));
            if let Some(seconds) = bucket.take(1.0, now) {
                refused = Some(Refused {
                    seconds,
                    scope: format!("Tenant_Application/Write/{app}/{tenant}"),
                    information: "WriteLimitExceeded",
                });
            }
            used = used.max(bucket.used());
            let bucket = self.tenant.get_or_insert_with(|| Bucket::new(limits.tenant_writes, 300, now));
            if let (Some(seconds), None) = (bucket.take(1.0, now), &refused) {
                refused = Some(Refused {
                    seconds,
                    scope: format!("Tenant/Write/{app}/{tenant}"),
                    information: "WriteLimitExceeded",
                });
            }
            used = used.max(bucket.used());
        }
        Charge { units, used, refused }
    }
}
