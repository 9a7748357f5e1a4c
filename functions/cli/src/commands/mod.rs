//! One command a file.

pub(crate) mod acknowledge;
pub(crate) mod auth;
pub(crate) mod called;
pub(crate) mod config;
pub(crate) mod connection;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod doctor;
pub(crate) mod everywhere;
pub(crate) mod expected;
pub(crate) mod explain;
pub(crate) mod held;
pub(crate) mod init;
pub(crate) mod place;
pub(crate) mod replay;
pub(crate) mod rows;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schedule;
pub(crate) mod serve;
pub(crate) mod shown;
pub(crate) mod standing;
pub(crate) mod unmatched;
pub(crate) mod usable;
pub(crate) mod who;
pub(crate) mod whole_account;
