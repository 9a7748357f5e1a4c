//! The pages as browsers meet them: a platform that answers as it is told, the embedded table, a clock set by hand.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod consent;
mod keep;
mod pages;
mod platform;
mod sign_in;
mod world;
