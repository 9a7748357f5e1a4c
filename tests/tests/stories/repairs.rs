//! Repairs, end to end: what joins an account to its person in several calls, and what becomes of it when something is in
//! the way.

use hardmatch_domain::change::Action;
use hardmatch_domain::repair::journal::RepairState;
use hardmatch_ports::run::{OutcomeKind, Status};
use hardmatch_sim::{DomainType, Seed, SeedDomain};
use hardmatch_store::TenantKey;
use hardmatch_tests::{CorruptAnswer, KillAt, Ran, World, by_hand, guid, immutable_id};
use serde_json::json;

/// Everything happens without a further question.
const UNATTENDED: &str = "[anchor]\non_conflict = \"source-wins\"\n[match]\nprove = [\"employeeId\"]\nmerge_synced = true\n\
    [actions]\nrepair = \"on\"\nmerge = \"on\"\npurge = \"on\"\ndelete = \"on\"";

/// The tenant, with the company's domain federated.
fn federated() -> Seed {
    let mut seed = Seed::contoso();
    for domain in seed.domains.iter_mut().filter(|domain| domain.name == "contoso.com") {
        domain.kind = DomainType::Federated;
    }
    seed.domains.push(SeedDomain::new("managed.example", DomainType::Managed));
    seed
}

fn scope() -> TenantKey {
    TenantKey::new("simulated", hardmatch_sim::CONTOSO_TENANT_ID)
}

/// Ada's account as somebody else anchored it, and Ada at the source.
fn wrongly_anchored(mut seed: Seed) -> Seed {
    let mut account = by_hand("ada");
    account["onPremisesImmutableId"] = json!(immutable_id(&guid(99)));
    account["employeeId"] = json!("E0001");
    seed = seed.user(account);
    seed
}

/// The properties that the calls of a command wrote, in order.
fn wrote(ran: &Ran) -> Vec<String> {
    let bodies = ran.writes.iter().filter(|write| write.method == "PATCH");
    bodies
        .map(|write| {
            let body = write.body.as_ref().and_then(|body| body.as_object().cloned()).unwrap_or_default();
            let names: Vec<&str> = body.keys().map(String::as_str).collect();
            format!("{} {}", names.join("+"), write.status)
        })
        .collect()
}

async fn states(world: &World) -> Vec<RepairState> {
    let store = world.store().await;
    let mut all: Vec<_> =
        store.open_repairs(&scope()).await.unwrap().into_iter().map(|stored| stored.value.state).collect();
    all.extend(store.closed_repairs(&scope(), 100).await.unwrap().into_iter().map(|journal| journal.state));
    all
}

#[tokio::test]
async fn k7_an_anchor_in_a_federated_domain_is_replaced_by_way_of_the_initial_domain() {
    let mut world = World::with(wrongly_anchored(federated()), UNATTENDED).await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.decided("ada@contoso.com").split(' ').next(), Some("repair:"), "{}", ran.decided("ada@contoso.com"));
    assert_eq!(
        wrote(&ran),
        ["userPrincipalName 204", "onPremisesImmutableId 204", "userPrincipalName 204"],
        "{}",
        ran.outcome("ada@contoso.com")
    );
    assert_eq!(ran.outcome("ada@contoso.com"), "done");
    let ada = world.account("ada@contoso.com");
    assert_eq!(ada.immutable_id(), Some(immutable_id(&guid(1)).as_str()));
    assert_eq!(states(&world).await, [RepairState::Repaired]);
    // Decided again, the next obstacle is named, and what differs is written.
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Engineer", "{}", ran.decided("ada@contoso.com"));
    assert_eq!(world.sync().await.status(), Some(Status::Converged));
}

#[tokio::test]
async fn k7_a_first_anchor_in_a_federated_domain_is_set_by_way_of_the_initial_domain() {
    let mut world = World::with(federated().user(by_hand("ada")), UNATTENDED).await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.outcome("ada@contoso.com"), "done", "{}", ran.decided("ada@contoso.com"));
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.upn(), ada.immutable_id()), ("ada@contoso.com", Some(immutable_id(&guid(1)).as_str())));
}

#[tokio::test]
async fn k2_an_anchor_in_a_managed_domain_is_replaced_by_one_call() {
    let mut world = World::with(wrongly_anchored(Seed::contoso()), UNATTENDED).await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(wrote(&ran), ["onPremisesImmutableId 204"]);
    assert_eq!(world.account("ada@contoso.com").immutable_id(), Some(immutable_id(&guid(1)).as_str()));
}

#[tokio::test]
async fn k20_a_repair_waits_for_an_approval_by_default() {
    let policy = "[anchor]\non_conflict = \"source-wins\"\n[match]\nprove = [\"employeeId\"]";
    let mut world = World::with(wrongly_anchored(federated()), policy).await;
    world.people.hire("ada");
    let ran = world.sync_yes().await;
    assert_eq!((ran.planned(Action::Repair), ran.writes.len()), (1, 0));
    assert_eq!(ran.outcome("ada@contoso.com"), "held: awaiting_approval");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.outcome("ada@contoso.com"), "done");
}

#[tokio::test]
async fn k12_replicas_that_lag_cost_time_and_nothing_else() {
    let mut seed = wrongly_anchored(federated());
    seed.options.lag.rules_ms = 9_000;
    seed.options.lag.reads_ms = 7_000;
    seed.options.lag.uniqueness_ms = 5_000;
    let mut world = World::with(seed, UNATTENDED).await;
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.outcome("ada@contoso.com"), "done", "{:?}", wrote(&ran));
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.upn(), ada.immutable_id()), ("ada@contoso.com", Some(immutable_id(&guid(1)).as_str())));
}

#[tokio::test]
async fn k9_an_anchor_that_somebody_holds_meanwhile_leaves_everything_as_it_was() {
    let mut world = World::with(wrongly_anchored(federated()), UNATTENDED).await;
    world.people.hire("ada");
    let planned = world.plan().await;
    // A cloud team member gives the ID to another account between the plan and its application, and nobody reads it yet.
    let before = world.account("ada@contoso.com");
    let mut other = by_hand("other");
    other["userPrincipalName"] = json!("other@managed.example");
    other["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    world.tenant.add_user(other).unwrap();
    let ran = world.apply(&planned.hash()).await;
    let ada = world.account("ada@contoso.com");
    assert_eq!(
        (ada.upn(), ada.immutable_id()),
        (before.upn(), before.immutable_id()),
        "{}",
        ran.outcome("ada@contoso.com")
    );
    assert_ne!(ran.count(OutcomeKind::Done), 1);
}

#[tokio::test]
async fn k9_no_anchor_is_written_to_an_account_that_got_a_role() {
    let mut world = World::with(wrongly_anchored(federated()), UNATTENDED).await;
    world.people.hire("ada");
    let planned = world.plan().await;
    world.tenant.grant_role("ada@contoso.com", "User Administrator").unwrap();
    let ran = world.apply(&planned.hash()).await;
    assert!(wrote(&ran).is_empty(), "{:?}", wrote(&ran));
    assert_eq!(world.account("ada@contoso.com").immutable_id(), Some(immutable_id(&guid(99)).as_str()));
}

/// Ada at the source; an account that somebody's tool made for her with the ID, and the one with her name and mail.
fn pair(seed: Seed) -> Seed {
    let mut copy = by_hand("ada1234");
    copy["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    seed.user(copy).user(by_hand("ada"))
}

fn live(world: &World) -> Vec<String> {
    world.accounts().iter().filter(|account| !account.deleted()).map(|account| account.upn().to_owned()).collect()
}

#[tokio::test]
async fn a4_one_account_is_made_of_a_pair_and_the_other_lies_in_the_recycle_bin() {
    for seed in [Seed::contoso(), federated()] {
        let mut world = World::with(pair(seed), UNATTENDED).await;
        world.people.hire("ada");
        let id = world.account("ada@contoso.com").id().to_owned();
        let ran = world.settle_by_hash().await;
        assert_eq!(ran.planned(Action::Merge), 1, "{}", ran.decided("ada@contoso.com"));
        assert_eq!(ran.outcome("ada@contoso.com"), "done", "{:?}", ran.calls());
        let ada = world.account("ada@contoso.com");
        assert_eq!((ada.id(), ada.immutable_id()), (id.as_str(), Some(immutable_id(&guid(1)).as_str())));
        assert_eq!(live(&world), ["ada@contoso.com"]);
        assert_eq!(world.accounts().len(), 2, "softly");
        world.pass_days(1);
        world.sync().await;
        assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Engineer");
        assert_eq!(world.sync().await.status(), Some(Status::Converged));
    }
}

#[tokio::test]
async fn d13_people_who_exchange_sign_in_names_get_them_in_one_repair() {
    let policy = "[actions]\nrepair = \"on\"\n[attributes]\nmail = { flow = \"never\" }";
    let mut world = World::with(Seed::contoso(), policy).await;
    world.people.hire("ada").hire("bea").hire("cleo");
    world.settle_by_hash().await;
    let ids: Vec<String> =
        ["ada", "bea", "cleo"].map(|name| world.account(&format!("{name}@contoso.com")).id().to_owned()).to_vec();
    world.people.rename("ada", "bea@contoso.com").rename("bea", "cleo@contoso.com").rename("cleo", "ada@contoso.com");
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!(
        ran.planned(Action::Repair),
        1,
        "{:?}",
        ran.rows.iter().map(|row| ran.decided(&row.upn)).collect::<Vec<_>>()
    );
    let now = ["bea", "cleo", "ada"].map(|name| world.account(&format!("{name}@contoso.com")).id().to_owned());
    assert_eq!(now.to_vec(), ids, "{:?}", ran.calls());
    assert_eq!(states(&world).await, [RepairState::Repaired]);
}

#[tokio::test]
async fn k8_a_purge_that_is_refused_leaves_the_account_in_the_recycle_bin() {
    let policy = "[match]\nsoft_deleted = \"purge\"\n[actions]\npurge = \"on\"";
    let mut account = by_hand("ada");
    account["onPremisesImmutableId"] = json!(immutable_id(&guid(1)));
    let mut world = World::with(Seed::contoso().user(account), policy).await;
    world.people.hire("ada");
    world.tenant.delete_user("ada@contoso.com").unwrap();
    world.tenant.configure(|options| options.purge_app_only = hardmatch_sim::Reaction::Refuse);
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.outcome("ada@contoso.com"), "refused: repair_rolled_back");
    assert_eq!(states(&world).await, [RepairState::RolledBack]);
    assert_eq!(world.accounts().len(), 1);
    // Once it is allowed, it is purged, and another account is made.
    world.tenant.configure(|options| options.purge_app_only = hardmatch_sim::Reaction::Accept);
    world.pass_days(2);
    world.settle_by_hash().await;
    world.pass_days(1);
    world.settle_by_hash().await;
    let ada = world.account("ada@contoso.com");
    assert_eq!((live(&world).len(), ada.immutable_id()), (1, Some(immutable_id(&guid(1)).as_str())));
}

/// What a repair may leave: the accounts without what differs from one attempt to the other.
fn outcome(world: &World) -> Vec<String> {
    let mut all: Vec<String> = world
        .accounts()
        .iter()
        .map(|account| {
            let id = account.id().replace('-', "");
            let upn = account.upn().trim_start_matches(id.as_str()).to_owned();
            format!("{upn} {:?} deleted {}", account.immutable_id(), account.deleted())
        })
        .collect();
    all.sort();
    all
}

/// Kills the command that carries a repair out at a write of the table, and lets a later run finish it.
async fn killed_at(seed: Seed, at: u64, spoil: CorruptAnswer) -> Option<Vec<String>> {
    let mut world = World::with(seed, UNATTENDED).await;
    world.people.hire("ada");
    let hash = world.plan().await.hash();
    world.cut = Some(KillAt { at, spoil });
    let cut = world.try_apply(&hash).await;
    let finished = cut.is_ok();
    for _ in 0..4 {
        world.pass_days(1);
        world.try_sync(hardmatch_match::Accept::TheStop).await.unwrap();
    }
    assert!(world.store().await.open_repairs(&scope()).await.unwrap().is_empty(), "nothing is left open");
    (!finished).then(|| outcome(&world))
}

#[tokio::test]
async fn k11_a_repair_that_is_killed_anywhere_is_finished_by_a_later_run() {
    for seed in [wrongly_anchored(federated()), pair(federated())] {
        let mut world = World::with(seed.clone(), UNATTENDED).await;
        world.people.hire("ada");
        world.settle_by_hash().await;
        for _ in 0..4 {
            world.pass_days(1);
            world.sync_yes().await;
        }
        let wanted = outcome(&world);
        let mut kills = 0;
        // Every third write of the table, in turn without and with effect.
        for step in 0..60 {
            let spoil = if step % 2 == 0 { CorruptAnswer::Lost } else { CorruptAnswer::Done };
            let Some(left) = killed_at(seed.clone(), 1 + step * 3, spoil).await else { break };
            kills += 1;
            assert_eq!(left, wanted, "killed at write {}", 1 + step * 3);
        }
        assert!(kills > 8, "{kills}");
    }
}
