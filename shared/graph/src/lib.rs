#![doc = include_str!("../README.md")]

mod client;
mod clinic;
mod options;

mod candidates;
mod organization;
mod read;
mod user;

mod batch;
mod body;
mod write;

mod error;
mod explain;
mod extensions;
mod groups;
mod limit;
mod links;
mod query;
mod text;

mod backoff;
mod challenge;
mod claims;
mod delegated;
mod endpoint;
mod id_token;
mod kept;
mod metadata;
mod pages;
mod platform;
mod retry_after;
mod token;
mod token_error;
mod wire;

pub mod aadsts;

pub use claims::claims_of;
pub use client::GraphClient;
pub use clinic::{DomainFederation, LastSignIn, SyncSwitches, TokenValidation};
pub use metadata::Metadata;
pub use options::{GrantKind, GraphOptions, OptionsError};
pub use platform::EntraPlatform;
pub use wire::Pressure;
