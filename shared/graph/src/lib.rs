#![doc = include_str!("../README.md")]

mod client;
mod options;

mod organization;
mod read;
mod user;

mod batch;
mod body;
mod write;

mod error;
mod explain;
mod links;
mod query;
mod text;

mod backoff;
mod challenge;
mod claims;
mod retry_after;
mod token;
mod token_error;
mod wire;

pub use client::GraphClient;
pub use options::{GraphOptions, OptionsError};
pub use wire::Pressure;
