//! `auth`: connects a tenant, says how it is connected, gives it up.

mod certificate;
pub(crate) mod connect;
pub(crate) mod give_up;
pub(crate) mod pages;
pub(crate) mod status;
mod tokens;

pub(crate) use certificate::certificate;
pub(crate) use tokens::tokens;
