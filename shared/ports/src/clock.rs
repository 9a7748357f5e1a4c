//! Time as a port: real in production, set by hand in tests.

use std::any::Any;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// Tells the time and waits.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// Waits. A manual clock returns when somebody has moved it far enough.
    async fn sleep(&self, time: Duration);

    /// Says that somebody is at work until the value is dropped. Time passes by itself, so a real clock does not care; a
    /// clock that moves itself when everybody waits must know who does not.
    fn at_work(&self) -> AtWork {
        AtWork::default()
    }

    /// Now, in Unix seconds.
    fn now_seconds(&self) -> i64 {
        self.now().as_second()
    }
}

/// Somebody is at work. See [`Clock::at_work`].
#[derive(Default)]
#[must_use]
pub struct AtWork {
    _until_dropped: Option<Box<dyn Any + Send + Sync>>,
}

impl AtWork {
    /// Keeps the value until the work is over.
    pub fn until_dropped(value: impl Any + Send + Sync) -> Self {
        Self { _until_dropped: Some(Box::new(value)) }
    }
}
