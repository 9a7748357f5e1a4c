#![doc = include_str!("../README.md")]

mod acceptance;
mod acknowledged;
mod admission;
mod approvals;
mod commands;
mod commit;
mod credential_expiry;
mod deadline;
mod driver;
mod due;
mod error;
mod explain;
mod handler;
mod lane;
mod left_over;
mod opening;
mod phase;
mod plan;
mod policies;
mod ports;
mod quarantine;
mod replay;
mod requests;
mod schedule;
mod slot;
mod step;
mod table_loss;
mod tick;
mod transition;
mod undo;

/// The tests beside the code and those in `tests/` use one fixture, which names this crate from outside.
#[cfg(test)]
extern crate self as hardmatch_match;
#[cfg(test)]
#[path = "../tests/messages/fixture.rs"]
mod fixture;

pub use hardmatch_ports::Policies;
pub use hardmatch_ports::doorbell::After;
pub use hardmatch_ports::tenant_request::DisconnectResult;

pub use acceptance::{Acceptance, accept, applied};
pub use acknowledged::{acknowledged, facts as acknowledged_facts};
pub use admission::{Admission, admit};
pub use commands::{
    Handled, MOST_DAYS as MOST_DAYS_ACKNOWLEDGED, Request, disconnect, handle_command, paused, set_hash, still_planned,
};
pub use credential_expiry::watch_credential;
pub use driver::advance;
pub use error::MatchError;
pub use explain::{DecidedPerson, decide_one};
pub use handler::answer;
pub use left_over::{notify_left_over, notify_to_look_again};
pub use opening::{Accept, NewRun, open_run};
pub use plan::{Named, Slices, read_plan};
pub use ports::{ConnectionHealth, ExplainPorts, MatchPorts, RunCost, RunMetrics};
pub use replay::replay;
pub use requests::{notify_wanted, take_requests};
pub use schedule::{PassedBy, Started, is_taken, nightly, start_due, start_scheduled};
pub use tick::{look_after, tick, tick_all};
