//! Several sources as one: who is one person, which source counts, and what is never concluded from one that lacks people.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod fake;
mod joining;
mod lacking;
