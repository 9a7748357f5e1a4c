//! The vault from outside: proofs as the platform takes them, envelopes, kept tokens, and nothing that shows a secret.

mod certificate;
mod federated;
mod keeper;
mod local;
mod redacted;
mod sealer;
mod secrets;
mod support;
