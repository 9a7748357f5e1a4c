#![doc = include_str!("../README.md")]

pub mod expiry;
pub mod judge;
pub mod needs;

mod anchors;
mod answer;
mod entitle;
mod login;
mod looking;
mod side;
mod status;
mod tenant;

use hardmatch_ports::{Check, CheckState};

pub use answer::{TenantRequestContext, TenantRequestError, answer, note_expiry};
pub use looking::{keeps_nothing, looking};
pub use side::{Side, TenantLook, said};
pub use status::status;
pub use tenant::{disconnected, is_delegated, tenant};

/// A check in one line.
pub fn check(area: &str, state: CheckState, finding: impl Into<String>, cure: impl Into<String>) -> Check {
    Check { area: area.to_owned(), state, finding: finding.into(), cure: cure.into() }
}

/// Something that is as it should be.
pub fn good(area: &str, finding: impl Into<String>) -> Check {
    check(area, CheckState::Ok, finding, "")
}
