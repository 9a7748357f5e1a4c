#![doc = include_str!("../README.md")]

mod mapping;

mod first_pass;
mod interpreter;
mod translate;

pub mod columns;
mod index;
pub mod row;

pub mod known;
pub mod names;
pub mod reduced;
pub mod switch;

pub mod codepage;
pub mod dn;
mod doubtful;
pub mod guid;
mod list;
mod system;
pub mod value;

pub use first_pass::FirstPass;
pub use interpreter::Interpreter;
pub use mapping::ColumnMapping;
pub use translate::key;
