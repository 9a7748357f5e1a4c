//! Repairs as an operator and an approver ask a stack for them: through queues, of which one is an approver's.

use hardmatch_domain::repair::journal::RepairState;
use hardmatch_match::Accept;
use hardmatch_ports::command::{Command, CommandAuthority};
use hardmatch_sim::{DomainType, Seed, SeedDomain};
use hardmatch_store::TenantKey;
use hardmatch_tests::{CorruptAnswer, KillAt, World, by_hand, guid, immutable_id};
use serde_json::json;

/// Repairs wait for an approval, as they do by default.
const POLICY: &str = "[anchor]\non_conflict = \"source-wins\"\n[match]\nprove = [\"employeeId\"]";
const ADA: &str = "ada@contoso.com";

/// Ada's account, under somebody else's immutable ID.
async fn wrongly_anchored(seed: Seed, policy: &str) -> World {
    let mut account = by_hand("ada");
    account["onPremisesImmutableId"] = json!(immutable_id(&guid(99)));
    account["employeeId"] = json!("E0001");
    let mut world = World::with(seed.user(account), policy).await;
    world.people.hire("ada");
    world
}

/// The company's domain is federated, so that a repair of an immutable ID takes three calls.
fn federated() -> Seed {
    let mut seed = Seed::contoso();
    for domain in seed.domains.iter_mut().filter(|domain| domain.name == "contoso.com") {
        domain.kind = DomainType::Federated;
    }
    seed.domains.push(SeedDomain::new("managed.example", DomainType::Managed));
    seed
}

async fn repairs(world: &World) -> Vec<(String, RepairState)> {
    let scope = TenantKey::new("simulated", hardmatch_sim::CONTOSO_TENANT_ID);
    let store = world.store().await;
    let open = store.open_repairs(&scope).await.unwrap().into_iter().map(|stored| stored.value);
    let all = open.chain(store.closed_repairs(&scope, 10).await.unwrap());
    all.map(|journal| (journal.id.to_string(), journal.state)).collect()
}

async fn states(world: &World) -> Vec<RepairState> {
    repairs(world).await.into_iter().map(|(_, state)| state).collect()
}

#[tokio::test]
async fn k20_an_operator_plans_a_repair_and_an_approver_alone_starts_it() {
    let mut world = wrongly_anchored(Seed::contoso(), POLICY).await;
    world.sync_yes().await;
    let planned = world.plan_person_by_request(&guid(1)).await;
    assert!(planned.decided(ADA).starts_with("repair:"), "{}", planned.decided(ADA));
    assert_eq!(planned.rows.len(), 1, "one person is planned");
    let start = Command::Accept { hash: planned.hash() };
    let refused = world.ask_as(CommandAuthority::Operator, &start).await.unwrap_err();
    assert!(refused.contains("approver"), "{refused}");
    assert_eq!(world.account(ADA).immutable_id(), Some(immutable_id(&guid(99)).as_str()));
    assert_eq!(states(&world).await, []);
    let ran = world.ask_as(CommandAuthority::Approver, &start).await.unwrap().unwrap();
    assert_eq!(ran.outcome(ADA), "done");
    assert_eq!(world.account(ADA).immutable_id(), Some(immutable_id(&guid(1)).as_str()));
    assert_eq!(states(&world).await, [RepairState::Repaired]);
    // Handed over once more, the request writes nothing.
    let again = world.ask_as(CommandAuthority::Approver, &start).await.unwrap().unwrap();
    assert_eq!((again.writes.len(), states(&world).await.len()), (0, 1));
}

#[tokio::test]
async fn d23_a_repair_cut_halfway_is_taken_back_at_an_operators_request() {
    let mut world = wrongly_anchored(federated(), &format!("{POLICY}\n[actions]\nrepair = \"on\"")).await;
    let hash = world.plan().await.hash();
    let is_away = |world: &World| !world.accounts().iter().any(|account| account.upn() == ADA);
    for at in 1.. {
        world.cut = Some(KillAt { at, spoil: CorruptAnswer::Done });
        let cut = if at == 1 { world.try_apply(&hash).await } else { world.try_sync(Accept::TheStop).await };
        assert!(cut.is_err(), "the repair ended before it was cut");
        if is_away(&world) {
            break;
        }
    }
    let (name, state) = repairs(&world).await.pop().unwrap();
    assert_eq!(state, RepairState::Open);
    let rollback = |name: &str| Command::RepairRollback { repair: name.to_owned() };
    let refused = world.ask_as(CommandAuthority::Operator, &rollback("00000000")).await.unwrap_err();
    assert!(refused.contains("hardmatch repair list"), "{refused}");
    assert!(world.ask_as(CommandAuthority::Operator, &rollback(&name[..12])).await.unwrap().is_none());
    world.sync_yes().await;
    assert_eq!(world.account(ADA).immutable_id(), Some(immutable_id(&guid(99)).as_str()));
    assert_eq!(states(&world).await, [RepairState::RolledBack]);
}

#[tokio::test]
async fn k15_a_link_is_made_at_an_approvers_request_and_not_at_an_operators() {
    let mut account = by_hand("somebody");
    account["displayName"] = json!("Nobody's");
    let mut world = World::with(Seed::contoso().user(account), POLICY).await;
    world.people.hire("ada");
    world.plan().await;
    let id = world.account("somebody@contoso.com").id().to_owned();
    let link = Command::RepairLink { person: world.person_hex(&guid(1)).await, account: id.clone() };
    let refused = world.ask_as(CommandAuthority::Operator, &link).await.unwrap_err();
    assert!(refused.contains("approver"), "{refused}");
    assert!(world.ask_as(CommandAuthority::Approver, &link).await.unwrap().is_none());
    // Handed over once more, the request changes nothing.
    assert!(world.ask_as(CommandAuthority::Approver, &link).await.unwrap().is_none());
    let ran = world.plan_person_by_request(&guid(1)).await;
    let row = ran.row(ADA).unwrap();
    assert!(format!("{:?}", row.decision.join).contains(&id), "{:?}", row.decision.join);
}
