//! Behaviour of the simulated tenant, through real HTTP.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![expect(
    clippy::assigning_clones,
    clippy::duration_suboptimal_units,
    clippy::needless_pass_by_value,
    reason = "tables of cases read better so"
)]

mod batches;
mod codes;
mod connect;
mod consent;
mod deleted;
mod delta;
mod desk;
mod discovery;
mod door;
mod durable;
mod entra;
mod extensions;
mod faults;
mod federation;
mod groups;
mod lag;
mod licenses;
mod login;
mod permissions;
mod photos;
mod proofs;
mod quotas;
mod readme;
mod reads;
mod refresh;
mod signer;
mod strict;
mod tenant;
mod writes;
