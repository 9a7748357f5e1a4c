#![doc = include_str!("../README.md")]

pub mod clock;
pub mod env;
pub mod metrics;
pub mod pump;
pub mod queue;
pub mod telemetry;

pub use clock::{ManualClock, RealClock};
pub use metrics::{Metric, Metrics, MetricsLog, MetricsScope, StackHealth};
pub use pump::{Ended, Pump};
pub use queue::run_batch;
