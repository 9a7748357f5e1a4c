//! Files in, entries out.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod contract;
mod csv;
mod detect;
mod flow;
mod jsonl;
mod laws;
mod ldif;
mod support;
