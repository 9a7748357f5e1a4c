//! What whoever counts runs is told: of each that comes to rest, once, and how a connection stands at each tick.

#![cfg(test)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::policy::Policy;
use hardmatch_embedded::{FileTable, FolderBlobs};
use hardmatch_match::{ConnectionHealth, MatchPorts, RunCost, RunMetrics, Started, advance, start_scheduled, tick};
use hardmatch_ports::Policies;
use hardmatch_ports::doorbell::{Doorbell, DoorbellError, Message};
use hardmatch_ports::run::{
    Accepted, Collection, CollectionState, Compute, Intent, Phase, PlanHead, Run, Stalled, Status, Stop,
};
use hardmatch_ports::table::Units;
use hardmatch_runtime::ManualClock;
use hardmatch_store::{Store, StoreError, TenantKey};
use jiff::Timestamp;
use tempfile::TempDir;

/// Noon on 15 January 2026, UTC.
const NOON: i64 = 1_768_478_400;
const NOON_SLOT: &str = "2026-01-15T12:00:00Z";
const LATER_SLOT: &str = "2026-01-16T12:00:00Z";
const EFFORT: Compute = Compute { messages: 7, worked_ms: 4_200 };

struct Unheard;

#[async_trait]
impl Doorbell for Unheard {
    async fn notify(&self, _: Message, _: Duration) -> Result<(), DoorbellError> {
        Ok(())
    }
}

struct NoPolicy;

impl Policies for NoPolicy {
    fn compile(&self, _: &str, _: u64) -> Result<Arc<Policy>, String> {
        Err("nobody is decided here".to_owned())
    }
}

/// Keeps what it is told.
#[derive(Default)]
struct Told {
    rested: Mutex<Vec<Run>>,
    ticked: Mutex<Vec<ConnectionHealth>>,
}

#[async_trait]
impl RunMetrics for Told {
    async fn read(&self, _: &str) -> Result<RunCost, StoreError> {
        Ok(RunCost { units: Units { read: 5, write: 3 }, compute: Some(EFFORT), ..RunCost::default() })
    }

    fn run_ended(&self, run: &Run) {
        self.rested.lock().unwrap().push(run.clone());
    }

    fn connection_state(&self, upkeep: &ConnectionHealth) {
        self.ticked.lock().unwrap().push(upkeep.clone());
    }
}

struct Lab {
    store: Store,
    told: Arc<Told>,
    ports: MatchPorts,
    _folder: TempDir,
}

fn contoso() -> ConnectionId {
    ConnectionId::new("contoso")
}

impl Lab {
    async fn new() -> Self {
        let store = Store::open(Arc::new(FileTable::in_memory().unwrap())).await.unwrap();
        let (told, folder) = (Arc::new(Told::default()), tempfile::tempdir().unwrap());
        let ports = MatchPorts {
            store: store.clone(),
            scope: TenantKey::new("graph.test", "t1"),
            blobs: Arc::new(FolderBlobs::new(folder.path())),
            clock: Arc::new(ManualClock::new(Timestamp::from_second(NOON).unwrap())),
            doorbell: Arc::new(Unheard),
            policies: Arc::new(NoPolicy),
            metrics: told.clone(),
            deadline: None,
        };
        let name = contoso();
        let known = store.update_meta(&name, |meta| {
            (meta.policy_revision, meta.first_accepted) = (1, Some(NOON - 1));
        });
        known.await.unwrap();
        Self { store, told, ports, _folder: folder }
    }

    /// A run of the schedule, changed.
    async fn run(&self, slot: &str, change: impl Fn(&mut Run)) -> Run {
        let Started::Opened(id) = start_scheduled(&self.ports, &contoso(), slot).await.unwrap() else {
            panic!("the slot was taken")
        };
        let name = contoso();
        let changed = self.store.update_run(&name, &id, |run| {
            change(run);
            true
        });
        changed.await.unwrap().unwrap()
    }

    async fn advance(&self, run: &Run) {
        advance(&self.ports, &contoso(), &run.id).await.unwrap();
    }

    async fn stored(&self, run: &Run) -> Run {
        self.store.run(&contoso(), &run.id).await.unwrap().unwrap().value
    }

    /// The runs told of since it was last asked.
    fn rested(&self) -> Vec<Run> {
        std::mem::take(&mut *self.told.rested.lock().unwrap())
    }

    fn ends(&self) -> Vec<Option<Status>> {
        self.rested().into_iter().map(|run| run.status).collect()
    }
}

#[tokio::test]
async fn a_closed_run_is_told_of_once_however_often_its_last_bell_comes() {
    let lab = Lab::new().await;
    let run = lab.run(NOON_SLOT, |run| run.phase = Phase::Reporting).await;
    tokio::join!(lab.advance(&run), lab.advance(&run), lab.advance(&run));
    lab.advance(&run).await;
    let told = lab.rested();
    assert_eq!(told.len(), 1);
    let stored = lab.stored(&run).await;
    assert_eq!(told[0], stored, "as it lies in the table");
    assert_eq!((stored.status, stored.phase), (Some(Status::Converged), Phase::Closed));
    assert_eq!((stored.compute, stored.units.read), (Some(EFFORT), 5), "with what it has cost");
}

#[tokio::test]
async fn a_run_that_could_not_read_is_told_of() {
    let lab = Lab::new().await;
    let unknown = Collection { state: CollectionState::Unknown, ..Collection::default() };
    let half = |run: &mut Run| _ = run.collections.insert("people".to_owned(), unknown.clone());
    let run = lab.run(NOON_SLOT, half).await;
    tokio::join!(lab.advance(&run), lab.advance(&run));
    assert_eq!(lab.ends(), [Some(Status::Incomplete)]);
    assert_eq!(lab.stored(&run).await.compute, Some(EFFORT));

    // So is a plan that was being applied and waits again.
    let accepted = Accepted { by_hash: true, at_ms: 0, by: String::new() };
    let applied = |run: &mut Run| {
        half(run);
        (run.plan, run.accepted) = (Some(PlanHead::default()), Some(accepted.clone()));
    };
    let run = lab.run(LATER_SLOT, applied).await;
    lab.advance(&run).await;
    let told = lab.rested();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].status, told[0].phase), (Some(Status::Incomplete), Phase::Planned));
}

#[tokio::test]
async fn a_plan_that_waits_is_told_of() {
    let lab = Lab::new().await;
    let stops = |run: &mut Run| {
        (run.phase, run.intent, run.stop) = (Phase::Deciding, Intent::Plan, Some(Stop::Asked));
    };
    let run = lab.run(NOON_SLOT, stops).await;
    tokio::join!(lab.advance(&run), lab.advance(&run));
    let told = lab.rested();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].status, told[0].phase, told[0].plan.is_some()), (Some(Status::Planned), Phase::Planned, true));
}

#[tokio::test]
async fn a_run_that_the_next_one_finds_open_is_told_of() {
    let lab = Lab::new().await;
    let left = lab.run(NOON_SLOT, |run| run.phase = Phase::Writing).await;
    lab.run(LATER_SLOT, |_| ()).await;
    let told = lab.rested();
    assert_eq!(told.iter().map(|run| (&run.id, run.status)).collect::<Vec<_>>(), [(&left.id, Some(Status::Abandoned))]);
    let again = start_scheduled(&lab.ports, &contoso(), LATER_SLOT).await.unwrap();
    assert!(matches!(again, Started::Already(_)));
    assert_eq!(lab.ends(), []);
}

#[tokio::test]
async fn each_tick_tells_how_a_connection_stands() {
    let lab = Lab::new().await;
    let stands = async || {
        tick(&lab.ports, &contoso()).await.unwrap();
        std::mem::take(&mut *lab.told.ticked.lock().unwrap())
    };
    let well = ConnectionHealth {
        connection: contoso(),
        stuck_runs: 0,
        quarantined: false,
        hours_since_run: None,
        credential_ends: None,
    };
    lab.run(NOON_SLOT, |_| ()).await;
    assert_eq!(stands().await, std::slice::from_ref(&well));
    let stalled = Stalled { at: String::new(), messages: Stalled::MOST, since_ms: 0 };
    let run = lab.run(LATER_SLOT, |run| run.stalled = Some(stalled.clone())).await;
    lab.store.quarantine(&contoso(), &run.id, "for a reason", NOON).await.unwrap();
    let badly = ConnectionHealth { stuck_runs: 1, quarantined: true, ..well };
    assert_eq!(stands().await, std::slice::from_ref(&badly));
    // A connection that had a run and has been silent since says for how long, unless somebody paused it.
    lab.store.update_meta(&contoso(), |meta| meta.last_run = Some(NOON - 27 * 3600)).await.unwrap();
    assert_eq!(stands().await, [ConnectionHealth { hours_since_run: Some(27), ..badly.clone() }]);
    lab.store.update_meta(&contoso(), |meta| meta.pause("ops", NOON)).await.unwrap();
    assert_eq!(stands().await, [badly]);
}
