#![doc = include_str!("../README.md")]

pub mod account;
pub mod attribute;
pub mod change;
pub mod decide;
pub mod disconnected_period;
pub mod facts;
pub mod group;
pub mod guard;
pub mod ids;
pub mod license;
pub mod link;
pub mod permission;
pub mod person;
pub mod plan;
pub mod policy;
pub mod reason;
pub mod refused;
pub mod values;

mod inline;

mod scope;

mod join;
mod proof;

mod create;
mod entitle;
mod flow;
mod keep;
mod manager;
mod upn;

mod lifecycle;
mod likeness;

mod assemble;
mod draft;
mod employment;
mod person_context;

pub use decide::{Context, decide};
