//! Licences and groups against the simulated tenant.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::group::{FoundGroup, GroupKind, GroupLock, Nickname, nickname};
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::{Answer, Call, Cursor, Priority, RefusalKind, TenantRead, TenantWrite};
use hardmatch_sim::{CONTOSO_CLIENT_ID, Seed};
use serde_json::{Value, json};
use std::time::Duration;

use crate::entitlements::{add, create, license, licenses, remove};
use crate::sim::{Tenant, account, kind, person, update};

const E1: &str = "00000000-0000-4000-8000-0000000000e1";
const E3: &str = "00000000-0000-4000-8000-0000000000e3";
const ADDON: &str = "00000000-0000-4000-8000-0000000000ad";
const EXCHANGE: &str = "00000000-0000-4000-8000-000000000001";
const TEAMS: &str = "00000000-0000-4000-8000-000000000002";
const STAFF: &str = "00000000-0000-4000-8000-00000000000a";

fn plan(id: &str, name: &str) -> Value {
    json!({ "servicePlanId": id, "servicePlanName": name })
}

/// Two seats of each licence; Ada and Bob live somewhere, Cy does not, and Gus has his licence from a group.
fn seed() -> Seed {
    let mut seed = Seed::contoso();
    let small = json!({ "servicePlanId": "00000000-0000-4000-8000-000000000003", "servicePlanName": "EXCHANGE_S_STANDARD", "excludes": ["EXCHANGE_S_ENTERPRISE"] });
    let addon = json!({ "servicePlanId": "00000000-0000-4000-8000-000000000004", "servicePlanName": "ADDON", "dependsOn": ["EXCHANGE_S_ENTERPRISE"] });
    let large = vec![plan(EXCHANGE, "EXCHANGE_S_ENTERPRISE"), plan(TEAMS, "TEAMS1")];
    for (id, name, plans) in [(E1, "SPE_E1", vec![small]), (E3, "SPE_E3", large), (ADDON, "ADDON", vec![addon])] {
        let sku = json!({ "skuId": id, "skuPartNumber": name, "enabled": 2, "plans": plans });
        seed.skus.push(serde_json::from_value(sku).unwrap());
    }
    seed.user(json!({ "userPrincipalName": "ada@contoso.com", "usageLocation": "DE" }))
        .user(json!({ "userPrincipalName": "bob@contoso.com", "usageLocation": "DE" }))
        .user(json!({ "userPrincipalName": "cy@contoso.com" }))
        .user(json!({ "userPrincipalName": "gus@contoso.com", "usageLocation": "DE", "groupLicenses": [{ "sku": "SPE_E3", "group": STAFF }] }))
        .group(json!({ "id": STAFF, "displayName": "Staff", "mailNickname": "staff" }))
}

impl Tenant {
    fn id(&self, name: &str) -> ObjectId {
        let user = self.running.world().user(&format!("{name}@contoso.com")).unwrap();
        ObjectId::from(user["id"].as_str().unwrap())
    }

    async fn licenses_of(&self, who: &ObjectId) -> Vec<String> {
        let account = self.client.account(who).await.unwrap().unwrap();
        account.licenses.iter().map(str::to_owned).collect()
    }

    async fn members_of(&self, group: &ObjectId) -> Vec<ObjectId> {
        let mut all = Vec::new();
        let mut page: Option<Cursor> = None;
        loop {
            let found = self.client.members(group, page.as_ref()).await.unwrap();
            all.extend(found.items);
            match found.next {
                Some(next) => page = Some(next),
                None => return all,
            }
        }
    }

    async fn used(&self, sku: &str) -> (i64, u64) {
        let skus = self.client.skus().await.unwrap();
        let sku = skus.iter().find(|have| have.id == sku).unwrap();
        (sku.used, sku.free())
    }
}

fn is_done(answer: &Answer) -> bool {
    matches!(answer, Answer::Done(None))
}

#[tokio::test]
async fn licenses_are_given_swapped_and_taken() {
    let tenant = Tenant::start(seed()).await;
    let ada = tenant.id("ada");
    assert!(is_done(&tenant.one(licenses(&ada, &[license(E1, &[])], &[])).await));
    assert_eq!((tenant.licenses_of(&ada).await, tenant.used(E1).await), (vec![E1.to_owned()], (1, 1)));
    // In one call, although the two do not go together.
    assert!(is_done(&tenant.one(licenses(&ada, &[license(E3, &[TEAMS])], &[E1])).await));
    assert_eq!((tenant.licenses_of(&ada).await, tenant.used(E1).await), (vec![E3.to_owned()], (0, 2)));
    let plans =
        || tenant.running.world().user("ada@contoso.com").unwrap()["assignedLicenses"][0]["disabledPlans"].clone();
    assert_eq!(plans(), json!([TEAMS]));
    assert!(is_done(&tenant.one(licenses(&ada, &[license(E3, &[])], &[])).await));
    assert_eq!(plans(), json!([]));
    assert!(is_done(&tenant.one(licenses(&ada, &[], &[E3])).await));
    assert!(is_done(&tenant.one(licenses(&ada, &[], &[E3])).await), "twice is once");
    assert!(tenant.licenses_of(&ada).await.is_empty());
    tenant.nothing_unknown();
}

#[tokio::test]
async fn seats_run_out_and_come_back() {
    let tenant = Tenant::start(seed()).await;
    let (ada, bob) = (tenant.id("ada"), tenant.id("bob"));
    let hand = [licenses(&ada, &[license(E3, &[])], &[]), licenses(&bob, &[license(E3, &[])], &[])];
    let answers = tenant.client.perform(&hand, Priority::Low).await;
    let refused: Vec<&Answer> = answers.iter().filter(|answer| !is_done(answer)).collect();
    let [Answer::Refused(refusal)] = refused[..] else { panic!("{answers:?}") };
    assert_eq!((refusal.kind, tenant.used(E3).await), (RefusalKind::NoSeats, (2, 0)));
    let (has, has_not) = if tenant.licenses_of(&ada).await.is_empty() { (bob, ada) } else { (ada, bob) };
    assert!(is_done(&tenant.one(licenses(&has, &[license(E3, &[TEAMS])], &[])).await), "a holder of a seat keeps it");
    assert!(is_done(&tenant.one(licenses(&has, &[], &[E3])).await));
    assert!(is_done(&tenant.one(licenses(&has_not, &[license(E3, &[])], &[])).await));
    tenant.nothing_unknown();
}

#[tokio::test]
async fn a_license_waits_for_the_usage_location_to_arrive() {
    let tenant = Tenant::start(seed().with(|options| options.lag.rules_ms = 4_000)).await;
    let cy = tenant.id("cy");
    let give = || licenses(&cy, &[license(E3, &[])], &[]);
    assert_eq!(kind(&tenant.one(give()).await), RefusalKind::UsageLocation);
    assert!(is_done(&tenant.one(update(&cy, &[(Attr::UsageLocation, "FR")])).await));
    assert_eq!(kind(&tenant.one(give()).await), RefusalKind::UsageLocation);
    tenant.clock.advance(Duration::from_secs(4));
    assert!(is_done(&tenant.one(give()).await));
    tenant.nothing_unknown();
}

#[tokio::test]
async fn licenses_of_groups_and_plans_that_disagree_are_refused() {
    let tenant = Tenant::start(seed()).await;
    let (ada, gus) = (tenant.id("ada"), tenant.id("gus"));
    assert_eq!(tenant.licenses_of(&gus).await, [E3]);
    assert_eq!(kind(&tenant.one(licenses(&gus, &[], &[E3])).await), RefusalKind::LicenseInherited);
    for (who, sku, words) in [(&gus, E1, "mutually exclusive"), (&ada, ADDON, "depends on the service plan(s)")] {
        let answer = tenant.one(licenses(who, &[license(sku, &[])], &[])).await;
        let Answer::Refused(refusal) = &answer else { panic!("{answer:?}") };
        assert_eq!(refusal.kind, RefusalKind::LicenseConflict);
        assert!(refusal.message.contains(words) && refusal.message.contains("EXCHANGE_S_ENTERPRISE"), "{refusal:?}");
    }
    let nobodys = "00000000-0000-4000-8000-00000000ffff";
    assert_eq!(kind(&tenant.one(licenses(&ada, &[license(nobodys, &[])], &[])).await), RefusalKind::Other);
    tenant.nothing_unknown();
}

#[tokio::test]
async fn members_come_and_go_and_twice_is_once() {
    let tenant = Tenant::start(seed()).await;
    let (staff, ada, bob) = (ObjectId::from(STAFF), tenant.id("ada"), tenant.id("bob"));
    for answers_400 in [false, true] {
        tenant.running.world().configure(|options| options.removing_a_stranger_is_400 = answers_400);
        let both = [add(&staff, &ada), add(&staff, &bob)];
        assert!(tenant.client.perform(&both, Priority::Low).await.iter().all(is_done));
        assert!(is_done(&tenant.one(add(&staff, &ada)).await));
        assert_eq!(tenant.members_of(&staff).await.len(), 2);
        for _ in 0..2 {
            assert!(is_done(&tenant.one(remove(&staff, &ada)).await));
            assert!(
                tenant
                    .client
                    .perform(&[remove(&staff, &bob), add(&staff, &bob)], Priority::Low)
                    .await
                    .iter()
                    .all(is_done)
            );
        }
        assert!(is_done(&tenant.one(remove(&staff, &bob)).await));
        assert!(tenant.members_of(&staff).await.is_empty());
    }
    assert_eq!(tenant.running.world().live_users(), 4, "nobody was deleted");
    let nobody = ObjectId::from("00000000-0000-4000-8000-00000000ffff");
    assert!(matches!(tenant.one(add(&staff, &nobody)).await, Answer::NotFound));
    assert!(matches!(tenant.one(add(&nobody, &ada)).await, Answer::NotFound));
    assert!(is_done(&tenant.one(remove(&nobody, &ada)).await), "a group that is gone has no members");
    tenant.nothing_unknown();
}

#[tokio::test]
async fn several_members_are_added_all_or_none() {
    let tenant = Tenant::start(seed()).await;
    let (staff, ada, bob, cy) = (ObjectId::from(STAFF), tenant.id("ada"), tenant.id("bob"), tenant.id("cy"));
    let all = |accounts: &[&ObjectId]| Call::AddMembers {
        group: staff.clone(),
        accounts: accounts.iter().map(|id| (*id).clone()).collect(),
    };
    assert!(is_done(&tenant.one(all(&[&ada, &bob])).await));
    assert_eq!(tenant.members_of(&staff).await.len(), 2);
    assert_eq!(kind(&tenant.one(all(&[&cy, &bob])).await), RefusalKind::Other, "one is a member already");
    let nobody = ObjectId::from("00000000-0000-4000-8000-00000000ffff");
    assert!(matches!(tenant.one(all(&[&cy, &nobody])).await, Answer::NotFound));
    assert_eq!(tenant.members_of(&staff).await.len(), 2, "nobody was added");
    tenant.nothing_unknown();
}

#[tokio::test]
async fn groups_that_are_not_ours_to_write_are_recognised_and_refuse() {
    let number = |n: u8| format!("00000000-0000-4000-8000-0000000000b{n}");
    let groups = [
        (json!({ "groupTypes": ["DynamicMembership"] }), RefusalKind::Forbidden, Some(GroupLock::Dynamic)),
        (json!({ "mailEnabled": true }), RefusalKind::GroupType, None),
        (json!({ "onPremisesSyncEnabled": true }), RefusalKind::Mastered, Some(GroupLock::Synced)),
        (json!({ "isAssignableToRole": true }), RefusalKind::Forbidden, Some(GroupLock::RoleAssignable)),
    ];
    let mut seed = seed();
    for (n, (more, _, _)) in (0..).zip(&groups) {
        let mut group = json!({ "id": number(n), "displayName": "Closed", "mailNickname": format!("closed{n}") });
        group.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        seed = seed.group(group);
    }
    let tenant = Tenant::start(seed).await;
    for (n, (_, refusal, lock)) in (0..).zip(&groups) {
        let id = ObjectId::new(number(n));
        let group = tenant.client.group(&id).await.unwrap().unwrap();
        let found = FoundGroup::among(std::slice::from_ref(&group), GroupKind::Security);
        assert_eq!(group.locked, *lock);
        assert!(!matches!(found, FoundGroup::Found { .. }), "{found:?}");
        assert_eq!(kind(&tenant.one(add(&id, &tenant.id("ada"))).await), *refusal);
    }
    tenant.nothing_unknown();
}

#[tokio::test]
async fn a_group_is_made_found_by_its_name_and_filled() {
    let seed = seed().group(json!({ "displayName": "Other", "mailNickname": "obrien", "groupTypes": ["Unified"], "mailEnabled": true, "securityEnabled": false, "mail": "obrien@contoso.com" }));
    let tenant = Tenant::start(seed).await;
    let name = "O'Brien";
    assert!(tenant.client.groups_named(name).await.unwrap().is_empty());
    let make = |which| create(name, GroupKind::Microsoft365, &nickname(name, which));
    let taken = tenant.one(make(Nickname::Plain)).await;
    let Answer::Refused(refusal) = &taken else { panic!("{taken:?}") };
    assert_eq!((refusal.kind, refusal.property.as_deref()), (RefusalKind::Conflict, Some("mailNickname")));
    let Answer::Made(unified) = tenant.one(make(Nickname::Unique)).await else { panic!() };
    // In a batch too, and of another kind.
    let hand = [create("o'brien", GroupKind::Security, "obrien"), add(&ObjectId::from(STAFF), &tenant.id("ada"))];
    let answers = tenant.client.perform(&hand, Priority::Low).await;
    let [Answer::Made(security), Answer::Done(None)] = &answers[..] else { panic!("{answers:?}") };

    let groups = tenant.client.find_groups("O'BRIEN").await.unwrap();
    assert_eq!(groups.len(), 2);
    for (kind, id) in [(GroupKind::Microsoft365, &unified), (GroupKind::Security, security)] {
        let found = FoundGroup::among(&groups, kind);
        assert!(matches!(&found, FoundGroup::Found { id: found, .. } if found == id), "{found:?}");
        assert!(is_done(&tenant.one(add(id, &tenant.id("bob"))).await));
        assert_eq!(tenant.members_of(id).await, [tenant.id("bob")]);
    }
    let made = tenant.running.world().groups().into_iter().find(|group| group["id"] == unified.as_str()).unwrap();
    assert_eq!(made["visibility"], "Private");
    let long = "Everybody who ".repeat(15);
    let Answer::Made(id) = tenant.one(create(&long, GroupKind::Security, "everybody")).await else { panic!() };
    assert_eq!(tenant.client.groups_named(&long).await.unwrap()[0].id, id);
    tenant.nothing_unknown();
}

#[tokio::test]
async fn a_new_group_is_listed_late_and_takes_members_late() {
    let tenant = Tenant::start(seed().with(|options| {
        options.lag.lists_ms = 5_000;
        options.lag.writes_ms = 2_000;
    }))
    .await;
    let Answer::Made(id) = tenant.one(create("New", GroupKind::Security, "new")).await else { panic!() };
    assert!(tenant.client.groups_named("New").await.unwrap().is_empty());
    assert!(matches!(tenant.one(add(&id, &tenant.id("ada"))).await, Answer::NotFound));
    tenant.clock.advance(Duration::from_secs(2));
    assert!(is_done(&tenant.one(add(&id, &tenant.id("ada"))).await));
    tenant.clock.advance(Duration::from_secs(3));
    assert_eq!(tenant.client.groups_named("New").await.unwrap().len(), 1);
    tenant.clock.advance(Duration::from_secs(2));
    assert_eq!(tenant.members_of(&id).await.len(), 1);
    tenant.nothing_unknown();
}

#[tokio::test]
async fn a_large_group_is_read_to_its_end() {
    let tenant = Tenant::start(seed()).await;
    let calls: Vec<_> = (0..60).map(|n| person(n, "contoso.com")).collect();
    let people = tenant.client.perform(&calls, Priority::Low).await;
    let staff = ObjectId::from(STAFF);
    let joins: Vec<_> = people.iter().map(|answer| add(&staff, &account(answer).id)).collect();
    let answers = tenant.client.perform(&joins, Priority::Low).await;
    assert!(answers.iter().all(is_done), "{answers:?}");
    assert_eq!(tenant.members_of(&staff).await.len(), 60);
    let pages = || tenant.running.world().counters().requests["GET /groups/{id}/members"];
    assert_eq!(pages(), 1);
    // The service may give smaller pages than it was asked for.
    tenant.running.world().configure(|options| options.page_cap = Some(25));
    let whole = tenant.members_of(&staff).await;
    assert_eq!((whole.len(), pages()), (60, 4));
    assert_eq!(tenant.client.groups_named("Staff").await.unwrap().len(), 1);
    tenant.nothing_unknown();
}

#[tokio::test]
async fn a_missing_permission_is_forbidden() {
    let tenant = Tenant::start(seed()).await;
    let world = tenant.running.world();
    let only = |roles: &[&str]| {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        world.change_app(CONTOSO_CLIENT_ID, |app| app.roles = roles).unwrap();
        tenant.clock.advance(Duration::from_hours(2));
    };
    let (ada, staff) = (tenant.id("ada"), ObjectId::from(STAFF));
    only(&["User.Read.All", "LicenseAssignment.Read.All", "GroupMember.Read.All"]);
    assert_eq!((tenant.client.skus().await.unwrap().len(), tenant.members_of(&staff).await.len()), (3, 0));
    for call in [
        licenses(&ada, &[license(E3, &[])], &[]),
        add(&staff, &ada),
        remove(&staff, &ada),
        create("x", GroupKind::Security, "x"),
    ] {
        assert_eq!(kind(&tenant.one(call).await), RefusalKind::Forbidden);
    }
    only(&["User.Read.All", "LicenseAssignment.ReadWrite.All", "GroupMember.ReadWrite.All"]);
    assert!(is_done(&tenant.one(licenses(&ada, &[license(E3, &[])], &[])).await));
    assert!(is_done(&tenant.one(add(&staff, &ada)).await));
    assert_eq!(kind(&tenant.one(create("x", GroupKind::Security, "x")).await), RefusalKind::Forbidden);
    only(&["User.Read.All"]);
    assert!(tenant.client.skus().await.unwrap_err().is_forbidden());
    assert!(tenant.client.members(&staff, None).await.unwrap_err().is_forbidden());
    tenant.nothing_unknown();
}
