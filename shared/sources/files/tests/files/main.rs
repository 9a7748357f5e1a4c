//! Files in, entries out.

mod csv;
mod support;
