//! The decision about one person: scope → join → flow → plan.

use crate::account::Tenant;
use crate::change::Decision;
use crate::facts::Facts;
use crate::person::PersonRecord;
use crate::policy::Policy;

/// What every decision of a run shares.
#[derive(Debug)]
pub struct Context<'a> {
    /// The policy the run pinned.
    pub policy: &'a Policy,
    /// The tenant as observed.
    pub tenant: &'a Tenant,
    /// Unix seconds, the same for the whole run.
    pub now: i64,
}

/// Decides one person. Same facts, same decision.
pub fn decide(_record: &PersonRecord, _facts: &impl Facts, _context: &Context<'_>) -> Decision {
    unimplemented!("the rules are being written")
}
