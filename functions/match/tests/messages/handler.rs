//! One message in, one answer out.

use std::time::Duration;

use hardmatch_match::{After, MatchError, MatchPorts, Started, answer};
use hardmatch_ports::Clock as _;
use hardmatch_ports::command::Command;
use hardmatch_ports::doorbell::{Message, MessageKind};
use hardmatch_ports::run::{Collection, CollectionState, Phase, PlanHead, Run, Status};
use hardmatch_ports::tenant_request::TenantQuery;
use hardmatch_store::PersonHash;
use hardmatch_store::changes::LanePhase;
use hardmatch_store::connection::{ConnectionStatus, Meta};
use hardmatch_store::leases::{Acquire, RunLease};
use jiff::SignedDuration;

use super::fixture::{Fixture, NOON, SLOT, contoso};

fn start(slot: &str) -> Message {
    Message::new(contoso(), "", MessageKind::Start { slot: slot.to_owned() })
}

/// Both sides, with the state of the people alone.
fn read(run: &mut Run, people: CollectionState) {
    for name in ["users", "deleted_users", "domains", "people"] {
        let state = if name == "people" { people } else { CollectionState::Complete };
        run.collections.insert(name.to_owned(), Collection { state, ..Collection::default() });
    }
}

/// A function that is ended after five minutes.
fn deployed(fixture: &Fixture) -> MatchPorts {
    MatchPorts { deadline: Some(fixture.clock.now() + SignedDuration::from_mins(5)), ..fixture.ports.clone() }
}

#[tokio::test]
async fn a_start_message_opens_a_run_and_asks_both_sides() {
    let fixture = Fixture::new(&["contoso"]).await;
    assert_eq!(answer(&fixture.ports, &start(SLOT)).await.unwrap(), After::Done);
    let id = fixture.store.meta(&contoso()).await.unwrap().schedule.run.unwrap();
    let run = fixture.run(&id).await;
    assert_eq!((run.phase, run.slot.as_deref()), (Phase::Observing, Some(SLOT)));
    assert_eq!(fixture.notified(), [run.message(MessageKind::ObserveTenant), run.message(MessageKind::ObserveSource)]);
}

#[tokio::test]
async fn a_start_message_without_a_time_fails_with_the_remedy() {
    let fixture = Fixture::new(&["contoso"]).await;
    let error = answer(&fixture.ports, &start("<aws.scheduler.scheduled-time>")).await.unwrap_err();
    assert!(error.to_string().contains("Give the schedule the input"), "{error}");
    assert!(fixture.store.run_ids(&contoso(), 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_quiet_night_ends_with_one_message_and_one_write_of_the_run() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    let run = fixture.change(&run, |run| read(run, CollectionState::Complete)).await;
    let before = fixture.store.run(&contoso(), &run.id).await.unwrap().unwrap().revision;
    fixture.notified();
    assert_eq!(answer(&fixture.ports, &run.message(MessageKind::Advance)).await.unwrap(), After::Done);
    let after = fixture.store.run(&contoso(), &run.id).await.unwrap().unwrap();
    assert_eq!((after.value.phase, after.value.status), (Phase::Closed, Some(Status::Converged)));
    assert_eq!((after.revision - before, fixture.kinds()), (1, vec![]));
    let guard = after.value.guard.unwrap();
    assert_eq!((guard.released, guard.removals, after.value.report.is_some()), (true, 0, true));
    assert_eq!(fixture.store.meta(&contoso()).await.unwrap().policy.decided, 1, "as if it had been decided");
}

#[tokio::test]
async fn an_advance_message_leaves_a_phase_that_others_work_in() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    fixture.work(&run).await;
    fixture.notified();
    for (phase, people, sent) in [
        (Phase::Observing, CollectionState::Reading, vec![]),
        (Phase::Writing, CollectionState::Complete, vec![MessageKind::Write]),
        (Phase::Removing, CollectionState::Complete, vec![MessageKind::Write]),
        (Phase::Planned, CollectionState::Complete, vec![]),
        (Phase::Closed, CollectionState::Complete, vec![]),
    ] {
        let entered = fixture.change(&run, |run| {
            run.phase = phase;
            read(run, people);
        });
        entered.await;
        assert_eq!(answer(&fixture.ports, &run.message(MessageKind::Advance)).await.unwrap(), After::Done);
        assert_eq!((fixture.run(&run.id).await.phase, fixture.kinds()), (phase, sent), "{phase:?}");
    }
}

#[tokio::test]
async fn an_advance_message_takes_a_run_through_phases_without_work() {
    for phase in [Phase::Writing, Phase::Gate, Phase::Removing, Phase::Reporting] {
        let fixture = Fixture::new(&["contoso"]).await;
        // What is removed is judged by the policy, which does not compile here.
        let run = fixture.opened(SLOT).await;
        let run = fixture.change(&run, |run| (run.phase, run.plan) = (phase, Some(PlanHead::default()))).await;
        let answered = answer(&fixture.ports, &run.message(MessageKind::Advance)).await;
        let reached = fixture.run(&run.id).await.phase;
        match phase {
            Phase::Writing | Phase::Gate => {
                assert!(answered.is_err());
                assert_eq!(reached, Phase::Gate, "{phase:?}");
            }
            _ => {
                assert_eq!(answered.unwrap(), After::Done);
                assert_eq!(reached, Phase::Closed, "{phase:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_tick_message_looks_after_every_connection() {
    let fixture = Fixture::new(&["contoso", "fabrikam"]).await;
    let run = fixture.opened(SLOT).await;
    fixture.notified();
    assert_eq!(answer(&fixture.ports, &Message::for_all(MessageKind::Tick)).await.unwrap(), After::Done);
    assert_eq!(fixture.notified(), [run.message(MessageKind::ObserveTenant), run.message(MessageKind::ObserveSource)]);
    let told: Vec<String> = fixture.told.health().iter().map(|health| health.connection.as_str().to_owned()).collect();
    assert_eq!(told, ["contoso", "fabrikam"]);
}

#[tokio::test]
async fn a_nightly_message_asks_for_a_start_of_each_connection() {
    let fixture = Fixture::new(&["contoso", "fabrikam"]).await;
    let nightly = Message::for_all(MessageKind::Nightly { slot: SLOT.to_owned() });
    assert_eq!(answer(&fixture.ports, &nightly).await.unwrap(), After::Done);
    let slot = || MessageKind::Start { slot: SLOT.to_owned() };
    assert_eq!(fixture.notified(), ["contoso", "fabrikam"].map(|name| Message::new(name.into(), "", slot())));
}

#[tokio::test]
async fn a_message_of_another_queue_changes_nothing() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    fixture.notified();
    let before = fixture.store.meta(&contoso()).await.unwrap();
    for kind in [
        // Its authority is its queue's, which is not known here.
        MessageKind::OperatorCommand { reply: "A1".to_owned(), command: Command::Pause },
        MessageKind::TenantRequest { reply: "A1".to_owned(), query: TenantQuery::Reset },
        MessageKind::ObserveSource,
        MessageKind::ObserveTenant,
        MessageKind::Write,
    ] {
        let message = run.message(kind);
        assert_eq!(answer(&fixture.ports, &message).await.unwrap(), After::Done, "{message:?}");
        assert_eq!((fixture.kinds(), fixture.run(&run.id).await), (vec![], run.clone()), "{message:?}");
    }
    assert_eq!(fixture.store.meta(&contoso()).await.unwrap().revisions, before.revisions);
}

#[tokio::test]
async fn a_message_about_an_unknown_run_is_acknowledged() {
    let fixture = Fixture::new(&["contoso"]).await;
    for kind in [MessageKind::Match, MessageKind::Advance] {
        let message = Message::new(contoso(), Fixture::RUN, kind);
        assert_eq!(answer(&fixture.ports, &message).await.unwrap(), After::Done);
    }
    assert!(fixture.notified().is_empty());
}

#[tokio::test]
async fn a_poisoned_message_fails_and_leaves_the_run_and_its_lease() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    fixture.work(&run).await;
    let run = fixture.enter(&run, Phase::Deciding).await;
    let ports = deployed(&fixture);
    let message = run.message(MessageKind::Match);
    let why = |error: MatchError| error.to_string();
    for _ in 0..2 {
        let error = answer(&ports, &message).await.map_err(why).unwrap_err();
        assert_eq!(error, "policy 1 of contoso is not stored");
    }
    fixture.store.put_policy(&contoso(), 1, "v = 1").await.unwrap();
    let error = answer(&ports, &message).await.map_err(why).unwrap_err();
    assert_eq!(error, "the policy cannot be compiled", "the lease was released each time");
    assert_eq!(fixture.run(&run.id).await, run);
    assert_eq!(fixture.store.slices(&run.id, None, 9).await.unwrap().len(), 1, "the work is still there");
}

#[tokio::test]
async fn a_message_that_finds_the_lease_taken_waits_or_is_left() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    let run = fixture.enter(&run, Phase::Reporting).await;
    let ports = deployed(&fixture);
    let advance = run.message(MessageKind::Advance);
    for (holder, wanted) in [("another run", After::Again(Duration::from_mins(1))), (run.id.as_str(), After::Done)] {
        let name = "match~contoso".to_owned();
        let acquired = RunLease::acquire(&fixture.store, &fixture.clock, ports.deadline, name, holder).await.unwrap();
        let Acquire::Acquired(lease) = acquired else { panic!("the lease was not released") };
        assert_eq!(answer(&ports, &advance).await.unwrap(), wanted, "held for {holder}");
        assert_eq!(fixture.run(&run.id).await.phase, Phase::Reporting);
        lease.release(&fixture.store).await;
    }
    assert_eq!(answer(&ports, &advance).await.unwrap(), After::Done);
    assert_eq!(fixture.run(&run.id).await.phase, Phase::Closed);
}

#[tokio::test]
async fn the_lease_of_one_run_opens_no_other_runs_work() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    let other = Run { id: "another".to_owned(), ..run.clone() };
    for deadline in [None, deployed(&fixture).deadline] {
        let name = "match~contoso".to_owned();
        let acquired = RunLease::acquire(&fixture.store, &fixture.clock, deadline, name, &run.id).await.unwrap();
        let Acquire::Acquired(lease) = acquired else { panic!("nobody holds the lease") };
        let leased = lease.over(run.clone()).expect("its own run");
        assert_eq!(leased.with(|run| run.clone_from(&other)).id, run.id, "it stays the run of the lease");
        assert!(lease.over(other.clone()).is_none());
        lease.release(&fixture.store).await;
    }
}

#[tokio::test]
async fn a_paused_connection_starts_nothing_and_ends_what_needs_no_write() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    let run = fixture.enter(&run, Phase::Reporting).await;
    fixture.store.update(&contoso(), |status: &mut ConnectionStatus| status.pause("ops", NOON)).await.unwrap();
    fixture.notified();
    assert_eq!(answer(&fixture.ports, &start("2026-01-16T12:00:00Z")).await.unwrap(), After::Done);
    assert_eq!((fixture.kinds(), fixture.run(&run.id).await.status), (vec![], None), "not abandoned either");
    answer(&fixture.ports, &run.message(MessageKind::Advance)).await.unwrap();
    assert_eq!(fixture.run(&run.id).await.phase, Phase::Closed, "its report is written");
}

#[tokio::test]
async fn a_disconnected_connection_decides_and_begins_nothing() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    fixture.work(&run).await;
    fixture.notified();
    fixture.store.update_together(&contoso(), |meta: &mut Meta| _ = meta.status.disconnect(NOON)).await.unwrap();
    for phase in [Phase::Deciding, Phase::Writing, Phase::Gate, Phase::Removing, Phase::Reporting] {
        let run = fixture.enter(&run, phase).await;
        for kind in [MessageKind::Match, MessageKind::Advance] {
            assert_eq!(answer(&fixture.ports, &run.message(kind)).await.unwrap(), After::Done);
        }
        assert_eq!(answer(&fixture.ports, &Message::for_all(MessageKind::Tick)).await.unwrap(), After::Done);
        assert_eq!((fixture.kinds(), fixture.run(&run.id).await), (vec![], run), "{phase:?}");
    }
    assert_eq!(answer(&fixture.ports, &start("2026-01-16T12:00:00Z")).await.unwrap(), After::Done);
    assert_eq!(fixture.store.run_ids(&contoso(), 9).await.unwrap(), [run.id]);
}

#[tokio::test]
async fn a_quarantined_connection_starts_nothing_until_its_attempt_is_due() {
    let fixture = Fixture::new(&["contoso"]).await;
    let held = fixture.store.quarantine(&contoso(), "run", "the secret has expired", NOON).await.unwrap();
    answer(&fixture.ports, &start(SLOT)).await.unwrap();
    assert!(fixture.notified().is_empty());
    let before = held.next - fixture.now() - 1;
    fixture.clock.advance(Duration::from_secs(before.unsigned_abs()));
    answer(&fixture.ports, &start(&fixture.clock.now().to_string())).await.unwrap();
    assert!(fixture.notified().is_empty(), "a second too early");
    fixture.clock.advance(Duration::from_secs(1));
    answer(&fixture.ports, &start(&fixture.clock.now().to_string())).await.unwrap();
    assert_eq!(fixture.kinds(), [MessageKind::ObserveTenant, MessageKind::ObserveSource]);
}

#[tokio::test]
async fn a_run_goes_on_under_another_runs_quarantine() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    fixture.work(&run).await;
    let run = fixture.enter(&run, Phase::Writing).await;
    fixture.store.quarantine(&contoso(), "another run", "the secret has expired", NOON).await.unwrap();
    fixture.notified();
    answer(&fixture.ports, &run.message(MessageKind::Advance)).await.unwrap();
    assert_eq!((fixture.run(&run.id).await.phase, fixture.kinds()), (Phase::Writing, vec![MessageKind::Write]));
    fixture.store.quarantine(&contoso(), &run.id, "the secret has expired", NOON).await.unwrap();
    answer(&fixture.ports, &run.message(MessageKind::Advance)).await.unwrap();
    assert_eq!((fixture.run(&run.id).await.phase, fixture.kinds()), (Phase::Closed, vec![]), "its own ends it");
    assert!(fixture.store.pointers(&run.id, LanePhase::Write, None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_message_out_of_time_leaves_the_rest_to_the_next() {
    let fixture = Fixture::new(&["contoso"]).await;
    let run = fixture.opened(SLOT).await;
    let run = fixture.enter(&run, Phase::Writing).await;
    let held = (1..=3).map(|n| fixture.store.put_held(&run.id, PersonHash::from_bytes([n; 16]))).collect();
    fixture.store.write_all(held).await.unwrap();
    fixture
        .store
        .put_note(&hardmatch_store::NoteList::checkpoints(&run.id), "gate#0", judged().into_bytes())
        .await
        .unwrap();
    let ports = MatchPorts { deadline: Some(fixture.clock.now()), ..fixture.ports.clone() };
    let mut phases = Vec::new();
    while answer(&ports, &run.message(MessageKind::Advance)).await.unwrap() == After::Again(Duration::ZERO) {
        phases.push(fixture.run(&run.id).await.phase);
        assert!(phases.len() < 9, "{phases:?}");
    }
    assert_eq!(phases.first(), Some(&Phase::Gate), "one step a message");
    assert_eq!(fixture.run(&run.id).await.phase, Phase::Closed);
    assert!(matches!(fixture.started(SLOT).await, Started::Already(_)));
}

/// A judgement of the gate that an earlier message kept.
fn judged() -> String {
    let judged = serde_json::json!({
        "note": {"released": false, "removals": 3, "before": 0, "links": 10, "sentence": "They wait."},
        "code": "guarded", "after": null, "units": 0, "lane": {}
    });
    judged.to_string()
}
