//! Licences: what the tenant has bought, and what of it a step gives or takes.

use serde::{Deserialize, Serialize};

use crate::vocabulary::attribute::Texts;

/// A licence the tenant has. <https://learn.microsoft.com/graph/api/resources/subscribedsku>
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sku {
    /// The GUID that Microsoft Graph knows it by.
    pub id: String,
    /// `SPE_E3` and the like.
    pub part_number: String,
    /// Bought and usable.
    pub seats: i64,
    /// How many seats are in use.
    pub used: i64,
    /// What it consists of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<ServicePlan>,
}

impl Sku {
    /// How many more people can be given it.
    pub fn free(&self) -> u64 {
        u64::try_from(self.seats.saturating_sub(self.used)).unwrap_or(0)
    }
}

/// A part of a licence that can be switched off for a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServicePlan {
    /// The GUID that Microsoft Graph knows it by.
    pub id: String,
    /// `EXCHANGE_S_ENTERPRISE` and the like.
    pub name: String,
}

/// A licence as a step gives or takes it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct License {
    /// The SKU's id.
    pub sku: Box<str>,
    /// Its part number, for people.
    pub part_number: Box<str>,
    /// Ids of the service plans that stay off, sorted.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub without: Texts,
    /// The account has it already, with other plans: no seat is needed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// Of a licence that the account has already: ids of the service plans that were off before, sorted.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub before: Texts,
}

/// Service plans that bring eligible roles (Privileged Identity Management).
/// <https://learn.microsoft.com/entra/id-governance/licensing-fundamentals>
const ELIGIBLE_ROLES: [&str; 2] = ["AAD_PREMIUM_P2", "ENTRA_IDENTITY_GOVERNANCE"];

/// Whether one of a tenant's products brings eligible roles: where none does, nobody is eligible for one.
pub fn brings_eligible_roles(skus: &[Sku]) -> bool {
    let has_plan =
        |sku: &Sku| sku.plans.iter().any(|plan| ELIGIBLE_ROLES.iter().any(|name| plan.name.eq_ignore_ascii_case(name)));
    skus.iter().any(has_plan)
}
