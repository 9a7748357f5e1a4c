#![doc = include_str!("../README.md")]

mod absence;
mod assigned;
mod client;
mod gathered;
mod groups;
mod held;
mod known;
mod listing;
mod merged;
mod refusals;
mod settings;

pub use client::CombinedSource;
pub use known::KnownPlace;
pub use settings::{CombinedSettings, Disabled, JoinBy, Part, Precedence};
