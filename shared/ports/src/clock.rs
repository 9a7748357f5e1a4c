//! Time as a port: real in production, set by hand in tests.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// Tells the time and waits.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Waits. A manual clock returns when somebody has moved it far enough.
    async fn sleep(&self, time: Duration);

    /// Now, in Unix seconds.
    fn now_seconds(&self) -> i64 {
        self.now().as_second()
    }
}
