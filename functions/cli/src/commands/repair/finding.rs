//! What an audit says of one thing that is wrong.

use hardmatch_domain::change::RepairPlan;
use hardmatch_domain::ids::{ObjectId, PersonKey};
use serde::Serialize;

/// One thing that is wrong, or may be.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// What kind: a reason code, or a class of the tenant's accounts.
    pub(super) class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) person: Option<PersonKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) upn: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) accounts: Vec<ObjectId>,
    /// What was seen.
    pub(super) evidence: Vec<String>,
    /// The repair that is planned for it, which `repair start` carries out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repair: Option<RepairPlan>,
    pub(super) cure: String,
}
