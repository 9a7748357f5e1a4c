#![doc = include_str!("../README.md")]

mod shape;

mod client;
mod detect;
mod translate;

mod aliases;
mod columns;
mod known;
mod looks;
mod propose;
mod switch;

mod index;
mod row;

mod entries;

mod csv;
mod header;
mod jsonl;
mod ldif;

mod codepage;
mod letters;
mod lines;
mod names;
mod text;

mod dn;
mod doubtful;
mod guid;
mod list;
mod system;
mod value;

pub use client::FileSource;
pub use detect::{Detected, DetectedColumn, Managers, detect};
pub use known::known_attributes;
pub use propose::{Day, Proposal, ProposedBy};
pub use shape::{Format, Shape};
pub use switch::Words;
