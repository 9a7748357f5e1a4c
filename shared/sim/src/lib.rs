#![doc = include_str!("../README.md")]
#![expect(clippy::unnecessary_box_returns, reason = "refusals travel in results; boxed, the good path stays small")]

mod admin;
mod answer;
mod batch;
mod caller;
mod clock;
mod connect;
mod deleted;
mod delta;
mod directory;
mod entra;
mod error;
mod extensions;
mod faults;
mod filter;
mod groups;
mod http;
mod journal;
mod licenses;
mod load;
mod object;
mod options;
mod permits;
mod persist;
mod photos;
mod query;
mod read;
mod records;
mod registration;
mod rng;
mod roles;
mod route;
mod rules;
mod running;
mod schema;
mod seed;
mod serve;
mod stamp;
mod state;
mod strike;
mod tenant;
mod throttle;
mod tokens;
mod users;
mod values;
mod world;

pub use clock::{SimClock, SimManualClock};
pub use connect::{Exported, SyncError};
pub use error::SimError;
pub use extensions::SeedExtension;
pub use faults::{Fault, FaultRule, Place, TenantFaults};
pub use options::{
    AccessPolicy, BeforeConsent, ConnectRules, DeltaTraps, Demand, Lag, LoginHint, Reaction, SimOptions, Throttle,
};
pub use records::{CallCounts, SeenRequest};
pub use registration::{App, AppSecret, Consent, KeyCredential, RegisteredCredential, Signature};
pub use running::{Running, Sim};
pub use schema::user_properties;
pub use seed::{
    CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID, DomainType, FULL_LIFECYCLE, Plan, Seed, SeedDomain,
    SeedOrganization, SeedSku, SeedTenant,
};
pub use world::World;
