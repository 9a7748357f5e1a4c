//! Licences and groups that rules name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use hardmatch_domain::attribute::Texts;
use hardmatch_domain::group::{FoundGroup, Group, GroupKind, GroupLock, NamedGroup};
use hardmatch_domain::ids::{ConnectionId, ObjectId, PersonKey, PersonRef};
use hardmatch_domain::license::Sku;
use hardmatch_domain::link::{JoinRule, Ledger, Link};
use hardmatch_ingest::After;
use hardmatch_ports::run::{CollectionState, Phase};
use hardmatch_ports::{Blobs as _, Clock as _};
use hardmatch_store::accounts::{AccountItem, TenantItem, Wrote};

use crate::fixture::{Fixture, PAGE, Side, contoso, object_id, same, scope};

const SALES: &str = "\n[[group]]\nname = \"Sales\"\nwhen = \"person.jobTitle == 'Engineer'\"\n";
const STAFF: &str = "\n[[group]]\nname = \"Staff\"\nwhen = \"person.jobTitle == 'Engineer'\"\n";
const LICENSE: &str = "\n[[license]]\nsku = \"SPE_E3\"\nwhen = \"person.jobTitle == 'Engineer'\"\n";

/// The n-th group of the tenant.
fn group_id(number: usize) -> ObjectId {
    object_id(800_000 + number)
}

fn group(number: usize, name: &str) -> Group {
    Group { id: group_id(number), name: name.into(), kind: Some(GroupKind::Security), locked: None }
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> BTreeSet<ObjectId> {
    numbers.into_iter().map(object_id).collect()
}

/// A tenant with so many accounts, some of them in Sales.
async fn sales(accounts: usize, members: impl IntoIterator<Item = usize>) -> Fixture {
    let mut fixture = Fixture::new(0, accounts).await;
    *fixture.accounts.named.lock().unwrap() = vec![(group(1, "Sales"), ids(members))];
    fixture.rule(SALES).await;
    fixture
}

/// Another run reads the tenant, some time later.
async fn look(fixture: &mut Fixture, later: Duration) {
    fixture.clock.advance(later);
    fixture.begin().await;
    fixture.read(Side::Tenant, None).await;
}

async fn tenant(fixture: &Fixture) -> TenantItem {
    fixture.store.tenant(&scope()).await.unwrap().unwrap().value
}

async fn found(fixture: &Fixture) -> Vec<(String, FoundGroup)> {
    let tenant = tenant(fixture).await;
    let groups = tenant.tenant.named_groups.get(&contoso()).cloned().unwrap_or_default();
    groups.into_iter().map(|group| (group.name.to_string(), group.found)).collect()
}

async fn account(fixture: &Fixture, number: usize) -> AccountItem {
    fixture.store.account(&scope(), &object_id(number)).await.unwrap().unwrap()
}

/// Numbers of the accounts that the mirror has as members of a group.
async fn members(fixture: &Fixture, group: &ObjectId) -> Vec<usize> {
    let numbers: Vec<usize> = (0..3_000).collect();
    let all: Vec<ObjectId> = numbers.iter().map(|number| object_id(*number)).collect();
    let items = fixture.store.accounts(&scope(), &all).await.unwrap();
    let of_it: BTreeSet<ObjectId> = items
        .into_iter()
        .filter(|item| item.account.memberships.contains(group.as_str()))
        .map(|item| item.account.id)
        .collect();
    numbers.into_iter().filter(|number| of_it.contains(&object_id(*number))).collect()
}

fn person(number: usize) -> PersonRef {
    PersonRef { connection: contoso(), key: PersonKey::new(format!("key-{number}")) }
}

async fn link(fixture: &Fixture, number: usize) {
    let link = Link {
        person: person(number),
        account: object_id(number),
        immutable_id: None,
        joined_by: JoinRule::Created,
        ledger: Ledger::default(),
        revision: 1,
    };
    let mut writes = Vec::new();
    fixture.store.put_link(&scope(), None, &link, &mut writes);
    fixture.store.transact(writes).await.unwrap();
}

/// Which of some people are dirty.
async fn marked(fixture: &Fixture, numbers: std::ops::Range<usize>) -> Vec<usize> {
    let pids: BTreeMap<_, _> = numbers.map(|number| (fixture.store.pid(&person(number)), number)).collect();
    let marked = fixture.store.dirty_people(&contoso()).await.unwrap();
    let mut found: Vec<usize> = marked.iter().filter_map(|pid| pids.get(pid).copied()).collect();
    found.sort_unstable();
    found
}

/// As a writer leaves the mirror after it made an account a member, or ended that.
async fn we_wrote(fixture: &Fixture, number: usize, memberships: &[ObjectId]) {
    let old = account(fixture, number).await;
    let mut new = old.clone();
    new.account.memberships = memberships.iter().map(ObjectId::as_str).collect();
    new.account.revision += 1;
    new.wrote = Some(Wrote {
        at: fixture.clock.now_seconds(),
        before: hardmatch_domain::attribute::Attributes::default(),
        enabled_before: None,
        set_id: false,
        id_before: None,
        set_manager: false,
        licenses_before: None,
        memberships_before: Some(old.account.memberships.clone()),
        created: false,
        moved: false,
    });
    let mut writes = vec![fixture.store.note_membership(&scope(), &group_id(1), &object_id(number))];
    fixture.store.put_account(&scope(), Some(&old.account), &new, &mut writes);
    fixture.store.write_all(writes).await.unwrap();
}

fn is_found(found: &FoundGroup, number: usize, count: u64) -> bool {
    matches!(found, FoundGroup::Found { id, members, .. } if *id == group_id(number) && *members == count)
}

/// The lists that are stored, by name.
async fn lists(fixture: &Fixture) -> BTreeMap<String, Vec<u8>> {
    let blobs = fixture.blobs();
    let mut lists = BTreeMap::new();
    for name in blobs.list("").await.unwrap() {
        let body = blobs.get(&name).await.unwrap().unwrap();
        lists.insert(name, body);
    }
    lists
}

/// 300 accounts, 150 of them in Sales beside 5 devices; 60 in Staff.
async fn company() -> Fixture {
    let mut fixture = Fixture::new(0, 300).await;
    *fixture.accounts.named.lock().unwrap() =
        vec![(group(1, "Sales"), ids((0..150).chain(700_000..700_005))), (group(2, "Staff"), ids(100..160))];
    fixture.rule(&format!("{SALES}{STAFF}")).await;
    fixture
}

/// A night later 30 have left Sales and 20 joined; Staff is gone, and another one has its name. People are linked to 70.
async fn a_night_later(fixture: &mut Fixture) {
    for number in 130..200 {
        link(fixture, number).await;
    }
    fixture.clock.advance(Duration::from_hours(24));
    *fixture.accounts.named.lock().unwrap() =
        vec![(group(1, "Sales"), ids((30..170).chain(700_000..700_005))), (group(3, "Staff"), ids(150..180))];
    fixture.begin().await;
}

#[tokio::test]
async fn groups_read_in_pieces_are_the_groups_read_at_once() {
    let mut whole = company().await;
    whole.read(Side::Tenant, None).await;
    assert_eq!(members(&whole, &group_id(1)).await, (0..150).collect::<Vec<_>>());
    assert_eq!(members(&whole, &group_id(2)).await, (100..160).collect::<Vec<_>>());
    let first = (whole.holds(), lists(&whole).await, whole.accounts.pages.load(Ordering::SeqCst));
    a_night_later(&mut whole).await;
    whole.read(Side::Tenant, None).await;
    assert_eq!(members(&whole, &group_id(1)).await, (30..170).collect::<Vec<_>>());
    assert_eq!(members(&whole, &group_id(2)).await, Vec::<usize>::new(), "taken out with the group");
    assert_eq!(members(&whole, &group_id(3)).await, (150..180).collect::<Vec<_>>());
    assert_eq!(marked(&whole, 130..200).await, (130..180).collect::<Vec<_>>());
    let second = (whole.holds(), lists(&whole).await, whole.accounts.pages.load(Ordering::SeqCst));
    let collection = whole.collection("memberships").await;
    assert_eq!((collection.state, collection.seen, collection.changed), (CollectionState::Complete, 175, 140));
    for units in [0, 1, 4, 15] {
        let mut fixture = company().await;
        let messages = fixture.read(Side::Tenant, Some(units)).await;
        assert!(messages > 1);
        same(&first.0, &fixture.holds(), &format!("{units} units"));
        assert_eq!(lists(&fixture).await, first.1, "{units} units");
        assert_eq!(fixture.accounts.pages.load(Ordering::SeqCst), first.2, "{units} units: no page twice");
        a_night_later(&mut fixture).await;
        fixture.read(Side::Tenant, Some(units)).await;
        same(&second.0, &fixture.holds(), &format!("{units} units, again"));
        assert_eq!(lists(&fixture).await, second.1, "{units} units, again");
        assert_eq!(fixture.accounts.pages.load(Ordering::SeqCst), second.2, "{units} units, again: no page twice");
        assert_eq!(fixture.collection("memberships").await, collection);
    }
}

#[tokio::test]
async fn a_reading_of_groups_survives_a_kill_anywhere() {
    let mut whole = company().await;
    whole.read(Side::Tenant, None).await;
    a_night_later(&mut whole).await;
    whole.read(Side::Tenant, None).await;
    let (expected, files) = (whole.holds(), lists(&whole).await);
    let mut kills = 0;
    for at in 1.. {
        let mut fixture = company().await;
        let mut died = fixture.dies_at(Side::Tenant, Some(2), at).await;
        fixture.read(Side::Tenant, Some(2)).await;
        a_night_later(&mut fixture).await;
        died |= fixture.dies_at(Side::Tenant, Some(2), at).await;
        fixture.read(Side::Tenant, Some(2)).await;
        same(&expected, &fixture.holds(), &format!("killed at {at}"));
        assert_eq!(lists(&fixture).await, files, "killed at {at}");
        if !died {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 10, "{kills}");
}

#[tokio::test]
async fn a_busy_tenant_is_asked_again_and_a_lost_page_begins_anew() {
    let whole = company().await;
    whole.read(Side::Tenant, None).await;
    let pages = whole.accounts.pages.load(Ordering::SeqCst);
    let fixture = company().await;
    *fixture.accounts.busy.lock().unwrap() = Some("members 100".to_owned());
    fixture.read(Side::Tenant, None).await;
    assert_eq!(*fixture.accounts.busy.lock().unwrap(), None);
    same(&whole.holds(), &fixture.holds(), "busy");
    assert_eq!(fixture.accounts.pages.load(Ordering::SeqCst), pages + 1, "nothing is read twice");
    let fixture = company().await;
    *fixture.accounts.lost.lock().unwrap() = Some("members 100".to_owned());
    fixture.read(Side::Tenant, None).await;
    assert_eq!(*fixture.accounts.lost.lock().unwrap(), None);
    same(&whole.holds(), &fixture.holds(), "lost");
}

#[tokio::test]
async fn a_member_for_the_time_of_a_kill_is_none() {
    // Killed at each write of a look in which somebody is new in the group; when the next one comes they have left.
    for at in 1..20 {
        let mut fixture = sales(20, 0..5).await;
        fixture.read(Side::Tenant, None).await;
        fixture.accounts.named.lock().unwrap()[0].1 = ids(0..6);
        fixture.clock.advance(Duration::from_hours(24));
        fixture.begin().await;
        let died = fixture.dies_at(Side::Tenant, None, at).await;
        fixture.accounts.named.lock().unwrap()[0].1 = ids(0..5);
        look(&mut fixture, Duration::from_hours(1)).await;
        assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 3, 4], "killed at {at}");
        if !died {
            assert!(at > 3, "{at}");
            return;
        }
    }
    panic!("never read");
}

#[tokio::test]
async fn groups_that_no_rule_names_cost_nothing() {
    let mut fixture = Fixture::new(0, 100).await;
    *fixture.accounts.named.lock().unwrap() = vec![(group(1, "Sales"), ids(0..50))];
    fixture.read(Side::Tenant, None).await;
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(fixture.accounts.asked.load(Ordering::SeqCst), 0);
    assert!(!fixture.holds().keys().any(|key| key.contains("GROUP#") || key.contains("#members")));
    assert_eq!(fixture.files(), 0);
    let run = fixture.store.run(&contoso(), &fixture.run).await.unwrap().unwrap().value;
    assert!(!run.collections.contains_key("memberships") && !run.collections.contains_key("licences"), "{run:?}");
    let units = fixture.store.units();
    look(&mut fixture, Duration::from_hours(24)).await;
    let without = fixture.store.units().since(units);
    // The same look with a rule: it is the rule that costs.
    fixture.rule(SALES).await;
    fixture.read(Side::Tenant, None).await;
    let units = fixture.store.units();
    look(&mut fixture, Duration::from_hours(24)).await;
    let with = fixture.store.units().since(units);
    assert!(with.read > without.read, "{with:?} {without:?}");
    assert_eq!(with.write, without.write, "an unchanged list is not stored again: {with:?} {without:?}");
}

#[tokio::test]
async fn an_unchanged_group_costs_its_pages() {
    let mut fixture = sales(300, 0..=PAGE * 2).await;
    fixture.read(Side::Tenant, None).await;
    let holds = |fixture: &Fixture| {
        let mut all = fixture.holds();
        all.retain(|key, _| !key.contains("META#"));
        all
    };
    let had = (holds(&fixture), lists(&fixture).await, fixture.accounts.asked.load(Ordering::SeqCst));
    look(&mut fixture, Duration::from_hours(24)).await;
    same(&had.0, &holds(&fixture), "unchanged");
    assert_eq!(lists(&fixture).await, had.1);
    assert_eq!(fixture.accounts.asked.load(Ordering::SeqCst), had.2 + 1 + 3, "the group by its id, and three pages");
    assert_eq!(fixture.collection("memberships").await.changed, 0);
}

#[tokio::test]
async fn a_group_is_known_by_its_id() {
    let mut fixture = sales(20, 0..5).await;
    fixture.read(Side::Tenant, None).await;
    {
        let mut named = fixture.accounts.named.lock().unwrap();
        named[0].0.name = "Sales and Marketing".into();
        named.push((group(2, "Sales"), ids(10..12)));
    }
    look(&mut fixture, Duration::from_hours(24)).await;
    assert!(is_found(&found(&fixture).await[0].1, 1, 5), "{:?}", found(&fixture).await);
    assert!(members(&fixture, &group_id(2)).await.is_empty());
    // The group is deleted: the name stands for the other one from now on.
    fixture.accounts.named.lock().unwrap().remove(0);
    look(&mut fixture, Duration::from_hours(24)).await;
    assert!(is_found(&found(&fixture).await[0].1, 2, 2), "{:?}", found(&fixture).await);
    assert_eq!(members(&fixture, &group_id(1)).await, Vec::<usize>::new());
    assert_eq!(members(&fixture, &group_id(2)).await, [10, 11]);
    let binding = fixture.store.group_binding(&scope(), GroupKind::Security, "sales").await.unwrap();
    assert_eq!(binding.id, Some(group_id(2)));
}

#[tokio::test]
async fn a_locked_group_has_no_members_until_it_is_unlocked() {
    let mut fixture = sales(20, 0..5).await;
    fixture.read(Side::Tenant, None).await;
    link(&fixture, 3).await;
    let set = |fixture: &Fixture, lock| fixture.accounts.named.lock().unwrap()[0].0.locked = lock;
    set(&fixture, Some(GroupLock::Dynamic));
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(found(&fixture).await, [("Sales".to_owned(), FoundGroup::Locked { lock: GroupLock::Dynamic })]);
    assert!(members(&fixture, &group_id(1)).await.is_empty());
    assert_eq!(marked(&fixture, 0..20).await, [3]);
    set(&fixture, None);
    fixture.accounts.named.lock().unwrap()[0].1 = ids(2..7);
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(members(&fixture, &group_id(1)).await, [2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn several_other_and_missing_groups_are_told_apart() {
    let mut fixture = Fixture::new(0, 20).await;
    let other = Group { kind: None, ..group(3, "Staff") };
    *fixture.accounts.named.lock().unwrap() =
        vec![(group(1, "Sales"), ids(0..3)), (group(2, "sales"), ids(0..3)), (other, ids(0..3))];
    fixture.rule(&format!("{SALES}{STAFF}{}", STAFF.replace("Staff", "Board"))).await;
    fixture.read(Side::Tenant, None).await;
    let of = |name: &str, found| (name.to_owned(), found);
    let expected =
        [of("Sales", FoundGroup::Several), of("Staff", FoundGroup::OtherKind), of("Board", FoundGroup::Missing)];
    assert_eq!(found(&fixture).await, expected);
    assert!(members(&fixture, &group_id(1)).await.is_empty());
    // None of them was bound: the first that can be is.
    fixture.accounts.named.lock().unwrap().remove(0);
    look(&mut fixture, Duration::from_hours(24)).await;
    assert!(is_found(&found(&fixture).await[0].1, 2, 3), "{:?}", found(&fixture).await);
}

#[tokio::test]
async fn withheld_members_are_unknown_and_nobody_is_taken_out() {
    let mut fixture = sales(20, 0..5).await;
    fixture.rule(&format!("{SALES}{LICENSE}")).await;
    let sku = |seats| Sku { id: "id".into(), part_number: "SPE_E3".into(), seats, used: 0, plans: Vec::new() };
    *fixture.accounts.skus.lock().unwrap() = vec![sku(10)];
    fixture.read(Side::Tenant, None).await;
    assert_eq!(tenant(&fixture).await.tenant.skus, Some(vec![sku(10)]));
    assert_eq!(fixture.collection("licences").await.seen, 1);
    fixture.accounts.withheld.store(true, Ordering::SeqCst);
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!((tenant(&fixture).await.tenant.skus, found(&fixture).await), (None, Vec::new()));
    let run = fixture.store.run(&contoso(), &fixture.run).await.unwrap().unwrap().value;
    for name in ["licences", "memberships"] {
        assert_eq!(run.collections[name].state, CollectionState::Unknown, "{name}");
        assert!(run.collections[name].doubts[0].contains("Insufficient privileges"), "{name}");
    }
    assert_eq!(run.collections["users"].state, CollectionState::Complete);
    assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 3, 4]);
    // A member who came or went meanwhile is seen when the list can be read again.
    fixture.accounts.named.lock().unwrap()[0].1 = ids(3..8);
    fixture.accounts.withheld.store(false, Ordering::SeqCst);
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(members(&fixture, &group_id(1)).await, [3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn groups_of_other_connections_stay_and_shared_ones_are_the_same() {
    let mut fixture = sales(20, 0..5).await;
    fixture.read(Side::Tenant, None).await;
    let theirs = ConnectionId::new("fabrikam");
    let known = |number| FoundGroup::Found { id: group_id(number), members: 1, digest: "other".into() };
    let of = |name: &str, found| NamedGroup { name: name.into(), kind: GroupKind::Security, found };
    let mut item = tenant(&fixture).await;
    let sku = Sku { id: "id".into(), part_number: "SPE_E3".into(), seats: 1, used: 0, plans: Vec::new() };
    item.tenant.skus = Some(vec![sku.clone()]);
    item.tenant.named_groups.insert(theirs.clone(), vec![of("Sales", known(1)), of("Board", known(9))]);
    fixture.store.put_tenant(&scope(), &item).await.unwrap();
    fixture.accounts.named.lock().unwrap()[0].1 = ids(0..6);
    look(&mut fixture, Duration::from_hours(24)).await;
    let now = tenant(&fixture).await.tenant;
    assert_eq!(now.skus, Some(vec![sku]), "theirs: our rules ask for none");
    let ours = now.named_groups[&contoso()][0].found.clone();
    assert!(is_found(&ours, 1, 6));
    assert_eq!(now.named_groups[&theirs], [of("Sales", ours), of("Board", known(9))]);
    // Without rules there is nothing of ours; theirs stays.
    fixture.rule("").await;
    fixture.read(Side::Tenant, None).await;
    assert_eq!(tenant(&fixture).await.tenant.named_groups.keys().collect::<Vec<_>>(), [&theirs]);
}

#[tokio::test]
async fn members_who_become_accounts_later_are_members_then() {
    let mut fixture = sales(20, (0..5).chain([100, 700_000])).await;
    fixture.read(Side::Tenant, None).await;
    assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 3, 4]);
    fixture.accounts.all.lock().unwrap().insert(100, ("Engineer".to_owned(), true));
    *fixture.accounts.told.lock().unwrap() = vec![100];
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 3, 4, 100]);
}

#[tokio::test]
async fn c28_a_list_from_before_our_write_changes_nothing() {
    let mut fixture = sales(20, 0..5).await;
    fixture.read(Side::Tenant, None).await;
    link(&fixture, 3).await;
    link(&fixture, 10).await;
    // We took 3 out and made 10 a member; the list still shows the time before.
    we_wrote(&fixture, 3, &[]).await;
    we_wrote(&fixture, 10, &[group_id(1)]).await;
    let digest = || async { found(&fixture).await };
    let before = digest().await;
    let mirrors = (account(&fixture, 3).await, account(&fixture, 10).await);
    look(&mut fixture, Duration::from_mins(5)).await;
    assert_eq!((account(&fixture, 3).await, account(&fixture, 10).await), mirrors);
    assert_eq!(marked(&fixture, 0..20).await, Vec::<usize>::new());
    assert_ne!(found(&fixture).await, before, "not the digest of this list");
    // The list as it is meant: nothing changes, and nothing is to be compared any more.
    fixture.accounts.named.lock().unwrap()[0].1 = ids([0, 1, 2, 4, 10]);
    look(&mut fixture, Duration::from_mins(5)).await;
    assert_eq!((account(&fixture, 3).await, account(&fixture, 10).await), mirrors);
    assert!(!fixture.holds().keys().any(|key| key.contains("#members")));
}

#[tokio::test]
async fn c28_a_list_that_lags_too_long_is_drift() {
    let mut fixture = sales(20, 0..5).await;
    fixture.read(Side::Tenant, None).await;
    link(&fixture, 3).await;
    link(&fixture, 10).await;
    we_wrote(&fixture, 3, &[]).await;
    we_wrote(&fixture, 10, &[group_id(1)]).await;
    look(&mut fixture, Duration::from_mins(5)).await;
    look(&mut fixture, Duration::from_mins(15)).await;
    assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 3, 4]);
    assert_eq!(marked(&fixture, 0..20).await, [3, 10]);
}

#[tokio::test]
async fn a_member_we_added_and_somebody_removed_is_seen() {
    let mut fixture = sales(20, 0..5).await;
    fixture.read(Side::Tenant, None).await;
    link(&fixture, 10).await;
    we_wrote(&fixture, 10, &[group_id(1)]).await;
    // The list is the one that was read last.
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 3, 4]);
    assert_eq!(marked(&fixture, 0..20).await, [10]);
    assert!(!fixture.holds().keys().any(|key| key.contains("#members")));
}

#[tokio::test]
async fn a_restored_account_is_a_member_again() {
    let mut fixture = sales(20, 0..5).await;
    fixture.read(Side::Tenant, None).await;
    let set = |fixture: &Fixture, live: bool, members: BTreeSet<ObjectId>| {
        fixture.accounts.all.lock().unwrap().insert(3, ("Engineer".to_owned(), live));
        *fixture.accounts.told.lock().unwrap() = vec![3];
        fixture.accounts.named.lock().unwrap()[0].1 = members;
    };
    set(&fixture, false, ids([0, 1, 2, 4]));
    look(&mut fixture, Duration::from_hours(24)).await;
    let deleted = account(&fixture, 3).await.account;
    assert!(deleted.is_deleted() && deleted.memberships == Texts::new([group_id(1).as_str()]));
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(account(&fixture, 3).await.account.revision, deleted.revision);
    set(&fixture, true, ids(0..5));
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 3, 4]);
    // Restored, and taken out.
    fixture.accounts.named.lock().unwrap()[0].1 = ids([0, 1, 2, 4]);
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 4]);
}

#[tokio::test]
async fn an_account_taken_for_purged_is_a_member_again() {
    let mut fixture = sales(20, 0..5).await;
    fixture.read(Side::Tenant, None).await;
    let had = fixture.accounts.all.lock().unwrap().remove(&3).unwrap();
    *fixture.accounts.told.lock().unwrap() = vec![3];
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 4]);
    fixture.accounts.all.lock().unwrap().insert(3, had);
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 3, 4], "the list has been the same all the time");
}

#[tokio::test]
async fn readings_of_users_keep_memberships() {
    let mut fixture = sales(20, 0..5).await;
    fixture.read(Side::Tenant, None).await;
    // By delta, and by a full reading.
    fixture.accounts.all.lock().unwrap().insert(3, ("Director".to_owned(), true));
    *fixture.accounts.told.lock().unwrap() = vec![3];
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(account(&fixture, 3).await.account.revision, 3);
    assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 3, 4]);
    fixture.accounts.all.lock().unwrap().insert(4, ("Director".to_owned(), true));
    look(&mut fixture, Duration::from_hours(24 * 30)).await;
    assert_eq!(account(&fixture, 4).await.account.revision, 3);
    assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_lost_list_is_no_loss() {
    let mut fixture = sales(20, 0..5).await;
    fixture.read(Side::Tenant, None).await;
    fixture.blobs().delete_all("").await.unwrap();
    fixture.accounts.named.lock().unwrap()[0].1 = ids(3..8);
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(members(&fixture, &group_id(1)).await, [3, 4, 5, 6, 7], "a member who left is found among all accounts");
}

#[tokio::test]
async fn j20_a_lost_table_has_its_memberships_of_the_lists() {
    let old = sales(20, 0..5).await;
    old.read(Side::Tenant, None).await;
    let mut fixture = sales(20, 0..5).await;
    for (name, body) in lists(&old).await {
        fixture.blobs().put(&name, body).await.unwrap();
    }
    fixture.read(Side::Tenant, None).await;
    assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 3, 4], "although the list lies here already");
    look(&mut fixture, Duration::from_hours(24)).await;
    assert_eq!(members(&fixture, &group_id(1)).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_group_created_a_moment_ago_is_not_looked_for() {
    let mut fixture = sales(20, 0..5).await;
    let now = fixture.clock.now_seconds();
    let made = hardmatch_store::groups::GroupBinding { v: 1, id: Some(group_id(7)), asked: Some(now) };
    fixture.store.bind_group(&scope(), GroupKind::Security, "Sales", &made).await.unwrap();
    fixture.read(Side::Tenant, None).await;
    assert!(is_found(&found(&fixture).await[0].1, 7, 0), "{:?}", found(&fixture).await);
    // A day later the tenant does not show the group either.
    look(&mut fixture, Duration::from_hours(24)).await;
    assert!(is_found(&found(&fixture).await[0].1, 1, 5), "{:?}", found(&fixture).await);
}

#[tokio::test]
async fn a_refresh_keeps_what_rules_ask_for() {
    let fixture = sales(20, 0..5).await;
    fixture.read(Side::Tenant, None).await;
    let had = tenant(&fixture).await;
    let write = |open: &mut hardmatch_ports::run::Run| {
        open.phase = Phase::Writing;
        true
    };
    fixture.store.update_run(&contoso(), &fixture.run, write).await.unwrap();
    fixture.clock.advance(Duration::from_hours(2));
    assert_eq!(fixture.message(Side::Tenant, None).await.unwrap(), After::Done);
    let now = tenant(&fixture).await;
    assert!(now.delta_at > had.delta_at, "it looked");
    assert_eq!(now.tenant.named_groups, had.tenant.named_groups);
    assert_eq!(now.tenant.skus, had.tenant.skus);
}
