//! The guard: whether a run's removals may go, judged together when everybody is decided. Pure arithmetic: the
//! caller knows the past and the approvals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::vocabulary::ids::ObjectId;
use crate::vocabulary::policy::Guard;

mod kind;
mod wanted;

#[cfg(test)]
mod tests;

pub use kind::Kind;
pub use wanted::Wanted;

/// What the judgement rests on.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The policy's limits.
    pub limits: Guard,
    /// Linked accounts at the start of the 24-hour window that are there and that we have not blocked; 0 when there was
    /// none.
    pub links: u64,
    /// How many of this kind were let through in the last 24 hours, webhook included.
    pub spent: u64,
    /// The hash of the set that an operator approved, when they did.
    pub approved: Option<&'a str>,
    /// Whether an operator applied this connection's first plan by its hash. Before that nothing is removed.
    pub first_plan: FirstPlan,
    /// The groups of which members are taken out; one that is not known counts as empty.
    pub groups: &'a BTreeMap<ObjectId, GroupRecord>,
}

/// A group, as far as its own limit goes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct GroupRecord {
    /// How many members it has now.
    pub members: u64,
    /// How many were taken out in the last 24 hours.
    pub spent: u64,
}

/// Whether a connection's first plan was applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FirstPlan {
    /// An operator applied a plan by its hash.
    Applied,
    /// No plan was applied by its hash yet.
    Pending,
}

/// What the guard says about the removals of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// They may go.
    Go(Released),
    /// The removals wait for an approval.
    Wait(Guarded),
}

/// Proof that the guard let a set go. Only [`judge`] makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Released {
    hash: String,
    why: ReleasedBy,
}

impl Released {
    /// The hash of the set that may go, and no other.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Why it may.
    pub fn why(&self) -> ReleasedBy {
        self.why
    }

    /// Whether it covers this set.
    pub fn covers(&self, wanted: &Wanted) -> bool {
        self.hash == wanted.hash()
    }
}

/// Why a set may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleasedBy {
    /// There is nothing to hold.
    Nothing,
    /// The removals are within the limits.
    Limits,
    /// An operator approved exactly this set.
    Approval,
}

/// Why a set waits, in numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Guarded {
    /// The set's hash: approve this.
    pub hash: String,
    /// How many are wanted now.
    pub wanted: u64,
    /// How many went in the last 24 hours.
    pub spent: u64,
    /// Links at the start of the window.
    pub links: u64,
    /// Which limit holds them.
    pub over: Over,
    /// The group that would lose too many, when it is a group's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Box<str>>,
}

/// Which limit holds a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// The first plan has not been applied, or there was no link before.
    First,
    /// `max_removals`.
    Count,
    /// `max_removals_percent`.
    Percent,
    /// [`Guard::GROUP_PERCENT`] of one group's members.
    Group,
    /// [`Guard::SLOW_FACTOR`] times a day's limit within 30 days.
    Slow,
}

/// Judges one kind of a run together with what went before it. Nothing is let through in part.
///
/// More than `always_allow` in the window, and more than `max_removals` or more than `max_removals_percent` of the
/// links: guarded, unless exactly this set is approved. An operator who applied the first plan by its hash approved the
/// sets in it, so those hashes come as `approved`; without it nothing goes, and nothing is removed while no link existed.
pub fn judge(wanted: &Wanted, record: &Record<'_>) -> Judgement {
    let hash = wanted.hash();
    let now = wanted.total();
    if now == 0 {
        return Judgement::Go(Released { hash, why: ReleasedBy::Nothing });
    }
    if record.approved == Some(hash.as_str()) {
        return Judgement::Go(Released { hash, why: ReleasedBy::Approval });
    }
    let (over, group) = match over(wanted.kind, now, record) {
        Some(over) => (over, None),
        None => match too_many_of(wanted, record) {
            Some(group) => (Over::Group, Some(group.into())),
            None => return Judgement::Go(Released { hash, why: ReleasedBy::Limits }),
        },
    };
    Judgement::Wait(Guarded { hash, wanted: now, spent: record.spent, links: record.links, over, group })
}

/// The first group that would lose more than its share of members, and more than are always allowed.
fn too_many_of<'w>(wanted: &'w Wanted, record: &Record<'_>) -> Option<&'w str> {
    let too_many = |(id, (_, count)): &(&ObjectId, &(Box<str>, u64))| {
        let GroupRecord { members, spent } = record.groups.get(*id).copied().unwrap_or_default();
        let total = count.saturating_add(spent);
        let before = members.saturating_add(spent);
        total > record.limits.always_allowed(record.links)
            && u128::from(total) * 100 > u128::from(before) * u128::from(Guard::GROUP_PERCENT)
    };
    wanted.groups.iter().find(too_many).map(|(_, (name, _))| &**name)
}

/// Which limit so many of a kind are over, when nobody approved them. None of a kind are over none.
pub fn over(kind: Kind, wanted: u64, record: &Record<'_>) -> Option<Over> {
    let total = wanted.saturating_add(record.spent);
    let limits = record.limits;
    let (always, most, percent) = match kind {
        Kind::Creations => (Guard::ALWAYS_CREATE, u64::MAX, limits.max_creations_percent),
        Kind::IdentityChanges => (Guard::ALWAYS_NAME, u64::MAX, limits.max_identity_changes_percent),
        Kind::Removals | Kind::Renames | Kind::IdChanges | Kind::Takeovers => {
            (limits.always_allowed(record.links), limits.max_removals, limits.max_removals_percent)
        }
    };
    let over_percent = u128::from(total) * 100 > u128::from(record.links) * u128::from(percent);
    let unlinked = kind == Kind::Removals && record.links == 0;
    if wanted == 0 {
        None
    } else if record.first_plan == FirstPlan::Pending || unlinked {
        Some(Over::First)
    } else if total <= always {
        None
    } else if total > most {
        Some(Over::Count)
    } else if over_percent {
        Some(Over::Percent)
    } else {
        None
    }
}

/// How many of a kind go within 24 hours without an approval, once a first plan was applied: [`over`] holds more than these,
/// what went before included. `accounts` are the linked accounts at the start of that window.
pub fn allowed(kind: Kind, accounts: u64, limits: Guard) -> u64 {
    match kind {
        Kind::Creations => limits.daily_creations(accounts),
        Kind::IdentityChanges => limits.daily_identity_changes(accounts),
        Kind::Removals | Kind::Renames | Kind::IdChanges | Kind::Takeovers => limits.daily(accounts),
    }
}

/// Whether so many people who lost their sign-in or account within 30 days, each counted once and without what was
/// approved, are more than a source loses that is in order. `links` are the accounts at the start of the 30 days.
pub fn is_slow_bleed(departed: u64, links: u64, limits: Guard) -> bool {
    departed > limits.daily(links).saturating_mul(Guard::SLOW_FACTOR)
}
