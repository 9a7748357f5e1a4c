//! What follows for a person from where they stand: one rule a file. Which account is theirs is decided in `join`.

pub(crate) mod create;
pub(crate) mod employment;
pub(crate) mod entitle;
mod entitlement;
pub(crate) mod flow;
pub(crate) mod held;
pub(crate) mod keep;
pub(crate) mod leaving;
mod licenses;
pub(crate) mod lifecycle;
pub(crate) mod likeness;
pub(crate) mod manager;
mod memberships;
pub(crate) mod proof;
pub(crate) mod scope;
pub(crate) mod upn;
pub(crate) mod write_back;
