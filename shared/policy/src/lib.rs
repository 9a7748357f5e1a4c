#![doc = include_str!("../README.md")]

mod compile;
mod config;
mod expression;
mod keys;
mod load;
mod names;
mod problem;
mod tree;

pub use compile::DEFAULT_FLOW;
pub use config::{
    Anchor, Auth, Cloud, Config, Endpoints, Matching, Method, Override, Passwords, SCHEMA, SecretRef, Source,
    SourceKind, Tenant,
};
pub use expression::{Compiled, FIELDS, FUNCTIONS, FieldDoc, FunctionDoc, MAX_CHARS, MAX_DEPTH};
pub use keys::SOURCE_ATTRIBUTES;
pub use problem::{Paint, Problem, ProblemKind, Problems};
