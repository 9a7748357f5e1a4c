//! Repairs: sequences of calls that join an account to its person, or that end with everything as it was.
//!
//! [`sequences`] makes the calls when a person is decided, [`journal`] is what is stored before each of them, [`next`] says
//! what a repair does now, forward and backward, and [`holds`] what nobody else may touch meanwhile. Pure: the writer reads,
//! sends and stores what these say. <https://learn.microsoft.com/graph/api/user-update>

pub mod holds;
pub mod journal;
pub mod next;
pub mod sequences;

pub use crate::vocabulary::repair::{RepairCall, RepairKind, RepairPlan, RepairWrite};
