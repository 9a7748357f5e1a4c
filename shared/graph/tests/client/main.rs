//! The client from outside: against a server that misbehaves on purpose, and against the simulated tenant.

mod batch;
mod delta;
mod sim;
mod support;
mod wire;
