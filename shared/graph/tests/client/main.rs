//! The client from outside: against a server that misbehaves on purpose, and against the simulated tenant.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod batch;
mod delegated;
mod delta;
mod drawer;
mod entitlements;
mod entra;
mod hostile;
mod platform;
mod sim;
mod sim_entitlements;
mod support;
mod tokens;
mod wire;
