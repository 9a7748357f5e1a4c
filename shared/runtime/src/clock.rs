//! The clocks: the only place where the time of the machine is read and where anything waits for it, and a clock that
//! tests and simulations move.

mod manual;

use std::time::Duration;

use async_trait::async_trait;
use hardmatch_ports::clock::Clock;
use jiff::Timestamp;

pub use self::manual::ManualClock;

/// The time of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealClock;

#[async_trait]
impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "this is the real clock behind the port")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the real clock behind the port")]
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn real_time_passes_while_it_sleeps() {
        let before = RealClock.now();
        RealClock.sleep(Duration::from_millis(2)).await;
        assert!(RealClock.now() >= before + Duration::from_millis(2));
    }
}
