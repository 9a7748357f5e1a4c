use super::*;
use crate::vocabulary::ids::{PersonKey, PersonRef};

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
fn the_limit_that_is_shown_is_the_limit_that_holds() {
    for kind in Kind::ALL {
        for links in [1, 4, 15, 99, 101, 250, 1_999, 40_000] {
            for spent in [0, 1, 7] {
                let record = Record { spent, ..record(links, None, FirstPlan::Applied) };
                let most = allowed(*kind, links, record.limits);
                for wanted in 1..=most + 2 {
                    let held = over(*kind, wanted, &record).is_some();
                    assert_eq!(held, wanted + spent > most, "{kind:?}: {wanted} after {spent} of {links}");
                }
            }
        }
    }
}

#[test]
fn a_slow_bleed_is_four_times_a_days_limit() {
    for (departed, links, bleeds) in
        [(20, 100, false), (21, 100, true), (4, 5, false), (5, 5, true), (2000, 100_000, false), (2001, 100_000, true)]
    {
        assert_eq!(is_slow_bleed(departed, links, LIMITS), bleeds, "{departed} of {links}");
    }
}

#[test]
fn first_plan_applied_by_hash_approves_its_set_before_any_link() {
    let wanted = set(2);
    let hash = wanted.hash();
    let record = record(0, Some(&hash), FirstPlan::Pending);
    assert!(matches!(judge(&wanted, &record), Judgement::Go(released) if released.why() == ReleasedBy::Approval));
}
