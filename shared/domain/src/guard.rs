//! The guard: whether a run's removals may go, judged together when everybody is decided. Pure arithmetic: whoever
//! calls knows the past and the approvals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::vocabulary::attribute::Attr;
use crate::vocabulary::change::{Action, Change, Removals, Step};
use crate::vocabulary::ids::{ObjectId, PersonKey, PersonRef};
use crate::vocabulary::policy::Guard;

/// What is limited. Each kind has the same limits, counted apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Deletions, blocked sign-ins, cleared attributes, licences and memberships taken away, all together.
    Removals,
    /// New sign-in names.
    Renames,
    /// Changed immutable IDs.
    IdChanges,
    /// Soft matches onto existing accounts.
    Takeovers,
    /// New accounts.
    Creations,
    /// Changes of what names a person: display name, given name, surname, employee ID, mail. Shifted columns and wrong
    /// encodings look like that.
    IdentityChanges,
}

/// What names a person.
const IDENTITY: [Attr; 5] = [Attr::DisplayName, Attr::GivenName, Attr::Surname, Attr::EmployeeId, Attr::Mail];

impl Kind {
    /// All of them.
    pub const ALL: &'static [Kind] =
        &[Kind::Removals, Kind::Renames, Kind::IdChanges, Kind::Takeovers, Kind::Creations, Kind::IdentityChanges];

    /// What is limited and by which setting, for operators.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Removals => "removals: more than max_removals or max_removals_percent within 24 hours",
            Kind::Renames => "new sign-in names: more than max_removals or max_removals_percent within 24 hours",
            Kind::IdChanges => "changed immutable IDs: more than max_removals or max_removals_percent within 24 hours",
            Kind::Takeovers => "takeovers: more than max_removals or max_removals_percent within 24 hours",
            Kind::Creations => "new accounts: more than max_creations_percent within 24 hours",
            Kind::IdentityChanges => {
                "changed names, employee IDs or addresses: more than max_identity_changes_percent within 24 hours"
            }
        }
    }

    /// How much of this kind a change holds.
    pub fn count(self, change: &Change) -> u64 {
        let is = |yes: bool| u64::from(yes);
        match self {
            Kind::Removals => u64::from(change.removals.total()),
            Kind::Renames => {
                is(change.steps.iter().any(|step| matches!(step, crate::vocabulary::change::Step::Rename { .. })))
            }
            Kind::IdChanges => is(change.action == Action::Repair),
            Kind::Takeovers => is(change.action == Action::Takeover),
            Kind::Creations => is(change.action == Action::Create),
            Kind::IdentityChanges => is(change.steps.iter().any(names_otherwise)),
        }
    }
}

/// Whether a step gives a person another name, number or address than the account has; filling an empty one does not.
fn names_otherwise(step: &Step) -> bool {
    let Step::Update { before, after, .. } = step else { return false };
    IDENTITY.iter().any(|&attr| after.get(attr).is_some() && before.filled(attr).is_some())
}

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
    /// By its hash.
    Applied,
    /// Not yet.
    Pending,
}

/// What a run wants of one kind: people with what of theirs. Sorted, so that one set has one hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    kind: Kind,
    people: BTreeMap<PersonKey, (Box<str>, u64)>,
    /// Members taken out, by group; the name for people.
    groups: BTreeMap<ObjectId, (Box<str>, u64)>,
}

impl Wanted {
    /// Nothing yet.
    pub fn new(kind: Kind) -> Self {
        Self { kind, people: BTreeMap::new(), groups: BTreeMap::new() }
    }

    /// Adds a change, if it holds any of the kind. Its id says exactly what is done.
    pub fn add(&mut self, change: &Change) {
        let count = self.kind.count(change);
        if count > 0 {
            self.insert(&change.person, change.id.as_str(), count);
        }
        if self.kind == Kind::Removals {
            for step in &change.steps {
                if let Step::LeaveGroup { id, name } = step {
                    self.groups.entry(id.clone()).or_insert_with(|| (name.clone(), 0)).1 += 1;
                }
            }
        }
    }

    /// How many members each group loses.
    pub fn by_group(&self) -> impl Iterator<Item = (&ObjectId, u64)> {
        self.groups.iter().map(|(id, (_, count))| (id, *count))
    }

    /// Adds a person by hand: the change's id, and how many removals it holds.
    pub fn insert(&mut self, person: &PersonRef, change: &str, count: u64) {
        self.people.insert(person.key.clone(), (change.into(), count));
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.people.values().map(|(_, count)| count).sum()
    }

    /// How many people.
    pub fn how_many_people(&self) -> usize {
        self.people.len()
    }

    /// Lower-case hex SHA-256 of who and what: an approval is of exactly this set.
    pub fn hash(&self) -> String {
        let mut digest = Sha256::new();
        digest.update([self.kind as u8]);
        for (key, (change, count)) in &self.people {
            let sizes = [key.as_str().len() as u64, change.len() as u64, *count];
            digest.update(sizes.map(u64::to_be_bytes).concat());
            digest.update(key.as_str());
            digest.update(change.as_bytes());
        }
        crate::plan::hex(&digest.finalize())
    }
}

/// The judgement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// They may go.
    Go(Released),
    /// They wait.
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
    /// Few enough.
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

/// Whether so many people who lost their sign-in or account within 30 days, each counted once and without what was
/// approved, are more than a source loses that is in order. `links` are the accounts at the start of the 30 days.
pub fn is_slow_bleed(departed: u64, links: u64, limits: Guard) -> bool {
    departed > limits.daily(links).saturating_mul(Guard::SLOW_FACTOR)
}

/// Adds up what many changes remove.
pub fn add(into: &mut Removals, more: &Removals) {
    into.deletes += more.deletes;
    into.suspends += more.suspends;
    into.blanks += more.blanks;
    into.licenses += more.licenses;
    into.memberships += more.memberships;
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Guard = Guard {
        max_removals: 500,
        max_removals_percent: 5,
        always_allow: 3,
        max_creations_percent: 20,
        max_identity_changes_percent: 20,
    };

    static NO_GROUPS: BTreeMap<ObjectId, GroupRecord> = BTreeMap::new();

    fn record(links: u64, approved: Option<&str>, first_plan: FirstPlan) -> Record<'_> {
        Record { limits: LIMITS, links, spent: 0, approved, first_plan, groups: &NO_GROUPS }
    }

    fn set(count: u64) -> Wanted {
        let mut wanted = Wanted::new(Kind::Removals);
        for n in 0..count {
            let person = PersonRef { connection: "c".into(), key: PersonKey::new(format!("{n:05}")) };
            wanted.insert(&person, "change", 1);
        }
        wanted
    }

    fn check(count: u64, links: u64, spent: u64, first_plan: FirstPlan, expected: Option<Over>) {
        let record = Record { spent, ..record(links, None, first_plan) };
        let over = match judge(&set(count), &record) {
            Judgement::Go(released) => {
                assert!(released.covers(&set(count)));
                None
            }
            Judgement::Wait(guarded) => {
                assert_eq!((guarded.wanted, guarded.spent, guarded.links), (count, spent, links));
                Some(guarded.over)
            }
        };
        assert_eq!(over, expected, "{count} of {links} after {spent}");
    }

    #[test]
    fn limits_hold_at_their_edges() {
        use FirstPlan::{Applied, Pending};
        for (count, links, spent, first_plan, expected) in [
            (0, 0, 0, Pending, None),
            (1, 0, 0, Applied, Some(Over::First)),
            (1, 100, 0, Pending, Some(Over::First)),
            (3, 15, 0, Applied, None),
            (4, 15, 0, Applied, Some(Over::Percent)),
            // A fifth of a small directory, and one person at the least.
            (3, 14, 0, Applied, Some(Over::Percent)),
            (2, 10, 0, Applied, None),
            (3, 10, 0, Applied, Some(Over::Percent)),
            (1, 5, 0, Applied, None),
            (2, 5, 0, Applied, Some(Over::Percent)),
            (1, 3, 0, Applied, None),
            (1, 1, 1, Applied, Some(Over::Percent)),
            (5, 100, 0, Applied, None),
            (6, 100, 0, Applied, Some(Over::Percent)),
            (4, 79, 0, Applied, Some(Over::Percent)),
            (4, 80, 0, Applied, None),
            (500, 10_000, 0, Applied, None),
            (501, 100_000, 0, Applied, Some(Over::Count)),
            (1, 100_000, 500, Applied, Some(Over::Count)),
            (1, 100_000, 499, Applied, None),
            (1, 15, 2, Applied, None),
            (1, 15, 3, Applied, Some(Over::Percent)),
        ] {
            check(count, links, spent, first_plan, expected);
        }
    }

    /// So many people leave a group of so many members, after so many who left it before, in a company of 10,000.
    fn leaving(count: u64, members: u64, spent: u64) -> Judgement {
        let id = ObjectId::from("g");
        let mut wanted = set(count);
        wanted.groups.insert(id.clone(), ("Sales".into(), count));
        let groups = BTreeMap::from([(id, GroupRecord { members, spent })]);
        let record = Record { groups: &groups, ..record(10_000, None, FirstPlan::Applied) };
        judge(&wanted, &record)
    }

    #[test]
    fn one_group_loses_a_fifth_of_its_members_at_most() {
        for (count, members, spent, waits) in [
            (3, 3, 0, false),
            (4, 19, 0, true),
            (4, 20, 0, false),
            (21, 100, 0, true),
            (1, 80, 20, true),
            (1, 95, 5, false),
        ] {
            let judgement = leaving(count, members, spent);
            let held = matches!(&judgement, Judgement::Wait(guarded) if guarded.over == Over::Group && guarded.group.as_deref() == Some("Sales"));
            assert_eq!(held, waits, "{count} of {members} after {spent}: {judgement:?}");
        }
        let unknown = Record { groups: &BTreeMap::new(), ..record(10_000, None, FirstPlan::Applied) };
        let mut wanted = set(4);
        wanted.groups.insert(ObjectId::from("g"), ("Sales".into(), 4));
        assert!(matches!(judge(&wanted, &unknown), Judgement::Wait(_)), "of a group that nobody counted nobody leaves");
        let hash = wanted.hash();
        let approved = Record { approved: Some(&hash), ..unknown };
        assert!(matches!(judge(&wanted, &approved), Judgement::Go(_)));
    }

    #[test]
    fn an_approval_is_of_exactly_one_set() {
        let wanted = set(600);
        let hash = wanted.hash();
        let record = |approved| record(1000, approved, FirstPlan::Applied);
        assert!(matches!(judge(&wanted, &record(Some(&hash))), Judgement::Go(_)));
        assert!(matches!(judge(&set(601), &record(Some(&hash))), Judgement::Wait(_)));
        assert!(matches!(judge(&set(599), &record(Some(&hash))), Judgement::Wait(_)));
        let mut other = set(600);
        let person = PersonRef { connection: "c".into(), key: "00000".into() };
        other.insert(&person, "another change", 1);
        assert!(matches!(judge(&other, &record(Some(&hash))), Judgement::Wait(_)));
    }

    #[test]
    fn takeovers_after_the_first_plan_have_the_same_limits() {
        let record = |links| record(links, None, FirstPlan::Applied);
        let mut wanted = Wanted::new(Kind::Takeovers);
        for key in ["a", "b", "c"] {
            wanted.insert(&PersonRef { connection: "c".into(), key: key.into() }, "change", 1);
        }
        assert!(matches!(judge(&wanted, &record(15)), Judgement::Go(_)));
        wanted.insert(&PersonRef { connection: "c".into(), key: "d".into() }, "change", 1);
        assert!(matches!(judge(&wanted, &record(15)), Judgement::Wait(_)));
        assert!(matches!(judge(&wanted, &record(80)), Judgement::Go(_)));
    }

    #[test]
    fn creations_and_changed_names_have_limits_of_their_own() {
        let record = |links, spent| Record { spent, ..record(links, None, FirstPlan::Applied) };
        for (kind, always) in [(Kind::Creations, 25), (Kind::IdentityChanges, 10)] {
            for (wanted, links, spent, expected) in [
                (always, 0, 0, None),
                (always + 1, 0, 0, Some(Over::Percent)),
                (1, 10, always, Some(Over::Percent)),
                (200, 1000, 0, None),
                (201, 1000, 0, Some(Over::Percent)),
                (1, 1000, 200, Some(Over::Percent)),
                (2000, 10_000, 0, None),
            ] {
                assert_eq!(over(kind, wanted, &record(links, spent)), expected, "{kind:?} {wanted} of {links}");
            }
        }
    }

    #[test]
    fn a_slow_bleed_is_four_times_a_days_limit() {
        for (departed, links, bleeds) in [
            (20, 100, false),
            (21, 100, true),
            (4, 5, false),
            (5, 5, true),
            (2000, 100_000, false),
            (2001, 100_000, true),
        ] {
            assert_eq!(is_slow_bleed(departed, links, LIMITS), bleeds, "{departed} of {links}");
        }
    }

    #[test]
    fn only_another_value_in_place_of_one_names_a_person_otherwise() {
        let step = |attr, before, after| Step::Update {
            immutable_id: None,
            before: crate::vocabulary::attribute::Attributes::from_pairs([(attr, before)]),
            after: crate::vocabulary::attribute::Attributes::from_pairs([(attr, after)]),
        };
        assert!(names_otherwise(&step(Attr::DisplayName, "Ada", "Bob")));
        assert!(names_otherwise(&step(Attr::EmployeeId, "7", "")), "a number that is cleared, too");
        assert!(!names_otherwise(&step(Attr::Mail, "", "ada@contoso.com")));
        assert!(!names_otherwise(&step(Attr::JobTitle, "Lead", "Head")));
    }

    #[test]
    fn first_plan_applied_by_hash_approves_its_set_before_any_link() {
        let wanted = set(2);
        let hash = wanted.hash();
        let record = record(0, Some(&hash), FirstPlan::Pending);
        assert!(matches!(judge(&wanted, &record), Judgement::Go(released) if released.why() == ReleasedBy::Approval));
    }
}
