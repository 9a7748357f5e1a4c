#![doc = include_str!("../README.md")]

mod answer;
mod attempt;
mod connection;
mod page;
mod problem;
mod proof;
mod public_url;
mod routes;
mod secret;
mod session;
mod start;
mod ticket;
mod words;

pub use connection::{Configured, Connection, ConnectionLookup, Ports, SignInMeans, Unavailable};
pub use public_url::{PublicUrl, PublicUrlError};
pub use routes::router;
pub use ticket::{ConnectLink, draft, issue};
