#![doc = include_str!("../README.md")]

mod shape;

mod client;
mod detect;
mod translate;

mod columns;
mod known;

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
mod guid;
mod list;
mod system;
mod value;

pub use client::FileSource;
pub use detect::{Detected, DetectedColumn, detect};
pub use known::known_attributes;
pub use shape::{Format, Shape};
