#![doc = include_str!("../README.md")]

mod shape;

mod client;
mod detect;
#[cfg(feature = "programs")]
mod program;
mod reading;

mod aliases;
mod looks;
mod propose;

mod entries;
mod read;

mod csv;
mod footer;
mod header;
mod jsonl;
mod ldif;

mod letters;
mod lines;
mod text;

pub use client::FileSource;
pub use detect::{Detected, DetectedColumn, Managers, detect};
pub use hardmatch_sources_entry::ColumnMapping;
pub use hardmatch_sources_entry::known::known_attributes;
pub use hardmatch_sources_entry::switch::Words;
#[cfg(feature = "programs")]
pub use program::ProgramSource;
pub use propose::{Day, Proposal, ProposedBy};
pub use shape::{Format, Shape};
