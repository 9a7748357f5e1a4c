#![doc = include_str!("../README.md")]

mod boundary;
mod changes;
mod compile;
mod config;
mod dates;
mod days;
mod explain;
mod expression;
mod features;
mod keys;
mod load;
mod names;
pub mod permission;
mod places;
mod problem;
mod reference;
mod roles;
mod schedule;
mod schema;
mod sources;
mod template;
mod trace;
mod tree;
mod widen;

pub use boundary::{Active, BadHost, Protected, StackLimits, protected_changes, takes_an_approver};
pub use changes::changes;
pub use compile::DEFAULT_FLOW;
pub use config::{
    AnchorSettings, Auth, ClientCertificate, ClientProof, ClientSecret, Cloud, Config, Endpoints, Matching, Method,
    Override, Passwords, SCHEMA, TenantSettings,
};
pub use dates::{DateForm, date_form};
pub use days::DayRule;
pub use explain::explain;
pub use expression::{Compiled, FIELDS, FUNCTIONS, FieldDoc, FunctionDoc, MAX_CHARS, MAX_DEPTH};
pub use keys::SOURCE_ATTRIBUTES;
pub use names::nearest;
pub use places::{AuthorityRef, SecretRef, TokenRef};
pub use problem::{Paint, Problem, ProblemKind, Problems};
pub use reference::reference;
pub use schedule::{Every, Schedule};
pub use schema::json_schema;
pub use sources::{
    DirectorySettings, DisabledIn, Location, SamePerson, SeveralSources, SourceKind, SourcePart, SourceSettings, YesNo,
};
pub use template::{TemplateColumn, TemplateColumns, TemplateDirectory, template};
pub use trace::{Entitlement, Entitlements, Given, RuleTrace, TraceOutcome, entitlements, test_rules};
pub use widen::{policy_hash, widens};
