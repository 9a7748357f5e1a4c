//! What metrics are told: the end of each run, once, and how a connection stands at each tick.

use hardmatch_match::{ConnectionHealth, Started, start_scheduled, tick};
use hardmatch_ports::run::{
    Accepted, Collection, CollectionState, Intent, Phase, PlanHead, Run, Stalled, Status, Stop,
};
use hardmatch_store::connection::{ConnectionStatus, RunHistory};

use super::fixture::{COMPUTE, Fixture, NOON, SLOT, contoso};

const LATER_SLOT: &str = "2026-01-16T12:00:00Z";

/// A run of the schedule, changed.
async fn started(fixture: &Fixture, slot: &str, change: impl Fn(&mut Run)) -> Run {
    let run = fixture.opened(slot).await;
    fixture.change(&run, change).await
}

async fn advance(fixture: &Fixture, run: &Run) {
    hardmatch_match::advance(&fixture.ports, &contoso(), &run.id).await.unwrap();
}

fn ends(fixture: &Fixture) -> Vec<Option<Status>> {
    fixture.told.ended().into_iter().map(|run| run.status).collect()
}

#[tokio::test]
async fn the_end_of_a_run_is_told_once() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = started(&fixture, SLOT, |run| run.phase = Phase::Reporting).await;
    tokio::join!(advance(&fixture, &run), advance(&fixture, &run), advance(&fixture, &run));
    advance(&fixture, &run).await;
    let told = fixture.told.ended();
    assert_eq!(told.len(), 1);
    let stored = fixture.run(&run.id).await;
    assert_eq!(told[0], stored, "as it lies in the table");
    assert_eq!((stored.status, stored.phase), (Some(Status::Converged), Phase::Closed));
    assert_eq!((stored.compute, stored.units.read), (Some(COMPUTE), 5), "with what it has cost");
}

#[tokio::test]
async fn the_end_of_an_incomplete_run_is_told() {
    let fixture = Fixture::new(&["contoso"]).await;
    let unknown = Collection { state: CollectionState::Unknown, ..Collection::default() };
    let half = |run: &mut Run| _ = run.collections.insert("people".to_owned(), unknown.clone());
    let run = started(&fixture, SLOT, half).await;
    tokio::join!(advance(&fixture, &run), advance(&fixture, &run));
    assert_eq!(ends(&fixture), [Some(Status::Incomplete)]);
    assert_eq!(fixture.run(&run.id).await.compute, Some(COMPUTE));

    // So is a plan that was being applied and waits again.
    let accepted = Accepted { by_hash: true, at_ms: 0, by: String::new() };
    let applied = |run: &mut Run| {
        half(run);
        (run.plan, run.accepted) = (Some(PlanHead::default()), Some(accepted.clone()));
    };
    let run = started(&fixture, LATER_SLOT, applied).await;
    advance(&fixture, &run).await;
    let told = fixture.told.ended();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].status, told[0].phase), (Some(Status::Incomplete), Phase::Planned));
}

#[tokio::test]
async fn a_waiting_plan_is_told() {
    let fixture = Fixture::new(&["contoso"]).await;
    let stops = |run: &mut Run| {
        (run.phase, run.intent, run.stop) = (Phase::Deciding, Intent::Plan, Some(Stop::Asked));
    };
    let run = started(&fixture, SLOT, stops).await;
    tokio::join!(advance(&fixture, &run), advance(&fixture, &run));
    let told = fixture.told.ended();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].status, told[0].phase, told[0].plan.is_some()), (Some(Status::Planned), Phase::Planned, true));
}

#[tokio::test]
async fn an_abandoned_run_is_told() {
    let fixture = Fixture::new(&["contoso"]).await;
    let left = started(&fixture, SLOT, |run| run.phase = Phase::Writing).await;
    started(&fixture, LATER_SLOT, |_| ()).await;
    let told = fixture.told.ended();
    assert_eq!(told.iter().map(|run| (&run.id, run.status)).collect::<Vec<_>>(), [(&left.id, Some(Status::Abandoned))]);
    let again = start_scheduled(&fixture.ports, &contoso(), LATER_SLOT).await.unwrap();
    assert!(matches!(again, Started::Already(_)));
    assert_eq!(ends(&fixture), []);
}

#[tokio::test]
async fn each_tick_tells_the_connections_health() {
    let fixture = Fixture::new(&["contoso"]).await;
    let stands = async || {
        tick(&fixture.ports, &contoso()).await.unwrap();
        fixture.told.health()
    };
    let well = ConnectionHealth {
        connection: contoso(),
        stuck_runs: 0,
        quarantined: false,
        hours_since_run: None,
        credential_ends: None,
    };
    started(&fixture, SLOT, |_| ()).await;
    assert_eq!(stands().await, std::slice::from_ref(&well));
    let stalled = Stalled { at: String::new(), messages: Stalled::MOST, since_ms: 0 };
    let run = started(&fixture, LATER_SLOT, |run| run.stalled = Some(stalled.clone())).await;
    fixture.store.quarantine(&contoso(), &run.id, "for a reason", NOON).await.unwrap();
    let badly = ConnectionHealth { stuck_runs: 1, quarantined: true, ..well };
    assert_eq!(stands().await, std::slice::from_ref(&badly));
    // A connection that had a run and has been silent since says for how long, unless somebody paused it.
    fixture
        .store
        .update(&contoso(), |history: &mut RunHistory| history.last_run = Some(NOON - 27 * 3600))
        .await
        .unwrap();
    assert_eq!(stands().await, [ConnectionHealth { hours_since_run: Some(27), ..badly.clone() }]);
    fixture.store.update(&contoso(), |status: &mut ConnectionStatus| status.pause("ops", NOON)).await.unwrap();
    assert_eq!(stands().await, [badly]);
}
