//! The tenant side: accounts of the tenant, into the mirror.

mod accounts;
mod addresses;
mod deleted;
mod dirty;
mod full_listing;
mod groups;
mod members;
mod mirror;
pub(crate) mod progress;
mod recheck;
pub(crate) mod refresh;
pub(crate) mod round;
mod users;
