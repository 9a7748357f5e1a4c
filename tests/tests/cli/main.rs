//! The real `hardmatch` command in processes of its own, against a simulated tenant on loopback. What an operator
//! types, reads and gets back as exit status stands here; rules of deciding do not.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod approving;
mod auth;
mod beside;
mod browser;
mod clearing;
mod conformance;
mod damage;
mod docs;
mod doctor;
mod documents;
mod entitling;
mod exports;
mod extensions;
mod fixture;
mod hostile;
mod kill;
mod looking;
mod mistakes;
mod over_time;
mod paused;
mod policy;
mod program;
mod pushed;
mod repair_pages;
mod repairing;
mod replay;
mod scheduled;
mod secrets;
mod source;
mod statuses;
mod tenant;
mod terminal;
