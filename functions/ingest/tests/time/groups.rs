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

use crate::lab::{Lab, PAGE, Side, contoso, object_id, same, scope};

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

/// Accounts by number, and Sales of some of them.
async fn sales(accounts: usize, members: impl IntoIterator<Item = usize>) -> Lab {
    let mut lab = Lab::new(0, accounts).await;
    *lab.accounts.named.lock().unwrap() = vec![(group(1, "Sales"), ids(members))];
    lab.rule(SALES).await;
    lab
}

/// Another run reads the tenant, some time later.
async fn look(lab: &mut Lab, later: Duration) {
    lab.clock.advance(later);
    lab.begin().await;
    lab.read(Side::Tenant, None).await;
}

async fn tenant(lab: &Lab) -> TenantItem {
    lab.store.tenant(&scope()).await.unwrap().unwrap().value
}

async fn found(lab: &Lab) -> Vec<(String, FoundGroup)> {
    let tenant = tenant(lab).await;
    let groups = tenant.tenant.named_groups.get(&contoso()).cloned().unwrap_or_default();
    groups.into_iter().map(|group| (group.name.to_string(), group.found)).collect()
}

async fn account(lab: &Lab, number: usize) -> AccountItem {
    lab.store.account(&scope(), &object_id(number)).await.unwrap().unwrap()
}

/// Whom the mirror has as members of a group.
async fn members(lab: &Lab, group: &ObjectId) -> Vec<usize> {
    let numbers: Vec<usize> = (0..3_000).collect();
    let all: Vec<ObjectId> = numbers.iter().map(|number| object_id(*number)).collect();
    let items = lab.store.accounts(&scope(), &all).await.unwrap();
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

async fn link(lab: &Lab, number: usize) {
    let link = Link {
        person: person(number),
        account: object_id(number),
        immutable_id: None,
        joined_by: JoinRule::Created,
        ledger: Ledger::default(),
        revision: 1,
    };
    let mut writes = Vec::new();
    lab.store.put_link(&scope(), None, &link, &mut writes);
    lab.store.table().transact(writes).await.unwrap();
}

/// Who is to be decided again, of some.
async fn marked(lab: &Lab, numbers: std::ops::Range<usize>) -> Vec<usize> {
    let pids: BTreeMap<_, _> = numbers.map(|number| (lab.store.pid(&person(number)), number)).collect();
    let marked = lab.store.dirty_people(&contoso()).await.unwrap();
    let mut found: Vec<usize> = marked.iter().filter_map(|pid| pids.get(pid).copied()).collect();
    found.sort_unstable();
    found
}

/// As a writer leaves the mirror after it made an account a member, or ended that.
async fn we_wrote(lab: &Lab, number: usize, memberships: &[ObjectId]) {
    let old = account(lab, number).await;
    let mut new = old.clone();
    new.account.memberships = memberships.iter().map(ObjectId::as_str).collect();
    new.account.revision += 1;
    new.wrote = Some(Wrote {
        at: lab.clock.now_seconds(),
        before: hardmatch_domain::attribute::Attributes::default(),
        enabled_before: None,
        set_id: false,
        set_manager: false,
        licenses_before: None,
        memberships_before: Some(old.account.memberships.clone()),
        created: false,
        moved: false,
    });
    let mut writes = vec![lab.store.note_membership(&scope(), &group_id(1), &object_id(number))];
    lab.store.put_account(&scope(), Some(&old.account), &new, &mut writes);
    lab.store.table().batch_write(writes).await.unwrap();
}

fn is_found(found: &FoundGroup, number: usize, count: u64) -> bool {
    matches!(found, FoundGroup::Found { id, members, .. } if *id == group_id(number) && *members == count)
}

/// The lists that are stored, by name.
async fn lists(lab: &Lab) -> BTreeMap<String, Vec<u8>> {
    let blobs = lab.blobs();
    let mut lists = BTreeMap::new();
    for name in blobs.list("").await.unwrap() {
        let body = blobs.get(&name).await.unwrap().unwrap();
        lists.insert(name, body);
    }
    lists
}

/// 300 accounts, 150 of them in Sales beside 5 devices; 60 in Staff.
async fn company() -> Lab {
    let mut lab = Lab::new(0, 300).await;
    *lab.accounts.named.lock().unwrap() =
        vec![(group(1, "Sales"), ids((0..150).chain(700_000..700_005))), (group(2, "Staff"), ids(100..160))];
    lab.rule(&format!("{SALES}{STAFF}")).await;
    lab
}

/// A night later 30 have left Sales and 20 joined; Staff is gone, and another one has its name. People are linked to 70.
async fn a_night_later(lab: &mut Lab) {
    for number in 130..200 {
        link(lab, number).await;
    }
    lab.clock.advance(Duration::from_hours(24));
    *lab.accounts.named.lock().unwrap() =
        vec![(group(1, "Sales"), ids((30..170).chain(700_000..700_005))), (group(3, "Staff"), ids(150..180))];
    lab.begin().await;
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
        let mut lab = company().await;
        let messages = lab.read(Side::Tenant, Some(units)).await;
        assert!(messages > 1);
        same(&first.0, &lab.holds(), &format!("{units} units"));
        assert_eq!(lists(&lab).await, first.1, "{units} units");
        assert_eq!(lab.accounts.pages.load(Ordering::SeqCst), first.2, "{units} units: no page twice");
        a_night_later(&mut lab).await;
        lab.read(Side::Tenant, Some(units)).await;
        same(&second.0, &lab.holds(), &format!("{units} units, again"));
        assert_eq!(lists(&lab).await, second.1, "{units} units, again");
        assert_eq!(lab.accounts.pages.load(Ordering::SeqCst), second.2, "{units} units, again: no page twice");
        assert_eq!(lab.collection("memberships").await, collection);
    }
}

#[tokio::test]
async fn groups_whose_reading_is_killed_anywhere_are_read_all_the_same() {
    let mut whole = company().await;
    whole.read(Side::Tenant, None).await;
    a_night_later(&mut whole).await;
    whole.read(Side::Tenant, None).await;
    let (expected, files) = (whole.holds(), lists(&whole).await);
    let mut kills = 0;
    for at in 1.. {
        let mut lab = company().await;
        let mut died = lab.dies_at(Side::Tenant, Some(2), at).await;
        lab.read(Side::Tenant, Some(2)).await;
        a_night_later(&mut lab).await;
        died |= lab.dies_at(Side::Tenant, Some(2), at).await;
        lab.read(Side::Tenant, Some(2)).await;
        same(&expected, &lab.holds(), &format!("killed at {at}"));
        assert_eq!(lists(&lab).await, files, "killed at {at}");
        if !died {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 10, "{kills}");
}

#[tokio::test]
async fn a_tenant_that_is_busy_in_the_middle_of_a_list_is_asked_again_and_a_lost_page_begins_anew() {
    let whole = company().await;
    whole.read(Side::Tenant, None).await;
    let pages = whole.accounts.pages.load(Ordering::SeqCst);
    let lab = company().await;
    *lab.accounts.busy.lock().unwrap() = Some("members 100".to_owned());
    lab.read(Side::Tenant, None).await;
    assert_eq!(*lab.accounts.busy.lock().unwrap(), None);
    same(&whole.holds(), &lab.holds(), "busy");
    assert_eq!(lab.accounts.pages.load(Ordering::SeqCst), pages + 1, "nothing is read twice");
    let lab = company().await;
    *lab.accounts.lost.lock().unwrap() = Some("members 100".to_owned());
    lab.read(Side::Tenant, None).await;
    assert_eq!(*lab.accounts.lost.lock().unwrap(), None);
    same(&whole.holds(), &lab.holds(), "lost");
}

#[tokio::test]
async fn who_came_and_went_around_a_kill_is_no_member() {
    // Killed at each write of a look in which somebody is new in the group; when the next one comes they have left.
    for at in 1..20 {
        let mut lab = sales(20, 0..5).await;
        lab.read(Side::Tenant, None).await;
        lab.accounts.named.lock().unwrap()[0].1 = ids(0..6);
        lab.clock.advance(Duration::from_hours(24));
        lab.begin().await;
        let died = lab.dies_at(Side::Tenant, None, at).await;
        lab.accounts.named.lock().unwrap()[0].1 = ids(0..5);
        look(&mut lab, Duration::from_hours(1)).await;
        assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 3, 4], "killed at {at}");
        if !died {
            assert!(at > 3, "{at}");
            return;
        }
    }
    panic!("never read");
}

#[tokio::test]
async fn what_no_rule_asks_for_is_not_asked_for_and_costs_nothing() {
    let mut lab = Lab::new(0, 100).await;
    *lab.accounts.named.lock().unwrap() = vec![(group(1, "Sales"), ids(0..50))];
    lab.read(Side::Tenant, None).await;
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(lab.accounts.asked.load(Ordering::SeqCst), 0);
    assert!(!lab.holds().keys().any(|key| key.contains("GROUP#") || key.contains("#members")));
    assert_eq!(lab.files(), 0);
    let run = lab.store.run(&contoso(), &lab.run).await.unwrap().unwrap().value;
    assert!(!run.collections.contains_key("memberships") && !run.collections.contains_key("licences"), "{run:?}");
    let units = lab.store.table().units();
    look(&mut lab, Duration::from_hours(24)).await;
    let without = lab.store.table().units().since(units);
    // The same look with a rule: it is the rule that costs.
    lab.rule(SALES).await;
    lab.read(Side::Tenant, None).await;
    let units = lab.store.table().units();
    look(&mut lab, Duration::from_hours(24)).await;
    let with = lab.store.table().units().since(units);
    assert!(with.read > without.read, "{with:?} {without:?}");
    assert_eq!(with.write, without.write, "an unchanged list is not stored again: {with:?} {without:?}");
}

#[tokio::test]
async fn an_unchanged_group_costs_its_pages() {
    let mut lab = sales(300, 0..=PAGE * 2).await;
    lab.read(Side::Tenant, None).await;
    let holds = |lab: &Lab| {
        let mut all = lab.holds();
        all.retain(|key, _| !key.ends_with("META"));
        all
    };
    let had = (holds(&lab), lists(&lab).await, lab.accounts.asked.load(Ordering::SeqCst));
    look(&mut lab, Duration::from_hours(24)).await;
    same(&had.0, &holds(&lab), "unchanged");
    assert_eq!(lists(&lab).await, had.1);
    assert_eq!(lab.accounts.asked.load(Ordering::SeqCst), had.2 + 1 + 3, "the group by its id, and three pages");
    assert_eq!(lab.collection("memberships").await.changed, 0);
}

#[tokio::test]
async fn a_group_is_known_by_its_id_whatever_it_is_called() {
    let mut lab = sales(20, 0..5).await;
    lab.read(Side::Tenant, None).await;
    {
        let mut named = lab.accounts.named.lock().unwrap();
        named[0].0.name = "Sales and Marketing".into();
        named.push((group(2, "Sales"), ids(10..12)));
    }
    look(&mut lab, Duration::from_hours(24)).await;
    assert!(is_found(&found(&lab).await[0].1, 1, 5), "{:?}", found(&lab).await);
    assert!(members(&lab, &group_id(2)).await.is_empty());
    // It is deleted: the name stands for the other one from now on.
    lab.accounts.named.lock().unwrap().remove(0);
    look(&mut lab, Duration::from_hours(24)).await;
    assert!(is_found(&found(&lab).await[0].1, 2, 2), "{:?}", found(&lab).await);
    assert_eq!(members(&lab, &group_id(1)).await, Vec::<usize>::new());
    assert_eq!(members(&lab, &group_id(2)).await, [10, 11]);
    let binding = lab.store.group_binding(&scope(), GroupKind::Security, "sales").await.unwrap();
    assert_eq!(binding.id, Some(group_id(2)));
}

#[tokio::test]
async fn a_group_that_is_not_ours_to_write_any_more_has_no_members_for_us_until_it_is_again() {
    let mut lab = sales(20, 0..5).await;
    lab.read(Side::Tenant, None).await;
    link(&lab, 3).await;
    let set = |lab: &Lab, lock| lab.accounts.named.lock().unwrap()[0].0.locked = lock;
    set(&lab, Some(GroupLock::Dynamic));
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(found(&lab).await, [("Sales".to_owned(), FoundGroup::Locked { lock: GroupLock::Dynamic })]);
    assert!(members(&lab, &group_id(1)).await.is_empty());
    assert_eq!(marked(&lab, 0..20).await, [3]);
    set(&lab, None);
    lab.accounts.named.lock().unwrap()[0].1 = ids(2..7);
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(members(&lab, &group_id(1)).await, [2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn several_other_and_missing_groups_are_told_apart() {
    let mut lab = Lab::new(0, 20).await;
    let other = Group { kind: None, ..group(3, "Staff") };
    *lab.accounts.named.lock().unwrap() =
        vec![(group(1, "Sales"), ids(0..3)), (group(2, "sales"), ids(0..3)), (other, ids(0..3))];
    lab.rule(&format!("{SALES}{STAFF}{}", STAFF.replace("Staff", "Board"))).await;
    lab.read(Side::Tenant, None).await;
    let of = |name: &str, found| (name.to_owned(), found);
    let expected =
        [of("Sales", FoundGroup::Several), of("Staff", FoundGroup::OtherKind), of("Board", FoundGroup::Missing)];
    assert_eq!(found(&lab).await, expected);
    assert!(members(&lab, &group_id(1)).await.is_empty());
    // None of them was bound: the first that can be is.
    lab.accounts.named.lock().unwrap().remove(0);
    look(&mut lab, Duration::from_hours(24)).await;
    assert!(is_found(&found(&lab).await[0].1, 2, 3), "{:?}", found(&lab).await);
}

#[tokio::test]
async fn what_permissions_withhold_is_unknown_and_nobody_is_taken_out() {
    let mut lab = sales(20, 0..5).await;
    lab.rule(&format!("{SALES}{LICENSE}")).await;
    let sku = |seats| Sku { id: "id".into(), part_number: "SPE_E3".into(), seats, used: 0, plans: Vec::new() };
    *lab.accounts.skus.lock().unwrap() = vec![sku(10)];
    lab.read(Side::Tenant, None).await;
    assert_eq!(tenant(&lab).await.tenant.skus, Some(vec![sku(10)]));
    assert_eq!(lab.collection("licences").await.seen, 1);
    lab.accounts.withheld.store(true, Ordering::SeqCst);
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!((tenant(&lab).await.tenant.skus, found(&lab).await), (None, Vec::new()));
    let run = lab.store.run(&contoso(), &lab.run).await.unwrap().unwrap().value;
    for name in ["licences", "memberships"] {
        assert_eq!(run.collections[name].state, CollectionState::Unknown, "{name}");
        assert!(run.collections[name].doubts[0].contains("Insufficient privileges"), "{name}");
    }
    assert_eq!(run.collections["users"].state, CollectionState::Complete);
    assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 3, 4]);
    // Whoever came and went meanwhile is seen when it can be read again.
    lab.accounts.named.lock().unwrap()[0].1 = ids(3..8);
    lab.accounts.withheld.store(false, Ordering::SeqCst);
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(members(&lab, &group_id(1)).await, [3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn what_other_connections_read_stays_and_a_group_of_both_is_the_same_for_both() {
    let mut lab = sales(20, 0..5).await;
    lab.read(Side::Tenant, None).await;
    let theirs = ConnectionId::new("fabrikam");
    let known = |number| FoundGroup::Found { id: group_id(number), members: 1, digest: "other".into() };
    let of = |name: &str, found| NamedGroup { name: name.into(), kind: GroupKind::Security, found };
    let mut item = tenant(&lab).await;
    let sku = Sku { id: "id".into(), part_number: "SPE_E3".into(), seats: 1, used: 0, plans: Vec::new() };
    item.tenant.skus = Some(vec![sku.clone()]);
    item.tenant.named_groups.insert(theirs.clone(), vec![of("Sales", known(1)), of("Board", known(9))]);
    lab.store.put_tenant(&scope(), &item).await.unwrap();
    lab.accounts.named.lock().unwrap()[0].1 = ids(0..6);
    look(&mut lab, Duration::from_hours(24)).await;
    let now = tenant(&lab).await.tenant;
    assert_eq!(now.skus, Some(vec![sku]), "theirs: our rules ask for none");
    let ours = now.named_groups[&contoso()][0].found.clone();
    assert!(is_found(&ours, 1, 6));
    assert_eq!(now.named_groups[&theirs], [of("Sales", ours), of("Board", known(9))]);
    // Without rules there is nothing of ours; theirs stays.
    lab.rule("").await;
    lab.read(Side::Tenant, None).await;
    assert_eq!(tenant(&lab).await.tenant.named_groups.keys().collect::<Vec<_>>(), [&theirs]);
}

#[tokio::test]
async fn members_who_become_accounts_later_are_members_then() {
    let mut lab = sales(20, (0..5).chain([100, 700_000])).await;
    lab.read(Side::Tenant, None).await;
    assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 3, 4]);
    lab.accounts.all.lock().unwrap().insert(100, ("Engineer".to_owned(), true));
    *lab.accounts.told.lock().unwrap() = vec![100];
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 3, 4, 100]);
}

#[tokio::test]
async fn c28_a_list_from_before_our_own_write_changes_nothing_and_is_looked_at_again() {
    let mut lab = sales(20, 0..5).await;
    lab.read(Side::Tenant, None).await;
    link(&lab, 3).await;
    link(&lab, 10).await;
    // We took 3 out and made 10 a member; the list still shows the time before.
    we_wrote(&lab, 3, &[]).await;
    we_wrote(&lab, 10, &[group_id(1)]).await;
    let digest = || async { found(&lab).await };
    let before = digest().await;
    let mirrors = (account(&lab, 3).await, account(&lab, 10).await);
    look(&mut lab, Duration::from_mins(5)).await;
    assert_eq!((account(&lab, 3).await, account(&lab, 10).await), mirrors);
    assert_eq!(marked(&lab, 0..20).await, Vec::<usize>::new());
    assert_ne!(found(&lab).await, before, "not the digest of this list");
    // The list as it is meant: nothing changes, and nothing is to be compared any more.
    lab.accounts.named.lock().unwrap()[0].1 = ids([0, 1, 2, 4, 10]);
    look(&mut lab, Duration::from_mins(5)).await;
    assert_eq!((account(&lab, 3).await, account(&lab, 10).await), mirrors);
    assert!(!lab.holds().keys().any(|key| key.contains("#members")));
}

#[tokio::test]
async fn c28_a_list_that_still_shows_the_time_before_our_write_after_a_while_is_drift() {
    let mut lab = sales(20, 0..5).await;
    lab.read(Side::Tenant, None).await;
    link(&lab, 3).await;
    link(&lab, 10).await;
    we_wrote(&lab, 3, &[]).await;
    we_wrote(&lab, 10, &[group_id(1)]).await;
    look(&mut lab, Duration::from_mins(5)).await;
    look(&mut lab, Duration::from_mins(15)).await;
    assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 3, 4]);
    assert_eq!(marked(&lab, 0..20).await, [3, 10]);
}

#[tokio::test]
async fn whom_we_joined_and_somebody_took_out_before_the_next_look_is_seen() {
    let mut lab = sales(20, 0..5).await;
    lab.read(Side::Tenant, None).await;
    link(&lab, 10).await;
    we_wrote(&lab, 10, &[group_id(1)]).await;
    // The list is the one that was read last.
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 3, 4]);
    assert_eq!(marked(&lab, 0..20).await, [10]);
    assert!(!lab.holds().keys().any(|key| key.contains("#members")));
}

#[tokio::test]
async fn who_is_deleted_is_a_member_again_when_restored() {
    let mut lab = sales(20, 0..5).await;
    lab.read(Side::Tenant, None).await;
    let set = |lab: &Lab, live: bool, members: BTreeSet<ObjectId>| {
        lab.accounts.all.lock().unwrap().insert(3, ("Engineer".to_owned(), live));
        *lab.accounts.told.lock().unwrap() = vec![3];
        lab.accounts.named.lock().unwrap()[0].1 = members;
    };
    set(&lab, false, ids([0, 1, 2, 4]));
    look(&mut lab, Duration::from_hours(24)).await;
    let deleted = account(&lab, 3).await.account;
    assert!(deleted.is_deleted() && deleted.memberships == Texts::new([group_id(1).as_str()]));
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(account(&lab, 3).await.account.revision, deleted.revision);
    set(&lab, true, ids(0..5));
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 3, 4]);
    // Restored, and taken out.
    lab.accounts.named.lock().unwrap()[0].1 = ids([0, 1, 2, 4]);
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 4]);
}

#[tokio::test]
async fn whoever_was_taken_for_purged_and_is_back_is_a_member_as_listed() {
    let mut lab = sales(20, 0..5).await;
    lab.read(Side::Tenant, None).await;
    let had = lab.accounts.all.lock().unwrap().remove(&3).unwrap();
    *lab.accounts.told.lock().unwrap() = vec![3];
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 4]);
    lab.accounts.all.lock().unwrap().insert(3, had);
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 3, 4], "the list has been the same all the time");
}

#[tokio::test]
async fn readings_of_users_keep_memberships() {
    let mut lab = sales(20, 0..5).await;
    lab.read(Side::Tenant, None).await;
    // By delta, and by a full reading.
    lab.accounts.all.lock().unwrap().insert(3, ("Director".to_owned(), true));
    *lab.accounts.told.lock().unwrap() = vec![3];
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(account(&lab, 3).await.account.revision, 3);
    assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 3, 4]);
    lab.accounts.all.lock().unwrap().insert(4, ("Director".to_owned(), true));
    look(&mut lab, Duration::from_hours(24 * 30)).await;
    assert_eq!(account(&lab, 4).await.account.revision, 3);
    assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_lost_list_is_no_loss() {
    let mut lab = sales(20, 0..5).await;
    lab.read(Side::Tenant, None).await;
    lab.blobs().delete_all("").await.unwrap();
    lab.accounts.named.lock().unwrap()[0].1 = ids(3..8);
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(members(&lab, &group_id(1)).await, [3, 4, 5, 6, 7], "whoever left is found among all accounts");
}

#[tokio::test]
async fn j20_a_lost_table_has_its_memberships_of_the_lists() {
    let old = sales(20, 0..5).await;
    old.read(Side::Tenant, None).await;
    let mut lab = sales(20, 0..5).await;
    for (name, body) in lists(&old).await {
        lab.blobs().put(&name, body).await.unwrap();
    }
    lab.read(Side::Tenant, None).await;
    assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 3, 4], "although the list lies here already");
    look(&mut lab, Duration::from_hours(24)).await;
    assert_eq!(members(&lab, &group_id(1)).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_group_that_was_made_a_moment_ago_is_not_looked_for_anew() {
    let mut lab = sales(20, 0..5).await;
    let now = lab.clock.now_seconds();
    let made = hardmatch_store::groups::GroupBinding { v: 1, id: Some(group_id(7)), asked: Some(now) };
    lab.store.bind_group(&scope(), GroupKind::Security, "Sales", &made).await.unwrap();
    lab.read(Side::Tenant, None).await;
    assert!(is_found(&found(&lab).await[0].1, 7, 0), "{:?}", found(&lab).await);
    // It is not shown a day later either.
    look(&mut lab, Duration::from_hours(24)).await;
    assert!(is_found(&found(&lab).await[0].1, 1, 5), "{:?}", found(&lab).await);
}

#[tokio::test]
async fn a_refresh_keeps_what_rules_ask_for() {
    let lab = sales(20, 0..5).await;
    lab.read(Side::Tenant, None).await;
    let had = tenant(&lab).await;
    let write = |open: &mut hardmatch_ports::run::Run| {
        open.phase = Phase::Writing;
        true
    };
    lab.store.update_run(&contoso(), &lab.run, write).await.unwrap();
    lab.clock.advance(Duration::from_hours(2));
    assert_eq!(lab.message(Side::Tenant, None).await.unwrap(), After::Done);
    let now = tenant(&lab).await;
    assert!(now.delta_at > had.delta_at, "it looked");
    assert_eq!(now.tenant.named_groups, had.tenant.named_groups);
    assert_eq!(now.tenant.skus, had.tenant.skus);
}
