//! Laws: what holds in every world, however odd. Worlds are small and crowded, so that people collide.

use std::collections::BTreeMap;

use hardmatch_domain::account::{Account, HolderKind};
use hardmatch_domain::attribute::{Attr, Texts};
use hardmatch_domain::change::{Change, Decision, ManagerTarget, RepairCall, RepairWrite, Step};
use hardmatch_domain::group::FoundGroup;
use hardmatch_domain::ids::{ImmutableId, ObjectId, PersonKey, PersonRef};
use hardmatch_domain::link::{JoinRule, LeavingCause, Ledger, LicenseGrant, Link, Suspension};
use hardmatch_domain::person::{PersonRecord, SourceStatus};
use hardmatch_domain::plan::{Counts, plan_hash, slice_hash};
use hardmatch_domain::policy::{AccountDeleted, OnConflict, SoftDeleted};
use hardmatch_domain::reason::Code;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::loading::by_pieces;
use crate::world::*;

const NAMES: [&str; 4] = ["ada", "bob", "eve", "mal"];

fn a_person(n: usize) -> impl Strategy<Value = PersonRecord> {
    let name = 0..NAMES.len();
    let standing = prop_oneof![
        6 => Just(SourceStatus::Present),
        1 => Just(SourceStatus::Refused),
        2 => Just(SourceStatus::Absent(NOW - DAY)),
        1 => Just(SourceStatus::Deleted(NOW - 40 * DAY)),
    ];
    let enabled = prop_oneof![3 => Just(Some(true)), 1 => Just(Some(false)), 1 => Just(None)];
    let groups = prop_oneof![4 => Just("Staff"), 1 => Just("Others"), 1 => Just("Broken")];
    (name.clone(), name.clone(), name, standing, enabled, groups, (0..5u8, 0..4u8), any::<bool>()).prop_map(
        move |(upn, id, manager, standing, enabled, groups, (employee, phone), other)| {
            let mut record = person(&format!("p{n}"))
                .login(&format!("{}@contoso.com", NAMES[upn]))
                .primary(&format!("{}@contoso.com", NAMES[upn]))
                .anchors(&[&format!("id-{}", NAMES[id])])
                .groups(&[groups])
                .standing(standing)
                .enabled(enabled);
            if manager != n {
                record = record.manager(&format!("p{manager}"));
            }
            if employee < 3 {
                record = record.set(Attr::EmployeeId, &employee.to_string());
            }
            if phone < 2 {
                record = record.set(Attr::MobilePhone, &format!("+46 {phone}"));
            }
            // What an expression may make a sign-in name of: not the same as the one at the source.
            record = record.set(Attr::MailNickname, NAMES[(upn + n) % NAMES.len()]);
            if other && n == 3 { record.of("other") } else { record }
        },
    )
}

fn an_account(n: usize) -> impl Strategy<Value = Account> {
    let enabled = prop_oneof![3 => Just(Some(true)), 1 => Just(Some(false))];
    (0..8usize, 0..5u8, 0..4u8, 0..10u8, enabled, any::<bool>()).prop_map(
        move |(id, employee, phone, kind, enabled, licensed)| {
            let name = NAMES[n];
            let id = NAMES.get(id).map(|name| format!("id-{name}"));
            let mut account = account(name).id(id.as_deref()).enabled(enabled);
            if employee < 3 {
                account = account.set(Attr::EmployeeId, &employee.to_string());
            }
            if phone < 2 {
                account = account.set(Attr::MobilePhone, &format!("+46 {phone}"));
            }
            if !licensed {
                account = account.unlicensed();
            }
            match kind {
                0 => account.guest(),
                1 => account.synced(),
                2 | 3 => account.deleted(),
                _ => account,
            }
        },
    )
}

/// Up to four people and four accounts; names unique among accounts, IDs too, as the tenant sees to it.
pub(crate) fn a_world() -> impl Strategy<Value = World> {
    let people = (a_person(0), a_person(1), a_person(2), a_person(3), 1..=4usize);
    let accounts = (an_account(0), an_account(1), an_account(2), an_account(3), 0..=4usize);
    let links = proptest::collection::vec((0..4usize, 0..4usize, any::<bool>()), 0..4);
    let policy = (
        prop_oneof![Just(OnConflict::Stop), Just(OnConflict::TenantWins), Just(OnConflict::SourceWins)],
        prop_oneof![Just(SoftDeleted::Restore), Just(SoftDeleted::Wait)],
        prop_oneof![Just(AccountDeleted::Report), Just(AccountDeleted::Restore)],
        any::<bool>(),
        // Which attributes may prove identity, which can be looked up, and where sign-in names come from.
        (0..3u8, any::<bool>(), prop_oneof![2 => Just(false), 1 => Just(true)]),
    );
    let unknown = 0..12u8;
    // Whether Staff have a licence and are in a group, whether both are known, and when leavers lose them.
    let entitled = (any::<bool>(), 0..4u8, prop_oneof![Just(0), Just(7 * DAY)]);
    let parts = (people, accounts, links, policy, unknown, entitled);
    parts.prop_map(|(people, accounts, links, policy, unknown, (entitled, known, strips_after))| {
        let mut world = world().policy(staff).policy(|p| {
            (p.on_conflict, p.soft_deleted, p.lifecycle.account_deleted) = (policy.0, policy.1, policy.2);
            p.lifecycle.absent = [suspend(0), delete(30 * DAY)].concat();
            p.lifecycle.create_disabled = policy.3;
            p.prove = [&[Attr::EmployeeId][..], &[Attr::MobilePhone], &[Attr::EmployeeId, Attr::MobilePhone]]
                [usize::from(policy.4.0)]
            .to_vec();
        });
        if entitled {
            world = world.policy(entitle).policy(|p| p.lifecycle.absent = ladder(strips_after));
            world.tenant.skus = (known != 1).then(|| vec![sku_e3()]);
            let group = if known == 2 { FoundGroup::Missing } else { staff_group() };
            world.tenant.named_groups = BTreeMap::from([("hr".into(), vec![named("Staff", group)])]);
        }
        if policy.4.1 {
            world = world.proving(&[Attr::MobilePhone]);
        }
        if policy.4.2 {
            world = world.policy(mapped_upn);
        }
        let (p0, p1, p2, p3, count) = people;
        world.people = [p0, p1, p2, p3].into_iter().take(count).collect();
        let (a0, a1, a2, a3, count) = accounts;
        for account in [a0, a1, a2, a3].into_iter().take(count) {
            let taken = account.immutable_id.is_some()
                && world.accounts.iter().any(|other| other.immutable_id == account.immutable_id);
            world.accounts.push(if taken { account.id(None) } else { account });
        }
        for (person, account, suspended) in links {
            let (Some(record), Some(account)) = (world.people.get(person), world.accounts.get(account)) else {
                continue;
            };
            let (who, id) = (record.reference(), account.id.clone());
            if world.links.iter().any(|link| link.person == who || link.account == id) {
                continue;
            }
            let mut link = link_of("", id.as_str(), account.immutable_id.as_ref().map(ImmutableId::as_str));
            link.person = who;
            if suspended {
                // What we blocked we had licensed, too.
                link = link.suspended().ledger(|ledger| {
                    ledger.licenses = vec![LicenseGrant { sku: "E3".into(), without: Texts::default() }];
                    ledger.memberships = Texts::new(["g-Staff"]);
                });
                let at = world.accounts.iter().position(|account| account.id == id).unwrap_or_default();
                world.accounts[at].memberships = Texts::new(["g-Staff"]);
            }
            world.links.push(link);
        }
        match unknown {
            0 => world.tenant.users_complete = false,
            1 => world.tenant.deleted_complete = false,
            2 => world.tenant.roles = None,
            3 => world = world.role("a-ada"),
            4 => world = world.federate("contoso.com"),
            5 => world = world.holder("mal@contoso.com", HolderKind::Group),
            _ => {}
        }
        world
    })
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for record in &self.people {
            let person = &record.person;
            writeln!(
                f,
                "person {}/{} {:?} upn {:?} id {:?} emp {:?} enabled {:?} manager {} groups {:?}",
                record.connection,
                person.key.as_str(),
                record.standing,
                person.upn(),
                person.immutable_id().map(ImmutableId::as_str),
                person.attributes.filled(Attr::EmployeeId),
                person.enabled,
                person.manager.is_some(),
                person.groups.iter().collect::<Vec<_>>()
            )?;
        }
        for account in &self.accounts {
            writeln!(
                f,
                "account {} upn {:?} id {:?} emp {:?} {:?} {:?} enabled {:?} deleted {}",
                account.id,
                account.upn(),
                account.immutable_id.as_ref().map(ImmutableId::as_str),
                account.attributes.filled(Attr::EmployeeId),
                account.kind,
                account.authority,
                account.enabled,
                account.is_deleted()
            )?;
        }
        for link in &self.links {
            writeln!(f, "link {}/{} -> {}", link.person.connection, link.person.key.as_str(), link.account)?;
        }
        writeln!(f, "{:?} {:?}", self.policy.on_conflict, self.tenant)
    }
}

/// A call of a repair is made.
fn repair(world: &mut World, call: &RepairCall) {
    if call.write == RepairWrite::Purge {
        world.accounts.retain(|other| other.id != call.account);
        return;
    }
    let account = world.accounts.iter_mut().find(|account| account.id == call.account).expect("an account");
    match &call.write {
        RepairWrite::Upn { before, after } => {
            assert_eq!(account.upn(), Some(&**before));
            account.attributes = account.attributes.with(Attr::UserPrincipalName, after);
            account.proxies = [format!("SMTP:{after}")].iter().map(String::as_str).collect();
        }
        RepairWrite::Id { before, after } => {
            assert_eq!(account.immutable_id, *before);
            account.immutable_id.clone_from(after);
        }
        RepairWrite::Delete => account.deleted = Some("now".into()),
        RepairWrite::Restore { upn } => {
            account.deleted = None;
            if let Some(upn) = upn {
                account.attributes = account.attributes.with(Attr::UserPrincipalName, upn);
            }
        }
        RepairWrite::Purge => unreachable!("done above"),
    }
}

fn ours(world: &World) -> Vec<Decision> {
    let (facts, context) = (world.facts(), world.context());
    let of_ours = world.people.iter().filter(|record| record.connection == world.policy.connection);
    of_ours.map(|record| hardmatch_domain::decide(record, &facts, &context)).collect()
}

/// Performs what is decided, approvals given, managers and names in order. Whether anything was done.
fn perform(world: &mut World, decisions: &[Decision]) -> bool {
    let mut waiting: Vec<&Change> = decisions.iter().filter_map(|decision| decision.change.as_deref()).collect();
    let done = !waiting.is_empty();
    while !waiting.is_empty() {
        let open: Vec<PersonRef> = waiting.iter().map(|change| change.person.clone()).collect();
        let at = waiting.iter().position(|change| change.after.iter().all(|who| !open.contains(who)));
        let lines: Vec<String> = decisions.iter().map(line).collect();
        assert!(at.is_some(), "nobody waits in a circle: {lines:#?}");
        let change = waiting.remove(at.unwrap_or_default());
        apply(world, change);
    }
    // The person who goes first of a circle gets their manager when everybody is there.
    let late = |step: &Step| match step {
        Step::SetManager { after: Some(ManagerTarget::Person(key)), .. } => Some(key.clone()),
        _ => None,
    };
    for change in decisions.iter().filter_map(|decision| decision.change.as_deref()) {
        let Some(key) = change.steps.iter().find_map(late) else { continue };
        let account =
            |key: &PersonKey| world.links.iter().find(|link| link.person.key == *key).map(|link| link.account.clone());
        let (ours, theirs) = (account(&change.person.key), account(&key));
        if let Some(account) = world.accounts.iter_mut().find(|account| Some(&account.id) == ours.as_ref()) {
            account.manager = theirs;
        }
    }
    for decision in decisions {
        if let Some(link) = world.links.iter_mut().find(|link| link.person.key == decision.key)
            && let Some(change) = &decision.ledger
        {
            change.apply(&mut link.ledger);
        }
    }
    done
}

fn apply(world: &mut World, change: &Change) {
    for step in &change.steps {
        let id = change.account.clone().unwrap_or_else(|| ObjectId::new(format!("new-{}", change.person.key.as_str())));
        let target = |world: &World, target: &ManagerTarget| match target {
            ManagerTarget::Account(id) => Some(id.clone()),
            ManagerTarget::Person(key) => {
                world.links.iter().find(|link| link.person.key == *key).map(|link| link.account.clone())
            }
        };
        if let Step::Create { attributes, immutable_id, enabled, manager } = step {
            let mut new = account("x").named(id.as_str()).enabled(Some(*enabled));
            new.attributes = attributes.clone();
            new.immutable_id.clone_from(immutable_id);
            new.proxies = [format!("SMTP:{}", new.upn().expect("a name"))].iter().map(String::as_str).collect();
            new.manager = manager.as_ref().and_then(|manager| target(world, manager));
            world.accounts.push(new);
            store_link(world, change, &id, JoinRule::Created);
            if !enabled {
                ledger(world, &id).suspended = Some(Suspension { at: NOW, cause: LeavingCause::Disabled });
            }
            unique(world);
            continue;
        }
        if let Step::Link = step {
            store_link(world, change, &id, change.joined_by);
            continue;
        }
        let manager = match step {
            Step::SetManager { after, .. } => after.as_ref().and_then(|manager| target(world, manager)),
            _ => None,
        };
        let at = world.accounts.iter().position(|account| account.id == id).expect("an existing account");
        let account = &mut world.accounts[at];
        account.revision += 1;
        match step {
            Step::Update { immutable_id, after, .. } => {
                account.attributes = account.attributes.overlaid(after);
                if immutable_id.is_some() {
                    account.immutable_id.clone_from(immutable_id);
                }
            }
            Step::Rename { before, after } => {
                assert_eq!(account.upn(), Some(&**before));
                account.attributes = account.attributes.with(Attr::UserPrincipalName, after);
                account.proxies = [format!("SMTP:{after}")].iter().map(String::as_str).collect();
            }
            Step::SetEnabled { after, cause, .. } => {
                account.enabled = Some(*after);
                ledger(world, &id).suspended = cause.map(|cause| Suspension { at: NOW, cause });
            }
            Step::SetManager { .. } => account.manager = manager,
            Step::Restore => account.deleted = None,
            Step::Delete { cause } => {
                account.deleted = Some("now".into());
                ledger(world, &id).deleted = Some(Suspension { at: NOW, cause: *cause });
            }
            Step::SetLicenses { give, take } => {
                account.relicense(give, take);
                ledger(world, &id).relicense(give, take);
            }
            Step::JoinGroup { group } => {
                // The first who joins makes it.
                let made = group.id.clone().unwrap_or_else(|| ObjectId::new(format!("g-{}", group.name)));
                account.memberships = account.memberships.with(made.as_str());
                for group in world.tenant.named_groups.values_mut().flatten() {
                    group.found = staff_group();
                }
                let ledger = ledger(world, &id);
                ledger.memberships = ledger.memberships.with(made.as_str());
            }
            Step::LeaveGroup { id: group, .. } => {
                account.memberships = account.memberships.without(group.as_str());
                let ledger = ledger(world, &id);
                ledger.memberships = ledger.memberships.without(group.as_str());
            }
            Step::RevokeSessions => {}
            Step::Purge { account } => {
                let account = account.clone();
                world.accounts.retain(|other| other.id != account);
            }
            Step::Repair(plan) => {
                for call in &plan.calls {
                    repair(world, call);
                }
            }
            Step::Create { .. } | Step::Link => unreachable!("done above"),
            Step::ClearId { .. } | Step::Unlink => unreachable!("only an undoing takes these"),
        }
        unique(world);
    }
}

/// What the tenant sees to.
fn unique(world: &World) {
    for (at, account) in world.accounts.iter().enumerate() {
        for other in &world.accounts[at + 1..] {
            assert!(
                account.immutable_id.is_none() || account.immutable_id != other.immutable_id,
                "one ID twice: {account:?} {other:?}"
            );
            let both_live = !account.is_deleted() && !other.is_deleted();
            assert!(!both_live || account.upn() != other.upn(), "one name twice: {account:?} {other:?}");
        }
    }
}

fn store_link(world: &mut World, change: &Change, id: &ObjectId, rule: JoinRule) {
    let old =
        world.links.iter().find(|link| link.account == *id).map(|link| (link.person.clone(), link.ledger.clone()));
    if let Some((owner, _)) = &old {
        let expected = change.link_from.as_ref().unwrap_or(&change.person);
        assert_eq!(owner, expected, "a link is taken only from whom the change names");
    }
    world.links.retain(|link| link.account != *id && link.person != change.person);
    let account = world.accounts.iter().find(|account| account.id == *id).expect("an account");
    world.links.push(Link {
        person: change.person.clone(),
        account: id.clone(),
        immutable_id: account.immutable_id.clone(),
        joined_by: rule,
        ledger: old.map_or_else(Ledger::default, |(_, ledger)| Ledger { deleted: None, ..ledger }),
        revision: 1,
    });
}

fn ledger<'w>(world: &'w mut World, id: &ObjectId) -> &'w mut Ledger {
    &mut world.links.iter_mut().find(|link| link.account == *id).expect("a link").ledger
}

/// The same worlds every time; `PROPTEST_CASES` asks for more of them.
pub(crate) fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    let cases = config.cases.max(1024);
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(20_271_101), failure_persistence: None, ..config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn same_facts_same_plan_in_whatever_order(world in a_world()) {
        let decisions = ours(&world);
        let mut other = world;
        other.people.reverse();
        other.accounts.reverse();
        other.links.reverse();
        let mut again = ours(&other);
        again.reverse();
        prop_assert_eq!(&decisions, &again);
        prop_assert_eq!(slice_hash(&decisions), slice_hash(again.iter().rev()));
    }

    #[test]
    fn every_decision_is_lawful(world in a_world()) {
        for decision in ours(&world) {
            lawful(&world, &decision);
        }
    }

    #[test]
    fn only_what_we_gave_and_who_left_or_whom_no_rule_fits_is_taken(world in a_world()) {
        for decision in ours(&world) {
            let Some(change) = &decision.change else { continue };
            let record = world.people.iter().find(|record| record.reference() == change.person).expect("a person");
            let link = world.links.iter().find(|link| link.person == change.person);
            let here = record.standing == SourceStatus::Present && record.person.enabled != Some(false);
            for step in &change.steps {
                let taken = match step {
                    Step::SetLicenses { take, .. } => take.iter().map(|license| license.sku.to_string()).collect(),
                    Step::LeaveGroup { id, .. } => vec![id.to_string()],
                    _ => Vec::new(),
                };
                for taken in taken {
                    let ledger = &link.expect("a link").ledger;
                    prop_assert!(ledger.grant(&taken).is_some() || ledger.memberships.contains(&taken));
                    let groups = &record.person.groups;
                    prop_assert!(!(here && groups.contains("Broken")), "unknown takes nothing");
                    prop_assert!(!(here && groups.contains("Staff")), "the rules give it");
                }
            }
        }
    }

    #[test]
    fn by_pieces_or_whole(world in a_world()) {
        for decision in ours(&world) {
            prop_assert_eq!(&by_pieces(&world, decision.key.as_str()).0, &decision);
        }
    }

    /// However a policy makes sign-in names: no plan gives two people the same.
    #[test]
    fn no_name_is_given_twice(world in a_world()) {
        let mut given = std::collections::BTreeSet::new();
        for decision in ours(&world) {
            for step in decision.change.iter().flat_map(|change| &change.steps) {
                let name = match step {
                    Step::Create { attributes, .. } => attributes.filled(Attr::UserPrincipalName),
                    Step::Rename { after, .. } => Some(&**after),
                    _ => None,
                };
                if let Some(name) = name {
                    prop_assert!(given.insert(name.to_lowercase()), "{name} twice");
                }
            }
        }
    }

    /// An ID is replaced on the word of an attribute only where it is the policy's, can be looked up, and is unique.
    #[test]
    fn what_proves_identity_is_unique_on_both_sides(world in a_world()) {
        for decision in ours(&world) {
            let Some(change) = &decision.change else { continue };
            let by_proof = decision.reasons.iter().any(|reason| {
                matches!(reason.code, Code::AnchorWrong | Code::AnchorLearned)
            });
            let account = change.account.as_ref().and_then(|id| world.accounts.iter().find(|have| have.id == *id));
            let linked = world.links.iter().any(|link| link.person == change.person);
            let Some(account) = account.filter(|_| by_proof && !linked) else { continue };
            let record = world.people.iter().find(|record| record.reference() == change.person).expect("a person");
            let proven = world.policy.prove.iter().any(|&attr| {
                let value = record.person.attributes.filled(attr);
                value.is_some()
                    && value == account.attributes.filled(attr)
                    && (attr == Attr::EmployeeId || !world.tenant.proving.is_empty())
                    && world.accounts.iter().filter(|have| have.attributes.filled(attr) == value).count() == 1
                    && world.people.iter().filter(|have| {
                        have.connection == record.connection && have.person.attributes.filled(attr) == value
                    }).count() == 1
            });
            prop_assert!(proven, "{}", line(&decision));
        }
    }

    /// What is performed is done: nobody is asked twice for the same change, and the plan runs dry.
    #[test]
    fn a_performed_plan_is_not_planned_again(mut world in a_world()) {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..12 {
            let decisions = ours(&world);
            for change in decisions.iter().filter_map(|decision| decision.change.as_ref()) {
                prop_assert!(seen.insert(change.id.clone()), "twice: {}", line_of(&decisions, change));
            }
            if !perform(&mut world, &decisions) {
                return Ok(());
            }
        }
        prop_assert!(false, "it never ends");
    }
}

fn line_of(decisions: &[Decision], change: &Change) -> String {
    let decision = decisions.iter().find(|decision| decision.key == change.person.key);
    decision.map(line).unwrap_or_default()
}

#[test]
fn counts_of_parts_add_up() {
    let world = linked("ada")
        .person(person("bob"))
        .person(person("eve").standing(SourceStatus::Absent(NOW)))
        .account(account("eve"))
        .link(link("eve"));
    let decisions = ours(&world);
    let mut whole = Counts::default();
    let mut parts = Counts::default();
    for decision in &decisions {
        whole.add(decision);
        let mut part = Counts::default();
        part.add(decision);
        parts.merge(&part);
    }
    assert_eq!(whole, parts);
    assert_eq!((whole.people, whole.converged, whole.removals.suspends), (3, 1, 1));
    assert_eq!(whole.actions["create"], 1);
    assert_eq!(whole.reasons["source_absent"], 1);
    assert_eq!(whole.holds["removal"], 1);
    let json = serde_json::to_string(&whole).unwrap();
    assert_eq!(serde_json::from_str::<Counts>(&json).unwrap(), whole);
}

#[test]
fn a_plans_hash_says_what_would_be_done() {
    let hash = |world: &World| plan_hash([slice_hash(&ours(world)).as_str()]);
    let new = || world().person(person("ada"));
    let first = hash(&new());
    assert_eq!(first.len(), 64);
    let mut renumbered = new();
    renumbered.people[0].revision = 9;
    assert_eq!(hash(&renumbered), first, "revisions alone change nothing");
    assert_ne!(hash(&world().person(person("ada").set(Attr::JobTitle, "x"))), first);
    assert_ne!(hash(&world()), first);
}

#[test]
fn decisions_survive_the_store() {
    let world = linked("ada")
        .person(person("bob").manager("eve"))
        .person(person("eve"))
        .person(person("mal"))
        .account(account("mal").id(None));
    for decision in ours(&world) {
        let json = serde_json::to_string(&decision).unwrap();
        assert_eq!(serde_json::from_str::<Decision>(&json).unwrap(), decision);
    }
}
