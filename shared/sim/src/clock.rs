//! The simulated tenant's sense of time: token life, delta expiry, purge, buckets and lag all ask here.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Where "now" comes from.
#[derive(Clone, Default)]
pub enum SimClock {
    /// The machine's clock. Latency faults really wait.
    #[default]
    Real,
    /// A clock that only a test moves. Latency faults move nothing and wait for nothing.
    Manual(SimManualClock),
    /// Any other clock, so that a test can share its own. Latency faults do not wait.
    Shared(Arc<dyn Fn() -> Timestamp + Send + Sync>),
}

impl std::fmt::Debug for SimClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Real => "Clock::Real",
            Self::Manual(_) => "Clock::Manual",
            Self::Shared(_) => "Clock::Shared",
        })
    }
}

impl SimClock {
    /// Milliseconds since the epoch.
    #[expect(clippy::disallowed_methods, reason = "this is the simulated tenant's one real clock")]
    pub(crate) fn now(&self) -> i64 {
        match self {
            Self::Real => Timestamp::now().as_millisecond(),
            Self::Manual(clock) => clock.0.load(Ordering::SeqCst),
            Self::Shared(read) => read().as_millisecond(),
        }
    }

    pub(crate) fn is_real(&self) -> bool {
        matches!(self, Self::Real)
    }
}

/// A clock that stands still until it is moved. Clones share the same hands.
#[derive(Clone, Debug)]
pub struct SimManualClock(Arc<AtomicI64>);

impl SimManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.as_millisecond())))
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        timestamp(self.0.load(Ordering::SeqCst))
    }

    /// Moves it forward.
    pub fn advance(&self, by: std::time::Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets it.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.as_millisecond(), Ordering::SeqCst);
    }
}

impl Default for SimManualClock {
    /// Noon on 15 January 2026, UTC.
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(1_768_478_400_000)))
    }
}

pub(crate) fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// `2026-01-15T12:00:00Z`, as Graph writes dates.
pub(crate) fn iso(ms: i64) -> String {
    timestamp(ms).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An HTTP date.
pub(crate) fn http_date(ms: i64) -> String {
    timestamp(ms).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
