#![doc = include_str!("../README.md")]

mod settings;

mod client;

mod asking;
mod evidence;
mod examining;
mod reading;
mod survey;
mod writing;

mod copy;
mod delta;

mod groups;
mod people;
mod rows;

mod search;
mod session;

mod controls;
mod locate;
mod refusal;
mod tls;
mod wire;

pub use client::LdapSource;
pub use secrecy::SecretString;
pub use settings::{CopyPlace, FullTimes, KeptCopy, LdapSettings, PasswordPlace, TimeLimits};
pub use survey::{Survey, survey};
