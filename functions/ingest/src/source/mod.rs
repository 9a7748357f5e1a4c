//! The source side: people of the directory, into the store.

mod absent;
mod changed;
pub mod copied;
mod cross_check;
pub(crate) mod lookups;
mod progress;
pub(crate) mod reading;
mod scan;
