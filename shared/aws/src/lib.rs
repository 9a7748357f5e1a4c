#![doc = include_str!("../README.md")]

pub mod aws;
pub mod blobs;
pub mod doorbell;
pub mod fetch;
pub mod identity;
pub mod redrive;
pub mod seal;
pub mod secrets;
#[cfg(feature = "stacks")]
pub mod stacks;
#[cfg(feature = "stand-in")]
pub mod stand_in;
pub mod table;

mod backoff;
mod failure;

pub use aws::Aws;
pub use blobs::S3Blobs;
pub use doorbell::{QueueUrls, SqsDoorbell};
pub use identity::StsWebIdentity;
pub use redrive::{Depth, Letter, Redriven};
pub use seal::KmsSeal;
pub use secrets::SecretsManager;
pub use table::DynamoTable;
