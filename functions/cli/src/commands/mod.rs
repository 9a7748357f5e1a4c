//! One command a file.

pub(crate) mod run;
pub(crate) mod who;
