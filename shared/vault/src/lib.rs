//! Credentials: the only crate that sees them in clear.
