//! Stories of the whole product: each tells one behaviour from a directory to a simulated tenant. One test binary, because
//! each binary links the whole product.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod boundary;
mod connect;
mod deleted;
mod entitling;
mod faults;
mod hops;
mod joining;
mod leaving;
mod marks;
mod observing;
mod pace;
mod reach;
mod runs;
mod standing;
mod units;
mod writing;
