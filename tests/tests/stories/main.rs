//! Stories of the whole product: each tells one behaviour from a directory to a simulated tenant. One test binary, because
//! each binary links the whole product.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod approvals;
mod beginning;
mod boundary;
mod connect;
mod deleted;
mod dirty;
mod entitling;
mod entra_connect;
mod faults;
mod following;
mod history;
mod joining;
mod leaving;
mod left_alone;
mod mirrored;
mod observing;
mod pace;
mod permissions;
mod pushed;
mod recording;
mod removing;
mod repair_obstacles;
mod repairs;
mod repairs_asked;
mod requeue;
mod runs;
mod scheduled;
mod several;
mod staged;
mod standing;
mod tenant_request;
mod undo;
mod units;
mod wanted;
mod write_back;
mod writing;
