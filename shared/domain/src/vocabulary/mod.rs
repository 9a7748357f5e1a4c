//! The words in which everything is said: plain data of people, accounts, policies and changes, and what its values may
//! be. No file in here knows a rule.

pub mod account;
pub mod attribute;
pub mod change;
pub mod change_id;
pub mod declined;
pub mod disconnected_period;
pub mod group;
pub mod ids;
pub mod license;
pub mod link;
pub mod person;
pub mod policy;
pub mod reason;
pub mod repair;
pub mod step_traits;
pub mod values;
pub mod write_back;

pub(crate) mod evidence;
mod inline;
pub(crate) mod mapping;
pub(crate) mod step;
pub(crate) mod text;
