//! The function as its clients meet it: identity providers, senders of hooks, operators, and attackers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod bulk;
mod fuzz;
mod groups;
mod hooks;
mod hostile;
mod people;
mod support;
mod users;
mod validator;
mod vendors;
