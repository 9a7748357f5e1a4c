//! Files in, entries out.

mod csv;
mod detect;
mod flow;
mod jsonl;
mod laws;
mod ldif;
mod support;
