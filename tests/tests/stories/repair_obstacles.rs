//! Repairs that meet an obstacle halfway: each ends repaired, or with everything as it was, or held and said.

use hardmatch_domain::change::Action;
use hardmatch_domain::repair::holds::RepairHold;
use hardmatch_domain::repair::journal::RepairState;
use hardmatch_match::Accept;
use hardmatch_sim::{DomainType, Reaction, Seed, SeedDomain};
use hardmatch_store::TenantKey;
use hardmatch_tests::{CorruptAnswer, KillAt, World, by_hand, guid, immutable_id};
use serde_json::{Value, json};

const UNATTENDED: &str = "[anchor]\non_conflict = \"source-wins\"\n[match]\nprove = [\"employeeId\"]\nmerge_synced = true\n\
    [actions]\nrepair = \"on\"\nmerge = \"on\"\npurge = \"on\"\ndelete = \"on\"\ntakeover = \"on\"\nrename = \"on\"";
const ADA: &str = "ada@contoso.com";

fn scope() -> TenantKey {
    TenantKey::new("simulated", hardmatch_sim::CONTOSO_TENANT_ID)
}

/// A tenant whose company domain is federated, with Ada's account under somebody's ID.
fn federated() -> Seed {
    let mut seed = Seed::contoso();
    for domain in seed.domains.iter_mut().filter(|domain| domain.name == "contoso.com") {
        domain.kind = DomainType::Federated;
    }
    seed.domains.push(SeedDomain::new("managed.example", DomainType::Managed));
    let mut account = by_hand("ada");
    account["onPremisesImmutableId"] = json!(immutable_id(&guid(99)));
    account["employeeId"] = json!("E0001");
    seed.user(account)
}

async fn open(world: &World) -> Vec<RepairState> {
    let open = world.store().await.open_repairs(&scope()).await.unwrap();
    open.into_iter().map(|stored| stored.value.state).collect()
}

async fn ended(world: &World) -> Vec<RepairState> {
    let ended = world.store().await.closed_repairs(&scope(), 100).await.unwrap();
    ended.into_iter().map(|journal| journal.state).collect()
}

/// Kills the application of a plan as soon as the sign-in name of Ada's account is a temporary one. The account's id.
async fn halfway(world: &mut World) -> String {
    world.people.hire("ada");
    let id = world.account(ADA).id().to_owned();
    let hash = world.plan().await.hash();
    let is_away = |world: &World| !world.accounts().iter().any(|account| account.upn() == ADA);
    for at in 1..80 {
        world.cut = Some(KillAt { at, spoil: CorruptAnswer::Done });
        let cut = if at == 1 { world.try_apply(&hash).await } else { world.try_sync(Accept::TheStop).await };
        if is_away(world) && cut.is_err() {
            assert_eq!(open(world).await, [RepairState::Open]);
            return id;
        }
        assert!(cut.is_err(), "the repair ended before it was cut");
    }
    panic!("the sign-in name never moved");
}

fn of(world: &World, id: &str) -> (String, Option<String>) {
    let accounts = world.accounts();
    let account = accounts.iter().find(|account| account.id() == id).unwrap();
    (account.upn().to_owned(), account.immutable_id().map(str::to_owned))
}

async fn nights(world: &mut World, count: usize) {
    for _ in 0..count {
        world.pass_days(1);
        world.sync_yes().await;
    }
}

#[tokio::test]
async fn k14_a_person_under_repair_is_written_by_nobody_until_it_ends() {
    let mut world = World::with(federated(), UNATTENDED).await;
    let id = halfway(&mut world).await;
    // The single-person path waits: it decides, and finds the person held.
    let store = world.store().await;
    let who = hardmatch_domain::ids::PersonRef {
        connection: world.connection(),
        key: hardmatch_domain::ids::PersonKey::new(guid(1)),
    };
    for what in [
        RepairHold::Person(who),
        RepairHold::Account(hardmatch_domain::ids::ObjectId::new(id.as_str())),
        RepairHold::Id(hardmatch_domain::ids::ImmutableId::new(immutable_id(&guid(1)))),
        RepairHold::Name(ADA.to_owned()),
    ] {
        assert!(store.repair_that_holds(&scope(), std::slice::from_ref(&what)).await.unwrap().is_some(), "{what:?}");
    }
    // Somebody new who would get the name is refused it while the repair holds it.
    world.people.hire("bea").set("bea", "userPrincipalName", ADA).set("bea", "mail", "bea@contoso.com");
    let plan = world.plan().await;
    assert_ne!(plan.planned(Action::Create), 1, "{}", plan.decided(ADA));
    world.people.remove("bea");
    nights(&mut world, 2).await;
    assert_eq!(of(&world, &id), (ADA.to_owned(), Some(immutable_id(&guid(1)))));
    assert!(open(&world).await.is_empty());
}

#[tokio::test]
async fn k14_a_hook_for_a_person_under_repair_waits_and_says_so() {
    let mut world = World::with(federated(), UNATTENDED).await;
    halfway(&mut world).await;
    world.people.set("ada", "title", "Director");
    let address = format!("/people/{}/sync?dryRun=true", guid(1));
    let told = world.push("POST", &address, &Value::Null, 200).await;
    assert_eq!((told.text("/state"), told.text("/reason")), ("held", "held_by_repair"), "{}", told.body);
    assert!(!told.text("/remedy").is_empty() || !told.text("/detail").is_empty(), "{}", told.body);
    let hook = json!({ "key": guid(1) });
    assert_eq!(world.push("POST", "/hooks", &hook, 200).await.body["asked"], 1);
    nights(&mut world, 3).await;
    assert_eq!(world.account(ADA).text("jobTitle"), "Director");
}

#[tokio::test]
async fn k14_a_person_wanted_now_waits_for_their_repair() {
    let mut world = World::with(federated(), UNATTENDED).await;
    let id = halfway(&mut world).await;
    world.people.set("ada", "title", "Director");
    // The night's run has the lane; nobody else writes the account.
    let runs = world.want(&[&guid(1)]).await.unwrap();
    for ran in &runs {
        let written = ran.writes.iter().filter(|call| {
            call.body.as_ref().and_then(Value::as_object).is_some_and(|body| body.contains_key("jobTitle"))
        });
        assert_eq!(written.count(), 0, "{:?}", ran.calls());
    }
    nights(&mut world, 3).await;
    assert_eq!(of(&world, &id), (ADA.to_owned(), Some(immutable_id(&guid(1)))));
    assert_eq!(world.account(ADA).text("jobTitle"), "Director");
}

#[tokio::test]
async fn d23_a_domain_that_is_no_longer_verified_blocks_the_way_back_until_it_is_again() {
    let mut world = World::with(federated(), UNATTENDED).await;
    let id = halfway(&mut world).await;
    world.tenant.change_domain("contoso.com", |domain| domain.verified = false).unwrap();
    world.pass_days(1);
    let ran = world.sync_yes().await;
    assert_eq!(open(&world).await, [RepairState::Blocked], "{}", ran.decided(ADA));
    assert!(ran.run.attention > 0, "it is said: {:?}", ran.run.status);
    world.pass_days(1);
    let ran = world.sync_yes().await;
    assert!(ran.decided(ADA).contains("rollback_blocked"), "{}", ran.decided(ADA));
    world.tenant.change_domain("contoso.com", |domain| domain.verified = true).unwrap();
    nights(&mut world, 1).await;
    assert!(open(&world).await.is_empty(), "{:?}", open(&world).await);
    assert_eq!(of(&world, &id).0, ADA, "the name is back");
    // Nothing is in the way any more: the repair is planned again.
    nights(&mut world, 6).await;
    assert_eq!(of(&world, &id), (ADA.to_owned(), Some(immutable_id(&guid(1)))));
}

#[tokio::test]
async fn d23_a_name_that_somebody_takes_meanwhile_is_waited_for_and_then_given_back() {
    let mut world = World::with(federated(), UNATTENDED).await;
    let id = halfway(&mut world).await;
    let mut other = by_hand("other");
    other["userPrincipalName"] = json!(ADA);
    other["mail"] = json!("other@contoso.com");
    let thief = world.tenant.add_user(other).unwrap().to_string();
    world.pass_days(1);
    world.sync_yes().await;
    assert_eq!(open(&world).await, [RepairState::Blocked]);
    assert_eq!(of(&world, &thief).0, ADA, "theirs is left");
    assert_eq!(of(&world, &id).1, Some(immutable_id(&guid(99))), "the ID is as it was");
    world.tenant.purge_user(&thief).unwrap();
    nights(&mut world, 7).await;
    assert!(open(&world).await.is_empty());
    assert_eq!(of(&world, &id), (ADA.to_owned(), Some(immutable_id(&guid(1)))));
}

#[tokio::test]
async fn d23_a_password_that_is_demanded_leaves_everything_as_it_was() {
    let mut seed = federated();
    seed.options.federated_to_managed_demands_password = true;
    let mut world = World::with(seed, UNATTENDED).await;
    world.people.hire("ada");
    let id = world.account(ADA).id().to_owned();
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.outcome(ADA), "refused: repair_rolled_back");
    assert_eq!((open(&world).await.len(), ended(&world).await), (0, vec![RepairState::RolledBack]));
    assert_eq!(of(&world, &id), (ADA.to_owned(), Some(immutable_id(&guid(99)))));
}

#[tokio::test]
async fn d23_an_operator_takes_an_open_repair_back() {
    let mut world = World::with(federated(), UNATTENDED).await;
    let id = halfway(&mut world).await;
    let store = world.store().await;
    let mut open_now = store.open_repairs(&scope()).await.unwrap().pop().unwrap();
    open_now.value.turn_back(hardmatch_domain::reason::Reason::plain(hardmatch_domain::reason::Code::RepairRolledBack));
    assert!(store.put_repair(&scope(), &mut open_now).await.unwrap());
    world.pass_days(1);
    world.sync_yes().await;
    assert_eq!(ended(&world).await, [RepairState::RolledBack]);
    assert_eq!(of(&world, &id), (ADA.to_owned(), Some(immutable_id(&guid(99)))));
}

#[tokio::test]
async fn d10_a_synchronized_duplicate_goes_for_good_and_the_account_with_the_name_gets_its_id() {
    let mut copy = by_hand("ada1234");
    copy["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    copy["onPremisesSyncEnabled"] = json!(true);
    let seed = || Seed::contoso().user(copy.clone()).user(by_hand("ada"));
    let mut world = World::with(seed(), UNATTENDED).await;
    world.people.hire("ada");
    let id = world.account(ADA).id().to_owned();
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.outcome(ADA), "done", "{} {:?}", ran.decided(ADA), ran.calls());
    assert_eq!(of(&world, &id).1, Some(immutable_id(&guid(1))));
    assert_eq!(world.accounts().len(), 1, "the ID is reserved until its holder is gone for good");
    // Unless the policy takes it on, nothing that Entra Connect masters is touched.
    let mut world = World::with(seed(), "[actions]\nmerge = \"on\"\npurge = \"on\"").await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert!(ran.decided(ADA).starts_with("none: mastered_elsewhere"), "{}", ran.decided(ADA));
    // Deleting for good has a switch of its own.
    let mut world = World::with(seed(), "[match]\nmerge_synced = true\n[actions]\nmerge = \"on\"").await;
    world.people.hire("ada");
    let ran = world.sync_yes().await;
    assert_eq!((ran.outcome(ADA).as_str(), ran.writes.len()), ("held: awaiting_approval", 0), "{}", ran.decided(ADA));
}

#[tokio::test]
async fn d10_a_duplicate_that_may_be_a_shared_mailbox_asks_whatever_the_switch_says() {
    let mut copy = by_hand("ada1234");
    copy["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    copy["accountEnabled"] = json!(false);
    let mut world = World::with(Seed::contoso().user(copy).user(by_hand("ada")), UNATTENDED).await;
    world.people.hire("ada");
    let ran = world.sync_yes().await;
    assert_eq!((ran.outcome(ADA).as_str(), ran.writes.len()), ("held: awaiting_approval", 0), "{}", ran.decided(ADA));
}

#[tokio::test]
async fn d6_an_id_that_a_deleted_account_keeps_reserved_is_freed_for_the_linked_one() {
    let mut world = World::with(Seed::contoso(), UNATTENDED).await;
    world.people.hire("ada");
    world.settle_by_hash().await;
    let id = world.account(ADA).id().to_owned();
    // Somebody clears the anchor and gives it to a copy, which is deleted.
    world.tenant.set_user(ADA, json!({ "onPremisesImmutableId": null })).unwrap();
    let mut copy = by_hand("copy");
    copy["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    world.tenant.add_user(copy).unwrap();
    world.tenant.delete_user("copy@contoso.com").unwrap();
    nights(&mut world, 2).await;
    assert_eq!(of(&world, &id), (ADA.to_owned(), Some(immutable_id(&guid(1)))));
    let deleted: Vec<bool> = world.accounts().iter().map(hardmatch_tests::Seen::deleted).collect();
    assert_eq!(deleted.iter().filter(|deleted| **deleted).count(), 1, "the copy lies in the recycle bin again");
}

#[tokio::test]
async fn d22_after_a_repair_the_next_obstacle_is_named_and_the_person_ends_hard_matched() {
    // Two faults: a wrong ID, and a manager whom the directory does not have.
    let mut world = World::with(federated(), UNATTENDED).await;
    world.people.hire("ada").hire("bea");
    world.people.set("ada", "department", &"x".repeat(200));
    world.settle_by_hash().await;
    world.pass_days(1);
    let ran = world.sync_yes().await;
    assert_eq!(world.account(ADA).immutable_id(), Some(immutable_id(&guid(1)).as_str()));
    assert!(ran.decided(ADA).contains("invalid_value"), "{}", ran.decided(ADA));
}

#[tokio::test]
async fn k16_licences_are_given_in_the_night_after_the_repair() {
    let policy =
        format!("{UNATTENDED}\n[attributes]\nusageLocation = \"'SE'\"\n[[license]]\nsku = \"SPE_E3\"\nwhen = \"true\"");
    let mut account = by_hand("ada");
    account["onPremisesImmutableId"] = json!(immutable_id(&guid(99)));
    account["employeeId"] = json!("E0001");
    let mut seed = Seed::contoso().user(account);
    let sku = json!({
        "skuId": "05e9a617-0261-4cee-bb44-138d3ef5d965", "skuPartNumber": "SPE_E3", "enabled": 5,
        "plans": [{ "servicePlanId": "57ff2da0-773e-42df-b2af-ffb7a2317929", "servicePlanName": "TEAMS1" }],
    });
    seed.skus = vec![serde_json::from_value(sku).unwrap()];
    let mut world = World::with(seed, &policy).await;
    world.people.hire("ada");
    world.settle_by_hash().await;
    nights(&mut world, 2).await;
    let ada = world.account(ADA);
    assert_eq!(ada.immutable_id(), Some(immutable_id(&guid(1)).as_str()));
    assert!(!ada.0["assignedLicenses"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn k9_no_anchor_is_written_to_an_account_that_is_eligible_for_a_role() {
    let mut world = World::with(federated(), UNATTENDED).await;
    world.tenant.make_eligible(ADA, "User Administrator").unwrap();
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert!(ran.writes.is_empty(), "{:?}", ran.calls());
    // Nor where nobody may say who holds one.
    let mut seed = federated();
    seed.options.read_roles = Reaction::Refuse;
    let mut world = World::with(seed, UNATTENDED).await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert!(ran.writes.is_empty(), "{:?}", ran.calls());
    assert_eq!(world.account(ADA).immutable_id(), Some(immutable_id(&guid(99)).as_str()));
}

#[tokio::test]
async fn c_9_a_repair_is_undone_and_every_account_is_as_before() {
    let mut copy = by_hand("ada1234");
    copy["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    let pair = Seed::contoso().user(copy).user(by_hand("ada"));
    let seen = |world: &World| {
        let all = world.accounts();
        let mut all: Vec<(String, String, Option<String>, bool)> = all
            .iter()
            .map(|one| {
                (one.id().to_owned(), one.upn().to_owned(), one.immutable_id().map(str::to_owned), one.deleted())
            })
            .collect();
        all.sort();
        all
    };
    for seed in [federated(), pair] {
        let mut world = World::with(seed, UNATTENDED).await;
        let before = seen(&world);
        world.people.hire("ada");
        let ran = world.settle_by_hash().await;
        assert_eq!(ran.outcome(ADA), "done");
        assert_ne!(seen(&world), before);
        let planned = world.undo_run(&ran.run.id, None).await;
        let undone = world.apply(&planned.hash()).await;
        assert_eq!(seen(&world), before, "{:?}", undone.outcome(ADA));
        // What an operator undid is not repaired again the next night.
        world.pass_days(1);
        world.sync_yes().await;
        assert_eq!(seen(&world), before);
    }
}

#[tokio::test]
async fn o12_people_are_joined_by_employee_id_where_the_policy_says_so() {
    let mut account = by_hand("countess");
    account["employeeId"] = json!("E0001");
    let seed = || Seed::contoso().user(account.clone());
    let soft = "[match]\nsoft = [\"userPrincipalName\", \"employeeId\"]\n[actions]\ntakeover = \"on\"\nrename = \"on\"";
    let mut world = World::with(seed(), soft).await;
    world.people.hire("ada").hire("bea");
    let id = world.account("countess@contoso.com").id().to_owned();
    let ran = world.settle_by_hash().await;
    assert!(ran.decided(ADA).starts_with("takeover"), "{}", ran.decided(ADA));
    assert_eq!(of(&world, &id).1, Some(immutable_id(&guid(1))));
    assert_eq!(world.accounts().len(), 2);
    // A number that two people have joins nobody.
    let mut world = World::with(seed(), soft).await;
    world.people.hire("ada").hire("bea").set("bea", "employeeID", "E0001");
    let ran = world.settle_by_hash().await;
    assert_eq!(of(&world, world.account("countess@contoso.com").id()).1, None, "{}", ran.decided(ADA));
    // By default it is shown and held.
    let mut world = World::with(seed(), "").await;
    world.people.hire("ada");
    assert!(world.plan().await.decided(ADA).contains("possible_duplicate"));
}
