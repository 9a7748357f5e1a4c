//! Recording the facts of a run out of a table that holds more than one connection, as a stack's does.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use hardmatch_domain::change::ChangeId;
use hardmatch_domain::facts::Lookups;
use hardmatch_embedded::{FileTable, FolderBlobs, ProcessDoorbell};
use hardmatch_match::{MatchPorts, RunCost, RunMetrics, replay};
use hardmatch_ports::Clock;
use hardmatch_ports::run::PlanRow;
use hardmatch_runtime::ManualClock;
use hardmatch_sim::CONTOSO_TENANT_ID;
use hardmatch_store::{Store, StoreError, TenantKey};
use hardmatch_tests::World;
use hardmatch_wiring::policies::CompiledPolicies;
use jiff::Timestamp;

/// A recording costs nobody anything.
struct Nothing;

#[async_trait]
impl RunMetrics for Nothing {
    async fn read(&self, _: &str) -> Result<RunCost, StoreError> {
        Ok(RunCost::default())
    }
}

/// What is decided, by sign-in name.
fn decided(rows: &[PlanRow]) -> BTreeMap<String, (String, Option<ChangeId>)> {
    let said = |row: &PlanRow| {
        let reasons: Vec<&str> = row.decision.reasons.iter().map(|reason| reason.code.as_str()).collect();
        let change = row.decision.change.as_deref().map(|change| change.id.clone());
        (row.upn.to_string(), (format!("{}: {}", row.decision.action.name(), reasons.join(" ")), change))
    };
    rows.iter().map(said).collect()
}

#[tokio::test]
async fn facts_recorded_from_a_table_of_two_connections_decide_everybody_alike() {
    let mut world = World::new().await;
    for name in ["ada", "grace", "mary", "joan", "lise"] {
        world.people.hire(name);
    }
    world.settle_by_hash().await;
    world.turn_to("second");
    for name in ["a", "b", "c", "d", "e", "else"] {
        world.people.hire(name);
    }
    // Somebody of the other connection has the sign-in name that is wanted here.
    for name in ["a", "b", "c", "d", "e"] {
        world.people.remove(name);
    }
    world.settle_by_hash().await;
    world.turn_to("contoso");
    world.pass_days(1);
    world.people.set("ada", "title", "Director").remove("joan");
    world.people.rename("grace", "else@contoso.com");
    world.people.set("mary", "manager", "ada@contoso.com");
    let plan = world.plan_everybody().await;
    let wanted = decided(&plan.rows);
    assert!(wanted.values().filter(|(_, change)| change.is_some()).count() >= 3, "{wanted:?}");

    let scope = TenantKey::new("simulated", CONTOSO_TENANT_ID);
    let file = Arc::new(FileTable::in_memory().unwrap());
    let store = world.store().await.entering(Lookups::default());
    let copied = store.copy_facts(&scope, &world.connection(), &plan.run.id, &*file).await.unwrap();
    assert!(copied > 30, "{copied}");
    let copy = Store::open(file.clone()).await.unwrap();
    assert_eq!(copy.connections().await.unwrap(), [world.connection()], "one connection, and not its neighbour");
    let files = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::from_millisecond(plan.run.started_ms).unwrap()));
    let ports = MatchPorts {
        store: copy,
        scope,
        blobs: Arc::new(FolderBlobs::new(files.path())),
        doorbell: Arc::new(ProcessDoorbell::new(Arc::clone(&clock))),
        clock,
        policies: Arc::new(CompiledPolicies::without_files()),
        metrics: Arc::new(Nothing),
        deadline: None,
    };
    let run = replay(&ports, &plan.run, "replayed", plan.run.policy_revision).await.unwrap();
    let mut rows = Vec::new();
    let mut slices = hardmatch_match::read_plan(&ports, &run.id).await.unwrap();
    while let Some((_, more)) = slices.next().await.unwrap() {
        rows.extend(more);
    }
    assert_eq!(decided(&rows), wanted);
}
