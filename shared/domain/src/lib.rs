#![doc = include_str!("../README.md")]

pub mod decide;
pub mod declined;
pub mod facts;
pub mod guard;
pub mod mirror;
pub mod plan;
pub mod refused;
pub mod repair;
pub mod undo;
pub mod vocabulary;

mod assemble;
mod draft;
mod join;
mod parts;
mod person_context;
mod rules;

pub use decide::{Context, decide};
pub use vocabulary::{
    account, attribute, change, disconnected_period, group, ids, license, link, person, policy, reason, step_traits,
    values, write_back,
};

pub use rules::write_back::due as due_write_backs;
