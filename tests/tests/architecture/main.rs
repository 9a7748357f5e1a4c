//! The house: which crate may point at which, which file at which, and what lies where.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod crates;
mod modules;
mod names;
