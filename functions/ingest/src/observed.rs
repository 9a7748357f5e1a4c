//! What a reading of one side found out, in the words of the run.

use std::time::Duration;

use hardmatch_ports::run::{Collection, CollectionState, Run};
use hardmatch_ports::source::RefusedEntry;

/// The collection of people, read from the source.
pub const PEOPLE: &str = "people";
/// The collection of live users of the tenant.
pub const USERS: &str = "users";
/// The collections without which nobody can be decided.
pub const NEEDED: &[&str] = &[PEOPLE, USERS, DELETED, DOMAINS];
pub(crate) const DELETED: &str = "deleted_users";
pub(crate) const DOMAINS: &str = "domains";
pub(crate) const ROLES: &str = "roles";
pub(crate) const ELIGIBLE: &str = "eligible_roles";
pub(crate) const GROUPS: &str = "groups";
pub(crate) const CONTACTS: &str = "contacts";
pub(crate) const LICENSES: &str = "licences";
pub(crate) const MEMBERSHIPS: &str = "memberships";

/// What is to be entered into the run, or when the reading goes on.
#[derive(Default)]
pub(crate) struct Observed {
    pub(crate) collections: Vec<(&'static str, Collection)>,
    pub(crate) refused: Vec<RefusedEntry>,
    pub(crate) left_out: Vec<RefusedEntry>,
    pub(crate) problems: Vec<String>,
    /// Everybody is to be decided, not only people who are dirty.
    pub(crate) everybody: bool,
    /// The reading is not at its end: the message is sent again after this time.
    pub(crate) again: Option<Duration>,
    /// Units of work done, in this message and in those before it.
    pub(crate) units: u64,
}

impl Observed {
    /// A reading that goes on in another message.
    pub(crate) fn later(wait: Duration, units: u64) -> Self {
        Self { again: Some(wait), units, ..Self::default() }
    }

    /// A collection that cannot be read, and a problem of the run that says why.
    pub(crate) fn unreadable(name: &'static str, problem: String) -> Self {
        Self { collections: vec![(name, unknown(problem.clone()))], problems: vec![problem], ..Self::default() }
    }
}

/// A collection that was read to its end.
pub(crate) fn complete(seen: u64, changed: u64) -> Collection {
    Collection { state: CollectionState::Complete, seen, changed, ..Collection::default() }
}

/// A collection of which nothing may be concluded.
pub(crate) fn unknown(doubt: impl Into<String>) -> Collection {
    Collection { state: CollectionState::Unknown, doubts: vec![doubt.into()], ..Collection::default() }
}

/// How long a run waits for a side that cannot be read and names no time (milliseconds). Then the run ends incomplete,
/// and the next run asks again.
const PATIENCE_MS: i64 = 60 * 60 * 1000;

/// Whether a run may still wait for a side that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    Left,
    Over,
}

/// The patience left at `now_ms` with a side whose reading advanced last at `since_ms`.
pub(crate) fn patience(since_ms: i64, now_ms: i64) -> Patience {
    if now_ms - since_ms < PATIENCE_MS { Patience::Left } else { Patience::Over }
}

/// When a run began to observe (Unix milliseconds): its start, or the acceptance of a plan that had been waiting.
pub(crate) fn begun_ms(run: &Run) -> i64 {
    run.accepted.as_ref().map_or(run.started_ms, |accepted| accepted.at_ms.max(run.started_ms))
}
