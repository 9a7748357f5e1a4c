//! The vault from outside: proofs as the platform takes them, envelopes, kept tokens, and nothing that shows a secret.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod certificate;
mod federated;
mod local;
mod redacted;
mod sealer;
mod secrets;
mod support;
mod token_store;
