#![doc = include_str!("../README.md")]

mod engine;
mod functions;

pub use engine::{Engine, Hooks, Stopped};
pub use functions::{Functions, Parts};
