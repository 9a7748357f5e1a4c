#![doc = include_str!("../README.md")]

pub mod account;
pub mod bill;
pub mod connection;
pub mod cut;
pub mod damage;
pub mod delivered;
pub mod dice;
pub mod directory;
pub mod hostile;
pub mod hush;
pub mod invariants;
pub mod lab;
pub mod month;
pub mod ran;
pub mod trace;
pub mod trial;
pub mod world;

mod stage;

pub use account::{Seen, by_hand, immutable_id};
pub use bill::Bill;
pub use cut::{Cut, Spoil};
pub use delivered::Delivered;
pub use dice::Dice;
pub use directory::{Directory, guid};
pub use hush::Hush;
pub use ran::Ran;
pub use stage::{Bells, Processes, Watch};
pub use trace::Trace;
pub use trial::{Night, Setup, Trial};
pub use world::{Backup, Stopped, World};
