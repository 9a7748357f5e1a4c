#![doc = include_str!("../README.md")]

#[cfg(all(feature = "lambda", feature = "tenant"))]
pub mod clients;
#[cfg(feature = "source")]
mod combined;
pub mod connections;
#[cfg(feature = "directories")]
mod directory;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod policies;
#[cfg(feature = "source")]
pub mod proposal;
#[cfg(feature = "source")]
pub mod pushed;
#[cfg(feature = "source")]
pub mod source;
#[cfg(feature = "tenant")]
pub mod tenant;
#[cfg(all(feature = "lambda", feature = "tenant"))]
pub mod tokens;

pub use connections::{ConnectionError, Connections, Opened, Push, Unfit};
pub use hardmatch_policy as policy;
pub use policies::CompiledPolicies;
