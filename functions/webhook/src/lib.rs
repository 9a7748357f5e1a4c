#![doc = include_str!("../README.md")]

mod access;
mod addresses;
mod bulk_upload;
mod error;
mod hooks;
mod limits;
mod people;
mod ports;
mod reply;
mod routes;
mod scim;
mod state;
pub mod tokens;
mod told;

pub use addresses::WebhookAddresses;
pub use limits::{LARGEST_BODY, Limits, Rate};
pub use ports::{NotKnown, PersonState, PersonStates, Provisioning, PushedConnections, PushedSource, WebhookPorts};
pub use routes::router;
pub use told::tell;
