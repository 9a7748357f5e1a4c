#![doc = include_str!("../README.md")]

pub mod table;

pub use table::{FileTable, Missing, Options};
