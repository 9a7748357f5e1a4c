#![doc = include_str!("../README.md")]

pub mod account;
mod asking;
pub mod bill;
pub mod built;
pub mod command;
pub mod connection;
pub mod damage;
pub mod delivered;
pub mod directory;
pub mod fixture;
pub mod hostile;
pub mod invariants;
pub mod kill_at;
pub mod month;
pub mod pushing;
pub mod ran;
mod rights;
pub mod rng;
pub mod secret_scan;
pub mod taught;
pub mod telling;
pub mod trace;
pub mod trial;
pub mod world;

mod engine;
mod stopped;

pub use account::{Seen, by_hand, immutable_id};
pub use bill::Bill;
pub use delivered::Delivered;
pub use directory::{Directory, guid};
pub use engine::{Messages, Processes, Watch};
pub use kill_at::{CorruptAnswer, KillAt};
pub use pushing::{Answered, Sent};
pub use ran::Ran;
pub use rng::Rng;
pub use secret_scan::SecretScan;
pub use stopped::Stopped;
pub use taught::Taught;
pub use trace::Trace;
pub use trial::{Night, Setup, Trial};
pub use world::{Backup, World};
