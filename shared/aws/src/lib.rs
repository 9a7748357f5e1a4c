#![doc = include_str!("../README.md")]

pub mod aws;
#[cfg(feature = "blobs")]
pub mod blobs;
pub mod doorbell;
#[cfg(feature = "blobs")]
pub mod fetch;
#[cfg(feature = "credentials")]
pub mod identity;
pub mod redrive;
#[cfg(feature = "credentials")]
pub mod seal;
#[cfg(feature = "secrets")]
pub mod secrets;
#[cfg(feature = "stacks")]
pub mod stacks;
#[cfg(feature = "stand-in")]
pub mod stand_in;
pub mod table;

mod backoff;
mod failure;

pub use aws::Aws;
#[cfg(feature = "blobs")]
pub use blobs::S3Blobs;
pub use doorbell::{QueueUrls, SqsDoorbell};
#[cfg(feature = "credentials")]
pub use identity::StsWebIdentity;
pub use redrive::{Depth, Letter, Redrive, Redriven, Undelivered};
#[cfg(feature = "credentials")]
pub use seal::KmsSeal;
#[cfg(feature = "secrets")]
pub use secrets::SecretsManager;
pub use table::DynamoTable;
