#![doc = include_str!("../README.md")]

mod deadline;
mod observed;
mod ports;
mod run;
mod source;
mod tenant;
mod writes;

pub use hardmatch_ports::doorbell::After;
pub use observed::{NEEDED, PEOPLE, USERS};
pub use ports::{ObserveError, SourcePorts, TenantPorts};
pub use source::{copied, observe_source, observe_source_now, within, write_back};
pub use tenant::{observe_tenant, observe_tenant_now};
