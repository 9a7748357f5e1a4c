#![doc = include_str!("../README.md")]

mod secret;

pub use secrecy::SecretString;
pub use secret::SecretCredential;
