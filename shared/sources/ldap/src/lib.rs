#![doc = include_str!("../README.md")]

mod settings;

mod client;

mod asking;
mod reading;
mod writing;

mod groups;
mod people;
mod rows;

mod search;
mod session;

mod controls;
mod refusal;
mod tls;
mod wire;

pub use client::LdapSource;
pub use settings::{LdapSettings, PasswordPlace};
